"""Which operation of a register needs which permission, and who may do it now.

UNLOCK_CARD and the end of another's claim are not here: they are done on the word of somebody who
may, whoever is signed in.
"""

from collections.abc import Mapping
from dataclasses import replace

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_name
from stillopen.core.money import Money
from stillopen.core.overrides import Override
from stillopen.core.permissions import NOTHING, Permission, Permissions, check_another, require
from stillopen.core.sale import Line, ReturnOf, Sale, changed, check_open

OVERRIDES_MAX = 100

_SELL = frozenset({Permission.SELL})

NEEDED: Mapping[str, Permissions] = {
    "BEGIN": _SELL,
    "ADD_LINE": _SELL,
    "CHANGE_LINE": _SELL,
    "OVERRIDE_PRICE": _SELL | {Permission.OVERRIDE_PRICE},
    "RETURN_LINE": _SELL | {Permission.RETURN_WITHOUT_RECEIPT},
    "RETURN_BY_RECEIPT": _SELL,
    "VOID_LINE": _SELL | {Permission.VOID},
    "SET_CUSTOMER": _SELL,
    "TENDER_CASH": _SELL,
    "TENDER_GIFT_CARD": _SELL,
    "TENDER_CREDIT_MEMO": _SELL,
    "ISSUE_CREDIT_MEMO": _SELL,
    "REFUND_TO_GIFT_CARD": _SELL,
    "ISSUE_GIFT_CARD": _SELL,
    "RELOAD_GIFT_CARD": _SELL,
    "CASH_OUT_GIFT_CARD": _SELL | {Permission.CASH_OUT},
    "VOID_TENDER": _SELL,
    "COMPLETE": _SELL,
    "VOID": frozenset({Permission.VOID}),
    "SUSPEND": _SELL,
    "RECALL": _SELL,
    "SWITCH_CONNECTION": frozenset({Permission.SWITCH_CONNECTION}),
}
"""By operation, as the status names it; what is not here is open to everybody."""

IN_A_SALE: Permissions = frozenset(
    {
        Permission.SELL,
        Permission.OVERRIDE_PRICE,
        Permission.RETURN_WITHOUT_RECEIPT,
        Permission.VOID,
        Permission.CASH_OUT,
    }
)
"""What another person may allow for one sale."""


def held_in(sale: Sale | None, held: Permissions) -> Permissions:
    """What somebody may do in the sale: what the role allows, and what others allowed there."""
    return held | (frozenset(each.permission for each in sale.overrides) if sale else NOTHING)


def missing(operation: str, held: Permissions) -> Permission | None:
    """What is lacking to do it; nothing when it may be done."""
    lacking = NEEDED.get(operation, NOTHING) - held
    return min(lacking) if lacking else None


def check_allowed(operation: str, held: Permissions, who: str) -> None:
    """Misuse NOT_ALLOWED, naming the permission."""
    if (wanted := missing(operation, held)) is not None:
        require(held, wanted, who)


def to_add(list_price: Money, unit_price: Money | None, return_of: ReturnOf | None) -> list[str]:
    """The operations that ringing up a line is.

    A return line that a frontend makes counts as one without a receipt, whatever it says: nobody
    has looked at it. The operation of those with one is RETURN_BY_RECEIPT.
    """
    found = ["RETURN_LINE" if return_of is not None else "ADD_LINE"]
    if unit_price is not None and unit_price != list_price:
        found.append("OVERRIDE_PRICE")
    return found


def to_change(line: Line | None, quantity_milli: int | None, unit_price: Money | None) -> list[str]:
    """The operations that changing a line is."""
    found = ["CHANGE_LINE"]
    if line is None:
        return found
    if unit_price is not None and unit_price not in {line.list_price, line.unit_price}:
        found.append("OVERRIDE_PRICE")
    back = line.return_of
    if back is not None and not back.line_id and (quantity_milli or 0) < line.quantity_milli:
        found.append("RETURN_LINE")
    return found


def check_override(sale: Sale, override: Override, signed_in: str) -> None:
    """Refuses what cannot be allowed: in this sale, by this person, without a reason."""
    check_open(sale)
    if override.permission not in IN_A_SALE:
        raise invalid("permission", "not one that is allowed for a sale")
    check_another(signed_in, override.staff_id)
    check_name(override.reason, "manager.reason")
    if len(sale.overrides) >= OVERRIDES_MAX:
        raise Refused(Reason.SALE_TOO_LARGE, f"at most {OVERRIDES_MAX} times in one sale")


def allow(sale: Sale, override: Override) -> Sale:
    """The sale in which something is allowed from now on."""
    return replace(changed(sale), overrides=(*sale.overrides, override))
