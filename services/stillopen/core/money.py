"""Money in whole minor units and quantities in thousandths; no floating point anywhere."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from stillopen.core.errors import Reason, Refused, invalid

QUANTITY_MILLI_MAX = 1_000_000_000
"""1,000,000 units, either way."""

AMOUNT_MINOR_MAX = 10**15
"""The largest amount of one price, line or tender; sums of them stay far inside 64 bits."""

DIGITS_MAX = 24
"""More digits than any amount has; decimal arithmetic is exact up to 28."""

_CODE = re.compile(r"[A-Z]{3}\Z")

_EXPONENTS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"], 0),
    **dict.fromkeys(["PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in the smallest unit of its currency."""

    currency: str
    minor: int

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.currency, self.minor + other.minor)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.currency, self.minor - other.minor)

    def __neg__(self) -> "Money":
        return Money(self.currency, -self.minor)

    def __str__(self) -> str:
        places = exponent(self.currency)
        return f"{Decimal(self.minor).scaleb(-places):,.{places}f} {self.currency}"

    def _same(self, other: "Money") -> None:
        if other.currency != self.currency:
            raise Refused(
                Reason.CURRENCY_MISMATCH, f"{other.currency} cannot be counted in {self.currency}"
            )


def exponent(currency: str) -> int:
    """How many decimals the currency has (ISO 4217): 0, 2 or 3."""
    return _EXPONENTS.get(currency, 2)


def parse_money(text: str, currency: str, field: str) -> Money:
    """Reads "12.34" as an amount; refuses what is no plain number or has too many decimals."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise invalid(field, "not a number") from None
    if len(value.as_tuple().digits) > DIGITS_MAX:
        raise invalid(field, "too many digits")
    if not value.is_finite() or abs(value) > AMOUNT_MINOR_MAX:
        raise invalid(field, "out of range")
    minor = value.scaleb(exponent(currency))
    if minor != minor.to_integral_value():
        raise invalid(field, f"{currency} has {exponent(currency)} decimals")
    return check_money(Money(currency, int(minor)), field)


def check_currency(currency: str, field: str) -> str:
    """Returns it when it is a code of three capital letters."""
    if not _CODE.match(currency):
        raise invalid(field, "the currency code must be three capital letters")
    return currency


def check_money(money: Money, field: str) -> Money:
    """Returns it when code and size are right."""
    check_currency(money.currency, field)
    if abs(money.minor) > AMOUNT_MINOR_MAX:
        raise invalid(field, f"at most {AMOUNT_MINOR_MAX} minor units")
    return money


def check_quantity(quantity_milli: int, field: str = "quantity_milli") -> int:
    """Returns it when it is neither zero nor beyond 1,000,000 units either way."""
    if quantity_milli == 0:
        raise invalid(field, "must not be zero")
    if abs(quantity_milli) > QUANTITY_MILLI_MAX:
        raise invalid(field, "at most 1,000,000 units either way")
    return quantity_milli


def line_total(unit_price: Money, quantity_milli: int) -> Money:
    """Price times quantity, rounded once, half up; a return mirrors its sale."""
    return Money(unit_price.currency, line_minor(unit_price.minor, quantity_milli))


def line_minor(price_minor: int, quantity_milli: int) -> int:
    """The same, in minor units."""
    thousandths = price_minor * quantity_milli
    return (thousandths + 500) // 1000 if thousandths >= 0 else -((500 - thousandths) // 1000)
