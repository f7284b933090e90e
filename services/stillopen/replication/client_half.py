"""The client's half of a stream, pure: events in, frames and effects out.

State      event                    frames and effects                            next
NEW        hello(heads, cursors)    Hello                                         GREETING
GREETING   Welcome                  Remember; a Read for the first lane behind    STREAMING
STREAMING  Stored                   Remember; a Read when there is room           STREAMING
STREAMING  Resend                   the lane goes back to the entry asked for     STREAMING
STREAMING  read(entries)            Entries; a Read when there is room            STREAMING
STREAMING  grown(heads)             Heartbeat when a lane is new; a Read          STREAMING
STREAMING  heartbeat(heads)         Heartbeat; a Read                             STREAMING
STREAMING  a package, stand         as `receiving` says                           STREAMING
STREAMING  DigestsAsked             Digest; Digests with a refusal when too many  STREAMING
STREAMING  digested(digests)        Digests                                       STREAMING
any        frame out of place       raises Misuse, the shell closes the stream    -

1. The server's word replaces what the client believed, upwards and downwards.
2. At most `batches_in_flight_max` batches are unanswered, and one Read is under way.
3. Entries of a lane are sent in order, from the first that the server lacks and the client has.
4. Hello names every lane; a heartbeat those that headquarters lacks something of or that changed.
   Within a stream a lane is never claimed to be shorter than before.
5. How a register stands is said in Hello, and again in a heartbeat when it is another.
6. At most `2 * QUESTIONS_MAX` questions are being answered: those that the server waits for, and as
   many that it gave up.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, invalid
from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.replication.frames import (
    BATCH_BYTES_MAX,
    BATCH_ENTRIES_MAX,
    BATCHES_IN_FLIGHT_MAX,
    PROTOCOL_VERSION,
    QUESTIONS_MAX,
    SOFTWARE_VERSION,
    cursor_to,
)
from stillopen.replication.ports import Cursor
from stillopen.replication.receiving import Receiving, ReceivingEffect
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
class Digest:
    """Say what ranges of a table come to, with `digested`."""

    asked: sync_pb2.DigestsAsked


Effect = Read | Remember | Digest | ReceivingEffect


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


class ClientHalf:
    """One stream, seen from the replica."""

    def __init__(self, package_refusal: str = "") -> None:
        self._outbox: deque[sync_pb2.SyncRequest] = deque()
        self._lanes: dict[Lane, _Sending] = {}
        self._to_say: dict[Lane, None] = {}
        """The lanes that the next heartbeat may name, in order."""
        self._reported: dict[str, sync_pb2.RegisterReport] = {}
        """How each register stands, as it was last said on this stream."""
        self._receiving = Receiving(self._outbox.append, package_refusal)
        self._questions = 0
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
        return self._outbox.popleft() if self._outbox else None

    def hello(
        self,
        heads: list[Head],
        cursors: Sequence[Cursor],
        instance: int = 0,
        reports: Iterable[sync_pb2.RegisterReport] = (),
    ) -> None:
        """Opens the stream. The cursors say where replicas stand, the own first."""
        hello = sync_pb2.Hello(
            protocol_version=PROTOCOL_VERSION,
            software_version=SOFTWARE_VERSION,
            lanes=[head_to(head) for head in heads],
            cursor=cursor_to(self._receiving.hello(cursors)),
            instance=instance,
            reports=self._news_of(reports),
        )
        self._outbox.append(sync_pb2.SyncRequest(hello=hello))
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
            case "digests_asked":
                return self._asked(frame.digests_asked)
            case _:
                return [*self._of_packages(frame)]

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

    def stand(self, cursors: Sequence[Cursor]) -> None:
        """Where every replica stands now, the own first."""
        self._receiving.stand(cursors)

    def applied(self, cursor: Cursor) -> None:
        """The package is in force."""
        self._receiving.applied(cursor)

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
        if welcome.protocol_version != PROTOCOL_VERSION:
            raise Refused(Reason.PROTOCOL_VERSION, f"version {welcome.protocol_version} is unknown")
        self.welcomed = True
        self._receiving.welcome()
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


def _quiet(head: Head) -> Head:
    """The same, now that it was said who was heard."""
    return replace(head, heard=False)
