"""Everything that goes wrong, as a tree.

StillopenError
  Refused       the trade says no; nothing changed, another request may succeed
  Unreachable   nobody answered in time; the only family that moves a register offline
  Misuse        the caller's bug, or a machine that is not set up right

Each error has a `reason`, the same word as in `error_reason.proto`, a message for people and, where
one field is to blame, its name. Messages never hold a card number or a password.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why; the names of `stillopen.v1.ErrorReason` without their prefix."""

    CARD_UNKNOWN = "CARD_UNKNOWN"
    CARD_LOCKED = "CARD_LOCKED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    LOCK_ENDED = "LOCK_ENDED"
    CARD_TWICE = "CARD_TWICE"
    HEADQUARTERS_UNREACHABLE = "HEADQUARTERS_UNREACHABLE"
    OFFLINE = "OFFLINE"
    CONCLUDE_NOT_ALLOWED = "CONCLUDE_NOT_ALLOWED"
    CONFIRM_REFUSED = "CONFIRM_REFUSED"
    PRODUCT_UNKNOWN = "PRODUCT_UNKNOWN"
    SIGN_IN_FAILED = "SIGN_IN_FAILED"
    NOT_SIGNED_IN = "NOT_SIGNED_IN"
    SALE_UNKNOWN = "SALE_UNKNOWN"
    SALE_FINAL = "SALE_FINAL"
    SALE_OPEN = "SALE_OPEN"
    VERSION_OLD = "VERSION_OLD"
    SALE_EMPTY = "SALE_EMPTY"
    NOT_PAID = "NOT_PAID"
    LINE_UNKNOWN = "LINE_UNKNOWN"
    EXCEEDS_DUE = "EXCEEDS_DUE"
    TENDERS_PRESENT = "TENDERS_PRESENT"
    SALE_TOO_LARGE = "SALE_TOO_LARGE"
    NOT_READY = "NOT_READY"
    PARAMETERS_INVALID = "PARAMETERS_INVALID"
    PROTOCOL_VERSION = "PROTOCOL_VERSION"
    PACKAGE_DAMAGED = "PACKAGE_DAMAGED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    DISK_FULL = "DISK_FULL"
    STREAM_REPLACED = "STREAM_REPLACED"
    OTHER = "OTHER"
    CARD_BLOCKED = "CARD_BLOCKED"
    LOCK_BLOCKS = "LOCK_BLOCKS"
    RESOLVED = "RESOLVED"
    TOO_MANY_UNKNOWN = "TOO_MANY_UNKNOWN"
    CARD_PENDING = "CARD_PENDING"
    CARD_EXISTS = "CARD_EXISTS"
    CARD_KIND = "CARD_KIND"
    CARD_USED = "CARD_USED"
    CASH_OUT_TOO_MUCH = "CASH_OUT_TOO_MUCH"
    HEADQUARTERS_RECOVERING = "HEADQUARTERS_RECOVERING"
    RETURN_TOO_MUCH = "RETURN_TOO_MUCH"
    NOT_RETURNABLE = "NOT_RETURNABLE"
    CLAIMED = "CLAIMED"
    HANDED_OVER = "HANDED_OVER"
    DISK_LOW = "DISK_LOW"
    LANE_UNKNOWN = "LANE_UNKNOWN"
    LOCKED_OUT = "LOCKED_OUT"
    BLOCKED = "BLOCKED"
    RETIRED = "RETIRED"
    CODE_UNKNOWN = "CODE_UNKNOWN"
    NAME_UNKNOWN = "NAME_UNKNOWN"
    IN_USE = "IN_USE"
    INCOMPLETE = "INCOMPLETE"
    PERIOD_CLOSED = "PERIOD_CLOSED"
    IMPORT_RUNNING = "IMPORT_RUNNING"
    CUSTOMER_UNKNOWN = "CUSTOMER_UNKNOWN"
    TENDER_NOT_TAKEN = "TENDER_NOT_TAKEN"
    ENTRY_UNKNOWN = "ENTRY_UNKNOWN"
    STREAM_STALLED = "STREAM_STALLED"

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    KEY_REUSED = "KEY_REUSED"
    CALLER_UNKNOWN = "CALLER_UNKNOWN"
    NOT_ALLOWED = "NOT_ALLOWED"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    REGISTER_IN_USE = "REGISTER_IN_USE"
    DATABASE_DAMAGED = "DATABASE_DAMAGED"
    DATABASE_NEWER = "DATABASE_NEWER"
    PLAINTEXT_REFUSED = "PLAINTEXT_REFUSED"
    ADDRESS_TAKEN = "ADDRESS_TAKEN"
    NOT_SERVED = "NOT_SERVED"
    INTERNAL = "INTERNAL"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    TLS_INVALID = "TLS_INVALID"
    NOT_INSTALLED = "NOT_INSTALLED"

    UNREACHABLE = "UNREACHABLE"
    TIMED_OUT = "TIMED_OUT"


class StillopenError(Exception):
    """The root. Raise one of its families."""

    def __init__(self, reason: Reason, message: str, field: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Refused(StillopenError):
    """The trade says no."""


class Unreachable(StillopenError):
    """Nobody answered in time."""


class Misuse(StillopenError):
    """The caller's bug, or a machine that is not set up right."""


def invalid(field: str, message: str) -> Misuse:
    """A field that is not what the contract says."""
    return Misuse(Reason.INVALID_ARGUMENT, f"{field}: {message}", field)
