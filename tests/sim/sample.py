"""A small world for tests of the simulated network: one server, three services, one register."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import grpc
import grpc.aio
import pytest
from tests.sim.channel import Network
from tests.sim.server import SimServer

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller, CallerKind, said_caller
from stillopen.rpc.status import answers, call, streams
from stillopen.v1 import (
    realtime_pb2,
    realtime_pb2_grpc,
    register_pb2,
    register_pb2_grpc,
    sync_pb2,
    sync_pb2_grpc,
    types_pb2,
)

Code = grpc.StatusCode
Servicer = TypeVar("Servicer")
CALLER = Caller(CallerKind.REGISTER, "register-1")
HQ = "headquarters:1"
TILL = "register-1"


def now_s() -> float:
    return asyncio.get_running_loop().time()


def made(servicer: Callable[[], Servicer]) -> Servicer:
    """Stands for a class of which only a part is written."""
    return servicer()


class Cards(realtime_pb2_grpc.RealtimeServiceServicer):
    """Answers, or does what the card number says."""

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.cancelled_at_s: list[float] = []

    @answers
    async def GetCardBalance(  # noqa: N802
        self, request: realtime_pb2.GetCardBalanceRequest, context: Context
    ) -> realtime_pb2.GetCardBalanceResponse:
        self.executed.append(request.number)
        if request.number == "unknown":
            raise Refused(Reason.CARD_UNKNOWN, "no such card, schöne Grüße", "number")
        if request.number == "slow":
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                self.cancelled_at_s.append(now_s())
                raise
        caller = said_caller(context)
        return realtime_pb2.GetCardBalanceResponse(
            card_id=f"{caller.name} {context.peer()} {context.time_remaining():.3f}",
            last_four=request.number,
        )

    async def ListLocks(  # noqa: N802
        self, request: realtime_pb2.ListLocksRequest, context: Context
    ) -> realtime_pb2.ListLocksResponse:
        raise KeyError(request.page_token, context.peer())

    @answers
    async def ImportCards(  # noqa: N802
        self, request_iterator: AsyncIterator[realtime_pb2.ImportCardsRequest], context: Context
    ) -> realtime_pb2.ImportCardsResponse:
        said_caller(context)
        names = [request.import_id async for request in request_iterator]
        self.executed += names
        return realtime_pb2.ImportCardsResponse(report=types_pb2.ImportReport(accepted=len(names)))


class Echo(sync_pb2_grpc.SyncServiceServicer):
    """Welcomes with the version of each hello."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.cancelled_at_s: list[float] = []

    @streams
    async def Sync(  # noqa: N802
        self, request_iterator: AsyncIterator[sync_pb2.SyncRequest], context: Context
    ) -> AsyncIterator[sync_pb2.SyncResponse]:
        said_caller(context)
        try:
            async for request in request_iterator:
                version = request.hello.protocol_version
                if version == 0:
                    raise Refused(Reason.PROTOCOL_VERSION, "not a version")
                self.heard.append(version)
                yield welcome(version)
        except asyncio.CancelledError:
            self.cancelled_at_s.append(now_s())
            raise


class Till(register_pb2_grpc.RegisterServiceServicer):
    """Tells its status once a second."""

    def __init__(self) -> None:
        self.watchers = 0

    async def WatchStatus(  # noqa: N802
        self, request: register_pb2.WatchStatusRequest, context: Context
    ) -> AsyncIterator[register_pb2.WatchStatusResponse]:
        assert request is not None
        self.watchers += 1
        try:
            while not context.cancelled():
                status = register_pb2.RegisterStatus(mode_reason=f"{now_s():.0f}")
                yield register_pb2.WatchStatusResponse(status=status)
                await asyncio.sleep(1)
        finally:
            self.watchers -= 1


def welcome(version: int) -> sync_pb2.SyncResponse:
    return sync_pb2.SyncResponse(welcome=sync_pb2.Welcome(protocol_version=version))


def hello(version: int) -> sync_pb2.SyncRequest:
    return sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=version))


def number(text: str) -> realtime_pb2.GetCardBalanceRequest:
    return realtime_pb2.GetCardBalanceRequest(number=text)


class World:
    """One server at `HQ`, one register with a channel to it."""

    def __init__(self, seed: int = 1) -> None:
        self.network = Network(random.Random(seed))  # noqa: S311 - repeatable
        self.cards = made(Cards)
        self.echo = Echo()
        self.till = made(Till)
        self.server = self.start()
        channel = self.network.channel(TILL, HQ)
        self.channel = channel
        self.realtime = realtime_pb2_grpc.RealtimeServiceStub(channel)
        self.sync = sync_pb2_grpc.SyncServiceStub(channel)
        self.register = register_pb2_grpc.RegisterServiceStub(channel)

    def start(self) -> SimServer:
        server = self.network.server(HQ)
        realtime_pb2_grpc.add_RealtimeServiceServicer_to_server(self.cards, server.as_grpc)
        sync_pb2_grpc.add_SyncServiceServicer_to_server(self.echo, server.as_grpc)
        register_pb2_grpc.add_RegisterServiceServicer_to_server(self.till, server.as_grpc)
        return server

    async def balance(self, text: str, timeout_s: float = 5.0) -> str:
        """Asks as programs do."""
        answer = await call(self.realtime.GetCardBalance, number(text), CALLER, timeout_s)
        return answer.last_four

    async def fails(self, text: str, timeout_s: float = 5.0) -> tuple[Reason, float]:
        """Why the call was in vain, and how long that took."""
        begin_s = now_s()
        with pytest.raises(Unreachable) as caught:
            await self.balance(text, timeout_s)
        return caught.value.reason, round(now_s() - begin_s, 6)

    def talk(self) -> "Talk":
        return Talk(self)


class Talk:
    """A stream that says a number and hears it back."""

    def __init__(self, world: World) -> None:
        self.says: asyncio.Queue[int | None] = asyncio.Queue()
        self.call = world.sync.Sync(self._requests(), metadata=CALLER.metadata())
        self._answers = aiter(self.call)

    async def hears(self) -> int:
        return (await anext(self._answers)).welcome.protocol_version

    async def echo(self, version: int) -> int:
        self.says.put_nowait(version)
        return await self.hears()

    async def code(self) -> grpc.StatusCode:
        """How the stream ends."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.hears()
        return caught.value.code()

    async def _requests(self) -> AsyncIterator[sync_pb2.SyncRequest]:
        while (version := await self.says.get()) is not None:
            yield hello(version)
