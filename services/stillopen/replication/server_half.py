"""The server's half of a stream, pure: events in, frames and effects out.

State      event                  frames and effects                               next
NEW        Hello                  Met; Claim                                       GREETED
GREETED    claimed(stored)        Welcome; Offer                                   STREAMING
STREAMING  Entries                Store: intact ones, and damaged the third time   STREAMING
STREAMING  stored(batch, lanes)   Stored; Resend for damaged ones                  STREAMING
STREAMING  Heartbeat              Claim when it names lanes                        STREAMING
any        Hello, Heartbeat       Keep when it says how registers stand            as it was
STREAMING  changed(lanes)         Stored for lanes that moved                      STREAMING
STREAMING  offered(package)       PackageBegin, then a block whenever nothing      STREAMING
                                  else is to be sent, then PackageEnd
STREAMING  PackageApplied         Offer                                            STREAMING
STREAMING  PackageRefused         Declined; Offer of a snapshot after a delta      STREAMING
any        frame out of place     raises Misuse, the shell closes the stream       -

1. Only its own lanes and report are taken from a register; a channel brings any.
2. Nothing is acknowledged before it is durable.
3. No package is sent before the one before it is applied or refused; one that was refused is not
   sent again on this stream, and a snapshot in the place of a delta.
4. Bytes that do not fit their digest are asked for again; the third time they are stored as
   damaged.
"""

from collections import Counter, deque
from dataclasses import dataclass, replace

from stillopen.core.errors import Misuse, Reason, Refused, invalid
from stillopen.core.journal import Entry, Head, Lane, Stored, check_shape, is_intact
from stillopen.core.lanes import HOLES_MAX
from stillopen.replication.frames import (
    BATCH_BYTES_MAX,
    BATCH_ENTRIES_MAX,
    BATCHES_IN_FLIGHT_MAX,
    BLOCK_BYTES,
    PROTOCOL_VERSION,
    cursor_from,
    cursor_to,
)
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.reports import REPORTS_MAX, check_report
from stillopen.rpc.wire import duration_to, entry_from, head_from, position_to, stored_to
from stillopen.v1 import sync_pb2

DAMAGED_TRIES = 3
LANES_MAX = 100_000
LENGTH_MAX = 2**62


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
class Offer:
    """Look for what a replica needs that stands there, and bring it with `offered`."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Declined:
    """The replica refused a package, and says why."""

    cursor: Cursor
    message: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep how these registers stand."""

    reports: list[sync_pb2.RegisterReport]


@dataclass(frozen=True, slots=True)
class Met:
    """A process of the caller speaks; another may have spoken before."""

    instance: int


Effect = Claim | Declined | Keep | Store | Offer | Met


