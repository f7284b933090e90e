"""Peers that stall, trickle, or send what nobody can read: refused or let go, and others go on."""

import asyncio
import gc
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio
import pytest
from tests.support.crowd import Sales, Server, Taking, Wares, entries_of, lane_of, register
from tests.support.estate_stream import Stream
from tests.support.package_streams import PATIENCE_S

from stillopen.core.errors import Reason
from stillopen.core.journal import Head
from stillopen.replication import server_half
from stillopen.replication.client import SyncClient
from stillopen.replication.reports import nothing_to_report
from stillopen.rpc.channel import MESSAGE_BYTES_MAX, open_channel, split_address
from stillopen.rpc.context import Context
from stillopen.rpc.server import listen
from stillopen.rpc.status import error_of
from stillopen.sync import unread
from stillopen.sync.servicer import SERVICE
from stillopen.sync.session import Session
from stillopen.v1 import sync_pb2, sync_pb2_grpc

BEAT_S = 1.0
"""So often a server wants to hear of its clients; they say more often that they are there."""
LOOK_S = 0.05
LARGE = bytes(64 << 20)
"""More than gRPC and the operating system take in for somebody who does not read."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
HALF_FRAME = bytes([0, 63, 255, 1, 4, 0, 0, 0, 1])
HELLO = sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=2)).SerializeToString()
Write = Callable[[bytes], Awaitable[None]]
Call = grpc.aio.StreamStreamCall[bytes, bytes]
Method = grpc.aio.StreamStreamMultiCallable[bytes, bytes]


class Speaker:
    """A register whose stream goes on beside whatever another does."""

    def __init__(self, address: str, number: int = 2) -> None:
        self._channel = open_channel(address)
        self._caller = register(number)
        self._sent = 0
        self.stream = Stream(sync_pb2_grpc.SyncServiceStub(self._channel), self._caller)

    async def begin(self) -> None:
        """Is welcomed."""
        self.stream.hello(Head(lane_of(self._caller), 1, 0))
        await self.stream.welcome()

    async def goes_on(self) -> None:
        """Another sale is stored, on the same stream."""
        self._sent += 1
        [lane] = await self.stream.stored(
            self.stream.send(entries_of(self._caller, self._sent)[-1])
        )
        assert lane.stored_through == self._sent

    async def close(self) -> None:
        """Ends."""
        await self._channel.close()


@asynccontextmanager
async def beside(server: Server) -> AsyncGenerator[tuple[str, Speaker]]:
    """The server, and a register that speaks to it properly all the time."""
    async with server.listening() as address:
        speaker = Speaker(address)
        beating: asyncio.Task[None] | None = None
        async with speaker.stream:
            try:
                await speaker.begin()
                beating = asyncio.create_task(_beat(speaker.stream))
                yield address, speaker
                await speaker.goes_on()
            finally:
                if beating is not None:
                    beating.cancel()
                await speaker.close()


async def _beat(stream: Stream) -> None:
    while True:
        stream.heartbeat()
        await asyncio.sleep(BEAT_S / 4)


@asynccontextmanager
async def raw(address: str, number: int = 1) -> AsyncGenerator[Stream]:
    """A register that does what the test says."""
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(open_channel(address))
        stub = sync_pb2_grpc.SyncServiceStub(channel)
        yield await stack.enter_async_context(Stream(stub, register(number)))


@asynccontextmanager
async def raw_bytes(address: str) -> AsyncGenerator[tuple[Write, Call]]:
    """A register whose frames are any bytes, over a channel without limits."""
    unlimited = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=unlimited) as channel:  # noqa: TID251
        method: Method = channel.stream_stream(f"/{SERVICE}/Sync")
        call = method(metadata=register(1).metadata())
        yield call.write, call


async def reason_of(answers: Call) -> Reason:
    """Why the call ends."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while await answers.read() is not grpc.aio.EOF:
                pass
    except grpc.aio.AioRpcError as error:
        return error_of(error).reason
    raise AssertionError(await answers.code())


