"""What people of the estate saw and were given: all that the checkers know of what happened."""

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from tests.sim.losses import Key, LaneKey, Loss

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
    PUT_BACK = "put back"
    """The disk of the register went, or went back, or another began on an image of it."""


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


@dataclass(slots=True)
class Adjustment:
    """Money that a person put onto a card by hand, or took off it."""

    number: str
    minor: int
    asked_s: float
    done_s: float | None = None
    """When it was answered; nothing when it never was."""


class History:
    """Everything that people saw, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.receipts: dict[str, types_pb2.Sale] = {}
        """Every completed sale that a cashier was given a receipt of, the first of each."""
        self.printed: dict[Key, types_pb2.Sale] = {}
        """Every receipt, by the place in the journal that it names."""
        self.losses: list[Loss] = []
        """What calamities took, as the world saw it."""
        self.parents: dict[LaneKey, tuple[int, int]] = {}
        """Where lanes go on from, as disks say at the end; read when there were calamities."""
        self.unlocked: set[str] = set()
        """Numbers of cards that a person was to free."""
        self.ended_by_hand: set[bytes] = set()
        """Locks that a person was to end, one by one."""
        self.given_up: list[LaneKey] = []
        """Lanes for which a person ended headquarters' waiting."""
        self.adjustments: list[Adjustment] = []
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
        self.strained: set[str] = set()
        """Places whose drive was full, or failed at some reads and writes."""
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
            receipt = sale.receipt
            place = (receipt.register_id, receipt.epoch, receipt.sequence)
            made = [tender.card.new_memo.number for tender in sale.tenders]
            new = [number for number in made if number and number not in self.memos]
            if place not in self.printed or new:  # before somebody signs in no number is shown
                self.printed[place] = sale
            self.memos += new
            self.receipts.setdefault(sale.transaction_id, sale)

    def lose(self, loss: Loss) -> None:
        """A calamity took a disk."""
        self.losses.append(loss)
        self.tell(loss.fate, loss.place, sorted(loss.only))

    def put_back(self, register: str) -> bool:
        """Whether what was seen at a register may have gone back."""
        return any(x.kind is Kind.PUT_BACK and x.register == register for x in self.events)

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
    quarantined: list[headquarters_pb2.GetQuarantinedResponse] = field(
        default_factory=list[headquarters_pb2.GetQuarantinedResponse]
    )
    """Entries that are at headquarters and in no effect."""
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