class ServerHalf:
    """One stream, seen from the source. `owner` is the register it is for; empty for a channel."""

    def __init__(
        self, owner: str, heartbeat_s: float, batch_entries: int = BATCH_ENTRIES_MAX
    ) -> None:
        self._owner = owner
        self._heartbeat_s = heartbeat_s
        self._batch_entries = batch_entries
        self._outbox: deque[sync_pb2.SyncResponse] = deque()
        self._greeted = False
        self._welcomed = False
        self._damaged: Counter[tuple[Lane, int]] = Counter()
        self._told: dict[Lane, Stored] = {}
        self._sending: Package | None = None
        self._awaited: Package | None = None
        """The package that the replica has not spoken of yet."""
        self._offset = 0
        self.cursor = Cursor()
        self._refused: set[Cursor] = set()
        self._again = False
        """Whether a package was refused for a reason that passes."""

    def about(self, lanes: list[Lane]) -> list[Lane]:
        """Those of the lanes that this stream is about."""
        return [lane for lane in lanes if lane in self._told]

    def take(self) -> sync_pb2.SyncResponse | None:
        """The next frame to send: answers first, then a block of a package."""
        if self._outbox:
            return self._outbox.popleft()
        if self._sending is None:
            return None
        block = self._sending.data[self._offset : self._offset + BLOCK_BYTES]
        if block:
            self._offset += len(block)
            return sync_pb2.SyncResponse(package_block=sync_pb2.PackageBlock(data=block))
        self._sending = None
        return sync_pb2.SyncResponse(package_end=sync_pb2.PackageEnd())

    def received(self, frame: sync_pb2.SyncRequest) -> list[Effect]:
        """Takes a frame of the client."""
        kind = frame.WhichOneof("frame")
        if kind == "hello":
            return self._hello(frame.hello)
        if not self._greeted:
            raise Misuse(Reason.INVALID_ARGUMENT, f"{kind} before hello", "frame")
        match kind:
            case "entries":
                return [self._entries(frame.entries)]
            case "heartbeat":
                heads = self._heads(list(frame.heartbeat.lanes))
                claim: list[Effect] = [Claim(heads)] if heads else []
                offer: list[Effect] = [Offer(self.cursor)] if self._again and self.may_offer else []
                self._again = False
                return [*claim, *self._reports(list(frame.heartbeat.reports)), *offer]
            case "package_applied":
                self.cursor = cursor_from(frame.package_applied.cursor)
                self._awaited = None
                self._refused.clear()
                return [Offer(self.cursor)]
            case "package_refused":
                return self._declined(frame.package_refused)
            case _:
                return []  # a kind that a newer client knows

    def claimed(self, stored: list[Stored]) -> list[Effect]:
        """Answers a Hello, or tells of lanes that were new."""
        if not self._welcomed:
            self._welcomed = True
            self._told = {each.lane: each for each in stored}
            limits = sync_pb2.Limits(
                batch_bytes_max=BATCH_BYTES_MAX,
                batch_entries_max=self._batch_entries,
                batches_in_flight_max=BATCHES_IN_FLIGHT_MAX,
                heartbeat_interval=duration_to(self._heartbeat_s),
            )
            welcome = sync_pb2.Welcome(
                protocol_version=PROTOCOL_VERSION,
                limits=limits,
                lanes=[stored_to(each) for each in stored],
            )
            self._outbox.append(sync_pb2.SyncResponse(welcome=welcome))
            return [Offer(self.cursor)]
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
        """Says that it is there."""
        self._outbox.append(sync_pb2.SyncResponse(heartbeat=sync_pb2.Heartbeat()))

    @property
    def may_offer(self) -> bool:
        """Whether a package could be sent now."""
        return self._welcomed and self._sending is None and self._awaited is None

    def offered(self, package: Package | None) -> list[Effect]:
        """Sends the package, unless one is under way or it was refused already."""
        if package is None or not self.may_offer:
            return []
        if package.cursor in self._refused:
            return [] if package.base is None else [Offer(_snapshot_at_least(package.cursor))]
        self._sending = self._awaited = package
        self._offset = 0
        begin = sync_pb2.PackageBegin(cursor=cursor_to(package.cursor), size=len(package.data))
        if package.base is not None:
            begin.base.CopyFrom(cursor_to(package.base))
        self._outbox.append(sync_pb2.SyncResponse(package_begin=begin))
        return []

    def _declined(self, frame: sync_pb2.PackageRefused) -> list[Effect]:
        cursor, awaited = cursor_from(frame.cursor), self._awaited
        if awaited is None or awaited.cursor != cursor:
            return []  # not what was sent
        self._awaited = None
        declined = Declined(cursor, frame.message)
        if frame.reason != Reason.PACKAGE_DAMAGED:
            self._again = True  # a full disk, say: the next heartbeat may find room
            return [declined]
        self._refused.add(cursor)
        return [declined] if awaited.base is None else [declined, Offer(_snapshot_at_least(cursor))]

    def _hello(self, hello: sync_pb2.Hello) -> list[Effect]:
        if self._greeted:
            raise Misuse(Reason.INVALID_ARGUMENT, "a second hello", "frame")
        if hello.protocol_version != PROTOCOL_VERSION:
            raise Refused(
                Reason.PROTOCOL_VERSION,
                f"this server speaks version {PROTOCOL_VERSION}, not {hello.protocol_version}",
            )
        self._greeted = True
        self.cursor = cursor_from(hello.cursor)
        reports = self._reports(list(hello.reports))
        return [Met(hello.instance), Claim(self._heads(list(hello.lanes))), *reports]

    def _heads(self, claims: list[sync_pb2.LaneClaim]) -> list[Head]:
        if len(claims) > LANES_MAX:
            raise invalid("lanes", f"at most {LANES_MAX}")
        heads = [head_from(claim) for claim in claims]
        if self._owner:  # only a channel tells of holes, other claims and alarms
            heads = [replace(head, missing=(), claimed=0, alarms=()) for head in heads]
        for head in heads:
            self._check_owner(head.lane)
            _check_shape_of(head)
        return heads

    def _reports(self, reports: list[sync_pb2.RegisterReport]) -> list[Effect]:
        if len(reports) > REPORTS_MAX:
            raise invalid("reports", f"at most {REPORTS_MAX}")
        for report in reports:
            check_report(report)
            if self._owner and report.register_id != self._owner:
                raise Misuse(
                    Reason.NOT_ALLOWED, f"{self._owner} cannot speak for {report.register_id}"
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
        if self._owner and lane.register_id != self._owner:
            raise Misuse(
                Reason.NOT_ALLOWED, f"{self._owner} cannot bring the journal of {lane.register_id}"
            )


def _snapshot_at_least(cursor: Cursor) -> Cursor:
    """Where nobody stands: who asks from there gets a snapshot that is not older."""
    return Cursor(cursor.generation, cursor.sequence)


def _check_shape_of(head: Head) -> None:
    possible = head.lane.epoch > 0 and head.first <= head.last + 1
    short = max(head.last, head.claimed, head.believed) < LENGTH_MAX
    inside = all(0 < first <= last <= head.last for first, last in head.missing)
    if not (possible and short and inside and len(head.missing) <= HOLES_MAX):
        raise invalid("lanes", "no lane can look like this")
