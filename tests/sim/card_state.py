"""A card as the checker sees it: what is on it, who holds it, and what it knows for ever."""

from dataclasses import dataclass, replace
from enum import StrEnum

from tests.sim.card_steps import Fact, Step

from stillopen.v1 import realtime_pb2, types_pb2

ISSUE, CASH_OUT = types_pb2.CARD_PURPOSE_ISSUE, types_pb2.CARD_PURPOSE_CASH_OUT
MEMO = types_pb2.CARD_KIND_CREDIT_MEMO
_TAKES = {types_pb2.CARD_PURPOSE_UNSPECIFIED, types_pb2.CARD_PURPOSE_REDEEM, CASH_OUT}


def takes(purpose: int) -> bool:
    """Whether money is taken off the card."""
    return purpose in _TAKES


class Status(StrEnum):
    """Where a card stands."""

    ABSENT = "ABSENT"
    NEW = "NEW"
    PENDING = "PENDING"
    OPEN = "OPEN"
    USED = "USED"


@dataclass(frozen=True, slots=True)
class Lock:
    """An open lock: what it holds, and how long it was last seen to hold it."""

    key: bytes
    holder: str
    transaction_id: str
    line_id: str
    purpose: int
    minor: int
    shares: bool
    seen_s: tuple[float, float]
    """Between these moments it would block for `left_s` more."""
    left_s: float | None
    """None when nobody was told."""
    granted_s: float
    """For how long it was granted; a renewal is never for less."""
    terms_s: float | None
    """For how long it may be concluded without headquarters; fixed at the grant."""
    more_s: float = 0.0
    """How much longer it may block when a crash takes the served clock back to its last write."""

    def asked_again(self, shown: realtime_pb2.CardLock | None, step: Step) -> "Lock":
        """The same, read again: that writes nothing, and tells only who was not answered before."""
        if self.left_s is not None or shown is None:
            return self
        more_s = step.answered_s - self.seen_s[0]
        return replace(self.seen(shown, step), more_s=more_s)

    def seen(self, shown: realtime_pb2.CardLock | None, step: Step) -> "Lock":
        """The lock as an answer shows it; nobody knows how long when nobody was answered."""
        seconds = left_of(shown) if shown is not None else None
        span_s = step.asked_s, step.answered_s
        return replace(self, seen_s=span_s, left_s=seconds, more_s=0.0)


@dataclass(frozen=True, slots=True)
class Settled:
    """A fact that was judged, once and for ever."""

    transaction_id: str
    line_id: str
    digest: bytes
    paid: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A card: what is on it, who holds it, and every key and fact it ever knew."""

    status: Status = Status.ABSENT
    memo: bool = False
    minor: int = 0
    blocked: bool = False
    locks: tuple[Lock, ...] = ()
    used: frozenset[tuple[bytes, str]] = frozenset()
    """Keys of locks that were settled, and their sales."""
    ended: frozenset[bytes] = frozenset()
    settled: tuple[Settled, ...] = ()
    waiting: tuple[Fact, ...] = ()
    """Facts that came before the card was there."""
    adjusted: frozenset[tuple[str, int]] = frozenset()

    @property
    def visible(self) -> bool:
        """Whether it is more than a number that was reserved once."""
        return self.status not in {Status.ABSENT, Status.NEW} or bool(self.locks)

    def lock(self, key: bytes) -> Lock | None:
        """The open lock of a key."""
        return next((lock for lock in self.locks if lock.key == key), None)

    def is_used(self, key: bytes) -> bool:
        """Whether the lock of a key was settled."""
        return any(used == key for used, _ in self.used)

    def free(self, key: bytes, holding: frozenset[bytes]) -> int:
        """What the holder of a key could have: what is there less what others hold."""
        for lock in self.locks:
            if lock.key != key and lock.key in holding and not lock.shares:
                return 0
        held = sum(
            lock.minor
            for lock in self.locks
            if lock.key != key and lock.key in holding and takes(lock.purpose)
        )
        return max(0, self.minor - held)

    def can_hold(self, lock: Lock, holding: frozenset[bytes]) -> bool:
        """Whether the card could be held so: a part needs it free, the whole nobody else."""
        if lock.purpose == ISSUE and self.status is not Status.NEW:
            return False
        others = [x for x in self.locks if x.key != lock.key and x.key in holding]
        if any(not (x.shares and lock.shares) for x in others):
            return False
        return not takes(lock.purpose) or lock.minor <= self.free(lock.key, holding)

    def with_lock(self, lock: Lock) -> "Card":
        """The card with a lock as it is now."""
        others = [x for x in self.locks if x.key != lock.key]
        in_order = sorted([*others, lock], key=lambda x: x.key)
        return replace(self, locks=tuple(in_order))

    def ending(self, *keys: bytes) -> "Card":
        """The card once keys have ended, for ever; no money has moved."""
        kept = tuple(lock for lock in self.locks if lock.key not in keys)
        return replace(self, locks=kept, ended=self.ended.union(keys))

    def settling(self, lock: Lock) -> "Card":
        """The card once a lock was settled."""
        kept = tuple(x for x in self.locks if x.key != lock.key)
        return replace(self, locks=kept, used=self.used | {(lock.key, lock.transaction_id)})

    def lapsing(self, holding: frozenset[bytes]) -> "Card":
        """Every debit ends the locks that have lapsed."""
        lapsed = [lock.key for lock in self.locks if lock.key not in holding]
        return self.ending(*lapsed) if lapsed else self


def left_of(shown: realtime_pb2.CardLock) -> float:
    """For how many more seconds an answer says that a lock blocks."""
    return shown.blocks_for.seconds + shown.blocks_for.nanos / 1e9
