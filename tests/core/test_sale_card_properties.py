"""Any cart with cards sold in it, refunds, memos, cash and split tenders, in any currency."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.sale_cases import SALE

from stillopen.core.card_line import add_card_line
from stillopen.core.errors import StillopenError
from stillopen.core.money import Money, exponent, parse_money
from stillopen.core.products import Product
from stillopen.core.purpose import NewMemo, Purpose
from stillopen.core.sale import (
    HeldCard,
    ReturnOf,
    Sale,
    SaleState,
    TenderKind,
    add_line,
    complete,
    void,
    void_line,
)
from stillopen.core.tender import (
    add_card,
    add_cash,
    purpose_of,
    void_tender,
    without_cards,
)

CURRENCIES = ["EUR", "JPY", "KWD"]
GIFT, MEMO = TenderKind.GIFT_CARD, TenderKind.CREDIT_MEMO
ON_MEMOS = 1_500


@dataclass(frozen=True, slots=True)
class Step:
    """A change, with what the failing example prints."""

    words: str
    change: Callable[[Sale], Sale]


def _money(sale: Sale, minor: int) -> Money:
    return Money(sale.currency, minor)


def _held(sale: Sale, number: int, purpose: Purpose, minor: int, kind: TenderKind) -> HeldCard:
    """A card as the register holds it: a memo that is issued or paid in part makes a new one."""
    memo: NewMemo | None = None
    left = ON_MEMOS - minor
    if kind is MEMO and (purpose is Purpose.ISSUE or left > 0):
        worth = minor if purpose is Purpose.ISSUE else left
        memo = NewMemo(bytes([number]) * 32, "WXYZ", _money(sale, worth))
    key, name = bytes([number]) * 16, f"{kind}-{number}"
    return HeldCard(key, name, "4321", _money(sale, ON_MEMOS), purpose, memo)


def _goods(price: int, quantity: int) -> Step:
    def change(sale: Sale) -> Sale:
        product = Product("P", "P", _money(sale, price))
        back = ReturnOf("torn") if quantity < 0 else None
        return add_line(sale, product, quantity, 1, return_of=back)

    return Step(f"{quantity} at {price}", change)


def _card_line(purpose: Purpose, minor: int, number: int) -> Step:
    def change(sale: Sale) -> Sale:
        card = _held(sale, number, purpose, minor, GIFT)
        return add_card_line(sale, purpose, _money(sale, minor), card)

    return Step(f"{purpose} {minor} on card {number}", change)


def _tender(kind: TenderKind, minor: int | None, number: int) -> Step:
    def change(sale: Sale) -> Sale:
        amount = sale.due if minor is None else _money(sale, minor)
        if kind is TenderKind.CASH:
            return add_cash(sale, amount)
        purpose = purpose_of(kind, amount)
        return add_card(sale, amount, _held(sale, number, purpose, abs(amount.minor), kind), kind)

    return Step(f"{kind} {minor} with {number}", change)


def _void(letter: str, number: int) -> Step:
    void_one, line_id = (void_line if letter == "L" else void_tender), f"{letter}{number}"
    return Step(f"void {line_id}", lambda sale: void_one(sale, line_id))


IDS = st.integers(1, 5)
AMOUNTS = st.one_of(st.none(), st.integers(-1_500, 1_500))
TENDERS = st.builds(_tender, st.sampled_from(list(TenderKind)), AMOUNTS, IDS)
LINES = st.one_of(
    st.builds(_goods, st.integers(0, 900), st.sampled_from([1_000, 1_500, 333, -1_000, -2_000])),
    st.builds(_card_line, st.sampled_from(list(Purpose)), st.integers(-1, 1_000), IDS),
)
STEPS = st.lists(
    st.one_of(
        LINES,
        LINES,
        TENDERS,
        TENDERS,
        st.builds(_void, st.sampled_from("LT"), IDS),
        st.just(Step("let go", without_cards)),
        st.just(Step("complete", complete)),
        st.just(Step("void", void)),
    ),
    min_size=3,
    max_size=20,
)


def check_sums(sale: Sale) -> None:
    """Total, tendered, due and change agree with lines and tenders."""
    total = sum(x.total.minor for x in sale.lines if not x.voided)
    tendered = sum(t.amount.minor for t in sale.tenders if not t.voided)
    assert (sale.total.minor, sale.tendered.minor) == (total, tendered)
    assert sale.due.minor == total - tendered
    assert sale.change.minor == (max(0, tendered - total) if total >= 0 else 0)
    assert {sale.total.currency, sale.due.currency, sale.change.currency} == {sale.currency}
    number, code = str(sale.due).split()
    assert parse_money(number.replace(",", ""), code, "due") == sale.due
    assert len(number.partition(".")[2]) == exponent(sale.currency)


def check_cards(sale: Sale) -> None:
    """Each card once; what it does has its direction; memos add up."""
    names = [card.card_id for card in sale.cards]
    assert len(names) == len(set(names))
    for line in sale.lines:
        if line.card:
            takes = line.card.purpose is Purpose.CASH_OUT
            assert (line.total.minor < 0) is takes
            assert line.product_id == ""
            assert line.return_of is None
    for tender in sale.tenders:
        if tender.card is None:
            assert tender.kind is TenderKind.CASH
            continue
        assert (tender.amount.minor > 0) is (tender.card.purpose is Purpose.REDEEM)
        memo = tender.card.new_memo
        if memo and tender.card.purpose is Purpose.REDEEM:
            assert memo.amount.minor + tender.amount.minor == ON_MEMOS
    paid = sum(t.amount.minor for t in sale.live_tenders if t.card and t.amount.minor > 0)
    given_back = sum(t.amount.minor for t in sale.live_tenders if t.card and t.amount.minor < 0)
    assert paid <= max(0, sale.total.minor), "cards give no change"
    assert given_back >= min(0, sale.total.minor), "no more is given back than came back"


def check_final(sale: Sale) -> None:
    """Nothing is open between shop and customer; a voided sale does nothing with any card."""
    if sale.state is SaleState.VOIDED:
        assert (sale.cards, sale.live_tenders) == ((), ())
        return
    assert sale.tendered - sale.change == sale.total
    cash = sum(t.amount.minor for t in sale.live_tenders if t.kind is TenderKind.CASH)
    assert sale.change.minor <= max(0, cash)


@pytest.mark.parametrize("currency", CURRENCIES)
@settings(max_examples=250)
@given(steps=STEPS)
def test_whatever_is_done_the_sums_agree_and_a_refusal_changes_nothing(
    currency: str, steps: list[Step]
) -> None:
    sale = replace(SALE, currency=currency)
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
        ids = [x.line_id for x in after.lines] + [x.line_id for x in after.tenders]
        assert len(ids) == len(set(ids))
        check_sums(after)
        check_cards(after)
        if after.state is not SaleState.OPEN:
            check_final(after)
        sale = after


@given(STEPS)
def test_a_sale_that_lets_its_cards_go_can_still_be_paid_or_paid_out(steps: list[Step]) -> None:
    """No half state: goods, cash and what is due are what they were without the cards."""
    sale = SALE
    for step in steps:
        try:
            sale = step.change(sale)
        except StillopenError:
            continue
    if sale.state is not SaleState.OPEN:
        return
    left = without_cards(sale)
    assert left.cards == ()
    check_sums(left)
    check_cards(left)
    goods = any(not x.voided for x in left.lines)
    owed = left.due.minor > 0 if left.total.minor >= 0 else left.due.minor != 0
    if not goods:
        left = add_line(left, Product("P", "P", Money("EUR", 0)), 1_000, 1)
    if owed:
        left = add_cash(left, left.due)
    check_final(complete(left))


@pytest.mark.parametrize(
    ("currency", "price", "cash", "change", "text"),
    [
        ("JPY", 980, 1_000, 20, "20 JPY"),
        ("EUR", 980, 1_000, 20, "0.20 EUR"),
        ("KWD", 980, 1_000, 20, "0.020 KWD"),
    ],
)
def test_change_is_counted_in_the_smallest_coin_of_its_currency(
    currency: str, price: int, cash: int, change: int, text: str
) -> None:
    sale = replace(SALE, currency=currency)
    sale = add_line(sale, Product("P", "P", Money(currency, price)), 1_000, 1)
    sale = complete(add_cash(sale, Money(currency, cash)))
    assert (sale.change, str(sale.change)) == (Money(currency, change), text)
