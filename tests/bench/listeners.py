"""Registers that take packages, many in one process, each on a connection of its own.

They say what a register says that has everything, take what comes, keep none of it, and say that it
is in force: what a register does with it on its own machine costs the server nothing.

`python -m tests.bench.listeners ADDRESS CURSOR FIRST COUNT` says when all of them were up; for each
line that it reads, when each of them had the next package. CURSOR is where they stand, a message in
hexadecimal.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator

from tests.bench import stores
from tests.bench.tills import READY, lines, say
from tests.support import callers

from stillopen.core.ids import new_epoch
from stillopen.replication.frames import PROTOCOL_VERSION
from stillopen.rpc.channel import open_channel
from stillopen.rpc.wire import duration_from
from stillopen.v1 import sync_pb2, sync_pb2_grpc

Sending = asyncio.Queue[sync_pb2.SyncRequest]


class Listener:
    """One of them; `up` is done when it was welcomed."""

    def __init__(self, address: str, at: sync_pb2.Cursor, name: str, rng: random.Random) -> None:
        self._stub = sync_pb2_grpc.SyncServiceStub(open_channel(address))
        self._metadata = callers.register(name).metadata()
        epoch = new_epoch(rng)
        hello = sync_pb2.Hello(
            protocol_version=PROTOCOL_VERSION,
            lanes=[sync_pb2.LaneClaim(register_id=name, epoch=epoch, first=1)],
            cursor=at,
            instance=epoch,
        )
        self._sending: Sending = asyncio.Queue()
        self._sending.put_nowait(sync_pb2.SyncRequest(hello=hello))
        self.up: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.had: asyncio.Queue[float] = asyncio.Queue()
        """The moment of each package."""

    async def run(self) -> None:
        """Listens for as long as the process runs."""
        begun = sync_pb2.PackageBegin()
        async for frame in self._stub.Sync(self._says(), metadata=self._metadata):
            if frame.HasField("welcome"):
                self.up.set_result(duration_from(frame.welcome.limits.heartbeat_interval))
            elif frame.HasField("package_begin"):
                begun = frame.package_begin
            if frame.HasField("package_end") or frame.package_begin.whole:
                self.had.put_nowait(time.perf_counter())
                applied = sync_pb2.PackageApplied(cursor=begun.cursor)
                self._sending.put_nowait(sync_pb2.SyncRequest(package_applied=applied))

    async def _says(self) -> AsyncIterator[sync_pb2.SyncRequest]:
        yield await self._sending.get()
        beat_s = await self.up
        while True:
            try:
                async with asyncio.timeout(beat_s):
                    frame = await self._sending.get()
            except TimeoutError:
                frame = sync_pb2.SyncRequest(heartbeat=sync_pb2.Heartbeat())
            yield frame


async def main(address: str, at: sync_pb2.Cursor, first: int, count: int) -> None:
    """Says when all are up, then when each had a package."""
    rng = random.Random(first)  # noqa: S311 - a benchmark, not a secret
    crowd = [Listener(address, at, name, rng) for name in stores.names(count, first)]
    async with asyncio.TaskGroup() as group:
        for each in crowd:
            group.create_task(each.run())
        for each in crowd:
            await each.up
        say(READY)
        async for _ in lines():
            say([await each.had.get() for each in crowd])


if __name__ == "__main__":
    where, cursor, begin, number = sys.argv[1:]
    stores.allow_connections()
    stands = sync_pb2.Cursor.FromString(bytes.fromhex(cursor))
    asyncio.run(main(where, stands, int(begin), int(number)))
