"""Payments, change, and when a sale is complete."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.sale_cases import APPLE, BACK, SALE, card_of, eur

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.money import Money
from stillopen.core.sale import (
    TENDERS_MAX,
    Sale,
    SaleState,
    Tender,
    TenderKind,
    add_line,
    change_line,
    complete,
    void_line,
)
from stillopen.core.tender import (
    add_card,
    add_cash,
    check_card_amount,
    find_tender,
    next_tender_id,
    void_tender,
)

TEN = add_line(SALE, APPLE, 10_000, 7)
TEN_BACK = add_line(SALE, APPLE, -10_000, 7, return_of=BACK)


def reason_of(call: Callable[[], object]) -> Reason:
    """Why the call raises."""
    with pytest.raises(StillopenError) as raised:
        call()
    return raised.value.reason


@pytest.mark.parametrize(
    ("cash", "due", "change"),
    [(1, 999, 0), (400, 600, 0), (1000, 0, 0), (1001, -1, 1), (5000, -4000, 4000)],
)
def test_cash_pays_and_what_is_too_much_comes_back(cash: int, due: int, change: int) -> None:
    sale = add_cash(TEN, eur(cash))
    assert (sale.tendered, sale.due, sale.change) == (eur(cash), eur(due), eur(change))
    assert sale.live_tenders == (Tender("T1", TenderKind.CASH, eur(cash)),)


@pytest.mark.parametrize("minor", [1, 400, 1000])
def test_a_card_pays_up_to_what_is_due(minor: int) -> None:
    check_card_amount(TEN, eur(minor))
    sale = add_card(TEN, eur(minor), card_of(1))
    assert sale.due == eur(1000 - minor)
    assert sale.cards == (card_of(1),)


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (eur(1001), Reason.EXCEEDS_DUE),
        (eur(0), Reason.INVALID_ARGUMENT),
        (eur(-1), Reason.EXCEEDS_DUE),
        (Money("USD", 1), Reason.CURRENCY_MISMATCH),
        (Money("eur", 1), Reason.INVALID_ARGUMENT),
    ],
)
def test_a_card_never_pays_more_or_less_than_something(amount: Money, reason: Reason) -> None:
    assert reason_of(lambda: check_card_amount(TEN, amount)) is reason
    assert reason_of(lambda: add_card(TEN, amount, card_of(1))) is reason


def test_a_card_pays_what_the_others_left() -> None:
    sale = add_card(add_cash(TEN, eur(300)), eur(300), card_of(1))
    assert reason_of(lambda: add_card(sale, eur(401), card_of(2))) is Reason.EXCEEDS_DUE
    assert add_card(sale, eur(400), card_of(2)).due == eur(0)


def test_a_card_pays_for_no_return() -> None:
    assert reason_of(lambda: add_card(TEN_BACK, eur(1), card_of(1))) is Reason.EXCEEDS_DUE


def test_a_card_is_in_a_sale_once() -> None:
    sale = add_card(TEN, eur(100), card_of(1))
    again = replace(card_of(1), lock_key=bytes(16))
    assert reason_of(lambda: add_card(sale, eur(100), again)) is Reason.CARD_TWICE
    taken_back = void_tender(sale, "T1")
    assert add_card(taken_back, eur(100), again).cards == (again,)


@pytest.mark.parametrize(
    ("sale", "amount", "reason"),
    [
        (TEN, eur(0), Reason.INVALID_ARGUMENT),
        (TEN, Money("USD", 1), Reason.CURRENCY_MISMATCH),
        (TEN, eur(-1), Reason.EXCEEDS_DUE),
        (add_cash(TEN, eur(1000)), eur(1), Reason.EXCEEDS_DUE),
        (add_cash(TEN, eur(1001)), eur(1), Reason.EXCEEDS_DUE),
        (add_cash(TEN, eur(1001)), eur(-1), Reason.EXCEEDS_DUE),
        (SALE, eur(1), Reason.EXCEEDS_DUE),
        (TEN_BACK, eur(1), Reason.EXCEEDS_DUE),
        (TEN_BACK, eur(-1001), Reason.EXCEEDS_DUE),
        (add_cash(TEN_BACK, eur(-1000)), eur(-1), Reason.EXCEEDS_DUE),
    ],
    ids=range(10),
)
def test_cash_is_taken_for_what_is_due_and_given_out_for_what_came_back(
    sale: Sale, amount: Money, reason: Reason
) -> None:
    assert reason_of(lambda: add_cash(sale, amount)) is reason


def test_a_return_is_paid_out_exactly() -> None:
    half = add_cash(TEN_BACK, eur(-400))
    assert reason_of(lambda: complete(half)) is Reason.NOT_PAID
    whole = complete(add_cash(half, eur(-600)))
    assert (whole.total, whole.tendered, whole.change) == (eur(-1000), eur(-1000), eur(0))


def test_tender_ids_are_never_reused() -> None:
    sale = void_tender(add_cash(TEN, eur(100)), "T1")
    assert next_tender_id(sale) == "T2"
    assert [t.line_id for t in add_cash(sale, eur(100)).tenders] == ["T1", "T2"]


def test_a_tender_that_was_taken_back_is_gone() -> None:
    sale = void_tender(add_cash(TEN, eur(100)), "T1")
    assert (sale.due, sale.live_tenders, len(sale.tenders)) == (eur(1000), (), 1)


@pytest.mark.parametrize("line_id", ["T1", "T2", "L1", ""])
def test_what_is_no_live_tender_cannot_be_taken_back(line_id: str) -> None:
    sale = void_tender(add_cash(TEN, eur(100)), "T1")
    assert reason_of(lambda: find_tender(sale, line_id)) is Reason.LINE_UNKNOWN
    assert reason_of(lambda: void_tender(sale, line_id)) is Reason.LINE_UNKNOWN


def test_a_sale_has_room_for_so_many_tenders() -> None:
    taken_back = void_tender(add_cash(TEN, eur(1)), "T1").tenders
    full = replace(TEN, tenders=taken_back * TENDERS_MAX)
    assert reason_of(lambda: add_cash(full, eur(1))) is Reason.SALE_TOO_LARGE
    assert reason_of(lambda: add_card(full, eur(1), card_of(1))) is Reason.SALE_TOO_LARGE


@pytest.mark.parametrize(
    ("sale", "reason"),
    [
        (SALE, Reason.SALE_EMPTY),
        (void_line(TEN, "L1"), Reason.SALE_EMPTY),
        (TEN, Reason.NOT_PAID),
        (add_cash(TEN, eur(999)), Reason.NOT_PAID),
        (add_card(TEN, eur(999), card_of(1)), Reason.NOT_PAID),
        (TEN_BACK, Reason.NOT_PAID),
        (add_cash(TEN_BACK, eur(-999)), Reason.NOT_PAID),
    ],
    ids=range(7),
)
def test_only_a_paid_sale_completes(sale: Sale, reason: Reason) -> None:
    assert reason_of(lambda: complete(sale)) is reason


@pytest.mark.parametrize(
    "sale",
    [
        add_cash(TEN, eur(1000)),
        add_cash(TEN, eur(2000)),
        add_card(TEN, eur(1000), card_of(1)),
        add_cash(add_card(TEN, eur(999), card_of(1)), eur(50)),
        add_line(SALE, APPLE, 1000, 7, eur(0), "gift"),
        add_cash(TEN_BACK, eur(-1000)),
    ],
    ids=range(6),
)
def test_a_paid_sale_completes_and_is_final(sale: Sale) -> None:
    done = complete(sale)
    assert done == replace(sale, state=SaleState.COMPLETED, version=sale.version + 1)
    assert reason_of(lambda: complete(done)) is Reason.SALE_FINAL


CARD_FOR_ALL = add_card(TEN, eur(1000), card_of(1))


@pytest.mark.parametrize(
    "change",
    [
        lambda: void_line(CARD_FOR_ALL, "L1"),
        lambda: change_line(CARD_FOR_ALL, "L1", 9_990),
        lambda: change_line(CARD_FOR_ALL, "L1", unit_price=eur(99), price_reason="worn"),
        lambda: add_line(CARD_FOR_ALL, APPLE, -1000, 7, return_of=BACK),
    ],
    ids=["void", "quantity", "price", "return"],
)
def test_cards_never_pay_more_than_the_sale_comes_to(change: Callable[[], object]) -> None:
    assert reason_of(change) is Reason.TENDERS_PRESENT


def test_a_sale_that_cards_paid_may_still_grow() -> None:
    assert change_line(CARD_FOR_ALL, "L1", 11_000).due == eur(100)
    assert add_line(CARD_FOR_ALL, APPLE, 1000, 7).due == eur(100)


def test_change_comes_from_cash_only() -> None:
    tenders = (*CARD_FOR_ALL.tenders, Tender("T2", TenderKind.CASH, eur(5)))
    lines = (replace(TEN.lines[0], quantity_milli=9_940),)
    forced = replace(CARD_FOR_ALL, lines=lines, tenders=tenders)
    assert (forced.total, forced.change) == (eur(994), eur(11))
    assert reason_of(lambda: complete(forced)) is Reason.EXCEEDS_DUE


def test_cash_that_became_too_much_is_given_back() -> None:
    sale = void_line(add_cash(add_line(TEN, APPLE, 1000, 7), eur(1100)), "L2")
    assert complete(sale).change == eur(100)


def test_what_was_taken_is_given_out_when_the_sale_turns_into_a_return() -> None:
    paid = add_cash(TEN, eur(1000))
    turned = add_line(paid, APPLE, -15_000, 7, return_of=BACK)
    assert (turned.total, turned.due, turned.change) == (eur(-500), eur(-1500), eur(0))
    assert reason_of(lambda: complete(turned)) is Reason.NOT_PAID
    assert complete(add_cash(turned, eur(-1500))).tendered == eur(-500)


def test_a_card_pays_for_goods_and_never_for_cash_that_was_given_out() -> None:
    returned = add_cash(add_line(SALE, APPLE, -1_000, 7, return_of=BACK), eur(-100))
    even = add_line(returned, APPLE, 1_000, 7)
    assert even.due == eur(100)
    assert reason_of(lambda: add_card(even, eur(100), card_of(1))) is Reason.EXCEEDS_DUE
    more = add_line(even, APPLE, 1_000, 7)
    assert add_card(more, eur(100), card_of(1)).due == eur(100)
    assert reason_of(lambda: add_card(more, eur(101), card_of(1))) is Reason.EXCEEDS_DUE
