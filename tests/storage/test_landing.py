"""Where packages land while replicas are looked at, and while streams end: nothing is half done."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.package_streams import WHOLE, Replicas

from stillopen.replication.client_half import ClientHalf, Read, Remember, Sent
from stillopen.replication.frames import cursor_to
from stillopen.replication.landing import Landing
from stillopen.replication.news import News
from stillopen.replication.ports import Cursor, Package, Partial
from stillopen.storage.shelf import Coming, Shelf
from stillopen.v1 import sync_pb2

T = TypeVar("T")
AT = Cursor(3, 1, b"first")
DATA = b"second"
NEXT = Cursor(3, 2, hashlib.sha256(DATA).digest())


def frames() -> list[sync_pb2.SyncResponse]:
    """A package, whole."""
    begin = sync_pb2.PackageBegin(cursor=cursor_to(NEXT), size=len(DATA))
    return [
        sync_pb2.SyncResponse(package_begin=begin),
        sync_pb2.SyncResponse(package_block=sync_pb2.PackageBlock(data=DATA)),
        sync_pb2.SyncResponse(package_end=sync_pb2.PackageEnd()),
    ]


async def turns() -> None:
    """Everything goes on as far as it can: nothing here leaves the loop."""
    for _ in range(50):
        await asyncio.sleep(0)


def said(half: ClientHalf) -> list[str]:
    """The kinds of the frames that are to be sent."""
    found: list[str] = []
    while frame := half.take():
        found.append(frame.WhichOneof("frame") or "")
    return found


def welcomed() -> ClientHalf:
    """A stream that has begun; its replica stands at `AT`."""
    half = ClientHalf()
    half.hello([], [AT])
    half.received(sync_pb2.SyncResponse(welcome=sync_pb2.Welcome(protocol_version=1)))
    said(half)
    return half


async def take(half: ClientHalf, landing: Landing, frame: sync_pb2.SyncResponse) -> None:
    """What a frame leads to."""
    for effect in half.received(frame):
        assert not isinstance(effect, Read | Remember | Sent)
        await landing.carry_out(effect)


async def test_where_a_replica_stood_before_its_package_is_not_said_after_it(
    tmp_path: Path,
) -> None:
    replicas, half = Replicas(tmp_path, AT), welcomed()
    async with asyncio.TaskGroup() as group:
        landing = Landing(half, News(), replicas, group, asyncio.Lock())
        watching = group.create_task(landing.watch(replicas.news.version))
        await turns()
        replicas.may_look.clear()
        replicas.news.tell()
        await turns()  # somebody looks now, and sees the place before
        for frame in frames():
            await take(half, landing, frame)
        await turns()
        assert replicas.standing == [AT]
        replicas.may_look.set()
        await turns()
        watching.cancel()
    assert replicas.standing == [NEXT]
    assert said(half) == ["package_applied"]


class Threads:
    """Work off the loop that is done when the test says so, whoever gave up waiting for it."""

    def __init__(self) -> None:
        self._may: list[asyncio.Future[None]] = []
        self.wait = False

    async def __call__(self, work: Callable[[], T], /) -> T:
        """The result of `work`."""
        return await asyncio.shield(self._do(work))

    def go_on(self) -> None:
        """Does what waits."""
        for each in self._may:
            each.set_result(None)
        self._may.clear()

    async def _do(self, work: Callable[[], T]) -> T:
        if self.wait:
            self._may.append(asyncio.get_running_loop().create_future())
            await self._may[-1]
        return work()


class OnThreads(Replicas):
    """Replicas whose shelf is worked on off the loop."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, AT)
        self.threads = Threads()
        self.shelf = Shelf(folder, self.threads)

    @property
    def files(self) -> list[str]:
        """What is on the shelf and should not stay there."""
        return [each.name for each in self.shelf.folder.iterdir()]

    async def receive(self, package: Package, offset: int = 0) -> Coming:
        """A file."""
        return await self.shelf.receive(package.name, package.size, offset)

    async def apply(self, package: Package) -> None:
        """Takes its bytes, and removes them."""
        await super().apply(package)
        await self.shelf.remove([package.name])


@pytest.fixture
def replicas(tmp_path: Path) -> OnThreads:
    """One replica."""
    return OnThreads(tmp_path)


class Stream:
    """A connection with packages; it ends when the test says so."""

    def __init__(self, replicas: OnThreads) -> None:
        self.half = welcomed()
        self.moving = asyncio.Lock()
        self._replicas = replicas
        self._frames: asyncio.Queue[sync_pb2.SyncResponse] = asyncio.Queue()

    @asynccontextmanager
    async def up(self) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
        """While it runs; gives how it ends."""
        running = asyncio.create_task(self._run())

        async def end() -> None:
            running.cancel()
            await asyncio.wait([running])

        try:
            yield end
        finally:
            await end()

    def brings(self, *frames: sync_pb2.SyncResponse) -> None:
        """Frames come."""
        for frame in frames:
            self._frames.put_nowait(frame)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            landing = Landing(self.half, News(), self._replicas, group, self.moving)
            try:
                while True:
                    await take(self.half, landing, await self._frames.get())
            finally:
                landing.end()


@pytest.mark.parametrize("hop", [0, 1], ids=["its file is made", "its bytes are written"])
async def test_the_next_stream_goes_on_with_a_package_whose_stream_ended_while(
    replicas: OnThreads, hop: int
) -> None:
    stream = Stream(replicas)
    async with stream.up() as end:
        stream.brings(*frames()[:hop])
        await turns()
        replicas.threads.wait = True
        stream.brings(frames()[hop])
        await turns()
        await end()
        asked = asyncio.create_task(replicas.partials())
        await turns()
        assert not asked.done(), "the next stream waits with saying what is there"
        replicas.threads.wait = False
        replicas.threads.go_on()
        assert await asked == [Partial(NEXT.digest, hop * len(DATA))]
    assert replicas.standing == [AT]


async def test_the_next_stream_goes_on_with_a_package_that_was_not_applied_yet(
    replicas: OnThreads,
) -> None:
    half = welcomed()

    async def stream() -> None:
        async with asyncio.TaskGroup() as group:
            landing = Landing(half, News(), replicas, group, asyncio.Lock())
            for frame in frames():
                await take(half, landing, frame)
            landing.end()
            raise EOFError  # the group cancels what has not had its first turn

    with pytest.raises(BaseExceptionGroup):
        await stream()
    await turns()
    assert await replicas.partials() == [Partial(NEXT.digest, len(DATA))]
    assert replicas.standing == [AT]


async def test_what_came_whole_is_applied_although_its_stream_ends(replicas: OnThreads) -> None:
    stream = Stream(replicas)
    async with stream.up() as end:
        stream.brings(*frames()[:2])
        await turns()
        replicas.threads.wait = True
        stream.brings(frames()[2])
        await turns()
        await end()
        assert stream.moving.locked(), "the next stream waits with saying where replicas stand"
        replicas.threads.wait = False
        replicas.threads.go_on()
        await turns()
    assert replicas.standing == [NEXT]
    assert replicas.contents == {WHOLE: DATA}
    assert replicas.files == []
    assert not stream.moving.locked()


async def test_what_came_whole_is_applied_although_its_stream_ends_while_it_waits_its_turn(
    replicas: OnThreads,
) -> None:
    stream = Stream(replicas)
    async with stream.up() as end:
        async with stream.moving:
            stream.brings(*frames())
            await turns()
            assert replicas.half_done
            await end()
        await turns()
    assert replicas.standing == [NEXT]
    assert replicas.files == []
