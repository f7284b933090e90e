"""Packages as a server's half sends them, pure: who needs one, and the bytes of the one under way.

State     event                   frames and effects                                   next
NEW       hello, PackagesWanted   -                                                    NEW
NEW       welcome                 look                                                 IDLE
IDLE      look                    Offer for the first replica                          IDLE
IDLE      offered(nothing)        Offer for the next replica, after the last none      IDLE
IDLE      missed                  the same; the next heartbeat looks again             IDLE
IDLE      offered(package, whole) PackageBegin with all of it                          AWAITING
IDLE      offered(package)        PackageBegin, behind the part that Hello named;      SENDING
                                  when it was refused before, Offer of
                                  a snapshot after a delta, else for the next replica
SENDING   block(data)             PackageBlock when nothing else is to be sent;        SENDING,
                                  PackageEnd after the last                            AWAITING
SENDING   PackageRefused          PackageEnd at once, then as in AWAITING              IDLE
AWAITING  PackageApplied          Offer for the first replica                          IDLE
AWAITING  PackageRefused          Declined; Offer as when it had been refused before   IDLE
any       PackagesWanted          Offer for the first replica when IDLE                the same
SENDING   PackageTaken            more blocks may be sent                              SENDING
any       heartbeat               look when IDLE and something may be tried again      the same
any       beat, stalled           raises Refused, the shell closes the stream          -
any       block(nothing)          raises Refused, the shell closes the stream          -

1. One package is under way at a time, and for the own replica first.
2. In the place of a delta that was refused as damaged a snapshot is sent; a damaged snapshot once
   more after a heartbeat, because its source looks at its file, and then not again on this stream.
   What was refused for a reason that passes is sent again after a heartbeat, and after each further
   refusal twice as many are waited for, so that a full disk does not get all of it all the time.
3. At most `BLOCKS_READY_MAX` blocks are in memory, and one is being read.
4. The answer to an Offer counts unless another was made since.
5. From version 2 at most `WINDOW_BYTES` are on their way that the client has not written, and a
   client that writes nothing for `STALLED_S` has stalled.
6. A part of a package is left out once, and only what Hello named: what went wrong since is not
   relied on.
7. From version 2 a small package comes whole, unless a part of it is there or its source bounds how
   fast it may go.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.replication.frames import (
    BLOCK_BYTES,
    BLOCKS_READY_MAX,
    CURSORS_MAX,
    PARTIALS_MAX,
    STALLED_S,
    WHOLE_BYTES,
    WINDOW_BYTES,
    cursor_from,
    cursor_to,
    moved,
)
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.stalling import Stalling
from stillopen.v1 import sync_pb2

REFUSED_MAX = 1_000
"""How many refused packages are remembered on a stream."""
WAIT_MAX = 64
"""The most heartbeats that are waited before a package is sent again."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Look for what a replica needs that stands there, and bring it with `offered`."""

    cursor: Cursor
    place: int = 0
    """Which of the client's replicas it is."""


@dataclass(frozen=True, slots=True)
class Declined:
    """A replica refused a package, and says why."""

    cursor: Cursor
    message: str


@dataclass(frozen=True, slots=True)
class WantedBlock:
    """Read this part of a package, and bring it with `block`."""

    package: Package
    offset: int
    size: int


SendingEffect = Offer | Declined


@dataclass(slots=True)
class _Sending:
    package: Package
    read: int
    sent: int
    taken: int
    """How many bytes, from the first, the client has written."""
    blocks: deque[bytes] = field(default_factory=deque[bytes])


@dataclass(slots=True)
class _Refusal:
    wait: int = 0
    """How many heartbeats were to pass, the last time, before it comes again."""
    left: int = 0
    """How many of them are still to pass."""
    damaged: bool = False
    for_good: bool = False
    """Whether it does not come again on this stream."""

    def again_later(self) -> None:
        """It comes again, after twice as many heartbeats as the last time."""
        self.wait = self.left = min(2 * self.wait or 1, WAIT_MAX)

    def passes(self) -> bool:
        """Another heartbeat; whether that was the last to wait for."""
        if not self.left:
            return False
        self.left -= 1
        return not self.left


