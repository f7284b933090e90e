"""Tax that is part of a price: its group, its rate, and how much of an amount it is."""

from dataclasses import dataclass

from stillopen.core.errors import invalid
from stillopen.core.ids import check_id, check_name

PERCENT_MILLI_MAX = 100_000
_WHOLE_MILLI = 100_000


@dataclass(frozen=True, slots=True, order=True)
class Tax:
    """A tax group and its rate in thousandths of a percent: 21 % is 21,000."""

    group: str = ""
    percent_milli: int = 0

    def included_minor(self, total_minor: int) -> int:
        """How much of an amount is tax, rounded once, half up; a return mirrors its sale."""
        whole = _WHOLE_MILLI + self.percent_milli
        doubled = 2 * abs(total_minor) * self.percent_milli
        tax = (doubled + whole) // (2 * whole)
        return tax if total_minor >= 0 else -tax


NO_TAX = Tax()


def check_tax(tax: Tax) -> Tax:
    """Refuses a rate below nothing or above the price, and one without a group."""
    if not 0 <= tax.percent_milli <= PERCENT_MILLI_MAX:
        raise invalid("tax_percent_milli", f"between 0 and {PERCENT_MILLI_MAX}")
    if tax.group or tax.percent_milli:
        check_id(tax.group, "tax_group")
    return tax


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """A tax group as headquarters keeps it: the one place of its rate."""

    tax_group: str
    name: str
    percent_milli: int


def check_tax_group(group: TaxGroup) -> TaxGroup:
    """Refuses a group without id or name, and a rate below nothing or above the price."""
    check_id(group.tax_group, "tax_group")
    check_name(group.name, "name")
    if not 0 <= group.percent_milli <= PERCENT_MILLI_MAX:
        raise invalid("percent_milli", f"between 0 and {PERCENT_MILLI_MAX}")
    return group
