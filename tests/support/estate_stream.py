"""One end of a Sync stream, spoken frame by frame."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Self

import grpc.aio
import pytest
from tests.support.estate_parts import PATIENCE_S

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.journal import Entry, Head
from stillopen.replication.frames import PROTOCOL_VERSION, cursor_from, cursor_to
from stillopen.replication.ports import Cursor, Package
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import entry_to, head_to
from stillopen.v1 import sync_pb2, sync_pb2_grpc, types_pb2


class Stream:
    """A client of SyncService that says what it is told to; use it with `async with`."""

    def __init__(self, stub: sync_pb2_grpc.SyncServiceStub, caller: Caller | None) -> None:
        self._says: asyncio.Queue[sync_pb2.SyncRequest | None] = asyncio.Queue()
        self.call = stub.Sync(self._requests(), metadata=caller.metadata() if caller else ())
        self._answers = aiter(self.call)
        self._batch = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._says.put_nowait(None)
        self.call.cancel()

    def say(self, frame: sync_pb2.SyncRequest) -> None:
        """Sends a frame."""
        self._says.put_nowait(frame)

    def end(self) -> None:
        """Says no more."""
        self._says.put_nowait(None)

    def hello(
        self,
        *heads: Head,
        version: int = PROTOCOL_VERSION,
        instance: int = 0,
        reports: Iterable[sync_pb2.RegisterReport] = (),
    ) -> None:
        """Opens the stream."""
        lanes = [head_to(head) for head in heads]
        hello = sync_pb2.Hello(
            protocol_version=version, lanes=lanes, instance=instance, reports=reports
        )
        self.say(sync_pb2.SyncRequest(hello=hello))

    def heartbeat(self, *heads: Head, reports: Iterable[sync_pb2.RegisterReport] = ()) -> None:
        """Says how long the lanes are, and how registers stand."""
        beat = sync_pb2.Heartbeat(lanes=[head_to(head) for head in heads], reports=reports)
        self.say(sync_pb2.SyncRequest(heartbeat=beat))

    def send(self, *entries: Entry) -> int:
        """Sends a batch and returns its number."""
        self._batch += 1
        batch = sync_pb2.Entries(batch=self._batch, entries=[entry_to(entry) for entry in entries])
        self.say(sync_pb2.SyncRequest(entries=batch))
        return self._batch

    async def hears(self, wanted: Callable[[sync_pb2.SyncResponse], bool]) -> sync_pb2.SyncResponse:
        """The next frame that is as wanted; others are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while not wanted(frame := await anext(self._answers)):
                pass
            return frame

    async def welcome(self) -> sync_pb2.Welcome:
        """The server's answer to hello."""
        return (await self.hears(lambda frame: frame.HasField("welcome"))).welcome

    async def stored(self, batch: int) -> list[sync_pb2.LaneState]:
        """The lanes, once that batch is durable."""
        frame = await self.hears(lambda f: f.HasField("stored") and f.stored.batch == batch)
        return list(frame.stored.lanes)

    async def resend(self) -> list[types_pb2.JournalPosition]:
        """The entries that the server asks for again."""
        return list((await self.hears(lambda frame: frame.HasField("resend"))).resend.positions)

    def applied(self, cursor: Cursor) -> None:
        """Says that a package is in force."""
        frame = sync_pb2.PackageApplied(cursor=cursor_to(cursor))
        self.say(sync_pb2.SyncRequest(package_applied=frame))

    def wants(self, *cursors: Cursor) -> None:
        """Says where replicas stand."""
        frame = sync_pb2.PackagesWanted(cursors=[cursor_to(each) for each in cursors])
        self.say(sync_pb2.SyncRequest(packages_wanted=frame))

    async def package(self) -> tuple[Package, bytes]:
        """The next package, and its bytes."""
        begin = (await self.hears(lambda f: f.HasField("package_begin"))).package_begin
        data = begin.whole
        if not data:
            while len(data) < begin.size:
                data += (await self.hears(lambda f: f.HasField("package_block"))).package_block.data
            await self.hears(lambda f: f.HasField("package_end"))
        base = cursor_from(begin.base) if begin.HasField("base") else None
        return Package(cursor_from(begin.cursor), begin.size, base), data

    async def refused(self) -> Reason:
        """Why the server ends the stream."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.hears(lambda _: False)
        error: StillopenError = error_of(caught.value)
        return error.reason

    async def closed(self) -> None:
        """Waits until the server closes the stream without a complaint."""
        with pytest.raises(StopAsyncIteration):
            await self.hears(lambda _: False)

    async def _requests(self) -> AsyncIterator[sync_pb2.SyncRequest]:
        while (frame := await self._says.get()) is not None:
            yield frame
