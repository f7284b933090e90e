"""The server's half of a stream, pure: events in, frames and effects out.

State      event                  frames and effects                               next
NEW        Hello                  Met; Claim                                       GREETED
GREETED    heartbeat              Heartbeat, from version 2                        GREETED
GREETED    claimed(stored)        Welcome; look for packages                       STREAMING
STREAMING  Entries                Store: intact ones, and damaged the third time   STREAMING
STREAMING  stored(batch, lanes)   Stored; Resend for damaged ones                  STREAMING
STREAMING  Heartbeat              Claim when it names lanes                        STREAMING
any        Hello, Heartbeat       Keep when it says how registers stand            as it was
STREAMING  changed(lanes)         Stored for lanes that moved                      STREAMING
STREAMING  packages               as `sending` says                                STREAMING
STREAMING  ask(question)          DigestsAsked                                     STREAMING
STREAMING  Digests                Answered, when the question is open              STREAMING
any        frame out of place     raises Misuse, the shell closes the stream       -
any        heartbeat, stalled     raises Refused, the shell closes it too          -

1. Only its own lanes and report are taken from a register; a channel brings any.
2. Nothing is acknowledged before it is durable.
3. Bytes that do not fit their digest are asked for again; the third time they are stored as
   damaged.
4. Answers and heartbeats go before the blocks of a package.
5. At most `QUESTIONS_MAX` questions are open; each has a number of its own on the stream, and one
   answer.
6. At most `OUTBOX_MAX` frames wait for a client that does not read them, and for `STALLED_S`.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stillopen.core.errors import Misuse, Reason, Refused, Unreachable, invalid
from stillopen.core.journal import Entry, Head, Lane, Stored, check_shape, is_intact
from stillopen.core.lanes import check_head
from stillopen.replication.frames import (
    BATCH_ENTRIES_MAX,
    OUTBOX_MAX,
    QUESTIONS_MAX,
    STALLED_S,
    Room,
    spoken,
)
from stillopen.replication.ports import Package
from stillopen.replication.reports import REPORTS_MAX, check_report
from stillopen.replication.sending import Offer, Sending, SendingEffect, WantedBlock
from stillopen.replication.stalling import Stalling
from stillopen.rpc.wire import duration_to, entry_from, head_from, position_to, stored_to
from stillopen.v1 import sync_pb2

DAMAGED_TRIES = 3
LANES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Claim:
    """Note these heads, and bring what is stored of them with `claimed`."""

    heads: list[Head]


@dataclass(frozen=True, slots=True)
class Store:
    """Make these durable, and say `stored`."""

    batch: int
    intact: list[Entry]
    damaged: list[Entry]


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep how these registers stand."""

    reports: list[sync_pb2.RegisterReport]


