"""Returns by receipt: what may come back, at which price, and that nothing counts twice."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sale_cases import APPLE, PEAR, SALE, card_of, eur

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError
from stillopen.core.money import line_minor
from stillopen.core.returns import (
    ROUNDING_MINOR,
    Back,
    backs_of,
    give_back,
    returned_milli,
    sold_milli,
    together,
)
from stillopen.core.sale import ReturnOf, Sale, SaleState, add_line, change_line, void_line

BOUGHT = "b" * 32


def bought() -> Sale:
    """Three dented apples, a pear that was taken off, a return, and a pear."""
    sale = replace(SALE, transaction_id=BOUGHT)
    sale = add_line(sale, APPLE, 3_000, 7, eur(80), "dented")
    sale = void_line(add_line(sale, PEAR, 1_000, 7), "L2")
    sale = add_line(sale, PEAR, -1_000, 7, return_of=ReturnOf("sour"))
    sale = add_line(sale, PEAR, 1_000, 7)
    return replace(sale, state=SaleState.COMPLETED)


def back(quantity_milli: int, by: int = 1, line_id: str = "L1") -> Back:
    """A return line of another sale."""
    return Back(BOUGHT, line_id, f"{by:032x}", "L1", quantity_milli)


def test_a_return_line_is_the_line_that_was_bought_the_other_way_round() -> None:
    [line] = give_back(SALE, bought(), [], "L1", 2_000, "bruised").lines
    original = bought().lines[0]
    assert (line.product_id, line.name, line.unit_price, line.list_price) == (
        original.product_id,
        original.name,
        eur(80),
        eur(100),
    )
    assert (line.price_reason, line.catalogue_sequence) == ("dented", 7)
    assert (line.quantity_milli, line.total) == (-2_000, eur(-160))
    assert line.return_of == ReturnOf("bruised", BOUGHT, "L1")


def outcome(sale: Sale, backs: list[Back], line_id: str, quantity: int) -> Sale | Reason:
    """The sale with the return on it, or why it is refused."""
    try:
        return give_back(sale, bought(), backs, line_id, quantity, "bruised")
    except StillopenError as error:
        return error.reason


Case = tuple[str, int, list[Back], Reason | None]
CASES: dict[str, Case] = {
    "all of it": ("L1", 3_000, [], None),
    "what is left": ("L1", 1_000, [back(2_000)], None),
    "told twice of one return": ("L1", 1_000, [back(2_000), back(2_000)], None),
    "returns of another line": ("L1", 3_000, [back(1_000, line_id="L4")], None),
    "one thousandth too much": ("L1", 3_001, [], Reason.RETURN_TOO_MUCH),
    "more than is left": ("L1", 1_001, [back(2_000)], Reason.RETURN_TOO_MUCH),
    "nothing is left": ("L1", 1, [back(1_000, 1), back(2_000, 2)], Reason.RETURN_TOO_MUCH),
    "too much came back before": ("L1", 1, [back(9_000)], Reason.RETURN_TOO_MUCH),
    "a line that was taken off": ("L2", 1_000, [], Reason.NOT_RETURNABLE),
    "a return": ("L3", 1_000, [], Reason.NOT_RETURNABLE),
    "no such line": ("L9", 1_000, [], Reason.LINE_UNKNOWN),
    "nothing": ("L1", 0, [], Reason.INVALID_ARGUMENT),
    "less than nothing": ("L1", -1_000, [], Reason.INVALID_ARGUMENT),
}


@pytest.mark.parametrize(
    ("line_id", "quantity", "backs", "reason"), CASES.values(), ids=CASES.keys()
)
def test_what_may_be_returned(
    line_id: str, quantity: int, backs: list[Back], reason: Reason | None
) -> None:
    found = outcome(SALE, backs, line_id, quantity)
    assert (found.lines[-1].quantity_milli if isinstance(found, Sale) else found) == (
        reason or -quantity
    )


BOUGHTS: dict[str, Callable[[], Sale]] = {
    "voided": lambda: replace(bought(), state=SaleState.VOIDED),
    "with a card": lambda: replace(
        bought(), lines=(replace(bought().lines[0], card=card_of(1)), *bought().lines[1:])
    ),
}


@pytest.mark.parametrize("of", BOUGHTS.values(), ids=BOUGHTS.keys())
def test_what_sold_nothing_that_can_come_back(of: Callable[[], Sale]) -> None:
    with pytest.raises(Refused) as caught:
        give_back(SALE, of(), [], "L1", 1_000, "bruised")
    assert caught.value.reason is Reason.NOT_RETURNABLE
    assert sold_milli(of(), "L1") == 0


def test_a_return_needs_a_reason_and_an_open_sale() -> None:
    with pytest.raises(Misuse):
        give_back(SALE, bought(), [], "L1", 1_000, " ")
    with pytest.raises(Refused) as caught:
        give_back(bought(), bought(), [], "L1", 1_000, "bruised")
    assert caught.value.reason is Reason.SALE_FINAL


def test_what_is_on_this_sale_counts_until_it_is_taken_off() -> None:
    sale = give_back(SALE, bought(), [], "L1", 2_000, "bruised")
    with pytest.raises(Refused):
        give_back(sale, bought(), [], "L1", 1_001, "bruised")
    assert give_back(void_line(sale, "L1"), bought(), [], "L1", 3_000, "bruised").total == eur(-240)


def test_a_line_by_receipt_grows_by_its_receipt_only() -> None:
    sale = give_back(SALE, bought(), [], "L1", 2_000, "bruised")
    assert change_line(sale, "L1", -1_000).lines[0].quantity_milli == -1_000
    with pytest.raises(Refused) as caught:
        change_line(sale, "L1", -3_000)
    assert caught.value.reason is Reason.RETURN_TOO_MUCH


def test_what_a_sale_gives_back_is_its_live_lines_that_name_one() -> None:
    sale = give_back(SALE, bought(), [], "L1", 2_000, "bruised")
    sale = add_line(sale, APPLE, -1_000, 1, return_of=ReturnOf("no receipt"))
    sale = void_line(give_back(sale, bought(), [], "L1", 1_000, "torn"), "L3")
    assert backs_of(sale) == [Back(BOUGHT, "L1", SALE.transaction_id, "L1", 2_000)]


@given(
    st.lists(
        st.builds(back, st.just(500), st.integers(1, 8), st.sampled_from(["L1", "L4"])), max_size=20
    ),
    st.integers(0, 20),
)
def test_whatever_way_returns_are_heard_of_each_counts_once(known: list[Back], at: int) -> None:
    by = {(each.by_transaction_id, each.by_line_id): each for each in known}
    once = list(by.values())
    split = together(once[:at], once, once[at:])
    assert sorted(split) == sorted(once)
    assert sum(returned_milli(split).values()) == 500 * len(once)


@given(st.lists(st.integers(1, 2_000), max_size=12))
def test_whoever_knows_all_returns_never_gives_back_more_than_was_sold(asked: list[int]) -> None:
    backs: list[Back] = []
    for number, quantity in enumerate(asked, 1):
        sale = replace(SALE, transaction_id=f"{number:032x}")
        left = 3_000 - returned_milli(backs).get("L1", 0)
        found = outcome(sale, backs, "L1", quantity)
        paid = sum(line_minor(80, part.quantity_milli) for part in backs)
        too_much = paid + line_minor(80, quantity) > 240 + ROUNDING_MINOR
        assert isinstance(found, Sale) == (quantity <= left and not too_much)
        backs += backs_of(found) if isinstance(found, Sale) else []
    assert returned_milli(backs).get("L1", 0) <= 3_000


def test_returning_in_small_parts_gives_back_a_cent_more_than_was_paid_at_most() -> None:
    sale = replace(SALE, transaction_id=BOUGHT)
    paid = replace(add_line(sale, APPLE, 50, 7), state=SaleState.COMPLETED)
    assert paid.total == eur(5)
    now = SALE
    for _ in range(6):
        now = give_back(now, paid, [], "L1", 5, "crumbs")  # half a cent's worth, rounded up
    assert now.total == eur(-6)
    with pytest.raises(Refused) as refusal:
        give_back(now, paid, [], "L1", 5, "crumbs")
    assert refusal.value.reason is Reason.RETURN_TOO_MUCH
