"""What people of the estate saw and were given: all that the checkers know of what happened."""

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from stillopen.v1 import headquarters_pb2, realtime_pb2, register_pb2, types_pb2


class Kind(StrEnum):
    """What happened between a frontend and its register."""

    SENT = "sent"
    """A write was sent; its version is the one that was seen."""
    ANSWERED = "answered"
    """A write was answered with the sale."""
    REFUSED = "refused"
    """A write was refused: its method, and why."""
    SEEN = "seen"
    """The sale was read."""
    CRASHED = "crashed"
    """The register was killed."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of one sale, at a moment of virtual time."""

    time_s: float
    register: str
    kind: Kind
    transaction_id: str
    version: int
    method: str = ""
    sale: types_pb2.Sale | None = None


@dataclass(frozen=True, slots=True)
class Glance:
    """What a cashier was told of what waits, and what the journal says of the same moment."""

    register: str
    status: register_pb2.RegisterStatus
    lines: tuple[register_pb2.JournalLine, ...]


class History:
    """Everything that people saw, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.receipts: dict[str, types_pb2.Sale] = {}
        """Every completed sale that a cashier was given a receipt of."""
        self.glances: list[Glance] = []
        self.refusals: Counter[str] = Counter()
        self.ended_claims: set[str] = set()
        """Suspended sales for which a manager was asked to end another's claim."""
        self.fresh_cards: list[str] = []
        """Numbers of gift cards that somebody tried to sell."""
        self.memos: list[str] = []
        """Numbers of credit memos that were printed."""
        self.spoiled: set[str] = set()
        """Places whose copy of master data was damaged or went."""
        self.surprises: list[str] = []
        """Answers that nobody should ever get."""
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Says whether two histories are the same."""
        return self._digest.hexdigest()

    def tell(self, *what: object) -> None:
        """Adds a line to the digest."""
        text = " ".join(str(each) for each in what)
        self._digest.update(f"{now_s():.9f} {text}\n".encode())

    def add(
        self,
        register: str,
        kind: Kind,
        transaction_id: str,
        version: int,
        method: str = "",
        sale: types_pb2.Sale | None = None,
    ) -> None:
        """Something happened now."""
        event = Event(now_s(), register, kind, transaction_id, version, method, sale)
        self.events.append(event)
        self.tell(register, kind, transaction_id, version, method)
        if sale is not None and sale.state == types_pb2.SALE_STATE_COMPLETED:
            if sale.transaction_id not in self.receipts:
                made = (tender.card.new_memo.number for tender in sale.tenders)
                self.memos += [number for number in made if number]
            self.receipts.setdefault(sale.transaction_id, sale)

    def see(self, register: str, sale: types_pb2.Sale) -> None:
        """Somebody was shown a suspended sale."""
        self.add(register, Kind.SEEN, sale.transaction_id, sale.version, "ListSuspended", sale)

    def end_claim(self, transaction_id: str) -> None:
        """A manager is asked to end the claim on a suspended sale."""
        self.ended_claims.add(transaction_id)
        self.tell("manager", transaction_id)


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it was imported."""

    number: str
    opening_minor: int


@dataclass(slots=True)
class Answers:
    """What the estate says of itself when all is over, read with the same calls anybody has."""

    transactions: list[headquarters_pb2.ReceivedTransaction] = field(
        default_factory=list[headquarters_pb2.ReceivedTransaction]
    )
    completeness: headquarters_pb2.GetCompletenessResponse = field(
        default_factory=headquarters_pb2.GetCompletenessResponse
    )
    ledgers: dict[str, realtime_pb2.ListCardEntriesResponse] = field(
        default_factory=dict[str, realtime_pb2.ListCardEntriesResponse]
    )
    """By card number."""
    locks: list[realtime_pb2.OpenLock] = field(default_factory=list[realtime_pb2.OpenLock])
    """Read a lease after the last sale was closed."""
    exceptions: list[realtime_pb2.CardException] = field(
        default_factory=list[realtime_pb2.CardException]
    )
    parameters: types_pb2.Parameters = field(default_factory=types_pb2.Parameters)
    statuses: dict[str, register_pb2.RegisterStatus] = field(
        default_factory=dict[str, register_pb2.RegisterStatus]
    )
    journals: dict[str, list[register_pb2.JournalLine]] = field(
        default_factory=dict[str, list[register_pb2.JournalLine]]
    )
    carts: dict[str, list[types_pb2.Sale]] = field(default_factory=dict[str, list[types_pb2.Sale]])
    """Suspended sales, as each register lists them at the very end."""
    waiting_when_healed: int = 0
    """Receipts handed out and not at headquarters when links came back."""
    drained_s: float | None = None
    """How long after the last sale was closed everything was home; None when it was not."""
    replicas_agree_s: float | None = None
    """The same for parameters and catalogue."""
    differences: list[str] = field(default_factory=list[str])
    """Rows of replicas that are not what headquarters has, as it says itself."""
    failures: list[str] = field(default_factory=list[str])
    """Processes that ended by themselves, people who could not finish, errors in logs."""


def now_s() -> float:
    """Virtual time."""
    return asyncio.get_running_loop().time()
