"""What a register does besides selling: renews locks, asks for its channel, passes news on."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable

from stillopen.core.card import IDLE_RELEASE_S, MAX_LOCK_S
from stillopen.core.errors import StillopenError
from stillopen.core.ports import Clock
from stillopen.core.sale import Sale
from stillopen.register.cards import Cards
from stillopen.register.connectivity import LOCKS
from stillopen.register.failover import Failover
from stillopen.register.journal import Journal
from stillopen.register.online import Online, blocks
from stillopen.register.sales import SaleStore
from stillopen.replication.client import SyncClient
from stillopen.replication.news import News
from stillopen.replication.replica import Replica

LOG = logging.getLogger("stillopen.register")
ASK_AGAIN_S = 1.0
LEARN_AGAIN_S = 60.0
NO_OFFLINE = "no_offline"
"""Kept in journal.db once headquarters does not let the register sell offline."""
LOOK_S = 30.0
HEALTH_JITTER = 0.2
"""Up to so much sooner: the tills of a store must not all ask at one moment."""


Loop = Callable[[], Awaitable[None]]


async def kept_up(work: Loop) -> None:
    """Runs a loop for as long as the register is open; what goes wrong is logged."""
    while True:
        try:
            return await work()
        except Exception:
            LOG.exception("a loop of the register failed; it begins again")
        await asyncio.sleep(ASK_AGAIN_S)


class Upkeep:
    """Loops that run for as long as the register is open."""

    def __init__(
        self,
        journal: Journal,
        replica: Replica,
        online: Online,
        link: SyncClient,
        cards: Cards,
        failover: Failover,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._journal = journal
        self._replica = replica
        self._online = online
        self._link = link
        self._cards = cards
        self._failover = failover
        self._clock = clock
        self._rng = rng

    @property
    def _lease_s(self) -> float:
        parameters = self._replica.parameters
        return min(parameters.gift_card.lease_s, parameters.credit_memo.lease_s)

    async def renew_locks(self, sales: SaleStore) -> None:
        """Renews the open sale's locks, a third of a lease apart, while the link is up."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            sale = await sales.open_sale()
            if sale is not None and sale.cards and self._link.up:
                keys = [card.lock_key for card in sale.cards]
                await self._cards.keep_alive(keys, self._replica.profile.timeout_s)

    async def let_go(self, sales: SaleStore, let_go: Callable[[Sale], Awaitable[None]]) -> None:
        """Takes the cards off a sale that nobody touched for long, or that held them too long."""
        seen, since_s = (-1, ""), self._clock.elapsed_s()
        while True:
            await asyncio.sleep(LOOK_S)
            sale = await sales.open_sale()
            now_s = self._clock.elapsed_s()
            if sale is None or (sale.version, sale.transaction_id) != seen:
                seen = (sale.version, sale.transaction_id) if sale else (-1, "")
                since_s = now_s
            if sale is None or not sale.cards:
                continue
            held_s = await self._cards.held_s(sale)
            if now_s - since_s >= IDLE_RELEASE_S or held_s > MAX_LOCK_S:
                LOG.warning("sale %s gives up its cards: untouched for long", sale.transaction_id)
                await let_go(sale)

    async def check_again(self, sales: SaleStore) -> None:
        """After a return, also mid-sale: has headquarters keep the open sale's cards again.

        Nothing is re-priced. What cannot be renewed stays named in the status; completing decides.
        """
        while True:
            version = self._failover.news.version
            if LOCKS in self._failover.state.check_again:
                since = self._failover.state.since
                kept = await self._keeps_cards(sales)
                if kept and self._failover.state.since == since:
                    self._failover.checked_again(LOCKS)
                elif not kept:
                    await asyncio.sleep(self._lease_s / 3)
                continue
            await self._failover.news.after(version)

    async def _keeps_cards(self, sales: SaleStore) -> bool:
        sale = await sales.open_sale()
        if sale is None or not sale.cards:
            return True
        keys = [card.lock_key for card in sale.cards]
        try:
            locks = await self._online.renew(keys, self._replica.profile.timeout_s, confirm=False)
        except StillopenError:
            return False
        return all(blocks(lock) for lock in locks)

    async def check_health(self) -> None:
        """Asks the channel how it is while advanced switching wants to know, with jitter."""
        loop = asyncio.get_running_loop()
        checked_s, jitter = loop.time(), 0.0
        while True:
            version, profile = self._replica.news.version, self._replica.profile
            due_s = checked_s + profile.system_health_check_interval_s * (1 - jitter)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._replica.news.after(version)  # perhaps another profile
            if loop.time() < due_s:
                continue
            await self._failover.check_health()
            checked_s = loop.time()
            if profile.enable_advanced_offline_switching:
                jitter = HEALTH_JITTER * self._rng.random()

    async def keep_log(self) -> None:
        """Keeps the log of mode changes in journal.db."""
        while True:
            version = self._failover.news.version
            await self._failover.log.save()
            await self._failover.news.after(version)

    async def learn_store(self, learned: Callable[[str, float | None], None]) -> None:
        """Asks which store this is, and what it may, when the stream comes up and now and then."""
        while True:
            version = self._link.news.version
            while self._link.up:
                try:
                    found = await self._online.store(self._replica.profile.timeout_s)
                except StillopenError:
                    await asyncio.sleep(ASK_AGAIN_S)
                    continue
                await self._keep("store_id", found.store_id)
                await self._support(supported=found.support_offline)
                learned(found.store_id, found.server_wall_s)
                break
            with contextlib.suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it forgets that it was cancelled.
                async with asyncio.timeout(LEARN_AGAIN_S):
                    await self._link.news.after(version)

    async def note_support(self) -> None:
        """A package comes to a register only while it may sell offline."""
        version = self._replica.news.version
        while True:
            version = await self._replica.news.after(version)
            await self._support(supported=True)

    async def _support(self, *, supported: bool) -> None:
        self._failover.offline_supported = supported
        await self._keep(NO_OFFLINE, "" if supported else "yes")

    async def _keep(self, name: str, value: str) -> None:
        """Writes what is not kept yet: each write is flushed."""
        if await self._journal.get(name) != value:
            await self._journal.set(name, value)

    async def pass_on(self, source: News, target: News) -> None:
        """Tells `target` whatever `source` tells."""
        version = source.version
        while True:
            version = await source.after(version)
            target.tell()
