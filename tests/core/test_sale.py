"""Lines, and what a sale comes to; payments are in test_sale_tenders.py."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.sale_cases import APPLE, BACK, PEAR, SALE, card_of, eur

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError
from stillopen.core.money import AMOUNT_MINOR_MAX, QUANTITY_MILLI_MAX, Money
from stillopen.core.products import Product
from stillopen.core.sale import (
    LINES_MAX,
    Line,
    ReturnOf,
    Sale,
    SaleState,
    add_line,
    change_line,
    check_complete,
    check_version,
    complete,
    void,
    void_line,
)
from stillopen.core.tender import add_card, add_cash, check_card_amount, void_tender

ONE_APPLE = add_line(SALE, APPLE, 1000, 7)


def refused(call: Callable[[], object]) -> StillopenError:
    """What the call raises."""
    with pytest.raises(StillopenError) as raised:
        call()
    return raised.value


def test_a_line_copies_what_the_product_was_then() -> None:
    [line] = ONE_APPLE.lines
    assert line == Line("L1", "APPLE", "Apple", 1000, eur(100), eur(100), 7)
    assert ONE_APPLE.total == ONE_APPLE.due == eur(100)
    assert ONE_APPLE.version == SALE.version + 1


def test_a_sale_is_the_sum_of_its_rounded_lines() -> None:
    sale = add_line(add_line(ONE_APPLE, PEAR, 1500, 7), PEAR, 1500, 7)
    assert sale.total == eur(100 + 500 + 500)


def test_line_ids_are_never_reused() -> None:
    sale = add_line(void_line(add_line(ONE_APPLE, PEAR, 1000, 7), "L2"), PEAR, 1000, 7)
    assert [line.line_id for line in sale.lines] == ["L1", "L2", "L3"]


def test_a_price_by_hand_keeps_the_list_price_and_its_reason() -> None:
    [line] = add_line(SALE, APPLE, 1000, 7, eur(80), "damaged").lines
    assert (line.unit_price, line.list_price, line.price_reason) == (eur(80), eur(100), "damaged")


def test_a_price_by_hand_may_be_nothing() -> None:
    sale = add_line(SALE, APPLE, 1000, 7, eur(0), "gift")
    assert sale.total == eur(0)
    assert sale.lines[0].price_reason == "gift"


@pytest.mark.parametrize(
    ("price", "reason", "field"),
    [
        (eur(80), "", "price_reason"),
        (eur(80), "a\nb", "price_reason"),
        (None, "why not", "price_reason"),
        (eur(-1), "gift", "unit_price"),
        (eur(AMOUNT_MINOR_MAX + 1), "typo", "unit_price"),
        (Money("EURO", 1), "typo", "unit_price"),
    ],
)
def test_a_price_by_hand_needs_a_reason_and_a_reason_a_price(
    price: Money | None, reason: str, field: str
) -> None:
    error = refused(lambda: add_line(SALE, APPLE, 1000, 7, price, reason))
    assert (error.reason, error.field) == (Reason.INVALID_ARGUMENT, field)


@pytest.mark.parametrize("quantity", [0, QUANTITY_MILLI_MAX + 1, -1])
def test_only_a_return_line_is_negative_and_none_is_zero(quantity: int) -> None:
    assert refused(lambda: add_line(SALE, APPLE, quantity, 7)).field == "quantity_milli"


@pytest.mark.parametrize("quantity", [1000, 0])
def test_a_return_line_is_negative(quantity: int) -> None:
    error = refused(lambda: add_line(SALE, APPLE, quantity, 7, return_of=BACK))
    assert error.field == "quantity_milli"


@pytest.mark.parametrize("reason", ["", " ", "a\0"])
def test_a_return_needs_a_reason(reason: str) -> None:
    error = refused(lambda: add_line(SALE, APPLE, -1000, 7, return_of=ReturnOf(reason)))
    assert error.field == "return_of.reason"


def test_a_return_without_receipt_is_a_return() -> None:
    sale = add_line(SALE, APPLE, -1000, 7, return_of=ReturnOf("bruised"))
    assert sale.total == sale.due == eur(-100)
    assert sale.change == eur(0)


@pytest.mark.parametrize(
    ("product", "price"),
    [
        (Product("X", "X", Money("USD", 100)), None),
        (Product("X", "X", Money("USD", 100)), eur(80)),
        (APPLE, Money("USD", 80)),
    ],
)
def test_a_sale_has_one_currency(product: Product, price: Money | None) -> None:
    error = refused(lambda: add_line(SALE, product, 1000, 7, price, "why" if price else ""))
    assert error.reason is Reason.CURRENCY_MISMATCH


def test_a_line_beyond_all_money_is_refused() -> None:
    gold = Product("GOLD", "Gold", eur(AMOUNT_MINOR_MAX))
    assert add_line(SALE, gold, 1000, 7).total.minor == AMOUNT_MINOR_MAX
    assert refused(lambda: add_line(SALE, gold, 1001, 7)).field == "total"
    assert refused(lambda: change_line(add_line(SALE, gold, 1, 7), "L1", 1001)).field == "total"


def test_a_sale_has_room_for_so_many_lines() -> None:
    full = replace(SALE, lines=ONE_APPLE.lines * LINES_MAX)
    assert refused(lambda: add_line(full, APPLE, 1000, 7)).reason is Reason.SALE_TOO_LARGE


def test_quantity_and_price_of_a_line_change_apart_and_together() -> None:
    more = change_line(ONE_APPLE, "L1", 2500)
    assert more.total == eur(250)
    cheaper = change_line(more, "L1", unit_price=eur(80), price_reason="damaged")
    assert cheaper.total == eur(200)
    assert cheaper.lines[0].list_price == eur(100)
    assert change_line(cheaper, "L1", 1000).lines[0].price_reason == "damaged"
    both = change_line(ONE_APPLE, "L1", 3000, eur(90), "three for less")
    assert both.total == eur(270)


@pytest.mark.parametrize("quantity", [0, -1000, QUANTITY_MILLI_MAX + 1])
def test_a_line_never_turns_into_a_return(quantity: int) -> None:
    assert refused(lambda: change_line(ONE_APPLE, "L1", quantity)).field == "quantity_milli"
    back = add_line(SALE, APPLE, -1000, 7, return_of=ReturnOf("bruised"))
    assert refused(lambda: change_line(back, "L1", abs(quantity))).field == "quantity_milli"
    assert change_line(back, "L1", -2000).total == eur(-200)


@pytest.mark.parametrize(("price", "reason"), [(eur(80), ""), (eur(-1), "why"), (None, "why")])
def test_a_changed_price_has_the_same_rules(price: Money | None, reason: str) -> None:
    error = refused(lambda: change_line(ONE_APPLE, "L1", 1000, price, reason))
    assert error.reason is Reason.INVALID_ARGUMENT


def test_a_voided_line_stays_and_counts_for_nothing() -> None:
    sale = void_line(add_line(ONE_APPLE, PEAR, 1000, 7), "L1")
    assert sale.total == eur(333)
    assert [line.voided for line in sale.lines] == [True, False]


@pytest.mark.parametrize("line_id", ["L1", "L2", "T1", ""])
def test_a_line_that_is_not_there_cannot_be_touched(line_id: str) -> None:
    sale = void_line(ONE_APPLE, "L1")
    assert refused(lambda: void_line(sale, line_id)).reason is Reason.LINE_UNKNOWN
    assert refused(lambda: change_line(sale, line_id, 1000)).reason is Reason.LINE_UNKNOWN


@pytest.mark.parametrize("apart", [-1, 1, -ONE_APPLE.version, 1000])
def test_a_write_that_saw_another_version_is_refused(apart: int) -> None:
    check_version(ONE_APPLE, ONE_APPLE.version)
    error = refused(lambda: check_version(ONE_APPLE, ONE_APPLE.version + apart))
    assert isinstance(error, Refused)
    assert (error.reason, error.field) == (Reason.VERSION_OLD, "version")


PAID = add_cash(ONE_APPLE, eur(100))
CHANGES: list[Callable[[Sale], object]] = [
    lambda sale: add_line(sale, APPLE, 1000, 7),
    lambda sale: change_line(sale, "L1", 2000),
    lambda sale: void_line(sale, "L1"),
    lambda sale: add_cash(sale, eur(1)),
    lambda sale: add_card(sale, eur(1), card_of(1)),
    lambda sale: check_card_amount(sale, eur(1)),
    lambda sale: void_tender(sale, "T1"),
    check_complete,
    complete,
    void,
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
@pytest.mark.parametrize(
    "sale",
    [complete(PAID), void(PAID), replace(PAID, state=SaleState.SUSPENDED)],
    ids=["completed", "voided", "suspended"],
)
def test_nothing_changes_a_sale_that_is_not_open(
    sale: Sale, change: Callable[[Sale], object]
) -> None:
    assert refused(lambda: change(sale)).reason is Reason.SALE_FINAL


def test_a_voided_sale_takes_its_payments_back() -> None:
    sale = void(PAID)
    assert sale.state is SaleState.VOIDED
    assert sale.live_tenders == ()
    assert sale.version == PAID.version + 1


def test_misuse_and_refusal_are_told_apart() -> None:
    assert isinstance(refused(lambda: add_line(SALE, APPLE, 0, 7)), Misuse)
    assert isinstance(refused(lambda: void_line(SALE, "L1")), Refused)
