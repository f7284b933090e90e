"""Suspending and recalling: what may be set aside, and that nothing changes on the way."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sale_cases import APPLE, BACK, PEAR, SALE, card_of, eur

from stillopen.core.card_line import add_card_line
from stillopen.core.errors import Reason, Refused
from stillopen.core.products import Product
from stillopen.core.purpose import Purpose
from stillopen.core.sale import Sale, SaleState, add_line, void_line
from stillopen.core.suspended import recalled, suspend
from stillopen.core.tender import add_cash

NEW = "b" * 32


def rung_up() -> Sale:
    """Two apples and a pear."""
    return add_line(add_line(SALE, APPLE, 2_000, 7), PEAR, 1_000, 8)


def test_a_suspended_sale_is_the_next_version_with_the_same_lines() -> None:
    sale = rung_up()
    cart = suspend(sale)
    assert cart == replace(sale, version=sale.version + 1, state=SaleState.SUSPENDED)


REFUSED: dict[str, tuple[Callable[[], Sale], Reason]] = {
    "without lines": (lambda: SALE, Reason.SALE_EMPTY),
    "with voided lines only": (
        lambda: void_line(add_line(SALE, APPLE, 1_000, 1), "L1"),
        Reason.SALE_EMPTY,
    ),
    "with cash": (lambda: add_cash(rung_up(), eur(100)), Reason.TENDERS_PRESENT),
    "with a card line": (
        lambda: add_card_line(
            rung_up(), Purpose.ISSUE, eur(500), replace(card_of(1), purpose=Purpose.ISSUE)
        ),
        Reason.TENDERS_PRESENT,
    ),
    "suspended": (lambda: suspend(rung_up()), Reason.SALE_FINAL),
    "completed": (lambda: replace(rung_up(), state=SaleState.COMPLETED), Reason.SALE_FINAL),
    "voided": (lambda: replace(rung_up(), state=SaleState.VOIDED), Reason.SALE_FINAL),
}


@pytest.mark.parametrize(("sale", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_suspended(sale: Callable[[], Sale], reason: Reason) -> None:
    made = sale()
    with pytest.raises(Refused) as caught:
        suspend(made)
    assert caught.value.reason is reason


def test_a_sale_is_suspended_once_its_payments_are_taken_back() -> None:
    paid = add_cash(rung_up(), eur(100))
    tenders = tuple(replace(each, voided=True) for each in paid.tenders)
    assert suspend(replace(paid, tenders=tenders)).state is SaleState.SUSPENDED


@given(
    st.lists(
        st.tuples(st.sampled_from([APPLE, PEAR]), st.integers(1, 10**6), st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_recalled_has_the_very_lines_that_were_suspended(
    rows: list[tuple[Product, int, bool]],
) -> None:
    sale = SALE
    for product, quantity, back in rows:
        sale = add_line(
            sale, product, -quantity if back else quantity, 3, None, "", BACK if back else None
        )
    cart = suspend(sale)
    again = recalled(cart, NEW, "S2", "R9", "bert", 2_000.0)
    assert (again.lines, again.total) == (sale.lines, sale.total)
    assert (again.transaction_id, again.recalled_from) == (NEW, sale.transaction_id)
    assert (again.version, again.state, again.tenders) == (1, SaleState.OPEN, ())
    assert (again.store_id, again.register_id, again.staff_id) == ("S2", "R9", "bert")
