"""What the cashier is told: which mode, why, since when, what works and what waits."""

from dataclasses import dataclass

from stillopen.register.connectivity import Connectivity
from stillopen.register.journal import Waiting
from stillopen.replication.replica import Replica

ALWAYS = (
    "SIGN_IN",
    "SIGN_OUT",
    "BEGIN",
    "ADD_LINE",
    "RETURN_LINE",
    "CHANGE_LINE",
    "VOID_LINE",
    "TENDER_CASH",
    "VOID_TENDER",
    "COMPLETE",
    "VOID",
    "JOURNAL",
    "SWITCH_CONNECTION",
)
"""Operations that this register serves alone."""

WITH_CARDS = ("TENDER_GIFT_CARD", "GIFT_CARD_BALANCE")
"""Operations that need headquarters."""


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a register at one moment."""

    register_id: str
    store_id: str
    connection: Connectivity
    link_up: bool
    headquarters_reachable: bool
    waiting: Waiting
    missing: tuple[str, ...]
    catalogue_sequence: int
    parameters_version: int
    staff_id: str
    open_transaction_id: str
    operations: tuple[str, ...]
    lane_announced: bool


def missing_offline(replica: Replica) -> tuple[str, ...]:
    """What the register lacks to sell offline; nothing when it is ready."""
    if not replica.at.generation:
        return ("MASTER_DATA",)
    return () if replica.has_staff else ("STAFF",)


def operations(
    connection: Connectivity, *, headquarters_reachable: bool, ready: bool
) -> tuple[str, ...]:
    """Which operations work now."""
    if not connection.online:
        return ALWAYS if ready else ("VOID_TENDER", "VOID", "JOURNAL", "SWITCH_CONNECTION")
    return (*ALWAYS, *WITH_CARDS) if headquarters_reachable else ALWAYS
