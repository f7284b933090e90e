"""What is done with one card, step by step, and the seconds that headquarters serves meanwhile."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sim.card_calls import Run

from stillopen.v1 import realtime_pb2


@dataclass(frozen=True, slots=True)
class Locked:
    """LockCard."""

    request: realtime_pb2.LockCardRequest
    shown: realtime_pb2.CardLock | None


@dataclass(frozen=True, slots=True)
class Renewed:
    """One key of RenewLocks."""

    key: bytes
    shown: realtime_pb2.CardLock | None


@dataclass(frozen=True, slots=True)
class Unlocked:
    """UnlockCard with a key."""

    key: bytes
    force: bool
    shown: realtime_pb2.CardLock | None


@dataclass(frozen=True, slots=True)
class UnlockedAll:
    """UnlockCard with a number."""

    force: bool
    shown: tuple[realtime_pb2.CardLock, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """One operation of SettleTransaction."""

    transaction_id: str
    operation: realtime_pb2.CardOperation
    shown: realtime_pb2.Settlement | None
    came_as_another: bool = False
    """Whether this line of the sale may have been judged before, with other contents."""

    @property
    def left_minor(self) -> int:
        """What is left of a memo and goes onto a new one."""
        return self.operation.new_memo.amount.minor_units

    @property
    def digest(self) -> bytes:
        """What makes it the same when it comes again."""
        return self.operation.SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What the redemption of another memo does to the memo of what is left."""

    minor: int
    paid: bool
    """False when the redemption waits for a person, and what is left with it."""


@dataclass(frozen=True, slots=True)
class Voided:
    """A person wrote the redemption off, and what would be left of it."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A person applied an exception; when it is written off the card is as it was."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Adjusted:
    """AdjustCard."""

    request: realtime_pb2.AdjustCardRequest
    shown: realtime_pb2.AdjustCardResponse | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """BlockCard."""

    blocked: bool


@dataclass(frozen=True, slots=True)
class BalanceRead:
    """GetCardBalance."""

    request: realtime_pb2.GetCardBalanceRequest
    shown: realtime_pb2.GetCardBalanceResponse | None


@dataclass(frozen=True, slots=True)
class LedgerRead:
    """ListCardEntries."""

    shown: realtime_pb2.ListCardEntriesResponse | None


@dataclass(frozen=True, slots=True)
class Listed:
    """The locks of the card in the answer of ListLocks."""

    shown: tuple[realtime_pb2.CardLock, ...]


What = (
    Locked
    | Renewed
    | Unlocked
    | UnlockedAll
    | Fact
    | Remainder
    | Voided
    | Resolved
    | Adjusted
    | Blocked
    | BalanceRead
    | LedgerRead
    | Listed
)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One thing that is done with a card, and between which moments it takes effect."""

    what: What
    caller: str
    asked: int
    answered: int
    asked_s: float
    answered_s: float
    refused: str = ""
    sure: bool = True
    """False when nobody knows whether it took effect."""
    recovering: bool = False
    """Whether headquarters had been restored from an old copy before."""

    def __str__(self) -> str:
        answer = f"refused {self.refused}" if self.refused else "answered"
        answer = answer if self.sure else "not answered"
        return f"{type(self.what).__name__} of {self.caller} at {self.asked_s:.3f} s, {answer}"


@dataclass(frozen=True, slots=True)
class Served:
    """Seconds served: they pass while a server runs, and never faster than time."""

    runs: Sequence[Run]

    def at_most(self, from_s: float, until_s: float) -> float:
        """How many may have passed between two moments."""
        spans = (min(until_s, run.ended_s) - max(from_s, run.from_s) for run in self.runs)
        return sum(max(0.0, span) for span in spans)

    def at_least(self, from_s: float, until_s: float) -> float:
        """How many surely have: what passed in an earlier run may not have been saved."""
        began_s = max((r.heard_s for r in self.runs if r.from_s <= until_s), default=math.inf)
        return max(0.0, until_s - max(from_s, began_s))
