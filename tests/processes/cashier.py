"""A frontend that never gives up: it repeats what was not answered and checks what it finds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.support import callers
from tests.support.estate_parts import PATIENCE_S, STEP_S, until
from tests.support.estate_till import TIMEOUT_S, Sale, Till

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.rpc.status import call
from stillopen.v1 import channel_data_pb2, channel_data_pb2_grpc, types_pb2

T = TypeVar("T")
OPEN = types_pb2.SALE_STATE_OPEN

REGISTER = callers.register("R1")
_NO_LINK = {
    Reason.OFFLINE,
    Reason.HEADQUARTERS_UNREACHABLE,
    Reason.CONCLUDE_NOT_ALLOWED,
    Reason.HANDED_OVER,
}
_LEFT_BEHIND = {Reason.CARD_TWICE, Reason.CARD_LOCKED, Reason.CARD_PENDING}
"""The journal is still bringing the unlock of the attempt before, or the memo."""


class Cashier:
    """Works through a script, whatever ends and comes back meanwhile."""

    def __init__(
        self,
        till: Till,
        script: Callable[["Cashier"], Awaitable[None]],
        data: channel_data_pb2_grpc.ChannelDataServiceStub,
    ) -> None:
        self.till = till
        self.memos: dict[str, int] = {}
        """What is to be left, in cents, of each memo that was printed."""
        self._script = script
        self._data = data
        self.receipts: list[Sale] = []
        """Every sale whose completion was answered."""
        self.refusals: list[str] = []
        self.on_return: Callable[[], Awaitable[None]] | None = None
        """Called when the register is back, before anything is asked of it."""
        self._answered: Sale | None = None

    async def play(self) -> None:
        """Signs in and works through the script."""
        await self.surely(self.till.sign_in)
        await self._script(self)

    async def complete(self, sale: Sale) -> Sale:
        """Completes a sale and keeps its receipt."""
        self.receipts.append(await self.on(sale, self.till.complete))
        return self.receipts[-1]

    async def suspend(self, sale: Sale) -> None:
        """Suspends a sale, and waits until the channel has taken it over."""
        await self.write(lambda: self.till.suspend(sale))
        request = channel_data_pb2.ListTransactionsRequest(suspended=True)

        async def taken_over() -> bool:
            try:
                found = await call(self._data.ListTransactions, request, REGISTER, TIMEOUT_S)
            except Unreachable:
                return False
            return any(each.transaction_id == sale.transaction_id for each in found.sales)

        await until(taken_over)

    async def home(self) -> None:
        """Waits until everything of this register is at headquarters and has taken effect."""
        await self.surely(lambda: self.till.until(lambda s: s.waiting_headquarters == 0))

    async def one_more(self, number: int) -> None:
        """A small sale, so that everything is done once more."""
        till = self.till
        sale = await self.write(lambda: till.begin(f"{number:032x}"))
        sale = await self.on(sale, till.line)
        sale = await self.on(sale, till.card)
        self.receipts.append(await self.on(sale, till.complete))

    async def on(self, sale: Sale, act: Callable[[Sale], Awaitable[Sale]]) -> Sale:
        """Does something with a sale, until it is answered."""
        return await self.write(lambda: act(sale))

    async def write(self, act: Callable[[], Awaitable[Sale]]) -> Sale:
        """Writes; the same request again until it is answered."""
        sale = await self.surely(act)
        self._answered = sale if sale.state == OPEN else None
        return sale

    async def surely(self, act: Callable[[], Awaitable[T]]) -> T:
        """Asks until it is answered, and does about refusals what a cashier does."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        return await act()
                    except Unreachable:
                        await self._come_back()
                    except Refused as error:
                        self.refusals.append(str(error.reason))
                        await self._mend(error)
                    await asyncio.sleep(STEP_S)  # nobody tells when to ask again
        except TimeoutError:
            raise AssertionError(f"no answer, only {self.refusals[-5:]}") from None

    async def _come_back(self) -> None:
        """Looks at the register as soon as it is back, before anything is asked of it."""
        while True:  # within the patience of whoever waits
            try:
                await self.till.until(lambda _: True)
                return await self._look()
            except Unreachable:  # the old connection's end, or it died while it was looked at
                await asyncio.sleep(STEP_S)

    async def _look(self) -> None:
        """The open sale is as it was last answered, or one further (P8)."""
        if self.on_return is not None:
            await self.on_return()
        if (known := self._answered) is None:
            return
        sale = await self.till.sale(known.transaction_id)
        assert sale.version - known.version in {0, 1}, (known, sale)
        if sale.version == known.version:
            assert sale == known

    async def _mend(self, error: Refused) -> None:
        """Does what a cashier does about a refusal; other refusals are wrong here."""
        if error.reason is Reason.NOT_SIGNED_IN:
            await self.surely(self.till.sign_in)
        elif error.reason in _NO_LINK:
            await self.surely(lambda: self.till.until(lambda s: s.link_up))
            await self.surely(lambda: self.till.switch(connect=True))
        elif error.reason is Reason.NOT_READY:
            await self.surely(lambda: self.till.until(lambda s: s.offline_ready))
        elif error.reason in _LEFT_BEHIND:
            await until(self._nothing_waits)
        else:
            raise error

    async def _nothing_waits(self) -> bool:
        return (await self.till.status()).waiting_headquarters == 0