@dataclass(frozen=True, slots=True)
class Met:
    """A process of the caller speaks; another may have spoken before."""

    instance: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A question was answered; its number is that of `ask`."""

    digests: sync_pb2.Digests


Effect = Answered | Claim | Keep | Store | Met | SendingEffect


class ServerHalf:
    """One stream, seen from the source. `owner` is the register it is for; empty for a channel."""

    def __init__(
        self, owner: str, heartbeat_s: float, batch_entries: int = BATCH_ENTRIES_MAX
    ) -> None:
        self.owner = owner
        """The register it is for; empty for a channel."""
        self._heartbeat_s = heartbeat_s
        self._batch_entries = batch_entries
        self._outbox: deque[sync_pb2.SyncResponse] = deque()
        self.room = Room()
        """What the stream may take of the server; said in Welcome."""
        self._version = 0
        """That which both speak; 0 before Hello."""
        self._welcomed = False
        self._taking = Stalling()
        self._damaged: Counter[tuple[Lane, int]] = Counter()
        self._told: dict[Lane, Stored] = {}
        self._packages = Sending(self._outbox.append)
        self._open: set[int] = set()
        """The questions that are not answered."""
        self._asked = 0

    @property
    def heartbeat_s(self) -> float:
        """How often each side says that it is there."""
        return max(self._heartbeat_s, self.room.heartbeat_s)

    def about(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Those of the lanes that this stream is about."""
        return [lane for lane in lanes if lane in self._told]

    def take(self) -> sync_pb2.SyncResponse | None:
        """The next frame to send: answers first, then a block of a package."""
        self._taking.moved()
        return self._outbox.popleft() if self._outbox else self._packages.take()

    def received(self, frame: sync_pb2.SyncRequest) -> list[Effect]:
        """Takes a frame of the client."""
        if len(self._outbox) >= OUTBOX_MAX:
            raise Refused(Reason.STREAM_STALLED, f"{OUTBOX_MAX} frames wait to be read")
        kind = frame.WhichOneof("frame")
        if kind == "hello":
            return self._hello(frame.hello)
        if not self._version:
            raise Misuse(Reason.INVALID_ARGUMENT, f"{kind} before hello", "frame")
        match kind:
            case "entries":
                return [self._entries(frame.entries)]
            case "heartbeat":
                heads = self._heads(list(frame.heartbeat.lanes))
                claim: list[Effect] = [Claim(heads)] if heads else []
                reports = self._reports(list(frame.heartbeat.reports))
                return [*claim, *reports, *self._packages.look_again()]
            case "digests":
                return self._answered(frame.digests)
            case _:
                return [*self._of_packages(frame)]

    def claimed(self, stored: list[Stored]) -> list[Effect]:
        """Answers a Hello, or tells of lanes that were new."""
        if not self._welcomed:
            self._welcomed = True
            self._told = {each.lane: each for each in stored}
            limits = sync_pb2.Limits(
                batch_bytes_max=self.room.batch_bytes,
                batch_entries_max=self._batch_entries,
                batches_in_flight_max=self.room.batches_in_flight,
                heartbeat_interval=duration_to(self.heartbeat_s),
                return_within=duration_to(self.room.return_within_s),
            )
            welcome = sync_pb2.Welcome(
                protocol_version=self._version,
                limits=limits,
                lanes=[stored_to(each) for each in stored],
            )
            self._outbox.append(sync_pb2.SyncResponse(welcome=welcome))
            return [*self._packages.welcome()]
        self.changed(stored)
        return []

    def stored(self, store: Store, lanes: list[Stored]) -> None:
        """What was to be stored is durable."""
        self._told.update({each.lane: each for each in lanes})
        frame = sync_pb2.Stored(batch=store.batch, lanes=[stored_to(each) for each in lanes])
        self._outbox.append(sync_pb2.SyncResponse(stored=frame))

    def changed(self, lanes: list[Stored]) -> None:
        """Tells of lanes that moved since they were last told of."""
        moved = [each for each in lanes if self._told.get(each.lane) != each]
        if moved and self._welcomed:
            self._told.update({each.lane: each for each in moved})
            frame = sync_pb2.Stored(lanes=[stored_to(each) for each in moved])
            self._outbox.append(sync_pb2.SyncResponse(stored=frame))

    def heartbeat(self) -> None:
        """Says that it is there; Refused STREAM_STALLED when the client takes nothing."""
        if self._taking.beat(waiting=bool(self._outbox)) * self.heartbeat_s >= STALLED_S:
            raise Refused(Reason.STREAM_STALLED, "the client reads nothing")
        self._packages.beat(self.heartbeat_s)
        if not self._welcomed and self._version <= 1:
            return  # nothing precedes its Welcome
        self._outbox.append(sync_pb2.SyncResponse(heartbeat=sync_pb2.Heartbeat()))

    def look(self) -> list[SendingEffect]:
        """Looks for what the client's replicas need, unless a package is under way."""
        return self._packages.look()

    def takes_whole(self, package: Package) -> bool:
        """Whether all of a package may be brought with `offered`."""
        return self._packages.takes_whole(package)

    def offered(
        self, offer: Offer, package: Package | None, whole: bytes = b""
    ) -> list[SendingEffect]:
        """Brings what was found for a replica, and all of a small package."""
        return self._packages.offered(offer, package, whole)

    def missed(self, offer: Offer) -> list[SendingEffect]:
        """Says that it could not be looked for now."""
        return self._packages.missed(offer)

    @property
    def looking(self) -> Offer | None:
        """The offer whose answer counts."""
        return self._packages.looking

    @property
    def wanted_block(self) -> WantedBlock | None:
        """What is to be read next of the package under way."""
        return self._packages.wanted_block

    @property
    def blocks_ready(self) -> int:
        """How many blocks of the package under way are in memory."""
        return self._packages.blocks_ready

    def block(self, wanted: WantedBlock, data: bytes) -> None:
        """Brings what was read; Refused when there is nothing any more."""
        self._packages.block(wanted, data)

    def ask(self, asked: sync_pb2.DigestsAsked) -> int:
        """Asks the client, and says under which number it answers.

        Unreachable before it was welcomed, Refused IN_USE when too many questions are open.
        """
        if not self._welcomed:
            raise Unreachable(Reason.UNREACHABLE, "the stream has only begun")
        if len(self._open) >= QUESTIONS_MAX:
            raise Refused(Reason.IN_USE, f"{QUESTIONS_MAX} questions are open already")
        self._asked += 1
        self._open.add(self._asked)
        frame = sync_pb2.SyncResponse(digests_asked=asked)
        frame.digests_asked.number = self._asked
        self._outbox.append(frame)
        return self._asked

    def give_up(self, number: int) -> None:
        """Nobody waits for the answer to that question."""
        self._open.discard(number)

    def _of_packages(self, frame: sync_pb2.SyncRequest) -> list[SendingEffect]:
        match frame.WhichOneof("frame"):
            case "packages_wanted":
                return self._packages.wanted(frame.packages_wanted)
            case "package_applied":
                return self._packages.applied(frame.package_applied.cursor)
            case "package_refused":
                return self._packages.declined(frame.package_refused)
            case "package_taken":
                self._packages.taken(frame.package_taken)
                return []
            case _:
                return []  # a kind that a newer client knows

    def _answered(self, digests: sync_pb2.Digests) -> list[Effect]:
        if digests.number not in self._open:
            return []  # answered before, or given up
        self._open.remove(digests.number)
        return [Answered(digests)]

    def _hello(self, hello: sync_pb2.Hello) -> list[Effect]:
        if self._version:
            raise Misuse(Reason.INVALID_ARGUMENT, "a second hello", "frame")
        self._version = spoken(hello.protocol_version)
        self._packages.hello(hello, self._version)
        reports = self._reports(list(hello.reports))
        return [Met(hello.instance), Claim(self._heads(list(hello.lanes))), *reports]

    def _heads(self, claims: list[sync_pb2.LaneClaim]) -> list[Head]:
        if len(claims) > LANES_MAX:
            raise invalid("lanes", f"at most {LANES_MAX}")
        heads = [head_from(claim) for claim in claims]
        if self.owner:  # only a channel tells of holes, other claims and alarms
            heads = [replace(head, missing=(), claimed=0, alarms=()) for head in heads]
        for head in heads:
            self._check_owner(head.lane)
            check_head(head)
        return heads

    def _reports(self, reports: list[sync_pb2.RegisterReport]) -> list[Effect]:
        if len(reports) > REPORTS_MAX:
            raise invalid("reports", f"at most {REPORTS_MAX}")
        for report in reports:
            check_report(report)
            if self.owner and report.register_id != self.owner:
                raise Misuse(
                    Reason.NOT_ALLOWED, f"{self.owner} cannot speak for {report.register_id}"
                )
        return [Keep(reports)] if reports else []

    def _entries(self, frame: sync_pb2.Entries) -> Store:
        if len(frame.entries) > BATCH_ENTRIES_MAX:
            raise invalid("entries", f"at most {BATCH_ENTRIES_MAX}")
        intact: list[Entry] = []
        damaged: list[Entry] = []
        again: list[Entry] = []
        for entry in map(entry_from, frame.entries):
            self._check_owner(check_shape(entry).lane)
            if is_intact(entry):
                intact.append(entry)
                continue
            self._damaged[entry.lane, entry.sequence] += 1
            tries = self._damaged[entry.lane, entry.sequence]
            (damaged if tries >= DAMAGED_TRIES else again).append(entry)
        if again:
            resend = sync_pb2.Resend(positions=[position_to(e.lane, e.sequence) for e in again])
            self._outbox.append(sync_pb2.SyncResponse(resend=resend))
        return Store(frame.batch, intact, damaged)

    def _check_owner(self, lane: Lane) -> None:
        if self.owner and lane.register_id != self.owner:
            raise Misuse(
                Reason.NOT_ALLOWED, f"{self.owner} cannot bring the journal of {lane.register_id}"
            )
