"""The client's half of a stream, pure: events in, frames and effects out.

State      event                    frames and effects                            next
NEW        hello(heads, cursors)    Hello                                         GREETING
GREETING   Welcome                  Remember; a Read for the first lane behind    STREAMING
STREAMING  Stored                   Remember; a Read when there is room           STREAMING
STREAMING  Resend                   the lane goes back to the entry asked for     STREAMING
STREAMING  read(entries)            Entries and Sent; a Read when there are none  STREAMING
STREAMING  go_on                    a Read when there is room                     STREAMING
STREAMING  grown(heads)             Heartbeat when a lane is new; a Read          STREAMING
STREAMING  heartbeat(heads)         Heartbeat; a Read                             STREAMING
STREAMING  a package, stand         as `receiving` says                           STREAMING
STREAMING  DigestsAsked             Digest; Digests with a refusal when too many  STREAMING
STREAMING  digested(digests)        Digests                                       STREAMING
GREETING   Heartbeat                -                                             GREETING
any        frame out of place       raises Misuse, the shell closes the stream    -
any        heartbeat, stalled       raises Unreachable, the shell closes it too   -

1. The server's word replaces what the client believed, upwards and downwards.
2. At most `batches_in_flight_max` batches are unanswered, and one Read is under way.
3. Entries of a lane are sent in order, from the first that the server lacks and the client has;
   what comes to the client later, behind a gap that it had, is sent then.
4. Hello names every lane; a heartbeat those that headquarters lacks something of or that changed.
   Within a stream a lane is never claimed to be shorter than before.
5. How a register stands is said in Hello, and again in a heartbeat when it is another.
6. At most `2 * QUESTIONS_MAX` questions are being answered: those that the server waits for, and as
   many that it gave up.
7. A server that is there, and for `STALLED_S` takes no frame or acknowledges no batch, is left: a
   new stream begins where it stands.
8. After a batch nothing more is read until the shell says so: what goes up may have a bound.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stillopen.core.errors import Misuse, Reason, StillopenError, Unreachable, invalid
from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.replication.frames import (
    BATCH_BYTES_MAX,
    BATCH_ENTRIES_MAX,
    BATCHES_IN_FLIGHT_MAX,
    PROTOCOL_VERSION,
    QUESTIONS_MAX,
    SOFTWARE_VERSION,
    STALLED_S,
    spoken,
)
from stillopen.replication.lane_up import LaneUp, quiet
from stillopen.replication.ports import Cursor, Partial
from stillopen.replication.receiving import Receiving, ReceivingEffect
from stillopen.replication.reports import REPORTS_MAX
from stillopen.replication.stalling import Stalling
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
class Digest:
    """Say what ranges of a table come to, with `digested`."""

    asked: sync_pb2.DigestsAsked


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch goes up; say `go_on` when more may."""

    size_bytes: int


Effect = Read | Remember | Digest | Sent | ReceivingEffect


