"""Many registers at one server over the simulated network."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from tests.sim.channel import Network
from tests.sim.sample import HQ
from tests.support.crowd import Sales, Server, Taking, register
from tests.support.estate_stream import Stream

from stillopen.replication.client import SyncClient
from stillopen.replication.reports import nothing_to_report
from stillopen.v1 import sync_pb2_grpc

LOOK_S = 0.05
PATIENCE_S = 1_000.0


class Crowd:
    """Registers with numbers, and what they speak to."""

    def __init__(self, server: Server | None = None) -> None:
        self.server = server or Server()
        self.network = Network(random.Random(1))  # noqa: S311 - repeatable
        self.clients: dict[int, SyncClient] = {}
        self.sales: dict[int, Sales] = {}
        self.replicas: dict[int, Taking] = {}
        self._running: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator["Crowd"]:
        """The server serves; registers end with it."""
        self.serve(self.server.servicer)
        try:
            yield self
        finally:
            for each in self._running:
                each.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def serve(self, servicer: sync_pb2_grpc.SyncServiceServicer) -> None:
        """Something serves at the address."""
        server = self.network.server(HQ).as_grpc
        sync_pb2_grpc.add_SyncServiceServicer_to_server(servicer, server)

    def come(self, *numbers: int) -> None:
        """These registers connect, and go on doing so."""
        for number in numbers:
            caller = register(number)
            self.sales[number], self.replicas[number] = Sales(caller), Taking()
            client = self.clients[number] = SyncClient(
                self.network.channel(caller.name, HQ),
                caller,
                self.sales[number],
                self.replicas[number],
                nothing_to_report,
                random.Random(number),  # noqa: S311 - repeatable
            )
            self._running.append(asyncio.create_task(client.run()))

    def stream(self, number: int) -> Stream:
        """A register whose frames are spoken by hand; it reads only when it is asked to."""
        caller = register(number)
        stub = sync_pb2_grpc.SyncServiceStub(self.network.channel(caller.name, HQ))
        return Stream(stub, caller)

    @property
    def up(self) -> list[int]:
        """Who was welcomed and is up."""
        return [number for number, client in self.clients.items() if client.up]


async def until(wanted: Callable[[], bool]) -> float:
    """Waits until it is so; when that is."""
    async with asyncio.timeout(PATIENCE_S):
        while not wanted():  # noqa: ASYNC110 - time is what is looked at
            await asyncio.sleep(LOOK_S)
    return asyncio.get_running_loop().time()
