"""The reference for streams: a servicer that welcomes, takes nothing and passes one message on.

It bids its clients come back as slowly as ours does: all at once they would not get through.

`python -m tests.bench.streams BEAT_S` says its address. For each line that it reads it sends one
message to every stream, and says when it began to; with BEAT_S it sends one so often by itself.
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


class Empty(sync_pb2_grpc.SyncServiceServicer):
    """Welcomes whoever comes; `news` is told when everybody gets a message."""

    def __init__(self, news: News, beat_s: float) -> None:
        self._news = news
        self._beat_s = beat_s
        self._streams = 0

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
                version = await self._news.after(version)
                yield BEAT
        finally:
            taking.cancel()
            self._streams -= 1


async def _take(frames: AsyncIterator[sync_pb2.SyncRequest]) -> None:
    async for _ in frames:
        pass


async def main(address: str, beat_s: float) -> None:
    """Serves until it is ended."""
    listener, news = listen(address), News()
    servicer = Empty(news, beat_s)
    await listener.start(
        [], [lambda server: sync_pb2_grpc.add_SyncServiceServicer_to_server(servicer, server)]
    )
    say(listener.address)
    if beat_s:
        while True:
            await asyncio.sleep(beat_s)
            news.tell()
    async for _ in lines():
        say(time.perf_counter())
        news.tell()


if __name__ == "__main__":
    stores.allow_connections()
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
