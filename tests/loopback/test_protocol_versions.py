"""Old and new on one stream: one version back is served, what is newer is passed over."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
from google.protobuf.message import Message
from tests.support.crowd import Sales, Server, Taking, Wares, entries_of, lane_of, register
from tests.support.estate_stream import Stream
from tests.support.package_streams import PATIENCE_S

from stillopen.core.errors import Reason
from stillopen.core.journal import Head
from stillopen.replication.client import SyncClient
from stillopen.replication.frames import BLOCK_BYTES, PROTOCOL_VERSION, WINDOW_BYTES
from stillopen.replication.reports import nothing_to_report
from stillopen.rpc.channel import open_channel
from stillopen.rpc.context import Context
from stillopen.rpc.server import listen
from stillopen.sync.servicer import SERVICE
from stillopen.v1 import sync_pb2, sync_pb2_grpc

R1 = register(1)
BEAT_S = 0.1
DATA = bytes(range(256)) * (24 * BLOCK_BYTES // 256)
NEW_FIELD = b"\xf2\x7f\x05newer"
"""Field 2046, a text: no message has it."""
NEW_KIND = b"\xfa\x01\x03new"
"""A frame of kind 31."""
OLD = 1
NEWER = PROTOCOL_VERSION + 1


@asynccontextmanager
async def spoken(server: Server) -> AsyncGenerator[Stream]:
    """A register whose frames are written by hand."""
    async with (
        server.listening() as address,
        open_channel(address) as channel,
        Stream(sync_pb2_grpc.SyncServiceStub(channel), R1) as stream,
    ):
        yield stream


def newer(message: Message) -> bytes:
    """The message as newer software might say it."""
    return message.SerializeToString() + NEW_FIELD


@pytest.mark.parametrize(
    ("said", "answered"), [(OLD, OLD), (PROTOCOL_VERSION, 2), (NEWER, 2), (2**32 - 1, 2)]
)
async def test_the_older_of_the_two_newest_versions_is_spoken(said: int, answered: int) -> None:
    async with spoken(Server()) as stream:
        stream.hello(version=said)
        assert (await stream.welcome()).protocol_version == answered


async def test_a_client_without_a_version_is_refused_and_claims_nothing() -> None:
    server = Server()
    async with spoken(server) as stream:
        stream.hello(Head(lane_of(R1), 1, 9), version=0)
        assert await stream.refused() is Reason.PROTOCOL_VERSION
    assert server.arrivals.hellos == []


@pytest.mark.parametrize(("version", "first"), [(OLD, "welcome"), (2, "heartbeat")])
async def test_only_a_client_that_knows_it_hears_anything_before_its_welcome(
    version: int, first: str
) -> None:
    server = Server(heartbeat_s=BEAT_S)
    server.arrivals.may_claim.clear()
    async with spoken(server) as stream:
        stream.hello(Head(lane_of(R1), 1, 0), version=version)
        await server.arrivals.until(lambda: server.arrivals.claiming == 1)
        asyncio.get_running_loop().call_later(3 * BEAT_S, server.arrivals.may_claim.set)
        frame = await stream.hears(lambda _: True)
        assert frame.WhichOneof("frame") == first
        if first != "welcome":
            await stream.welcome()


def hello_with_part(version: int, wares: Wares) -> sync_pb2.SyncRequest:
    """A client that says it has one block of the package."""
    part = sync_pb2.PartialPackage(package_digest=wares.package.cursor.digest, there=BLOCK_BYTES)
    return sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=version, partials=[part]))


async def test_an_old_client_gets_a_whole_package_without_saying_what_it_has_taken() -> None:
    wares = Wares(DATA)
    assert len(DATA) > WINDOW_BYTES
    async with spoken(Server(wares)) as stream:
        stream.say(hello_with_part(OLD, wares))
        package, data = await stream.package()
        assert (package.cursor, data) == (wares.package.cursor, DATA)
        stream.applied(package.cursor)
        [lane] = await stream.stored(stream.send(*entries_of(R1)))
        assert lane.stored_through == 1


async def test_a_client_of_today_gets_the_rest_of_a_package_in_windows() -> None:
    wares = Wares(DATA)
    async with spoken(Server(wares)) as stream:
        stream.say(hello_with_part(NEWER, wares))
        begin = (await stream.hears(lambda f: f.HasField("package_begin"))).package_begin
        assert begin.offset == BLOCK_BYTES
        data = bytearray(DATA[:BLOCK_BYTES])
        while len(data) < begin.size:
            frame = await stream.hears(lambda f: f.HasField("package_block"))
            data += frame.package_block.data
            taken = sync_pb2.PackageTaken(bytes=len(data))
            stream.say(sync_pb2.SyncRequest(package_taken=taken))
        assert bytes(data) == DATA


@pytest.mark.parametrize("version", [OLD, NEWER])
async def test_fields_and_frames_of_newer_clients_are_passed_over(version: int) -> None:
    server = Server()
    async with spoken(server) as stream:
        claim = sync_pb2.LaneClaim.FromString(
            newer(sync_pb2.LaneClaim(register_id="R1", epoch=lane_of(R1).epoch, first=1))
        )
        hello = sync_pb2.Hello.FromString(
            newer(sync_pb2.Hello(protocol_version=version, lanes=[claim]))
        )
        stream.say(sync_pb2.SyncRequest.FromString(newer(sync_pb2.SyncRequest(hello=hello))))
        [lane] = (await stream.welcome()).lanes
        assert lane.stored_through == 0
        stream.say(sync_pb2.SyncRequest.FromString(NEW_KIND))
        stream.say(sync_pb2.SyncRequest.FromString(newer(sync_pb2.SyncRequest())))
        stream.say(sync_pb2.SyncRequest())
        [lane] = await stream.stored(stream.send(*entries_of(R1)))
        assert lane.stored_through == 1


class NewerServer(sync_pb2_grpc.SyncServiceServicer):
    """Says in version 2 what it must, and more that a client of today does not know."""

    def __init__(self, version: int) -> None:
        self._version = version
        self.entries = 0

    async def Sync(  # noqa: N802
        self, request_iterator: AsyncIterator[sync_pb2.SyncRequest], context: Context
    ) -> AsyncIterator[sync_pb2.SyncResponse]:
        """Stores what comes, between frames that nobody knows."""
        assert not context.cancelled()
        async for frame in request_iterator:
            if frame.HasField("hello"):
                lanes = [
                    sync_pb2.LaneState.FromString(
                        newer(sync_pb2.LaneState(register_id="R1", epoch=each.epoch))
                    )
                    for each in frame.hello.lanes
                ]
                if self._version >= PROTOCOL_VERSION:
                    yield sync_pb2.SyncResponse(heartbeat=sync_pb2.Heartbeat())
                yield sync_pb2.SyncResponse.FromString(
                    newer(
                        sync_pb2.SyncResponse(
                            welcome=sync_pb2.Welcome(protocol_version=self._version, lanes=lanes)
                        )
                    )
                )
                yield sync_pb2.SyncResponse.FromString(NEW_KIND)
                yield sync_pb2.SyncResponse()
            elif frame.HasField("entries"):
                self.entries += len(frame.entries.entries)
                stored = sync_pb2.Stored(batch=frame.entries.batch)
                yield sync_pb2.SyncResponse.FromString(newer(sync_pb2.SyncResponse(stored=stored)))


@asynccontextmanager
async def client_of(
    servicer: sync_pb2_grpc.SyncServiceServicer,
) -> AsyncGenerator[tuple[SyncClient, Sales]]:
    """The shipped client, at another server."""
    listener = listen("127.0.0.1:0")
    add = partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, servicer)
    await listener.start([SERVICE], [add])
    async with open_channel(listener.address) as channel:
        sales = Sales(R1)
        rng = random.Random(1)  # noqa: S311 - repeatable
        client = SyncClient(channel, R1, sales, Taking(), nothing_to_report, rng)
        running = asyncio.create_task(client.run())
        try:
            yield client, sales
        finally:
            running.cancel()
            await asyncio.wait([running])
    await listener.stop()


async def until(client: SyncClient, wanted: Callable[[], bool]) -> None:
    """Waits until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not wanted():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(BEAT_S / 4)
    assert client.allowed


@pytest.mark.parametrize("version", [OLD, PROTOCOL_VERSION])
async def test_fields_and_frames_of_newer_servers_are_passed_over(version: int) -> None:
    servicer = NewerServer(version)
    async with client_of(servicer) as (client, _):
        await until(client, lambda: servicer.entries == 1)
        assert client.up
        assert client.last_error is None


@pytest.mark.parametrize("version", [0])
async def test_a_server_that_answers_in_no_version_is_left_with_a_reason(version: int) -> None:
    servicer = NewerServer(version)
    async with client_of(servicer) as (client, _):
        await until(client, lambda: client.last_error is not None)
        assert client.last_error is not None
        assert client.last_error.reason is Reason.PROTOCOL_VERSION
        assert not client.up
