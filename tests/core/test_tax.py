"""Tax that is part of a price."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.errors import Misuse
from stillopen.core.tax import NO_TAX, Tax, check_tax

AMOUNTS = st.integers(-(10**15), 10**15)
RATES = st.integers(0, 100_000)


@pytest.mark.parametrize(
    ("total", "percent_milli", "tax"),
    [(121, 21_000, 21), (109, 9_000, 9), (100, 0, 0), (1, 21_000, 0), (3, 21_000, 1)],
)
def test_tax_is_what_the_rate_makes_of_the_price_without_it(
    total: int, percent_milli: int, tax: int
) -> None:
    assert Tax("G", percent_milli).included_minor(total) == tax
    assert Tax("G", percent_milli).included_minor(-total) == -tax


@given(AMOUNTS, RATES)
def test_tax_is_rounded_once_half_up(total: int, percent_milli: int) -> None:
    exact = Decimal(abs(total)) * percent_milli / (100_000 + percent_milli)
    expected = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    got = Tax("G", percent_milli).included_minor(total)
    assert got == (expected if total >= 0 else -expected)
    assert abs(got) <= abs(total)


def test_no_tax_needs_no_group_and_a_rate_does() -> None:
    assert check_tax(NO_TAX) is NO_TAX
    with pytest.raises(Misuse) as refusal:
        check_tax(Tax("", 1))
    assert refusal.value.field == "tax_group"


@pytest.mark.parametrize("percent_milli", [-1, 100_001])
def test_a_rate_that_cannot_be_is_refused(percent_milli: int) -> None:
    with pytest.raises(Misuse) as refusal:
        check_tax(Tax("G", percent_milli))
    assert refusal.value.field == "tax_percent_milli"
