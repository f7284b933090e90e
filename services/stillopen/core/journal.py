"""Journal entries: their digest, their lanes, and what a server may say of them.

An entry is serialized once, when it is appended. Those bytes are stored, hashed, sent, forwarded
and kept; nobody serializes them again (protocol rule 6).
"""

import hashlib
import hmac
from dataclasses import dataclass

from stillopen.core.errors import Misuse, Reason, invalid
from stillopen.core.ids import check_id

PAYLOAD_BYTES_MAX = 1 << 20
NO_PARENT = bytes(32)
DIGEST_PREFIX_BYTES = 4
"""How much of an entry's digest its receipt shows."""
_PREFIX = b"stillopen.entry.v1\0"


@dataclass(frozen=True, slots=True)
class Lane:
    """One run of one register's process."""

    register_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry. The key is (lane, sequence); the digest says whether it is the same."""

    lane: Lane
    sequence: int
    parent_digest: bytes
    digest: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A lane as its sender knows it: what it can send, from `first` to `last`."""

    lane: Lane
    first: int
    last: int
    digest: bytes = b""
    believed: int = 0
    """Through which entry the sender was told that headquarters has it."""
    claimed: int = 0
    """The last entry that the register claims, when the sender has fewer."""
    heard: bool = True
    """Whether the register itself was heard since this was last said."""
    missing: tuple[tuple[int, int], ...] = ()
    """Ranges between `first` and `last` that the sender can never send."""
    alarms: tuple[str, ...] = ()
    """What only the sender can see of the lane."""

    @property
    def length(self) -> int:
        """How long the lane is, as far as anybody claims."""
        return max(self.last, self.claimed)


@dataclass(frozen=True, slots=True)
class Stored:
    """How far a lane is durable, here and at headquarters, and what the register may delete."""

    lane: Lane
    through: int
    headquarters_through: int
    purge_through: int = 0
    headquarters_knows: bool = False


def entry_digest(lane: Lane, sequence: int, parent_digest: bytes, payload: bytes) -> bytes:
    """SHA-256 over prefix, length-prefixed register id, epoch, sequence, parent digest, payload."""
    register = lane.register_id.encode()
    digest = hashlib.sha256(_PREFIX)
    digest.update(len(register).to_bytes(2, "big") + register)
    digest.update(lane.epoch.to_bytes(8, "big") + sequence.to_bytes(8, "big"))
    digest.update(parent_digest)
    digest.update(payload)
    return digest.digest()


def append(lane: Lane, sequence: int, parent_digest: bytes, payload: bytes) -> Entry:
    """The entry that follows the one with `parent_digest`."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise invalid("payload", f"at most {PAYLOAD_BYTES_MAX} bytes")
    digest = entry_digest(lane, sequence, parent_digest, payload)
    return Entry(lane, sequence, parent_digest, digest, payload)


def check_shape(entry: Entry) -> Entry:
    """Refuses an entry that no register could have written."""
    check_id(entry.lane.register_id, "register_id")
    if not 0 < entry.lane.epoch < 2**64:
        raise invalid("epoch", "64 bits, not zero")
    if not 0 < entry.sequence < 2**63:
        raise invalid("sequence", "from 1")
    if len(entry.parent_digest) != len(NO_PARENT) or len(entry.digest) != len(NO_PARENT):
        raise invalid("digest", "32 bytes")
    if len(entry.payload) > PAYLOAD_BYTES_MAX:
        raise invalid("payload", f"at most {PAYLOAD_BYTES_MAX} bytes")
    return entry


def is_intact(entry: Entry) -> bool:
    """Whether the bytes are the ones that were hashed."""
    expected = entry_digest(entry.lane, entry.sequence, entry.parent_digest, entry.payload)
    return hmac.compare_digest(expected, entry.digest)


def check_intact(entry: Entry) -> Entry:
    """Refuses an entry whose digest does not fit its bytes."""
    if not is_intact(check_shape(entry)):
        raise Misuse(Reason.DIGEST_MISMATCH, "the digest does not fit the bytes", "digest")
    return entry
