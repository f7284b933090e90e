"""The reference for streams: a servicer that welcomes, takes nothing and passes one message on.

It bids its clients come back as slowly as ours does: all at once they would not get through.

`python -m tests.bench.streams ADDRESS BEAT_S` says its address. For each line that it reads it
sends one message to every stream, as long as the first that a channel sends of a package, and says
when it began to; with BEAT_S it also says so often that it is there.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator

from tests.bench import stores
from tests.bench.tills import lines, say

from stillopen.replication.frames import PROTOCOL_VERSION
from stillopen.replication.news import News
from stillopen.rpc.context import Context
from stillopen.rpc.server import listen
from stillopen.rpc.wire import duration_to
from stillopen.sync.admission import room_for
from stillopen.v1 import sync_pb2, sync_pb2_grpc

BEAT = sync_pb2.SyncResponse(heartbeat=sync_pb2.Heartbeat())
_AT = sync_pb2.Cursor(generation=1 << 63, sequence=1, package_digest=bytes(range(32)))
MESSAGE = sync_pb2.SyncResponse(
    package_begin=sync_pb2.PackageBegin(cursor=_AT, base=_AT, size=1_000)
)


class Empty(sync_pb2_grpc.SyncServiceServicer):
    """Welcomes whoever comes, and passes on to everybody what it is told to say."""

    def __init__(self, beat_s: float) -> None:
        self._news = News()
        self._said: list[sync_pb2.SyncResponse] = []
        """Everything since it began: as many as the news has versions."""
        self._beat_s = beat_s
        self._streams = 0

    def say(self, frame: sync_pb2.SyncResponse) -> None:
        """Says it to everybody who is there now."""
        self._said.append(frame)
        self._news.tell()

    async def beat(self) -> None:
        """Says that it is there, for as long as the process runs."""
        while self._beat_s:
            await asyncio.sleep(self._beat_s)
            self.say(BEAT)

    async def Sync(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[sync_pb2.SyncRequest], context: Context
    ) -> AsyncIterator[sync_pb2.SyncResponse]:
        """One stream."""
        del context
        await anext(request_iterator)
        self._streams += 1
        room = room_for(self._streams)
        limits = sync_pb2.Limits(
            heartbeat_interval=duration_to(max(self._beat_s, room.heartbeat_s)),
            return_within=duration_to(room.return_within_s),
        )
        version = self._news.version
        welcome = sync_pb2.Welcome(protocol_version=PROTOCOL_VERSION, limits=limits)
        yield sync_pb2.SyncResponse(welcome=welcome)
        taking = asyncio.create_task(_take(request_iterator))
        try:
            while not taking.done():
                before, version = version, await self._news.after(version)
                for frame in self._said[before:version]:
                    yield frame
        finally:
            taking.cancel()
            self._streams -= 1


async def _take(frames: AsyncIterator[sync_pb2.SyncRequest]) -> None:
    async for _ in frames:
        pass


async def main(address: str, beat_s: float) -> None:
    """Serves until it is ended."""
    listener = listen(address)
    servicer = Empty(beat_s)
    await listener.start(
        [], [lambda server: sync_pb2_grpc.add_SyncServiceServicer_to_server(servicer, server)]
    )
    say(listener.address)
    beating = asyncio.create_task(servicer.beat())
    async for _ in lines():
        say(time.perf_counter())
        servicer.say(MESSAGE)
    beating.cancel()


if __name__ == "__main__":
    stores.allow_connections()
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
