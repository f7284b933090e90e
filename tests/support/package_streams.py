"""Both ends of a stream without an estate: packages to give, replicas that take them, a journal."""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.support import callers

from stillopen.core.errors import Reason, Refused
from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, Stored, append
from stillopen.replication.client import SyncClient
from stillopen.replication.frames import moved, same_place
from stillopen.replication.news import News
from stillopen.replication.ports import Cursor, Flow, Package, Partial, digest_named
from stillopen.replication.reports import Report, nothing_to_report
from stillopen.replication.scope import Scope
from stillopen.rpc.channel import open_channel
from stillopen.rpc.identity import Caller, CallerKind, Gate
from stillopen.rpc.server import listen
from stillopen.storage.off_loop import inline
from stillopen.storage.package_file import damaged
from stillopen.storage.shelf import Coming, Shelf
from stillopen.sync import servicer as sync
from stillopen.v1 import sync_pb2, sync_pb2_grpc

PATIENCE_S = 30.0
LANE = Lane("R1", 7)
R1 = callers.register("R1")
WHOLE = Scope()


class Seen:
    """Something that changes, and those who wait for it to be as they want."""

    def __init__(self) -> None:
        self.news = News()
        """What the stream waits for."""
        self._changes = News()

    def tell(self) -> None:
        """It is news to the stream."""
        self.news.tell()
        self._changes.tell()

    def note(self) -> None:
        """It is news to a test alone."""
        self._changes.tell()

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Waits until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not wanted():
                await self._changes.after(self._changes.version)


class Goods(Seen):
    """Packages to give: for each scope a newest one. A PackageSource."""

    def __init__(self) -> None:
        super().__init__()
        self._newest: dict[Scope, Package] = {}
        self._files: dict[str, bytes] = {}
        self.refusals: list[str] = []
        self.asked: list[Cursor] = []
        self.doubted: list[Cursor] = []
        """What was refused, before it was looked at."""
        self.full = False
        """Whether it has no room to make a package."""
        self.may_read = asyncio.Event()
        """Cleared, blocks wait."""
        self.may_read.set()
        self.may_find = asyncio.Event()
        """Cleared, whoever asks for a package waits, and gets what was there then; and so does
        who refused one."""
        self.may_find.set()
        self.flowing = Flow()
        self.blocks: list[tuple[int, int]] = []
        """Where each block that was read began, and its size."""
        self.stop_after: int | None = None
        """So many blocks are read, and no more."""

    def put(self, generation: int, sequence: int, data: bytes, scope: Scope = WHOLE) -> Cursor:
        """A snapshot for replicas of a scope; returns where it leads."""
        digest = hashlib.sha256(data).digest()
        package = Package(Cursor(generation, sequence, digest, scope), len(data))
        self._newest[scope] = package
        self._files[package.name] = data
        self.tell()
        return package.cursor

    def go_on(self) -> None:
        """Blocks are read again."""
        self.stop_after = None
        self.may_read.set()

    def clear(self) -> None:
        """Removes every file."""
        self._files.clear()

    def spoil(self) -> None:
        """Changes the bytes of every file."""
        self._files = {name: data[::-1] for name, data in self._files.items()}

    async def newest(self, caller: str, cursor: Cursor) -> Package | None:
        """The newest package of the replica's scope, unless it stands there."""
        assert caller == R1.name
        self.asked.append(cursor)
        self.note()
        package = self._newest.get(cursor.scope)
        await self.may_find.wait()
        if self.full:
            raise Refused(Reason.DISK_FULL, "no room to make one")
        if self.flowing.paused:
            return None
        return None if package is None or same_place(package.cursor, cursor) else package

    async def block(self, package: Package, offset: int, size: int) -> bytes:
        """A part of its file."""
        await self.may_read.wait()
        if package.name not in self._files:
            raise Refused(Reason.NAME_UNKNOWN, "the package was removed meanwhile")
        if len(self.blocks) == self.stop_after:
            self.may_read.clear()
            await self.may_read.wait()
        self.blocks.append((offset, size))
        self.note()
        return self._files[package.name][offset : offset + size]

    async def refused(self, caller: str, package: Cursor, message: str) -> None:
        """A replica refused one."""
        self.doubted.append(package)
        self.note()
        await self.may_find.wait()
        self.refusals.append(f"{caller} {package.sequence} {message}")
        self.note()

    def offer_interval_s(self) -> float:
        """At once."""
        return 0.0

    async def flow(self, caller: str) -> Flow:
        """As the test says."""
        assert caller == R1.name
        return self.flowing


