from dataclasses import replace

import pytest

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.money import Money
from stillopen.core.prices import MOMENT_MAX_S, Price, check_price, price_at

OWN = Money("EUR", 250)
JANUARY, FEBRUARY, MARCH = 1_767_225_600, 1_769_904_000, 1_772_323_200


def euros(minor: int, begins: int, ends: int | None = None) -> Price:
    return Price("MUG", Money("EUR", minor), begins, ends)


@pytest.mark.parametrize(
    ("prices", "moment_s", "minor"),
    [
        ([], JANUARY, 250),
        ([euros(200, FEBRUARY)], FEBRUARY - 1, 250),
        ([euros(200, FEBRUARY)], FEBRUARY, 200),
        ([euros(200, FEBRUARY)], MOMENT_MAX_S, 200),
        ([euros(200, FEBRUARY, MARCH)], MARCH - 1, 200),
        ([euros(200, FEBRUARY, MARCH)], MARCH, 250),
        ([euros(200, JANUARY), euros(180, FEBRUARY, MARCH)], FEBRUARY, 180),
        ([euros(180, FEBRUARY, MARCH), euros(200, JANUARY)], FEBRUARY, 180),
        ([euros(180, FEBRUARY, MARCH), euros(200, JANUARY)], MARCH, 200),
        ([euros(0, JANUARY)], JANUARY, 0),
    ],
)
def test_of_the_prices_that_hold_the_one_that_began_last_does(
    prices: list[Price], moment_s: float, minor: int
) -> None:
    assert price_at(OWN, prices, moment_s) == Money("EUR", minor)


@pytest.mark.parametrize(
    "price",
    [euros(0, 0), euros(1, JANUARY, JANUARY + 1), euros(1, MOMENT_MAX_S)],
)
def test_a_price_that_can_hold_passes(price: Price) -> None:
    assert check_price(price, "EUR") is price


@pytest.mark.parametrize(
    ("price", "field", "reason"),
    [
        (euros(1, MARCH, FEBRUARY), "valid_to", Reason.INVALID_ARGUMENT),
        (euros(1, MARCH, MARCH), "valid_to", Reason.INVALID_ARGUMENT),
        (euros(-1, MARCH), "price", Reason.INVALID_ARGUMENT),
        (euros(10**15 + 1, MARCH), "price", Reason.INVALID_ARGUMENT),
        (replace(euros(1, MARCH), price=Money("USD", 1)), "price", Reason.CURRENCY_MISMATCH),
        (replace(euros(1, MARCH), price=Money("", 1)), "price", Reason.INVALID_ARGUMENT),
        (replace(euros(1, MARCH), product_id=""), "product_id", Reason.INVALID_ARGUMENT),
        (euros(1, -1), "valid_from", Reason.INVALID_ARGUMENT),
        (euros(1, MOMENT_MAX_S + 1), "valid_from", Reason.INVALID_ARGUMENT),
        (euros(1, MARCH, MOMENT_MAX_S + 1), "valid_to", Reason.INVALID_ARGUMENT),
    ],
)
def test_one_that_cannot_is_refused(price: Price, field: str, reason: Reason) -> None:
    with pytest.raises(StillopenError) as refused:
        check_price(price, "EUR")
    assert (refused.value.field, refused.value.reason) == (field, reason)
