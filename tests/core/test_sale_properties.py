"""Any cart and any sequence of what a cashier may do to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.sale_cases import BACK, SALE, card_of, eur

from stillopen.core.errors import StillopenError
from stillopen.core.money import line_total
from stillopen.core.products import Product
from stillopen.core.sale import (
    Sale,
    SaleState,
    TenderKind,
    add_line,
    change_line,
    complete,
    void,
    void_line,
)
from stillopen.core.tax import Tax
from stillopen.core.tender import add_card, add_cash, void_tender

Change = Callable[[Sale], Sale]


@dataclass(frozen=True, slots=True)
class Step:
    """A change, with what the failing example prints."""

    words: str
    change: Change


def _line(price: int, quantity: int, by_hand: int | None) -> Step:
    given = None if by_hand is None else eur(by_hand)
    return Step(
        f"line {price} x {quantity} by hand {by_hand}",
        lambda sale: add_line(
            sale,
            Product("P", "P", eur(price), tax=Tax("G", 17 * price)),
            quantity,
            1,
            given,
            "why" if given else "",
            BACK if quantity < 0 else None,
        ),
    )


def _change(line: int, quantity: int | None, by_hand: int | None) -> Step:
    given = None if by_hand is None else eur(by_hand)
    return Step(
        f"change L{line} to {quantity} at {by_hand}",
        lambda sale: change_line(sale, f"L{line}", quantity, given, "why" if given else ""),
    )


def _card(minor: int, number: int) -> Step:
    return Step(f"card {number}: {minor}", lambda sale: add_card(sale, eur(minor), card_of(number)))


def _cash(minor: int) -> Step:
    return Step(f"cash {minor}", lambda sale: add_cash(sale, eur(minor)))


def _all_of_it(number: int | None) -> Step:
    def pay(sale: Sale) -> Sale:
        return add_card(sale, sale.due, card_of(number)) if number else add_cash(sale, sale.due)

    return Step(f"all of it, card {number}", pay)


def _void_line(number: int) -> Step:
    return Step(f"void L{number}", lambda sale: void_line(sale, f"L{number}"))


def _void_tender(number: int) -> Step:
    return Step(f"void T{number}", lambda sale: void_tender(sale, f"T{number}"))


LIST_PRICES = st.integers(0, 2_000)
PRICES = st.integers(-10, 2_000)
QUANTITIES = st.one_of(st.sampled_from([1000, 2000, -1000]), st.integers(-5_000, 5_000))
IDS = st.integers(1, 4)
STEPS = st.lists(
    st.one_of(
        st.builds(_line, LIST_PRICES, QUANTITIES, st.none() | PRICES),
        st.builds(_change, IDS, st.none() | QUANTITIES, st.none() | PRICES),
        st.builds(_void_line, IDS),
        st.builds(_cash, st.integers(-3_000, 5_000)),
        st.builds(_card, st.integers(-10, 2_000), IDS),
        st.builds(_all_of_it, st.none() | IDS),
        st.builds(_void_tender, IDS),
        st.just(Step("complete", complete)),
        st.just(Step("void", void)),
    ),
    max_size=25,
)


def check_sums(sale: Sale) -> None:
    """Everything a sale says of its money agrees with its lines and tenders."""
    total = sum(
        line_total(x.unit_price, x.quantity_milli).minor for x in sale.lines if not x.voided
    )
    tendered = sum(t.amount.minor for t in sale.tenders if not t.voided)
    assert sale.total == eur(total)
    assert sale.tendered == eur(tendered)
    assert sale.due == eur(total - tendered)
    assert sale.change.minor >= 0
    tax = sum(x.tax.included_minor(x.total.minor) for x in sale.lines if not x.voided)
    assert sale.tax == eur(tax)
    if total >= 0 and sale.due.minor <= 0:
        assert sale.total == sale.tendered - sale.change
    for line in sale.lines:
        assert (line.quantity_milli < 0) == (line.return_of is not None)
        assert line.unit_price.minor >= 0
        assert (line.unit_price == line.list_price) or line.price_reason
    cards = [card.card_id for card in sale.cards]
    assert len(cards) == len(set(cards))


def check_final(sale: Sale) -> None:
    """A completed sale is paid, and no card paid for more than was bought."""
    kinds = dict.fromkeys(TenderKind, 0)
    for tender in sale.live_tenders:
        kinds[tender.kind] += tender.amount.minor
    assert any(not x.voided for x in sale.lines)
    assert sale.tendered - sale.change == sale.total
    assert sale.change.minor <= max(0, kinds[TenderKind.CASH])
    bought = sum(x.total.minor for x in sale.lines if not x.voided and x.quantity_milli > 0)
    assert kinds[TenderKind.GIFT_CARD] <= bought


@settings(max_examples=400)
@given(STEPS)
def test_whatever_the_cashier_does_the_sums_agree(steps: list[Step]) -> None:
    sale = SALE
    for step in steps:
        before = replace(sale)
        try:
            after = step.change(sale)
        except StillopenError:
            assert sale == before
            continue
        assert sale == before, "a sale is a value"
        assert sale.state is SaleState.OPEN, "nothing changes a final sale"
        assert after.version == sale.version + 1
        assert [x.line_id for x in after.lines][: len(sale.lines)] == [
            x.line_id for x in sale.lines
        ]
        check_sums(after)
        if after.state is SaleState.COMPLETED:
            check_final(after)
        sale = after


@given(STEPS)
def test_ids_within_a_sale_are_unique(steps: list[Step]) -> None:
    sale = SALE
    for step in steps:
        try:
            sale = step.change(sale)
        except StillopenError:
            continue
    ids = [x.line_id for x in sale.lines] + [t.line_id for t in sale.tenders]
    assert len(ids) == len(set(ids))
