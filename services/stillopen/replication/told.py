"""What an arrived entry tells, as far as this version can read it; or why it cannot."""

from dataclasses import dataclass

from stillopen.core.errors import Reason, StillopenError
from stillopen.replication.completed import completed_wall_s
from stillopen.replication.quarantine import Arrived, plain
from stillopen.rpc.wire_sale import Record, message_from, record_of

UNREADABLE = "this version cannot read it"

OF_THE_ENTRY = (ValueError, TypeError, ArithmeticError, LookupError)
"""What fails so fails again: it is wrong with what is computed, not with a place or a disk."""

_FOR_EVER = {
    Reason.INVALID_ARGUMENT,
    Reason.NOT_ALLOWED,
    Reason.KEY_REUSED,
    Reason.MESSAGE_TOO_LARGE,
    Reason.CURRENCY_MISMATCH,
}
"""What is wrong with the entry itself; anything else may pass and is tried again."""


@dataclass(frozen=True, slots=True)
class Told:
    """An arrived entry, read."""

    arrived: Arrived
    record: Record | None
    """Nothing when this version cannot read it."""
    why: str = ""
    """Why it cannot."""
    receipt_number: str = ""
    completed_wall_s: float = 0.0

    @property
    def arrival(self) -> int:
        """The order in which it came."""
        return self.arrived.arrival


def told(arrived: Arrived) -> Told:
    """Reads an entry; nothing that it holds makes this fail."""
    try:
        message = message_from(arrived.entry.payload)
        record = record_of(message)
        return Told(arrived, record, "", message.receipt_number, completed_wall_s(message))
    except (StillopenError, *OF_THE_ENTRY) as error:
        return Told(arrived, None, f"{UNREADABLE}: {reason_of(error)}")


def is_for_ever(error: Exception) -> bool:
    """Whether an entry failed for what it is itself, so that trying again is for newer versions."""
    if isinstance(error, StillopenError):
        return error.reason in _FOR_EVER
    return isinstance(error, OF_THE_ENTRY)


def reason_of(error: Exception) -> str:
    """What people are told of an error; one that is none of ours says too much or too little."""
    if isinstance(error, StillopenError):
        return plain(error.message.removeprefix(f"{error.field}: "))
    return f"it holds a value that is out of all bounds ({type(error).__name__})"
