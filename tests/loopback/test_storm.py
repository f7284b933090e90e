"""Two hundred registers at once, each on a connection of its own: all are let in, none refused."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Self

from tests.support.crowd import Sales, Server, Taking, lane_of, register
from tests.support.package_streams import PATIENCE_S

from stillopen.replication.client import SyncClient
from stillopen.replication.reports import nothing_to_report
from stillopen.rpc.channel import open_channel
from stillopen.sync.admission import HELLOS_AT_ONCE

MANY = range(200)


class Registers:
    """All of them, each with its own channel."""

    def __init__(self, address: str) -> None:
        self._opened = AsyncExitStack()
        self._address = address
        self._running: list[asyncio.Task[None]] = []
        self.clients: list[SyncClient] = []

    async def __aenter__(self) -> Self:
        for number in MANY:
            caller = register(number)
            channel = await self._opened.enter_async_context(open_channel(self._address))
            rng = random.Random(number)  # noqa: S311 - repeatable
            client = SyncClient(channel, caller, Sales(caller), Taking(), nothing_to_report, rng)
            self.clients.append(client)
            self._running.append(asyncio.create_task(client.run()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._running:
            each.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._opened.aclose()

    async def until_up(self, *, up: bool = True) -> None:
        """Waits until every one of them is."""
        async with asyncio.timeout(2 * PATIENCE_S):
            for client in self.clients:
                while client.up is not up:
                    await client.news.after(client.news.version)


async def all_wait(server: Server) -> None:
    """Waits until everybody is there, and as many are claimed as may be."""
    async with asyncio.timeout(2 * PATIENCE_S):
        while server.admission.streams < len(MANY):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await server.arrivals.until(lambda: server.arrivals.claiming == HELLOS_AT_ONCE)


async def test_registers_that_come_back_all_at_once_are_let_in_a_few_at_a_time() -> None:
    first, second = Server(), Server()
    async with AsyncExitStack() as stack:
        async with first.listening() as address:
            registers = await stack.enter_async_context(Registers(address))
            await registers.until_up()
        await registers.until_up(up=False)
        second.arrivals.may_claim.clear()
        await stack.enter_async_context(second.listening(address))
        await all_wait(second)
        assert not any(client.up for client in registers.clients)
        second.arrivals.may_claim.set()
        await registers.until_up()
        for server in (first, second):
            assert server.arrivals.claiming_most <= HELLOS_AT_ONCE
            assert sorted(server.arrivals.hellos) == sorted(f"R{number}" for number in MANY)
        assert first.arrivals.through.keys() == {lane_of(register(number)) for number in MANY}
