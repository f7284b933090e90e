"""What a cashier can do at this register, and what of it works now."""

from dataclasses import dataclass
from enum import IntFlag, auto
from functools import lru_cache

from stillopen.core.allowed import missing
from stillopen.core.errors import Reason
from stillopen.core.permissions import Permissions


class Needs(IntFlag):
    """What an operation needs."""

    NOTHING = 0
    DATA = auto()
    """Master data: the channel's, or that of this register."""
    PERSON = auto()
    """Somebody who is signed in."""
    CARDS = auto()
    """Headquarters, through the channel."""


SALE = Needs.DATA | Needs.PERSON


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that a cashier can do."""

    name: str
    operation_ids: tuple[int, ...]
    """The incumbent's ids of the same."""
    needs: Needs


OPERATIONS = (
    Operation("SIGN_IN", (700,), Needs.DATA),
    Operation("SIGN_OUT", (701,), Needs.NOTHING),
    Operation("PRICE_CHECK", (101,), Needs.DATA),
    Operation("BEGIN", (636,), SALE),
    Operation("ADD_LINE", (100,), SALE),
    Operation("RETURN_LINE", (109,), SALE),
    Operation("RETURN_BY_RECEIPT", (114,), Needs.PERSON),
    Operation("CHANGE_LINE", (105,), SALE),
    Operation("OVERRIDE_PRICE", (104,), SALE),
    Operation("VOID_LINE", (102,), SALE),
    Operation("SET_CUSTOMER", (600, 603), SALE),
    Operation("SEARCH_CUSTOMERS", (602,), Needs.DATA),
    Operation("TENDER_CASH", (200,), SALE),
    Operation("TENDER_GIFT_CARD", (214,), SALE | Needs.CARDS),
    Operation("TENDER_CREDIT_MEMO", (213,), SALE | Needs.CARDS),
    Operation("ISSUE_CREDIT_MEMO", (511,), SALE | Needs.CARDS),
    Operation("REFUND_TO_GIFT_CARD", (), SALE | Needs.CARDS),
    Operation("ISSUE_GIFT_CARD", (512,), SALE | Needs.CARDS),
    Operation("RELOAD_GIFT_CARD", (519,), SALE | Needs.CARDS),
    Operation("CASH_OUT_GIFT_CARD", (215,), SALE | Needs.CARDS),
    Operation("GIFT_CARD_BALANCE", (520,), Needs.CARDS),
    Operation("CREDIT_MEMO_BALANCE", (514,), Needs.CARDS),
    Operation("UNLOCK_CARD", (), Needs.CARDS),
    Operation("VOID_TENDER", (211,), Needs.PERSON),
    Operation("COMPLETE", (139,), SALE),
    Operation("VOID", (500,), Needs.PERSON),
    Operation("SUSPEND", (503,), Needs.PERSON),
    Operation("RECALL", (504,), Needs.PERSON),
    Operation("JOURNAL", (115,), Needs.NOTHING),
    Operation("SWITCH_CONNECTION", (917,), Needs.NOTHING),
)
"""The operations of this register; the ids are those of the incumbent's list."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An operation and why it does not work now; `None` when it does."""

    operation: Operation
    why_not: Reason | None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides on which operations work."""

    online: bool
    has_data: bool
    headquarters_reachable: bool
    held: Permissions | None
    """What whoever is signed in may do, in the open sale; nothing when nobody is."""
    may_switch: bool
    """Whether operation 917 is open: somebody is signed in, or nobody need be."""
    asked: bool
    """Whether the cashier is asked to reconnect or work offline: everybody may answer."""


@lru_cache(maxsize=32)  # every report asks, and little changes between two
def judge(now: Circumstances) -> tuple[Judged, ...]:
    """Every operation, and whether it works now."""
    return tuple(Judged(operation, _why_not(operation, now)) for operation in OPERATIONS)


def _why_not(operation: Operation, now: Circumstances) -> Reason | None:
    needs = operation.needs
    if needs & Needs.CARDS and not now.online:
        return Reason.OFFLINE
    if needs & Needs.DATA and not (now.online or now.has_data):
        return Reason.NOT_READY
    if needs & Needs.CARDS and not now.headquarters_reachable:
        return Reason.HEADQUARTERS_UNREACHABLE
    return _who_may_not(operation, now)


def _who_may_not(operation: Operation, now: Circumstances) -> Reason | None:
    switches = operation.name == "SWITCH_CONNECTION"
    if (operation.needs & Needs.PERSON and now.held is None) or (switches and not now.may_switch):
        return Reason.NOT_SIGNED_IN
    if now.held is None or (switches and now.asked):
        return None
    return Reason.NOT_ALLOWED if missing(operation.name, now.held) is not None else None