async def until(wanted: Callable[[], bool]) -> None:
    """Waits until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not wanted():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_S)


def sessions() -> int:
    """How many streams anything is kept of."""
    gc.collect()
    return sum(isinstance(each, Session) for each in gc.get_objects())


async def test_a_client_that_reads_nothing_leaves_nothing_behind_and_is_told_when_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_half, "STALLED_S", 2 * BEAT_S)
    monkeypatch.setattr(unread, "READ_WITHIN_S", LOOK_S)
    monkeypatch.setattr(unread, "TOLD_WITHIN_S", LOOK_S)
    server = Server(Wares(LARGE), BEAT_S)
    async with beside(server) as (address, speaker), raw(address) as stream:
        stream.hello(version=1)
        beating = asyncio.create_task(_beat(stream))
        await until(lambda: server.admission.streams == 2)
        await speaker.goes_on()
        await until(lambda: server.admission.streams == 1)
        await until(lambda: sessions() == 1)
        beating.cancel()
        await speaker.goes_on()
        assert await stream.refused() is Reason.STREAM_STALLED


async def test_many_that_trickle_bytes_into_their_connections_hold_nobody_up() -> None:
    server = Server(heartbeat_s=BEAT_S)
    beginnings = [b"", PREFACE[:5], PREFACE, PREFACE + SETTINGS, PREFACE + SETTINGS + HALF_FRAME]
    async with beside(server) as (address, speaker):
        host, port = split_address(address)
        trickling = [await asyncio.open_connection(host, port) for _ in range(20 * len(beginnings))]
        for number, (_, writer) in enumerate(trickling):
            beginning = beginnings[number % len(beginnings)]
            writer.write(beginning)
        for byte in range(3):
            for _, writer in trickling[len(beginnings) - 1 :: len(beginnings)]:
                writer.write(bytes([byte]))
            await speaker.goes_on()
            async with raw(address, byte + 10) as stream:
                stream.hello()
                await stream.welcome()
        for _, writer in trickling:
            writer.close()


@pytest.mark.parametrize("at_once", [True, False], ids=["before hello", "after it"])
async def test_a_frame_that_is_too_large_ends_its_stream_and_stores_nothing(
    at_once: bool,  # noqa: FBT001
) -> None:
    server = Server(heartbeat_s=BEAT_S)
    huge = sync_pb2.SyncRequest(hello=sync_pb2.Hello(software_version="x" * MESSAGE_BYTES_MAX))
    # More than a client's own channel would let out.
    async with beside(server) as (address, _), raw_bytes(address) as (write, answers):
        if not at_once:
            await write(HELLO)
            assert (await answers.read()) != grpc.aio.EOF
        await write(huge.SerializeToString())
        assert await reason_of(answers) is Reason.MESSAGE_TOO_LARGE
    assert set(server.arrivals.through) == {lane_of(register(2))}


@pytest.mark.parametrize("body", [b"\x0a\xff\xff", b"\xff" * 30, b"\x12\x05abc"])
async def test_a_frame_that_is_no_message_ends_its_stream_with_a_reason(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(heartbeat_s=BEAT_S)
    async with beside(server) as (address, _), raw_bytes(address) as (write, answers):
        await write(HELLO)
        assert (await answers.read()) != grpc.aio.EOF
        await write(body)
        assert await reason_of(answers) is Reason.INVALID_ARGUMENT
    assert "failed" not in caplog.text, "it is the client's mistake"


async def test_what_no_client_can_read_is_an_error_of_its_stream_which_is_tried_again() -> None:
    hellos = 0

    class Garbling(grpc.GenericRpcHandler):
        """Welcomes nobody, and answers with bytes."""

        def service(
            self, handler_call_details: grpc.HandlerCallDetails
        ) -> "grpc.RpcMethodHandler[bytes, bytes]":
            """Every method."""
            assert handler_call_details.method
            return grpc.stream_stream_rpc_method_handler(self.answer)

        async def answer(
            self, requests: AsyncIterator[bytes], context: Context
        ) -> AsyncIterator[bytes]:
            nonlocal hellos
            async for _ in requests:
                hellos += 1
                assert not context.cancelled()
                yield b"\x0a\xff\xff"

    listener = listen("127.0.0.1:0")
    await listener.start([SERVICE], [lambda server: server.add_generic_rpc_handlers([Garbling()])])
    async with open_channel(listener.address) as channel:
        caller = register(1)
        rng = random.Random(1)  # noqa: S311 - repeatable
        client = SyncClient(channel, caller, Sales(caller), Taking(), nothing_to_report, rng)
        running = asyncio.create_task(client.run())
        try:
            await until(lambda: hellos == 3)
            assert client.last_error is not None
            assert client.last_error.reason is Reason.INVALID_ARGUMENT
            assert not client.up
        finally:
            running.cancel()
            await asyncio.wait([running])
    await listener.stop()
