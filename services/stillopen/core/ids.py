"""Identifiers and texts: what is allowed in them, and how new ones are made."""

import random
import re
import unicodedata

from stillopen.core.errors import invalid

ID_LENGTH_MAX = 40
NAME_LENGTH_MAX = 200
LOCK_KEY_BYTES = 16

_NOT_TEXT = {"Cc", "Cs", "Zl", "Zp"}
_TRANSACTION = re.compile(r"[0-9a-f]{32}\Z")


def check_id(value: str, field: str) -> str:
    """Returns it when it is 1 to 40 printable ASCII characters without spaces at its ends."""
    if not value:
        raise invalid(field, "missing")
    if len(value) > ID_LENGTH_MAX:
        raise invalid(field, f"at most {ID_LENGTH_MAX} characters")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise invalid(field, "only printable ASCII characters, no spaces at the ends")
    return value


def check_name(value: str, field: str, *, required: bool = True) -> str:
    """Returns it when it is at most 200 characters and none of them is a control character."""
    if required and not value.strip():
        raise invalid(field, "missing")
    if len(value) > NAME_LENGTH_MAX:
        raise invalid(field, f"at most {NAME_LENGTH_MAX} characters")
    if not value.isprintable() and any(unicodedata.category(c) in _NOT_TEXT for c in value):
        raise invalid(field, "control characters are not allowed")
    return value


def check_transaction_id(value: str, field: str = "transaction_id") -> str:
    """Returns it when it is 32 lower-case hexadecimal digits."""
    if not is_transaction_id(value):
        raise invalid(field, "32 lower-case hexadecimal digits")
    return value


def is_transaction_id(value: str) -> bool:
    """Whether it could name a sale."""
    return _TRANSACTION.match(value) is not None


def check_lock_key(value: bytes, field: str = "lock_key") -> bytes:
    """Returns it when it is 16 bytes."""
    if len(value) != LOCK_KEY_BYTES:
        raise invalid(field, f"{LOCK_KEY_BYTES} bytes")
    return value


def new_transaction_id(wall_s: float, rng: random.Random) -> str:
    """A new id: 48 bits of milliseconds, so that ids sort by time, and 80 random bits.

    The time only keeps database pages warm; nothing is ordered or deduplicated by it.
    """
    milliseconds = max(0, int(wall_s * 1000)) & (2**48 - 1)
    return f"{milliseconds:012x}{rng.getrandbits(80):020x}"


def new_lock_key(rng: random.Random) -> bytes:
    """A new lock key: 128 random bits."""
    return rng.getrandbits(8 * LOCK_KEY_BYTES).to_bytes(LOCK_KEY_BYTES, "big")


def new_epoch(rng: random.Random) -> int:
    """A new lane: 64 random bits, never zero."""
    return rng.getrandbits(64) or 1


def fold_code(code: str) -> str:
    """The form in which product ids and barcodes are compared: without regard to case."""
    return code.strip().upper()