class ClientHalf:
    """One stream, seen from the replica."""

    def __init__(self, package_refusal: str = "") -> None:
        self._outbox: deque[sync_pb2.SyncRequest] = deque()
        self._lanes: dict[Lane, LaneUp] = {}
        self._to_say: dict[Lane, None] = {}
        """The lanes that the next heartbeat may name, in order."""
        self._reported: dict[str, sync_pb2.RegisterReport] = {}
        """How each register stands, as it was last said on this stream."""
        self._receiving = Receiving(self._outbox.append, package_refusal)
        self._questions = 0
        self._reading = False
        self._read_after = 0
        self._also: deque[Entry] = deque()
        """Entries that another has the key of, and that were not sent on this stream."""
        self._also_known: set[bytes] = set()
        self._batches_sent = 0
        self._batches_answered = 0
        self._batch_bytes = BATCH_BYTES_MAX
        self._batch_entries = BATCH_ENTRIES_MAX
        self._in_flight_max = BATCHES_IN_FLIGHT_MAX
        self._taking = Stalling()
        """Of a server that reads no frames."""
        self._answering = Stalling()
        """Of a server that acknowledges no batch."""
        self.welcomed = False
        self.closed = False
        """Set by the shell when the stream has ended."""
        self.heartbeat_s = 0.0
        self.return_within_s = 0.0
        """When this stream breaks, the next begins within so long, at random."""

    @property
    def package_bytes_missing(self) -> int:
        """What is still to come of a package that is on its way."""
        return self._receiving.bytes_missing

    @property
    def package_refusal(self) -> str:
        """Why the last package was refused; empty when it was not."""
        return self._receiving.refusal

    def take(self) -> sync_pb2.SyncRequest | None:
        """The next frame to send."""
        self._taking.moved()
        return self._outbox.popleft() if self._outbox else None

    def hello(
        self,
        heads: list[Head],
        cursors: Sequence[Cursor],
        instance: int = 0,
        reports: Iterable[sync_pb2.RegisterReport] = (),
        partials: Sequence[Partial] = (),
    ) -> None:
        """Opens the stream. The cursors say where replicas stand, the own first."""
        hello = sync_pb2.Hello(
            protocol_version=PROTOCOL_VERSION,
            software_version=SOFTWARE_VERSION,
            lanes=[head_to(head) for head in heads],
            instance=instance,
            reports=self._news_of(reports),
        )
        hello.MergeFrom(self._receiving.hello(cursors, partials))
        self._outbox.append(sync_pb2.SyncRequest(hello=hello))
        for head in heads:
            self._lanes[head.lane] = LaneUp(quiet(head), head.last + 1, head.last, said=quiet(head))

    def received(self, frame: sync_pb2.SyncResponse) -> list[Effect]:
        """Takes a frame of the server."""
        kind = frame.WhichOneof("frame")
        if kind == "welcome":
            return self._welcome(frame.welcome)
        if not self.welcomed and kind == "heartbeat":
            return []  # many are to be welcomed; the turn of this one comes
        if not self.welcomed:
            raise Misuse(Reason.INVALID_ARGUMENT, f"{kind} before welcome", "frame")
        match kind:
            case "stored":
                return self._stored(frame.stored)
            case "resend":
                return self._resend(frame.resend)
            case "digests_asked":
                return self._asked(frame.digests_asked)
            case _:
                return [*self._of_packages(frame)]

    def grown(self, heads: list[Head]) -> list[Effect]:
        """Lanes are longer than they were, or new; what is new is sent now."""
        if new := [head.lane for head in heads if self._merge(head)]:
            self._say(new)
        for head in heads:
            self._lanes[head.lane].look_behind()
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

        Unless it `sends`, what is new waits for `grown`: entries go up at intervals. Raises
        Unreachable TIMED_OUT when the server has stalled.
        """
        self._check_moving()
        for head in heads:
            self._merge(head)
        worth = [lane for lane in self._to_say if self._lanes[lane].worth_saying]
        self._to_say = dict.fromkeys(worth)
        self._say(worth, self._news_of(reports))
        if sends:
            self._all_due()
        return self._pump()

    def _check_moving(self) -> None:
        beats_max = STALLED_S / self.heartbeat_s if self.heartbeat_s else 0
        if self._taking.beat(waiting=bool(self._outbox)) >= beats_max > 0:
            raise Unreachable(Reason.TIMED_OUT, "the server takes no frames of the stream")
        unanswered = self._batches_sent > self._batches_answered
        if self._answering.beat(waiting=unanswered) >= beats_max > 0:
            raise Unreachable(Reason.TIMED_OUT, "the server acknowledges no entries")

    def _all_due(self) -> None:
        for sending in self._lanes.values():
            sending.due = sending.claim.last

    def _merge(self, head: Head) -> bool:
        """Takes what is known of a lane now; returns whether it is new."""
        sending = self._lanes.get(head.lane)
        self._to_say[head.lane] = None
        if sending is None:
            self._lanes[head.lane] = LaneUp(head, head.first)
            return True
        sending.grow(head)
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
            frame.lanes.append(head_to(sending.say()))
        self._outbox.append(sync_pb2.SyncRequest(heartbeat=frame))

    def read(self, lane: Lane, entries: list[Entry]) -> list[Effect]:
        """Sends what was read."""
        sending = self._lanes[lane]
        if sending.next <= self._read_after:
            pass  # asked to send again from before what was read: read anew
        elif entries and entries[0].sequence >= sending.next:
            self._send(entries)
            sending.sent(entries)
            return [Sent(sum(len(entry.payload) for entry in entries))]
        elif not entries:
            sending.nothing_there()
        return self.go_on()

    def go_on(self) -> list[Effect]:
        """More may go up, after a batch did."""
        self._reading = False
        return self._pump()

    def also(self, entry: Entry) -> None:
        """Sends an entry that another has the key of, behind all others, to be known above."""
        if entry.digest not in self._also_known:
            self._also_known.add(entry.digest)
            self._also.append(entry)

    def stand(self, cursors: Sequence[Cursor]) -> None:
        """Where every replica stands now, the own first."""
        self._receiving.stand(cursors)

    def applied(self, cursor: Cursor) -> None:
        """The package is in force."""
        self._receiving.applied(cursor)

    def taken(self, there: int) -> None:
        """So many bytes of the package under way are written, from its first."""
        self._receiving.taken(there)

    def refused(self, cursor: Cursor, error: StillopenError) -> None:
        """The package is not; the replica keeps what it had."""
        self._receiving.refused(cursor, error)

    def digested(self, digests: sync_pb2.Digests) -> None:
        """Answers a question."""
        self._questions -= 1
        self._outbox.append(sync_pb2.SyncRequest(digests=digests))

    def _of_packages(self, frame: sync_pb2.SyncResponse) -> list[ReceivingEffect]:
        match frame.WhichOneof("frame"):
            case "package_begin":
                return self._receiving.begin(frame.package_begin)
            case "package_block":
                return self._receiving.block(frame.package_block.data)
            case "package_end":
                return self._receiving.end()
            case _:
                return []  # a heartbeat, or a kind that a newer server knows

    def _asked(self, asked: sync_pb2.DigestsAsked) -> list[Effect]:
        self._questions += 1
        if self._questions > 2 * QUESTIONS_MAX:
            refusal = "too many questions are being answered"
            self.digested(sync_pb2.Digests(number=asked.number, refusal=refusal))
            return []
        return [Digest(asked)]

    def _send(self, entries: list[Entry]) -> None:
        self._batches_sent += 1
        batch = sync_pb2.Entries(
            batch=self._batches_sent, entries=[entry_to(entry) for entry in entries]
        )
        self._outbox.append(sync_pb2.SyncRequest(entries=batch))

    def _welcome(self, welcome: sync_pb2.Welcome) -> list[Effect]:
        if self.welcomed:
            raise Misuse(Reason.INVALID_ARGUMENT, "a second welcome", "frame")
        version = spoken(welcome.protocol_version)
        self.welcomed = True
        self._receiving.welcome(version)
        limits = welcome.limits
        self.return_within_s = duration_from(limits.return_within)
        self.heartbeat_s = duration_from(limits.heartbeat_interval)
        self._batch_bytes = limits.batch_bytes_max or self._batch_bytes
        self._batch_entries = limits.batch_entries_max or self._batch_entries
        self._in_flight_max = limits.batches_in_flight_max or self._in_flight_max
        lanes = [stored_from(lane) for lane in welcome.lanes]
        for stored in lanes:
            if sending := self._lanes.get(stored.lane):
                sending.begin(stored.through)
        return [*self._remember(lanes), *self._pump()]

    def _stored(self, frame: sync_pb2.Stored) -> list[Effect]:
        if frame.batch > self._batches_sent:
            raise invalid("batch", "an answer to a batch that was not sent")
        if frame.batch > self._batches_answered:
            self._batches_answered = frame.batch
            self._answering.moved()
        return [*self._remember([stored_from(lane) for lane in frame.lanes]), *self._pump()]

    def _resend(self, frame: sync_pb2.Resend) -> list[Effect]:
        for position in frame.positions:
            if sending := self._lanes.get(Lane(position.register_id, position.epoch)):
                sending.go_back(position.sequence)
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
            if sending.wanted:
                self._reading, sending.tail = True, False
                self._read_after = sending.next - 1
                return [Read(lane, sending.next - 1, self._batch_entries, self._batch_bytes)]
        if self._also:
            self._reading, entry = True, self._also.popleft()
            self._send([entry])
            return [Sent(len(entry.payload))]
        return []
