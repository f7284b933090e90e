"""Suspending and recalling: each suspended sale has one owner, and none is lost on the way.

1. Suspending is durable here at once and needs no network. What was never sent is recalled here, in
   one transaction, also offline.
2. Before it is sent to the channel it is marked as HANDING, durably: from then on the channel alone
   gives it out, whatever became of its answer.
3. A recall through the channel is written down first and sent under the id of the sale that goes
   on, so that a repeat, or this process after a crash, claims the same.
4. A recall that nobody repeats is finished here: the cart is suspended again, under the new id.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from stillopen.core import suspended as rules
from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, invalid
from stillopen.core.ids import check_transaction_id, new_transaction_id
from stillopen.core.ports import Clock
from stillopen.core.sale import Sale, SaleState
from stillopen.register import carts
from stillopen.register.carts import Intent
from stillopen.register.failover import Failover
from stillopen.register.handing import REFUSED_FOR_SURE, Handing
from stillopen.register.online import Online
from stillopen.register.sales import check_none_open, insert, stored, update
from stillopen.register.writes import Writes
from stillopen.rpc.wire_sale import sale_from
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

LIST_MAX = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """The sales that may be recalled now; those of the whole store when the channel answered."""

    sales: tuple[Sale, ...]
    whole_store: bool


class Suspended:
    """The suspended sales of this register, and of its store through the channel."""

    def __init__(
        self,
        writes: Writes,
        online: Online,
        failover: Failover,
        clock: Clock,
        rng: random.Random,
        register_id: str,
        store_id: Callable[[], str],
        check_room: Callable[[], None],
    ) -> None:
        self._writes = writes
        self._engine = writes.sales.engine
        self._online = online
        self._failover = failover
        self._clock = clock
        self._rng = rng
        self._register_id = register_id
        self._store_id = store_id
        self._check_room = check_room
        self.handing = Handing(self._engine, online, failover, self._goes_on, self._new_id)
        """Brings to the channel what was suspended here."""

    def _new_id(self) -> str:
        return new_transaction_id(self._clock.wall_s(), self._rng)

    async def suspend(self, transaction_id: str, version: int) -> Sale:
        """Sets the sale aside; Refused TENDERS_PRESENT with payments or cards on it."""

        def change(session: Session, sale: Sale) -> Sale:
            carts.keep(session, transaction_id)
            return rules.suspend(sale)

        sale = await self._writes.change(transaction_id, version, "SUSPEND", ("suspend",), change)
        self.handing.news.tell()
        return sale

    async def recall(
        self,
        transaction_id: str,
        recalling_id: str = "",
        manager: types_pb2.ManagerWord | None = None,
    ) -> Sale:
        """Goes on with a suspended sale, as a new one that names it.

        Refused CLAIMED when another goes on with it, HANDED_OVER or OFFLINE when only the channel
        could give it out and does not answer. Repeated with the same id it is the same sale.
        """
        staff_id = self._writes.signed_in()
        check_transaction_id(transaction_id)
        name = recalling_id or self._new_id()
        check_transaction_id(name, "recalling_id")
        if name == transaction_id:
            raise invalid("recalling_id", "the sale that goes on has an id of its own")
        intent = Intent(transaction_id, name, staff_id)

        async def recall() -> Sale:
            if await self._writes.sales.known(name) is None:
                self._writes.check_allowed(None, "RECALL")
                self._check_room()
            self._failover.sale_begins()
            here = await self._writes.sales.make(lambda session: self._here(session, intent))
            return here or await self._elsewhere(intent, manager)

        return await self._writes.alone(recall)

    async def listed(self) -> Listed:
        """What may be recalled now, oldest first, at most 500."""

        def read(session: Session) -> list[tuple[str, Sale]]:
            own = carts.own(session, LIST_MAX)
            found = [(each.state, stored(session, each.transaction_id)) for each in own]
            return [(state, sale) for state, sale in found if sale is not None]

        own = await self._engine.read(read)

        async def offline() -> None:
            return None

        shared = await self._failover.over_link(self._online.suspended, offline)
        if shared is None:
            kept = tuple(sale for state, sale in own if state == "KEPT")
            return Listed(kept, whole_store=False)
        every = {sale.transaction_id: sale for sale in map(sale_from, shared)}
        every |= {sale.transaction_id: sale for _, sale in own}
        sales = sorted(every.values(), key=lambda sale: (sale.begin_wall_s, sale.transaction_id))
        return Listed(tuple(sales[:LIST_MAX]), whole_store=True)

    # Recalling

    def _here(self, session: Session, intent: Intent) -> Sale | None:
        """The sale, when it is here already or the cart is; nothing when the channel is asked."""
        if known := stored(session, intent.recalling_id):
            return self._again(session, intent, known)
        check_none_open(session)
        cart = carts.find(session, intent.transaction_id)
        if cart is not None and cart.state == "RECALLED":
            raise Refused(
                Reason.CLAIMED,
                f"register {self._register_id} goes on with it as sale {cart.recalled_by}",
            )
        kept = stored(session, intent.transaction_id) if cart and cart.state == "KEPT" else None
        if kept is None:
            return None
        carts.recalled(session, intent.transaction_id, intent.recalling_id)
        return insert(session, self._goes_on(kept, intent))

    def _again(self, session: Session, intent: Intent, known: Sale) -> Sale:
        """A repeat: the sale as it stands, opened when this register had finished it meanwhile."""
        if known.recalled_from != intent.transaction_id:
            raise Misuse(Reason.KEY_REUSED, "another sale has this id", "recalling_id")
        if known.state is not SaleState.SUSPENDED or known.version > 1:
            return known
        cart = carts.find(session, known.transaction_id)
        if cart is None or cart.state != "KEPT":
            raise Refused(
                Reason.HANDED_OVER,
                f"nobody repeated this recall in time; the cart is suspended as sale"
                f" {known.transaction_id}: recall that",
            )
        check_none_open(session)
        carts.reopen(session, known.transaction_id)
        return update(session, replace(known, version=known.version + 1, state=SaleState.OPEN))

    async def _elsewhere(self, intent: Intent, manager: types_pb2.ManagerWord | None) -> Sale:
        cart = await self._engine.read(lambda s: carts.find(s, intent.transaction_id))
        if not self._failover.may_ask:
            raise _not_reached(cart)

        async def ask(timeout_s: float) -> types_pb2.Sale:
            if cart is not None and cart.state == "HANDING":
                timeout_s /= 2
                await self.handing.hand_over(intent.transaction_id, timeout_s)
            return await self._online.recall(intent, manager, timeout_s)

        async def offline() -> types_pb2.Sale:
            raise _not_reached(cart)

        await self._engine.write(lambda session: carts.intend(session, intent))
        try:
            found = await self._failover.over_link(ask, offline)
        except StillopenError as error:
            if error.reason in REFUSED_FOR_SURE:
                await self._engine.write(lambda session: carts.end(session, intent))
            self.handing.news.tell()
            raise
        return await self._begin(intent, found)

    async def _begin(self, intent: Intent, cart: types_pb2.Sale) -> Sale:
        def begin(session: Session) -> Sale:
            carts.end(session, intent)
            if known := stored(session, intent.recalling_id):
                return self._again(session, intent, known)
            return insert(session, self._goes_on(sale_from(cart), intent))

        return await self._writes.sales.make(begin)

    def _goes_on(self, cart: Sale, intent: Intent) -> Sale:
        return rules.recalled(
            cart,
            intent.recalling_id,
            self._store_id(),
            self._register_id,
            intent.staff_id,
            self._clock.wall_s(),
        )


def _not_reached(cart: carts.Cart | None) -> Refused:
    if cart is not None:
        return Refused(Reason.HANDED_OVER, "the channel has the sale and is not reached; wait")
    return Refused(Reason.OFFLINE, "only the channel knows the sale and it is not reached")
