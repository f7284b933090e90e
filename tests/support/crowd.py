"""Many registers at one server, with fakes beyond both ends: who is let in, served, held up."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from functools import partial

from tests.support import callers
from tests.support.package_streams import Everybody, Seen

from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, Stored, append
from stillopen.replication.ports import Cursor, Flow, Package, Partial
from stillopen.replication.reports import Report
from stillopen.rpc.identity import Caller, CallerKind, Gate
from stillopen.rpc.server import listen
from stillopen.storage.shelf import Coming
from stillopen.sync.admission import Admission
from stillopen.sync.servicer import SERVICE, SyncServicer
from stillopen.v1 import sync_pb2, sync_pb2_grpc

EPOCH = 7


def register(number: int) -> Caller:
    """One of many."""
    return callers.register(f"R{number}")


def lane_of(caller: Caller) -> Lane:
    """Its only one."""
    return Lane(caller.name, EPOCH)


def entries_of(caller: Caller, count: int = 1) -> list[Entry]:
    """The first entries of its lane."""
    return [append(lane_of(caller), n + 1, NO_PARENT, b"sale") for n in range(count)]


class Arrivals(Seen):
    """What came up, of everybody. A JournalSink and a ReportSink."""

    def __init__(self) -> None:
        super().__init__()
        self.through: dict[Lane, int] = {}
        self.hellos: list[str] = []
        """Whose lanes were claimed, in order."""
        self.claiming = 0
        self.claiming_most = 0
        self.may_claim = asyncio.Event()
        """Cleared, whoever is claimed waits."""
        self.may_claim.set()
        self.claim_takes_s = 0.0
        self.may_store = asyncio.Event()
        """Cleared, entries wait before they are stored."""
        self.may_store.set()

    async def claim(self, heads: list[Head]) -> list[Stored]:
        """What is here of each lane."""
        self.hellos += [head.lane.register_id for head in heads]
        self.claiming += 1
        self.claiming_most = max(self.claiming_most, self.claiming)
        self.note()
        try:
            await self.may_claim.wait()
            await asyncio.sleep(self.claim_takes_s)
        finally:
            self.claiming -= 1
        return await self.stored([head.lane for head in heads])

    async def receive(self, entries: list[Entry], damaged: list[Entry]) -> list[Stored]:
        """Keeps how far each lane came."""
        await self.may_store.wait()
        for each in [*entries, *damaged]:
            self.through[each.lane] = max(self.through.get(each.lane, 0), each.sequence)
        self.note()
        return await self.stored({each.lane for each in [*entries, *damaged]})

    async def stored(self, of: Iterable[Lane]) -> list[Stored]:
        """What is here of each lane."""
        return [Stored(lane, self.through.get(lane, 0), 0) for lane in of]

    def changed(self, since: int) -> list[Lane]:
        """Whoever brought it is told."""
        assert since >= 0
        return []

    async def took_turns(self, name: str, instance: int) -> None:
        """Cannot be here."""
        raise AssertionError(name, instance)

    async def keep(self, by: str, reports: list[Report]) -> None:
        """Needs none."""


class Wares(Seen):
    """One package for everybody. A PackageSource."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self._data = data
        cursor = Cursor(3, 1, hashlib.sha256(data).digest())
        self.package = Package(cursor, len(data))
        self.block_takes_s = 0.0
        self.reading = 0
        self.reading_most = 0
        """How many blocks were being read at a time, at most."""

    async def newest(self, caller: str, cursor: Cursor) -> Package | None:
        """The package, unless it is there."""
        assert caller
        return self.package if self._data and cursor.sequence < 1 else None

    async def block(self, package: Package, offset: int, size: int) -> bytes:
        """A part of it."""
        assert package == self.package
        self.reading += 1
        self.reading_most = max(self.reading_most, self.reading)
        await asyncio.sleep(self.block_takes_s)
        self.reading -= 1
        return self._data[offset : offset + size]

    async def refused(self, caller: str, package: Cursor, message: str) -> None:
        """Is not."""
        raise AssertionError(caller, package, message)

    def offer_interval_s(self) -> float:
        """At once."""
        return 0.0

    async def flow(self, caller: str) -> Flow:
        """As fast as it goes."""
        assert caller
        return Flow()


class Sales(Seen):
    """The lane of a register, which may grow. An EntrySource."""

    def __init__(self, caller: Caller, count: int = 1) -> None:
        super().__init__()
        self._caller = caller
        self.entries = entries_of(caller, count)

    async def heads(self) -> list[Head]:
        """The lane."""
        return [Head(lane_of(self._caller), 1, len(self.entries))]

    async def moved(self) -> list[Head]:
        """It does not, while a stream is up."""
        return []

    async def read(self, lane: Lane, after: int, entries_max: int, bytes_max: int) -> list[Entry]:
        """What follows."""
        assert lane == lane_of(self._caller)
        assert bytes_max
        return self.entries[after : after + entries_max]

    async def conflicts(self) -> list[Entry]:
        """None."""
        return []

    async def remember(self, words: list[Stored]) -> None:
        """Needs no word."""


class Taking(Seen):
    """A replica that takes packages and keeps where they lead. A PackageSink."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = Cursor()
        self._coming = Swallowed()

    @property
    def there(self) -> int:
        """How much of a package came."""
        return self._coming.there

    async def cursors(self) -> list[Cursor]:
        """Where it stands."""
        return [self.standing]

    async def partials(self) -> list[Partial]:
        """Nothing broke off."""
        return []

    async def receive(self, package: Package, offset: int = 0) -> Coming:
        """Room without end."""
        assert package.size > offset
        self._coming = Swallowed()
        return self._coming

    async def apply(self, package: Package) -> None:
        """It came."""
        self.standing = package.cursor
        self.tell()

    async def digests(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """Nobody asks."""
        raise AssertionError(asked)


class Swallowed(Coming):
    """A package whose bytes are only counted."""

    def __init__(self) -> None:
        self.there = 0

    async def write(self, data: bytes) -> None:
        """Counts."""
        self.there += len(data)

    async def finish(self) -> None:
        """All of it came."""

    def drop(self) -> None:
        """It does not come."""


class Server:
    """What registers speak to."""

    def __init__(
        self,
        wares: Wares | None = None,
        heartbeat_s: float = 5.0,
        admission: Admission | None = None,
    ) -> None:
        self.arrivals = Arrivals()
        self.admission = admission or Admission()
        self.servicer = SyncServicer(
            self.arrivals,
            wares or Wares(),
            self.arrivals,
            lambda: heartbeat_s,
            Gate(Everybody()),
            CallerKind.REGISTER,
            admission=self.admission,
        )

    @asynccontextmanager
    async def listening(self, address: str = "127.0.0.1:0") -> AsyncGenerator[str]:
        """Serves on a real connection, at the address that it gives."""
        listener = listen(address)
        add = partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, self.servicer)
        await listener.start([SERVICE], [add])
        try:
            yield listener.address
        finally:
            await listener.stop()
