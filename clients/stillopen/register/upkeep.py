"""What a register does besides selling: renews locks, learns its store, passes news on."""

import asyncio
from collections.abc import Callable

from stillopen.core.errors import StillopenError
from stillopen.register.cards import Cards
from stillopen.register.journal import Journal
from stillopen.register.online import Online
from stillopen.register.sales import SaleStore
from stillopen.replication.client import SyncClient
from stillopen.replication.news import News
from stillopen.replication.replica import Replica


ASK_AGAIN_S = 1.0


class Upkeep:
    """Loops that run for as long as the register is open."""

    def __init__(
        self,
        journal: Journal,
        replica: Replica,
        online: Online,
        link: SyncClient,
        cards: Cards,
    ) -> None:
        self._journal = journal
        self._replica = replica
        self._online = online
        self._link = link
        self._cards = cards

    async def renew_locks(self, sales: SaleStore) -> None:
        """Renews the open sale's locks, a third of a lease apart, while the link is up."""
        while True:
            await asyncio.sleep(self._replica.parameters.gift_card.lease_s / 3)
            sale = await sales.open_sale()
            if sale is not None and sale.cards and self._link.up:
                keys = [card.lock_key for card in sale.cards]
                await self._cards.keep_alive(keys, self._replica.profile.timeout_s)

    async def learn_store(self, learned: Callable[[str], None]) -> None:
        """Asks which store this is whenever the stream comes up."""
        while True:
            version = self._link.news.version
            while self._link.up:
                try:
                    store_id = await self._online.store_id(self._replica.profile.timeout_s)
                except StillopenError:
                    await asyncio.sleep(ASK_AGAIN_S)
                    continue
                await self._journal.set("store_id", store_id)
                learned(store_id)
                break
            await self._link.news.after(version)

    async def pass_on(self, source: News, target: News) -> None:
        """Tells `target` whatever `source` tells."""
        version = source.version
        while True:
            version = await source.after(version)
            target.tell()
