"""Handing over: suspended sales go to the channel, and recalls that nobody repeats are finished."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from stillopen.core.errors import Misuse, Reason, StillopenError, Unreachable
from stillopen.core.sale import Sale, SaleState
from stillopen.register import carts
from stillopen.register.carts import Intent
from stillopen.register.connectivity import Mode
from stillopen.register.failover import Failover
from stillopen.register.online import Online
from stillopen.register.sales import insert, stored
from stillopen.replication.news import News
from stillopen.rpc.wire_sale import sale_from
from stillopen.storage.engine import Engine, Session
from stillopen.v1 import types_pb2

LOG = logging.getLogger("stillopen.register")
AT_ONCE_MAX = 500
RETRY_S = 1.0
FINISH_AFTER_S = 30.0
"""For so long a recall that got no answer is left to be repeated by whoever asked."""

REFUSED_FOR_SURE = {
    Reason.SALE_UNKNOWN,
    Reason.CLAIMED,
    Reason.KEY_REUSED,
    Reason.SIGN_IN_FAILED,
    Reason.NOT_ALLOWED,
    Reason.INVALID_ARGUMENT,
}
"""The channel said no and claimed nothing; anything else may pass and is asked again."""


class Handing:
    """The loop that keeps suspended sales on their way, and what it does."""

    def __init__(
        self,
        engine: Engine,
        online: Online,
        failover: Failover,
        goes_on: Callable[[Sale, Intent], Sale],
        new_id: Callable[[], str],
    ) -> None:
        self._new_id = new_id
        self._engine = engine
        self._online = online
        self._failover = failover
        self._goes_on = goes_on
        self.news = News()
        """Told when there may be something to hand over or to finish."""
        self.handed = News()
        """Told when the channel took something over."""
        self._noticed_s: dict[str, float] = {}
        """By recall on its way: when the loop first saw it."""

    async def run(self) -> None:
        """Hands over and finishes, for as long as the register is open."""
        while True:
            version = self.news.version
            wait_s = await self._round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self.news.after(version)

    async def hand_over(self, transaction_id: str, timeout_s: float) -> None:
        """Sends it to the channel, if it is still to be sent; marked first, durably."""
        data = await self._engine.write(lambda session: carts.hand(session, transaction_id))
        if data is None:
            return
        message = types_pb2.Sale.FromString(data)
        try:
            await self._online.suspend(message, timeout_s)
        except Misuse as error:
            if error.reason is not Reason.KEY_REUSED:
                raise
            await self._engine.write(lambda session: self._rename(session, sale_from(message)))
            self.news.tell()
            return
        await self._engine.write(lambda session: carts.handed(session, transaction_id))
        self.handed.tell()

    def _rename(self, session: Session, sale: Sale) -> None:
        """Another sale came under its id, as after this register was restored: two carts then."""
        carts.handed(session, sale.transaction_id)
        name = self._new_id()
        insert(session, replace(sale, transaction_id=name, version=1))
        carts.keep(session, name)

    async def _round(self) -> float | None:
        """Does what can be done now; in how many seconds there may be more, if by time alone."""
        if not self._failover.link_up or self._failover.state.mode is Mode.OFFLINE_MANUAL:
            return None  # told when the link comes up
        own, intents = await self._engine.read(
            lambda session: (carts.own(session, AT_ONCE_MAX), carts.intents(session))
        )
        if not self._failover.may_ask:  # a link that was not heard since is not believed
            return RETRY_S if own or intents else None
        now_s = asyncio.get_running_loop().time()
        self._noticed_s = {
            each.recalling_id: self._noticed_s.get(each.recalling_id, now_s) for each in intents
        }
        due = [i for i in intents if now_s >= self._noticed_s[i.recalling_id] + FINISH_AFTER_S]
        waits = False
        timeout_s = self._failover.timeout_s
        todo = [partial(self.hand_over, cart.transaction_id, timeout_s) for cart in own]
        todo += [partial(self._finish, intent, timeout_s) for intent in due]
        for work in todo:
            try:
                await work()
            except Unreachable:
                return RETRY_S
            except StillopenError as error:  # one that cannot go holds no other up
                LOG.warning("a suspended sale waits: %s", error)
                waits = True
        if waits:
            return RETRY_S
        due_s = [s + FINISH_AFTER_S - now_s for s in self._noticed_s.values()]
        return max(RETRY_S, min(due_s)) if due_s else None

    async def _finish(self, intent: Intent, timeout_s: float) -> None:
        try:
            cart = await self._online.recall(intent, None, timeout_s)
        except StillopenError as error:
            if error.reason not in REFUSED_FOR_SURE:
                raise
            await self._engine.write(lambda session: carts.end(session, intent))
            return

        def set_aside(session: Session) -> None:
            on_its_way = carts.end(session, intent)
            if on_its_way and stored(session, intent.recalling_id) is None:
                sale = self._goes_on(sale_from(cart), intent)
                insert(session, replace(sale, state=SaleState.SUSPENDED))
                carts.keep(session, intent.recalling_id)

        await self._engine.write(set_aside)
        self.news.tell()
