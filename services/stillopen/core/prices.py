"""Prices that hold for a time, and which of them holds at a moment."""

from collections.abc import Iterable
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_id
from stillopen.core.money import Money, check_money

MOMENT_MAX_S = 253_402_300_799
"""The last second of the year 9999: later ones have no usual form."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a product costs from one second until before another, or for ever."""

    product_id: str
    price: Money
    valid_from_s: int
    valid_to_s: int | None = None


def check_price(price: Price, currency: str) -> Price:
    """Refuses a price that could never hold, or that no store could take."""
    check_id(price.product_id, "product_id")
    check_money(price.price, "price")
    if price.price.minor < 0:
        raise invalid("price", "must not be negative")
    if price.price.currency != currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"prices are in {currency}", "price")
    _check_moment(price.valid_from_s, "valid_from")
    if price.valid_to_s is not None:
        _check_moment(price.valid_to_s, "valid_to")
        if price.valid_to_s <= price.valid_from_s:
            raise invalid("valid_to", "must be after valid_from")
    return price


def price_at(own: Money, prices: Iterable[Price], moment_s: float) -> Money:
    """What a product costs at a moment: of the prices that hold the one that began last.

    Outside every price's time it is the product's own.
    """
    holding = [each for each in prices if holds(each, moment_s)]
    return max(holding, key=lambda each: each.valid_from_s).price if holding else own


def holds(price: Price, moment_s: float) -> bool:
    """Whether a price holds at a moment: from its beginning on, until before its end."""
    return price.valid_from_s <= moment_s and (
        price.valid_to_s is None or moment_s < price.valid_to_s
    )


def _check_moment(moment_s: int, field: str) -> None:
    if not 0 <= moment_s <= MOMENT_MAX_S:
        raise invalid(field, "between the years 1970 and 9999")
