"""Which operation needs which permission, and what another person may allow."""

from dataclasses import replace

import pytest

from stillopen.core.allowed import (
    IN_A_SALE,
    NEEDED,
    OVERRIDES_MAX,
    allow,
    check_allowed,
    check_override,
    held_in,
    missing,
    to_add,
    to_change,
)
from stillopen.core.errors import Misuse, Reason, StillopenError
from stillopen.core.money import Money
from stillopen.core.overrides import Override
from stillopen.core.permissions import (
    ADMINISTRATOR,
    AT_A_REGISTER,
    AT_HEADQUARTERS,
    CASHIER,
    CLERK,
    MANAGER,
    NOTHING,
    Permission,
)
from stillopen.core.sale import Line, ReturnOf, Sale, SaleState
from stillopen.core.suspended import recalled
from stillopen.register.operations import OPERATIONS, Circumstances, judge

SALE = Sale("0" * 32, "S1", "R1", "anna", "EUR", 0.0)
PRICE, OTHER = Money("EUR", 100), Money("EUR", 90)
BACK = ReturnOf("bruised")
VOID = Override(Permission.VOID, "maria", "wrong customer", 1.0)


def line(quantity_milli: int = 1_000, return_of: ReturnOf | None = None) -> Line:
    """A line at the product's price."""
    return Line("L1", "APPLE", "Apple", quantity_milli, PRICE, PRICE, 1, return_of=return_of)


def now(held: frozenset[Permission] | None, *, asked: bool = False) -> Circumstances:
    """An online register, with somebody who may do that."""
    return Circumstances(
        online=True,
        has_data=True,
        headquarters_reachable=True,
        held=held,
        may_switch=True,
        asked=asked,
    )


def test_every_operation_that_needs_a_permission_is_one_of_the_register() -> None:
    assert set(NEEDED) <= {each.name for each in OPERATIONS}


@pytest.mark.parametrize("operation", sorted(NEEDED))
def test_an_operation_works_with_its_permissions_and_with_none_of_them_missing(
    operation: str,
) -> None:
    check_allowed(operation, NEEDED[operation], "Anna")
    for each in NEEDED[operation]:
        with pytest.raises(Misuse) as refused:
            check_allowed(operation, NEEDED[operation] - {each}, "Anna")
        assert refused.value.reason is Reason.NOT_ALLOWED
        assert each in refused.value.message


def test_what_needs_no_permission_is_open_to_everybody() -> None:
    assert missing("PRICE_CHECK", NOTHING) is None


def test_the_status_says_what_the_person_may_not_do() -> None:
    why = {each.operation.name: each.why_not for each in judge(now(frozenset({Permission.SELL})))}
    assert why["BEGIN"] is None
    assert why["UNLOCK_CARD"] is None  # on the word of somebody who may
    assert {name for name, reason in why.items() if reason is Reason.NOT_ALLOWED} == {
        "OVERRIDE_PRICE",
        "RETURN_LINE",
        "VOID_LINE",
        "VOID",
        "CASH_OUT_GIFT_CARD",
        "SWITCH_CONNECTION",
    }


def test_a_cashier_who_is_asked_may_answer() -> None:
    [judged] = [
        each
        for each in judge(now(frozenset({Permission.SELL}), asked=True))
        if each.operation.name == "SWITCH_CONNECTION"
    ]
    assert judged.why_not is None


def test_nobody_signed_in_is_told_to_sign_in() -> None:
    why = {each.operation.name: each.why_not for each in judge(now(None))}
    assert (why["VOID"], why["PRICE_CHECK"]) == (Reason.NOT_SIGNED_IN, None)


@pytest.mark.parametrize(
    ("unit_price", "return_of", "wanted"),
    [
        (None, None, ["ADD_LINE"]),
        (PRICE, None, ["ADD_LINE"]),
        (OTHER, None, ["ADD_LINE", "OVERRIDE_PRICE"]),
        (None, BACK, ["RETURN_LINE"]),
        (None, ReturnOf("bruised", "1" * 32, "L1"), ["RETURN_LINE"]),
        (OTHER, BACK, ["RETURN_LINE", "OVERRIDE_PRICE"]),
    ],
)
def test_what_ringing_up_a_line_needs(
    unit_price: Money | None, return_of: ReturnOf | None, wanted: list[str]
) -> None:
    assert to_add(PRICE, unit_price, return_of) == wanted


@pytest.mark.parametrize(
    ("changed", "quantity_milli", "unit_price", "wanted"),
    [
        (line(), 2_000, None, ["CHANGE_LINE"]),
        (line(), None, OTHER, ["CHANGE_LINE", "OVERRIDE_PRICE"]),
        (replace(line(), unit_price=OTHER), None, PRICE, ["CHANGE_LINE"]),
        (replace(line(), unit_price=OTHER), None, OTHER, ["CHANGE_LINE"]),
        (line(-1_000, BACK), -2_000, None, ["CHANGE_LINE", "RETURN_LINE"]),
        (line(-2_000, BACK), -1_000, None, ["CHANGE_LINE"]),
        (line(-2_000, ReturnOf("x", "1" * 32, "L1")), -3_000, None, ["CHANGE_LINE"]),
        (None, 1_000, OTHER, ["CHANGE_LINE"]),
    ],
)
def test_what_changing_a_line_needs(
    changed: Line | None, quantity_milli: int | None, unit_price: Money | None, wanted: list[str]
) -> None:
    assert to_change(changed, quantity_milli, unit_price) == wanted


def test_an_override_counts_in_its_sale_alone() -> None:
    assert held_in(allow(SALE, VOID), CLERK.permissions) >= {Permission.VOID}
    assert Permission.VOID not in held_in(SALE, CLERK.permissions)
    assert held_in(None, NOTHING) == NOTHING


def test_an_override_is_the_next_version_of_its_sale_and_goes_on_when_it_is_recalled() -> None:
    sale = allow(SALE, VOID)
    assert (sale.version, sale.overrides) == (2, (VOID,))
    assert recalled(sale, "1" * 32, "S1", "R2", "bob", 0.0).overrides == (VOID,)


@pytest.mark.parametrize(
    ("sale", "word", "reason"),
    [
        (SALE, replace(VOID, staff_id="anna"), Reason.NOT_ALLOWED),
        (SALE, replace(VOID, reason=" "), Reason.INVALID_ARGUMENT),
        (SALE, replace(VOID, permission=Permission.CARDS), Reason.INVALID_ARGUMENT),
        (SALE, replace(VOID, permission=Permission.SWITCH_CONNECTION), Reason.INVALID_ARGUMENT),
        (replace(SALE, state=SaleState.VOIDED), VOID, Reason.SALE_FINAL),
        (replace(SALE, overrides=(VOID,) * OVERRIDES_MAX), VOID, Reason.SALE_TOO_LARGE),
    ],
)
def test_an_override_that_cannot_be_given_is_refused(
    sale: Sale, word: Override, reason: Reason
) -> None:
    with pytest.raises(StillopenError) as refused:
        check_override(sale, word, "anna")
    assert refused.value.reason is reason


def test_the_first_roles_belong_where_their_people_work() -> None:
    assert CASHIER.permissions < MANAGER.permissions == AT_A_REGISTER
    assert CASHIER.permissions >= IN_A_SALE
    assert ADMINISTRATOR.permissions > AT_HEADQUARTERS
    assert not CASHIER.permissions & AT_HEADQUARTERS
