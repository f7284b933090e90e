"""A crowd of registers in one process, each on a connection of its own.

They say what a register says that has everything and sells nothing, with the shipped options and
back-off, and do no more: what a register does on its own machine costs the server nothing. A
package they take unread, and say that they have it.

`python -m tests.bench.crowd ADDRESS CURSOR FIRST COUNT` says when all of them were up. CURSOR is
where their replicas stand, a message in hexadecimal: they have what there is, and nothing comes
down to them.
"""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence

import grpc.aio
from tests.bench import stores
from tests.bench.tills import lines, say
from tests.support import callers

from stillopen.core.errors import Unreachable
from stillopen.core.ids import new_epoch
from stillopen.replication.backoff import Backoff
from stillopen.replication.frames import PROTOCOL_VERSION, cursor_from, cursor_to
from stillopen.replication.news import News
from stillopen.replication.ports import Cursor
from stillopen.rpc.channel import open_channel
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import duration_from
from stillopen.v1 import sync_pb2, sync_pb2_grpc

NEWS, HAVE = "news", "have"
HEARTBEAT = sync_pb2.SyncRequest(heartbeat=sync_pb2.Heartbeat())


def _said(landed: sync_pb2.Cursor | None) -> sync_pb2.SyncRequest:
    """That a package is in force, or only that it is there."""
    if landed is None:
        return HEARTBEAT
    return sync_pb2.SyncRequest(package_applied=sync_pb2.PackageApplied(cursor=landed))


class Register:
    """One that says hello and that it is there, and nothing else: it costs its process little."""

    def __init__(self, address: str, at: Cursor, name: str, rng: random.Random, news: News) -> None:
        self._stub = sync_pb2_grpc.SyncServiceStub(open_channel(address))
        self._metadata = callers.register(name).metadata()
        self._backoff = Backoff(rng)
        epoch = new_epoch(rng)
        hello = sync_pb2.Hello(
            protocol_version=PROTOCOL_VERSION,
            lanes=[sync_pb2.LaneClaim(register_id=name, epoch=epoch, first=1)],
            cursor=cursor_to(at),
            instance=epoch,
        )
        self._hello = sync_pb2.SyncRequest(hello=hello)
        self._begun = sync_pb2.Cursor()
        """Where the package leads that is coming."""
        self._landed: asyncio.Queue[sync_pb2.Cursor] = asyncio.Queue()
        self._news = news
        self.up = False
        self.rose: list[float] = []
        """When it came up."""
        self.told: list[float] = []
        """When it was told that there is something new."""
        self.had: list[float] = []
        """When it had that."""
        self.refused: list[str] = []
        """What a server said against it; that nobody is there is no refusal."""

    async def run(self) -> None:
        """Connects, and connects again as a register does."""
        while True:
            nobody = True
            try:
                await self._talk()
            except grpc.aio.AioRpcError as error:
                known = error_of(error)
                nobody = isinstance(known, Unreachable) and not self.up
                if not isinstance(known, Unreachable):
                    self.refused.append(str(known))
            self._set_up(up=False)
            await asyncio.sleep(self._backoff.pause_s(failed=True, nobody=nobody))

    async def _talk(self) -> None:
        welcomed: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        call = self._stub.Sync(self._says(welcomed), metadata=self._metadata)
        try:
            async for frame in call:
                match frame.WhichOneof("frame"):
                    case "welcome":
                        limits = frame.welcome.limits
                        self._backoff.asked(duration_from(limits.return_within))
                        welcomed.set_result(duration_from(limits.heartbeat_interval))
                        self._set_up(up=True)
                    case "package_begin":
                        self._begun = frame.package_begin.cursor
                        self.told.append(time.perf_counter())
                        self._news.tell()
                        if frame.package_begin.whole:
                            self._has()
                    case "package_end":
                        self._has()
                    case _:
                        pass
        finally:
            welcomed.cancel()

    def _has(self) -> None:
        """The package that began is there."""
        self._hello.hello.cursor.CopyFrom(self._begun)
        self._landed.put_nowait(self._begun)
        self.had.append(time.perf_counter())
        self._news.tell()

    async def _says(self, welcomed: asyncio.Future[float]) -> AsyncIterator[sync_pb2.SyncRequest]:
        yield self._hello
        beat_s = await welcomed
        while True:
            landed: sync_pb2.Cursor | None = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(beat_s):
                    landed = await self._landed.get()
            yield _said(landed)

    def _set_up(self, *, up: bool) -> None:
        if up and not self.up:
            self.rose.append(time.perf_counter())
            self._news.tell()
        self.up = up


class Crowd:
    """Registers that stay connected."""

    def __init__(self, address: str, at: Cursor, names: Sequence[str]) -> None:
        rng = random.Random(names[0])  # noqa: S311 - a benchmark, not a secret
        self._news = News()
        self._clients = [Register(address, at, name, rng, self._news) for name in names]

    async def run(self) -> None:
        """Connects them, and connects them again, for as long as it runs."""
        async with asyncio.TaskGroup() as group:
            for each in self._clients:
                group.create_task(each.run())

    async def risen(self, times: int) -> float:
        """When the last of them had come up so many times."""
        return await self._last(times, lambda each: each.rose)

    async def heard(self, times: int) -> float:
        """When the last of them had been told of something new so many times."""
        return await self._last(times, lambda each: each.told)

    async def had(self, times: int) -> float:
        """When the last of them had something new so many times."""
        return await self._last(times, lambda each: each.had)

    async def _last(self, times: int, moments: Callable[[Register], list[float]]) -> float:
        waiting = list(self._clients)
        while True:
            version = self._news.version
            while waiting and len(moments(waiting[-1])) >= times:
                waiting.pop()
            if not waiting:
                return max(moments(each)[times - 1] for each in self._clients)
            await self._news.after(version)

    def told(self) -> list[str]:
        """What was refused, and what is down."""
        down = sum(not each.up for each in self._clients)
        refused = [why for each in self._clients for why in each.refused]
        return [*refused, *["a stream is down"] * down]

    def broke(self, times: int) -> int:
        """How many streams broke though nobody broke them, and came back."""
        return sum(max(0, len(each.rose) - times) for each in self._clients)


async def main(address: str, at: Cursor, names: Sequence[str]) -> None:
    """Says when all are up; for each line that it reads, what went wrong since it began.

    An empty line waits until all are up once more, `news` until all were told of something new once
    more, `have` until all have that.
    """
    crowd, times, told = Crowd(address, at, names), 1, 0
    running = asyncio.create_task(crowd.run())
    say(await crowd.risen(times))
    async for line in lines():
        if line == NEWS:
            told += 1
            say(await crowd.heard(told))
        elif line == HAVE:
            say(await crowd.had(told))
        elif line:
            say([*crowd.told(), *["broke"] * crowd.broke(times)])
        else:
            times += 1
            say(await crowd.risen(times))
    running.cancel()


if __name__ == "__main__":
    where, cursor, first, count = sys.argv[1:]
    stores.allow_connections()
    stands = cursor_from(sync_pb2.Cursor.FromString(bytes.fromhex(cursor)))
    asyncio.run(main(where, stands, stores.names(int(count), int(first))))