class Replicas(Seen):
    """Replicas on a disk with so much room. A PackageSink."""

    def __init__(self, folder: Path, *standing: Cursor) -> None:
        super().__init__()
        self.shelf = Shelf(folder, inline)
        self.standing = list(standing)
        self.contents: dict[Scope, bytes] = {}
        self.room = 1 << 30
        self.may_answer = asyncio.Event()
        """Cleared, questions wait."""
        self.may_answer.set()
        self.answering = 0
        self.may_apply = asyncio.Event()
        """Cleared, packages that came whole wait."""
        self.may_apply.set()
        self.applying = 0
        self.may_write = asyncio.Event()
        """Cleared, nothing of a package is written."""
        self.may_write.set()
        self.there = 0
        """How much of the package under way is written."""
        self.may_look = asyncio.Event()
        """Cleared, whoever looks where they stand waits, and hears what was so then."""
        self.may_look.set()

    def stand(self, *cursors: Cursor) -> None:
        """They stand there now."""
        self.standing = list(cursors)
        self.tell()

    @property
    def half_done(self) -> list[str]:
        """The files of packages that did not come to their end."""
        return [each.name for each in self.shelf.folder.glob("coming-*")]

    async def cursors(self) -> list[Cursor]:
        """Where they stand."""
        found = list(self.standing)
        await self.may_look.wait()
        return found

    async def partials(self) -> list[Partial]:
        """What broke off."""
        found = await self.shelf.part()
        return [Partial(digest_named(found[0]), found[1])] if found else []

    async def receive(self, package: Package, offset: int = 0) -> Coming:
        """A file that takes as much as there is room for."""
        self.note()
        return _Filling(self, await self.shelf.receive(package.name, package.size, offset))

    async def apply(self, package: Package) -> None:
        """Takes its bytes for contents."""
        self.applying += 1
        self.note()
        await self.may_apply.wait()
        self.applying -= 1
        data = self.shelf.path(package.name).read_bytes()
        if hashlib.sha256(data).digest() != package.cursor.digest:
            raise damaged("its bytes are others")
        self.contents[package.cursor.scope] = data
        self.stand(*moved(self.standing, package.cursor, package.base))

    async def digests(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """An answer that names the table; none for one that is not there."""
        self.answering += 1
        self.note()
        try:
            await self.may_answer.wait()
        finally:
            self.answering -= 1
        if asked.table == "none":
            raise Refused(Reason.NAME_UNKNOWN, "there is no such table")
        return sync_pb2.Digests(rows=[sync_pb2.RowDigest(key=asked.table)])


class _Filling(Coming):
    """A package that comes onto a disk that may be full before its end."""

    def __init__(self, replicas: Replicas, coming: Coming) -> None:
        super().__init__(replicas.shelf, coming.name, 0, coming.there)
        self._replicas = replicas
        self._coming = coming

    async def write(self, data: bytes) -> None:
        """Takes what there is room for."""
        if self.there + len(data) > self._replicas.room:
            raise Refused(Reason.DISK_FULL, "no room")
        await self._replicas.may_write.wait()
        await self._coming.write(data)
        self.there = self._replicas.there = self._coming.there
        self._replicas.note()

    async def finish(self) -> None:
        """All of it came."""
        await self._coming.finish()

    def drop(self) -> None:
        """It does not come."""
        self._coming.drop()


class Journal(Seen):
    """A lane of a register. An EntrySource."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Entry] = []
        self.looks = 0
        """How often it was looked at: before each hello, and with each heartbeat."""

    @property
    def length(self) -> int:
        """How many sales there were."""
        return len(self._entries)

    def add(self, payload: bytes = b"sale") -> None:
        """Another sale."""
        self._entries.append(append(LANE, len(self._entries) + 1, NO_PARENT, payload))
        self.tell()

    async def heads(self) -> list[Head]:
        """The lane."""
        self.looks += 1
        self.note()
        return [Head(LANE, 1, self.length)]

    async def moved(self) -> list[Head]:
        """The lane."""
        return await self.heads()

    async def read(self, lane: Lane, after: int, entries_max: int, bytes_max: int) -> list[Entry]:
        """What follows."""
        assert lane == LANE
        found, size = self._entries[after : after + entries_max], 0
        for count, entry in enumerate(found):
            size += len(entry.payload)
            if count and size > bytes_max:
                return found[:count]
        return found

    async def conflicts(self) -> list[Entry]:
        """None."""
        return []

    async def remember(self, words: list[Stored]) -> None:
        """Needs no word."""


class Arrived(Seen):
    """What came up. A JournalSink and a ReportSink."""

    def __init__(self) -> None:
        super().__init__()
        self.through = 0

    async def claim(self, heads: list[Head]) -> list[Stored]:
        """What is here of each lane."""
        return await self.stored([head.lane for head in heads])

    async def receive(self, entries: list[Entry], damaged: list[Entry]) -> list[Stored]:
        """Keeps how far the lane came."""
        self.through = max(self.through, *(each.sequence for each in [*entries, *damaged]))
        self.tell()
        return await self.stored([LANE])

    async def stored(self, of: Iterable[Lane]) -> list[Stored]:
        """What is here of each lane."""
        return [Stored(lane, self.through, 0) for lane in of]

    def changed(self, since: int) -> list[Lane]:
        """The lane."""
        return [LANE] if since < self.news.version else []

    async def took_turns(self, name: str, instance: int) -> None:
        """Cannot be here."""
        raise AssertionError(name, instance)

    async def keep(self, by: str, reports: list[Report]) -> None:
        """Needs none."""


class Everybody:
    """Knows whoever calls."""

    def check(self, said: Caller) -> Caller:
        """As they say."""
        return said


class Line:
    """A register's stream to its source, both ends."""

    def __init__(self, replicas: Replicas, goods: Goods, heartbeat_s: float) -> None:
        self.replicas = replicas
        self.goods = goods
        self.journal = Journal()
        self.arrived = Arrived()
        self.servicer = sync.SyncServicer(
            self.arrived,
            goods,
            self.arrived,
            lambda: heartbeat_s,
            Gate(Everybody()),
            CallerKind.REGISTER,
        )

    @asynccontextmanager
    async def up(self) -> AsyncGenerator[SyncClient]:
        """The stream, once it was welcomed."""
        listener = listen("127.0.0.1:0")
        add = partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, self.servicer)
        await listener.start([sync.SERVICE], [add])
        channel = open_channel(listener.address)
        rng = random.Random(1)  # noqa: S311 - repeatable
        client = SyncClient(channel, R1, self.journal, self.replicas, nothing_to_report, rng)
        running = asyncio.create_task(client.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not client.up:
                    await client.news.after(client.news.version)
            yield client
        finally:
            running.cancel()
            await asyncio.wait([running])
            await channel.close()
            await listener.stop()
