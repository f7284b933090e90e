"""Cashiers at registers of this process, for the benchmarks of what they wait.

A cashier rings up lines, and completes the sale after every few: what all of that took is the wait
for the line. A sale that was completed without the channel says so on its receipt.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.bench import stores

from stillopen.cli.estate import CHANNEL, Estate
from stillopen.core.sale import Sale
from stillopen.register import Register

CODE = "P000"
LINES = 3
"""Of a sale."""


class Cashier:
    """One, signed in."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.completed: list[Sale] = []
        self._sale: Sale | None = None

    @property
    def online(self) -> bool:
        """Whether the channel answers this register's requests."""
        return self.register.failover.state.online

    async def ring_up(self) -> float:
        """Another line, which only the channel could price: seconds until it is durable here.

        With the last line of a sale it is paid and completed, and with the first begun.
        """
        began = time.perf_counter()
        sale = self._sale or await self.register.begin()
        sale = await self.register.add_line(sale.transaction_id, sale.version, CODE)
        if len(sale.lines) == LINES:
            await self._complete(sale)
        else:
            self._sale = sale
        return time.perf_counter() - began

    async def finish(self) -> Sale:
        """Completes the open sale."""
        assert self._sale is not None
        return await self._complete(self._sale)

    async def come_back(self) -> None:
        """Connects by hand once the channel was heard again, as operation 917 does."""
        while not self.register.failover.may_ask:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        await self.register.switch_connection(connect=True)
        assert self.online

    async def _complete(self, sale: Sale) -> Sale:
        name = sale.transaction_id
        paid = await self.register.tenders.add_cash(name, sale.version, sale.due)
        done = await self.register.complete(name, paid.version)
        assert done.receipt is not None
        self.completed.append(done)
        self._sale = None
        return done


def offline(sales: Sequence[Sale]) -> bool:
    """Whether there are any, and all say that the channel was not there."""
    return bool(sales) and all(each.receipt and each.receipt.offline for each in sales)


@asynccontextmanager
async def at_work(estate: Estate, names: Sequence[str]) -> AsyncGenerator[list[Cashier]]:
    """One at each of these registers of an estate; each could lose its channel."""
    async with AsyncExitStack() as stack:
        cashiers: list[Cashier] = []
        for name in names:
            opened = stores.opened(name, estate.folder, estate.address(CHANNEL))
            register = await stack.enter_async_context(await opened)
            await stores.sign_in(register)
            while not register.replica.at.generation:
                await register.replica.news.after(register.replica.news.version)
            cashiers.append(Cashier(register))
            assert cashiers[-1].online
        yield cashiers
