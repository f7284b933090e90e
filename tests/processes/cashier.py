"""A frontend that never gives up: it repeats what was not answered and checks what it finds then.

Two sales: one paid partly by gift card and completed, one whose gift card is taken back and that is
given up then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.support.estate_parts import GIFT, PATIENCE_S, STEP_S, eur, until
from tests.support.estate_till import Sale, Till

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.v1 import types_pb2

T = TypeVar("T")
FIRST, SECOND = "1" * 32, "2" * 32
BY_CARD = 300
OPEN = types_pb2.SALE_STATE_OPEN

_NO_LINK = {Reason.OFFLINE, Reason.HEADQUARTERS_UNREACHABLE, Reason.CONCLUDE_NOT_ALLOWED}
_LEFT_BEHIND = {Reason.CARD_TWICE, Reason.CARD_LOCKED}
"""The lock of the attempt before is still to be unlocked; the journal is bringing that."""


class Cashier:
    """Works through the script, whatever ends and comes back meanwhile."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.receipts: list[Sale] = []
        """Every sale whose completion was answered."""
        self.refusals: list[str] = []
        self.on_return: Callable[[], Awaitable[None]] | None = None
        """Called when the register is back, before anything is asked of it."""
        self._answered: Sale | None = None

    async def script(self) -> None:
        """Both sales."""
        till = self.till
        await self._surely(till.sign_in)
        sale = await self._write(lambda: till.begin(FIRST))
        sale = await self._on(sale, lambda s: till.line(s, "APPLE", 2_000))
        sale = await self._on(sale, lambda s: till.line(s, "4002", 1_000))
        sale = await self._on(sale, lambda s: till.card(s, eur(BY_CARD)))
        sale = await self._on(sale, till.cash)
        self.receipts.append(await self._on(sale, till.complete))
        await self._surely(lambda: till.until(lambda s: s.waiting_entries == 0))
        sale = await self._write(lambda: till.begin(SECOND))
        sale = await self._on(sale, lambda s: till.line(s, "PEAR", 2_000))
        sale = await self._on(sale, lambda s: till.card(s, number=GIFT))
        sale = await self._on(sale, lambda s: till.void_tender(s, "T1"))
        await self._on(sale, till.void)

    async def one_more(self, number: int) -> None:
        """A small sale, so that everything is done once more."""
        till = self.till
        sale = await self._write(lambda: till.begin(f"{number:032x}"))
        sale = await self._on(sale, till.line)
        sale = await self._on(sale, till.card)
        self.receipts.append(await self._on(sale, till.complete))

    async def _on(self, sale: Sale, act: Callable[[Sale], Awaitable[Sale]]) -> Sale:
        return await self._write(lambda: act(sale))

    async def _write(self, act: Callable[[], Awaitable[Sale]]) -> Sale:
        """Writes; the same request again until it is answered."""
        sale = await self._surely(act)
        self._answered = sale if sale.state == OPEN else None
        return sale

    async def _surely(self, act: Callable[[], Awaitable[T]]) -> T:
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
            await self._surely(self.till.sign_in)
        elif error.reason in _NO_LINK:
            await self._surely(lambda: self.till.until(lambda s: s.link_up))
            await self._surely(lambda: self.till.switch(connect=True))
        elif error.reason is Reason.NOT_READY:
            await self._surely(lambda: self.till.until(lambda s: s.offline_ready))
        elif error.reason in _LEFT_BEHIND:
            await until(self._nothing_waits)
        else:
            raise error

    async def _nothing_waits(self) -> bool:
        return (await self.till.status()).waiting_headquarters == 0
