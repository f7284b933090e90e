"""The client's half of a stream, pure: events in, frames and effects out.

State      event                    frames and effects                            next
NEW        hello(heads, cursor)     Hello                                         GREETING
GREETING   Welcome                  Remember; a Read for the first lane behind    STREAMING
STREAMING  Stored                   Remember; a Read when there is room           STREAMING
STREAMING  Resend                   the lane goes back to the entry asked for     STREAMING
STREAMING  read(entries)            Entries; a Read when there is room            STREAMING
STREAMING  grown(heads)             Heartbeat when a lane is new; a Read          STREAMING
STREAMING  heartbeat(heads)         Heartbeat; a Read                             STREAMING
STREAMING  Package begin, block     collected, bounded                            STREAMING
STREAMING  Package end              Apply; PackageRefused when damaged or a gap   STREAMING
any        frame out of place       raises Misuse, the shell closes the stream    -

1. The server's word replaces what the client believed, upwards and downwards.
2. At most `batches_in_flight_max` batches are unanswered, and one Read is under way.
3. Entries of a lane are sent in order, from the first that the server lacks and the client has.
4. Hello names every lane; a heartbeat those that headquarters lacks something of or that changed.
   Within a stream a lane is never claimed to be shorter than before.
5. How a register stands is said in Hello, and again in a heartbeat when it is another.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, invalid
from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.replication.frames import (
    BATCH_BYTES_MAX,
    BATCH_ENTRIES_MAX,
    BATCHES_IN_FLIGHT_MAX,
    PACKAGE_BYTES_MAX,
    PROTOCOL_VERSION,
    SOFTWARE_VERSION,
    cursor_from,
    cursor_to,
)
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.reports import REPORTS_MAX
from stillopen.rpc.wire import duration_from, entry_to, head_to, stored_from
from stillopen.v1 import sync_pb2


@dataclass(frozen=True, slots=True)
class Read:
    """Read the entries of a lane after one, and bring them with `read`."""

    lane: Lane
    after: int
    entries_max: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep the server's word on these lanes."""

    lanes: list[Stored]


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply the package, and say `applied` or `refused`."""

    package: Package


Effect = Read | Remember | Apply


@dataclass(slots=True)
class _Sending:
    claim: Head
    """The lane as it is now."""
    next: int
    due: int = 0
    """Through which entry it may be sent now."""
    home: int = 0
    """Through which entry headquarters has it, as the server said on this stream."""
    said: Head | None = None
    """The lane as it was last claimed on this stream."""

    def worth_saying(self) -> bool:
        """Whether a heartbeat names the lane."""
        return self.home < self.claim.length or self.claim != self.said or self.claim.heard


@dataclass(slots=True)
class _Collecting:
    cursor: Cursor
    size: int
    base: Cursor | None
    data: bytearray = field(default_factory=bytearray)


class ClientHalf:
    """One stream, seen from the replica."""

    def __init__(self) -> None:
        self._outbox: deque[sync_pb2.SyncRequest] = deque()
        self._lanes: dict[Lane, _Sending] = {}
        self._to_say: dict[Lane, None] = {}
        """The lanes that the next heartbeat may name, in order."""
        self._reported: dict[str, sync_pb2.RegisterReport] = {}
        """How each register stands, as it was last said on this stream."""
        self._at = Cursor()
        self._collecting: _Collecting | None = None
        self._reading = False
        self._read_after = 0
        self._also_sent: set[bytes] = set()
        self._batches_sent = 0
        self._batches_answered = 0
        self._batch_bytes = BATCH_BYTES_MAX
        self._batch_entries = BATCH_ENTRIES_MAX
        self._in_flight_max = BATCHES_IN_FLIGHT_MAX
        self.welcomed = False
        self.closed = False
        """Set by the shell when the stream has ended."""
        self.heartbeat_s = 0.0
        self.package_refusal = ""
        """Why the last package was refused; empty when it was not."""

    @property
    def package_bytes_missing(self) -> int:
        """What is still to come of a package that is on its way."""
        coming = self._collecting
        return coming.size - len(coming.data) if coming else 0

    def take(self) -> sync_pb2.SyncRequest | None:
        """The next frame to send."""
        return self._outbox.popleft() if self._outbox else None

    def hello(
        self,
        heads: list[Head],
        cursor: Cursor,
        instance: int = 0,
        reports: Iterable[sync_pb2.RegisterReport] = (),
    ) -> None:
        """Opens the stream."""
        hello = sync_pb2.Hello(
            protocol_version=PROTOCOL_VERSION,
            software_version=SOFTWARE_VERSION,
            lanes=[head_to(head) for head in heads],
            cursor=cursor_to(cursor),
            instance=instance,
            reports=self._news_of(reports),
        )
        self._outbox.append(sync_pb2.SyncRequest(hello=hello))
        self._at = cursor
        for head in heads:
            self._lanes[head.lane] = _Sending(
                _quiet(head), head.last + 1, head.last, said=_quiet(head)
            )

    def received(self, frame: sync_pb2.SyncResponse) -> list[Effect]:
        """Takes a frame of the server."""
        kind = frame.WhichOneof("frame")
        if kind == "welcome":
            return self._welcome(frame.welcome)
        if not self.welcomed:
            raise Misuse(Reason.INVALID_ARGUMENT, f"{kind} before welcome", "frame")
        match kind:
            case "stored":
                return self._stored(frame.stored)
            case "resend":
                return self._resend(frame.resend)
            case "package_begin":
                self._begin(frame.package_begin)
            case "package_block":
                self._block(frame.package_block)
            case "package_end":
                return self._end()
            case _:
                pass  # a heartbeat, or a kind that a newer server knows
        return []

    def grown(self, heads: list[Head]) -> list[Effect]:
        """Lanes are longer than they were, or new; what is new is sent now."""
        if new := [head.lane for head in heads if self._merge(head)]:
            self._say(new)
        self._all_due()
        return self._pump()

    def heartbeat(
        self,
        heads: list[Head],
        reports: Iterable[sync_pb2.RegisterReport] = (),
        *,
        sends: bool = True,
    ) -> list[Effect]:
        """Says that it is there, how long lanes are, and how registers stand that changed.

        Unless it `sends`, what is new waits for `grown`: entries go up at intervals.
        """
        for head in heads:
            self._merge(head)
        worth = [lane for lane in self._to_say if self._lanes[lane].worth_saying()]
        self._to_say = dict.fromkeys(worth)
        self._say(worth, self._news_of(reports))
        if sends:
            self._all_due()
        return self._pump()

    def _all_due(self) -> None:
        for sending in self._lanes.values():
            sending.due = sending.claim.last

    def _merge(self, head: Head) -> bool:
        """Takes what is known of a lane now; returns whether it is new."""
        sending = self._lanes.get(head.lane)
        self._to_say[head.lane] = None
        if sending is None:
            self._lanes[head.lane] = _Sending(head, head.first)
            return True
        known = sending.claim
        # Read before something that was read later: what was heard stays heard.
        newer = head if head.length >= known.length and head.last >= known.last else known
        sending.claim = replace(newer, heard=head.heard or known.heard)
        return False

    def _news_of(self, reports: Iterable[sync_pb2.RegisterReport]) -> list[sync_pb2.RegisterReport]:
        """Those that were not said so before; what a frame cannot carry goes with the next."""
        news = [each for each in reports if self._reported.get(each.register_id) != each]
        del news[REPORTS_MAX:]
        self._reported.update((each.register_id, each) for each in news)
        return news

    def _say(self, lanes: list[Lane], reports: Iterable[sync_pb2.RegisterReport] = ()) -> None:
        frame = sync_pb2.Heartbeat(reports=reports)
        for sending in (self._lanes[lane] for lane in lanes):
            frame.lanes.append(head_to(sending.claim))
            sending.said = sending.claim = _quiet(sending.claim)
        self._outbox.append(sync_pb2.SyncRequest(heartbeat=frame))

    def read(self, lane: Lane, entries: list[Entry]) -> list[Effect]:
        """Sends what was read."""
        self._reading = False
        sending = self._lanes[lane]
        if sending.next <= self._read_after:
            pass  # asked to send again from before what was read: read anew
        elif entries and entries[0].sequence >= sending.next:
            self._send(entries)
            sending.next = entries[-1].sequence + 1
        elif not entries:
            sending.next = sending.claim.last + 1  # nothing is there to send
        return self._pump()

    def also(self, entry: Entry) -> None:
        """Sends an entry that another has the key of, so that it is known above too."""
        if self.welcomed and entry.digest not in self._also_sent:
            self._also_sent.add(entry.digest)
            self._send([entry])

    def applied(self, cursor: Cursor) -> None:
        """The package is in force."""
        self.package_refusal, self._at = "", cursor
        frame = sync_pb2.PackageApplied(cursor=cursor_to(cursor))
        self._outbox.append(sync_pb2.SyncRequest(package_applied=frame))

    def refused(self, cursor: Cursor, error: StillopenError) -> None:
        """The package is not; the replica keeps what it had."""
        self.package_refusal = str(error)
        frame = sync_pb2.PackageRefused(
            cursor=cursor_to(cursor), reason=str(error.reason), message=error.message
        )
        self._outbox.append(sync_pb2.SyncRequest(package_refused=frame))

    def _send(self, entries: list[Entry]) -> None:
        self._batches_sent += 1
        batch = sync_pb2.Entries(
            batch=self._batches_sent, entries=[entry_to(entry) for entry in entries]
        )
        self._outbox.append(sync_pb2.SyncRequest(entries=batch))

    def _welcome(self, welcome: sync_pb2.Welcome) -> list[Effect]:
        if self.welcomed:
            raise Misuse(Reason.INVALID_ARGUMENT, "a second welcome", "frame")
        if welcome.protocol_version != PROTOCOL_VERSION:
            raise Refused(Reason.PROTOCOL_VERSION, f"version {welcome.protocol_version} is unknown")
        self.welcomed = True
        limits = welcome.limits
        self.heartbeat_s = duration_from(limits.heartbeat_interval)
        self._batch_bytes = limits.batch_bytes_max or self._batch_bytes
        self._batch_entries = limits.batch_entries_max or self._batch_entries
        self._in_flight_max = limits.batches_in_flight_max or self._in_flight_max
        lanes = [stored_from(lane) for lane in welcome.lanes]
        for stored in lanes:
            if sending := self._lanes.get(stored.lane):
                sending.next = max(stored.through + 1, sending.claim.first)
        return [*self._remember(lanes), *self._pump()]

    def _stored(self, frame: sync_pb2.Stored) -> list[Effect]:
        if frame.batch > self._batches_sent:
            raise invalid("batch", "an answer to a batch that was not sent")
        self._batches_answered = max(self._batches_answered, frame.batch)
        return [*self._remember([stored_from(lane) for lane in frame.lanes]), *self._pump()]

    def _resend(self, frame: sync_pb2.Resend) -> list[Effect]:
        for position in frame.positions:
            if sending := self._lanes.get(Lane(position.register_id, position.epoch)):
                sending.next = max(sending.claim.first, min(sending.next, position.sequence))
        return self._pump()

    def _remember(self, lanes: list[Stored]) -> list[Effect]:
        for stored in lanes:
            if sending := self._lanes.get(stored.lane):
                sending.home = stored.headquarters_through
        return [Remember(lanes)] if lanes else []

    def _pump(self) -> list[Effect]:
        room = self._batches_sent - self._batches_answered < self._in_flight_max
        if self._reading or not self.welcomed or not room:
            return []
        for lane, sending in self._lanes.items():
            if sending.next <= min(sending.due, sending.claim.last):
                self._reading = True
                self._read_after = sending.next - 1
                return [Read(lane, sending.next - 1, self._batch_entries, self._batch_bytes)]
        return []

    def _begin(self, begin: sync_pb2.PackageBegin) -> None:
        if not 0 < begin.size <= PACKAGE_BYTES_MAX:
            raise invalid("size", f"a package has at most {PACKAGE_BYTES_MAX} bytes")
        base = cursor_from(begin.base) if begin.HasField("base") else None
        self._collecting = _Collecting(cursor_from(begin.cursor), begin.size, base)

    def _block(self, block: sync_pb2.PackageBlock) -> None:
        if self._collecting is None:
            raise invalid("frame", "a block without a package")
        self._collecting.data += block.data
        if len(self._collecting.data) > self._collecting.size:
            raise invalid("size", "the package is larger than it said")

    def _end(self) -> list[Effect]:
        collected, self._collecting = self._collecting, None
        if collected is None:
            raise invalid("frame", "the end of no package")
        data = bytes(collected.data)
        if hashlib.sha256(data).digest() != collected.cursor.digest:
            damaged = Refused(Reason.PACKAGE_DAMAGED, "the package does not have its digest")
            self.refused(collected.cursor, damaged)
            return []
        if collected.base not in (None, self._at):
            elsewhere = Refused(Reason.PACKAGE_DAMAGED, "the package goes on from another place")
            self.refused(collected.cursor, elsewhere)
            return []
        return [Apply(Package(collected.cursor, data, collected.base))]


def _quiet(head: Head) -> Head:
    """The same, now that it was said who was heard."""
    return replace(head, heard=False)