class Sending:
    """What goes down a stream. `send` puts a frame with those to be sent."""

    def __init__(self, send: Callable[[sync_pb2.SyncResponse], None]) -> None:
        self._send = send
        self._welcomed = False
        self._cursors: list[Cursor] = []
        self._looking: Offer | None = None
        self._sending: _Sending | None = None
        self._awaited: tuple[Package, int] | None = None
        """The package that the client has not spoken of yet, and for which of its replicas; -1 when
        it said since how they stand."""
        self._refusals: dict[Cursor, _Refusal] = {}
        """Of the packages that were refused, the longest known first."""
        self._partials: dict[bytes, int] = {}
        """How much the client has of packages that broke off on a stream before."""
        self._windowed = False
        """Whether the client says what it has written: from version 2."""
        self._taking = Stalling()
        self._again = False
        """Whether the next heartbeat looks again: something may come now, or was not found out."""

    @property
    def idle(self) -> bool:
        """Whether a package could be sent now."""
        return self._welcomed and self._sending is None and self._awaited is None

    @property
    def looking(self) -> Offer | None:
        """The offer whose answer counts."""
        return self._looking

    @property
    def wanted_block(self) -> WantedBlock | None:
        """What is to be read next of the package under way."""
        sending = self._sending
        if sending is None or len(sending.blocks) >= BLOCKS_READY_MAX:
            return None
        size = min(BLOCK_BYTES, sending.package.size - sending.read)
        if self._windowed:  # what cannot be sent yet needs no memory
            size = min(size, sending.taken + WINDOW_BYTES - sending.read)
        return WantedBlock(sending.package, sending.read, size) if size > 0 else None

    @property
    def blocks_ready(self) -> int:
        """How many blocks of the package under way are in memory."""
        return len(self._sending.blocks) if self._sending is not None else 0

    def take(self) -> sync_pb2.SyncResponse | None:
        """The next frame of the package under way."""
        sending = self._sending
        if sending is None:
            return None
        if sending.blocks:
            end = sending.sent + len(sending.blocks[0])
            if self._windowed and end - sending.taken > WINDOW_BYTES:
                return None
            sending.sent = end
            block = sync_pb2.PackageBlock(data=sending.blocks.popleft())
            return sync_pb2.SyncResponse(package_block=block)
        if sending.read < sending.package.size:
            return None
        self._sending = None
        return sync_pb2.SyncResponse(package_end=sync_pb2.PackageEnd())

    def hello(self, hello: sync_pb2.Hello, version: int) -> None:
        """Where the client's own replica stands, and what it has of packages that broke off."""
        self._cursors = [cursor_from(hello.cursor)]
        if len(hello.partials) > PARTIALS_MAX:
            raise invalid("partials", f"at most {PARTIALS_MAX}")
        self._windowed = version > 1
        if self._windowed:
            self._partials = {each.package_digest: each.there for each in hello.partials}

    def welcome(self) -> list[SendingEffect]:
        """From now on packages are sent."""
        self._welcomed = True
        return self.look()

    def wanted(self, wanted: sync_pb2.PackagesWanted) -> list[SendingEffect]:
        """Where every replica of the client stands."""
        if not 0 < len(wanted.cursors) <= CURSORS_MAX:
            raise invalid("cursors", f"1 to {CURSORS_MAX}")
        self._cursors = [cursor_from(each) for each in wanted.cursors]
        if self._awaited is not None:
            self._awaited = self._awaited[0], -1
        return self.look()

    def look(self) -> list[SendingEffect]:
        """Looks for what the replicas need, unless a package is under way."""
        return self._ask(0) if self.idle else []

    def look_again(self) -> list[SendingEffect]:
        """A heartbeat: what could not be taken some of them ago may find room now."""
        for refusal in self._refusals.values():
            self._again |= refusal.passes()
        if not self.idle or not self._again:
            return []
        self._again = False
        return self.look()

    def takes_whole(self, package: Package) -> bool:
        """Whether a package may come with the frame that announces it."""
        is_there = package.cursor.digest in self._partials
        return self._windowed and package.size <= WHOLE_BYTES and not is_there

    def offered(
        self, offer: Offer, package: Package | None, whole: bytes = b""
    ) -> list[SendingEffect]:
        """Sends what was found, or looks on. `whole` is all of a small package."""
        if offer != self._looking or not self.idle:
            return []
        self._looking = None
        if package is None:
            return self._ask(offer.place + 1)
        if refusal := self._refusals.get(package.cursor):
            if refusal.for_good:
                return self._instead_of(package, offer.place, offer)
            if refusal.left:
                return self._ask(offer.place + 1)
        there = self._partials.pop(package.cursor.digest, 0)
        offset = there if there <= package.size else 0
        if not whole:
            self._sending = _Sending(package, offset, offset, offset)
            self._taking.moved()
        self._awaited = package, offer.place
        begin = sync_pb2.PackageBegin(
            cursor=cursor_to(package.cursor), size=package.size, offset=offset, whole=whole
        )
        if package.base is not None:
            begin.base.CopyFrom(cursor_to(package.base))
        self._send(sync_pb2.SyncResponse(package_begin=begin))
        return []

    def missed(self, offer: Offer) -> list[SendingEffect]:
        """It could not be looked for, for a reason that may pass."""
        self._again = True
        return self.offered(offer, None)

    def block(self, wanted: WantedBlock, data: bytes) -> None:
        """A part of the package under way; Refused when there is nothing."""
        sending = self._sending
        if sending is None or (sending.package, sending.read) != (wanted.package, wanted.offset):
            return  # it was refused while the block was read
        if not data:
            raise Refused(Reason.NAME_UNKNOWN, "the package was removed meanwhile")
        sending.read += len(data)
        sending.blocks.append(data)

    def taken(self, frame: sync_pb2.PackageTaken) -> None:
        """The client has written so much of the package under way."""
        sending = self._sending
        if sending is not None and sending.taken < frame.bytes <= sending.sent:
            sending.taken = frame.bytes
            self._taking.moved()

    def beat(self, heartbeat_s: float) -> None:
        """A heartbeat of the server; Refused STREAM_STALLED when the client writes nothing."""
        sending = self._sending
        waiting = self._windowed and sending is not None and sending.taken < sending.sent
        if self._taking.beat(waiting=waiting) * heartbeat_s >= STALLED_S:
            raise Refused(Reason.STREAM_STALLED, "the client takes nothing of a package")

    def applied(self, message: sync_pb2.Cursor) -> list[SendingEffect]:
        """A package is in force."""
        cursor, awaited = cursor_from(message), self._awaited
        base = awaited[0].base if awaited is not None and awaited[0].cursor == cursor else None
        self._cursors = moved(self._cursors, cursor, base)
        for each in [x for x in self._refusals if x.generation == cursor.generation]:
            del self._refusals[each]
        self._stop()
        return self.look()

    def declined(self, frame: sync_pb2.PackageRefused) -> list[SendingEffect]:
        """A package is not."""
        cursor = cursor_from(frame.cursor)
        if self._awaited is None or self._awaited[0].cursor != cursor:
            return []  # not what was sent
        package, place = self._awaited
        self._stop()
        declined, refusal = Declined(cursor, frame.message), self._refusal_of(cursor)
        if frame.reason == Reason.PACKAGE_DAMAGED:
            if package.base is not None or refusal.damaged:
                refusal.for_good = True
                return [declined, *self._instead_of(package, place)]
            refusal.damaged = True
        refusal.again_later()
        return [declined, *self._ask(place + 1)]

    def _refusal_of(self, cursor: Cursor) -> _Refusal:
        refusal = self._refusals.setdefault(cursor, _Refusal())
        while len(self._refusals) > REFUSED_MAX:
            del self._refusals[next(iter(self._refusals))]
        return refusal

    def _stop(self) -> None:
        """The client has spoken of the package under way; it needs no more of it."""
        self._awaited = None
        if self._sending is not None:
            self._sending = None
            self._send(sync_pb2.SyncResponse(package_end=sync_pb2.PackageEnd()))

    def _instead_of(
        self, package: Package, place: int, asked: Offer | None = None
    ) -> list[SendingEffect]:
        """Looks for a snapshot that is not older than a delta that was refused, else looks on."""
        if place < 0:
            return self._ask(0)
        # Nobody stands there: who asks from there gets a snapshot.
        nowhere = replace(package.cursor, digest=b"", scope=self._cursors[place].scope)
        snapshot = Offer(nowhere, place)
        if package.base is None or snapshot == asked:
            return self._ask(place + 1)
        self._looking = snapshot
        return [snapshot]

    def _ask(self, place: int) -> list[SendingEffect]:
        self._looking = Offer(self._cursors[place], place) if place < len(self._cursors) else None
        return [] if self._looking is None else [self._looking]
