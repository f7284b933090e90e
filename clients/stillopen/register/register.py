"""The register: a sale from its first line to its receipt, online or offline.

    async with await open_register(settings, machine) as register:
        await register.sign_in("anna", "secret")
        sale = await register.begin()
        sale = await register.add_line(sale.transaction_id, sale.version, "85123A")
        sale = await register.add_cash(sale.transaction_id, sale.version, sale.due)
        sale = await register.complete(sale.transaction_id, sale.version)
        print(sale.receipt)

Every write names the sale and the version it saw. Writes run one at a time and to their end,
whatever became of their caller.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Self, TypeVar

from stillopen.core import sale as rules
from stillopen.core.card_number import last_four
from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_transaction_id, new_transaction_id
from stillopen.core.money import Money
from stillopen.core.ports import Clock
from stillopen.core.products import Product, StaffMember
from stillopen.core.sale import ReturnOf, Sale, SaleState
from stillopen.register import intents
from stillopen.register.cards import Cards
from stillopen.register.completion import Completion
from stillopen.register.connectivity import Mode
from stillopen.register.deliveries import Deliveries
from stillopen.register.failover import Failover
from stillopen.register.journal import Journal, JournalLine
from stillopen.register.lookups import Lookups
from stillopen.register.online import Online
from stillopen.register.sales import Change, SaleStore
from stillopen.register.status import Status, StatusBoard
from stillopen.register.upkeep import Loop, Upkeep, kept_up
from stillopen.replication.client import SyncClient
from stillopen.replication.news import News
from stillopen.replication.replica import Replica
from stillopen.replication.sign_in import PasswordCheck
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.wire import money_from
from stillopen.storage.engine import Session

T = TypeVar("T")


class Register:
    """One register. Open with `open_register`; close when done."""

    def __init__(
        self,
        journal: Journal,
        replica: Replica,
        online: Online,
        failover: Failover,
        link: SyncClient,
        clock: Clock,
        rng: random.Random,
        check_password: PasswordCheck,
        close: Callable[[], Awaitable[None]],
        store_id: str,
    ) -> None:
        self.journal = journal
        self.replica = replica
        self.failover = failover
        self.news = News()
        """Told whenever the status may have changed."""
        self._online = online
        self._link = link
        self._clock = clock
        self._rng = rng
        self._lookups = Lookups(failover, online, replica, check_password)
        self._close = close
        self._store_id = store_id
        self._sales = SaleStore(journal.engine)
        self._cards = Cards(journal, online, failover, clock, rng)
        self._completion = Completion(journal, self._cards, clock)
        self._deliveries = Deliveries(journal, replica, link, clock)
        self._board = StatusBoard(journal, replica, failover, link, self._sales, self._deliveries)
        self._staff: StaffMember | None = None
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        """Ends what a crash left behind, then begins delivery and renewals."""
        await self._cards.forget_orphans()
        await self._deliveries.load()
        parts = (self.journal, self.replica, self._online, self._link, self._cards)
        upkeep = Upkeep(*parts, self.failover, self._rng)
        changes = (self.failover.news, self.journal.news, self.journal.delivered, self._link.news)
        loops: list[Loop] = [
            self._link.run,
            self._cards.run_releases,
            partial(upkeep.renew_locks, self._sales),
            partial(upkeep.check_again, self._sales),
            upkeep.check_health,
            upkeep.keep_log,
            partial(upkeep.learn_store, self._learned),
            self._deliveries.note_packages,
            self._deliveries.note_link,
            *(partial(upkeep.pass_on, each, self.news) for each in (*changes, self.replica.news)),
        ]
        for loop in loops:
            self._own(kept_up(loop))

    async def close(self) -> None:
        """Finishes the write that runs, stops delivery and closes the databases."""
        async with self._one_at_a_time:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.failover.log.save()
            await self._deliveries.note_heard()
            await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Signing in

    async def sign_in(self, staff_id: str, password: str) -> StaffMember:
        """Signs a person in; Refused SIGN_IN_FAILED, or NOT_READY offline without staff."""
        member = await self._lookups.sign_in(staff_id, password)
        self._staff = StaffMember(member.staff_id, member.name)
        self.news.tell()
        return self._staff

    async def sign_out(self) -> None:
        """Signs the person out; Refused SALE_OPEN while a sale is open."""
        if await self._sales.open_sale() is not None:
            raise Refused(Reason.SALE_OPEN, "complete or void the sale first")
        self._staff = None
        self.news.tell()

    # The sale

    async def begin(self, transaction_id: str = "") -> Sale:
        """Begins a sale; repeated with the same id it is the sale that was begun."""
        staff_id = self._signed_in()
        name = transaction_id or new_transaction_id(self._clock.wall_s(), self._rng)
        check_transaction_id(name)

        async def begin() -> Sale:
            self.failover.sale_begins()
            parameters = await self._lookups.parameters()
            sale = Sale(
                transaction_id=name,
                store_id=self._store_id,
                register_id=self.journal.lane.register_id,
                staff_id=staff_id,
                currency=parameters.currency,
                begin_wall_s=self._clock.wall_s(),
            )
            return await self._sales.begin(sale)

        return await self._alone(begin)

    async def product(self, code: str) -> Product:
        """The product of an id or barcode, from the channel or from this register."""
        return (await self._lookups.product(code))[0]

    async def add_line(
        self,
        transaction_id: str,
        version: int,
        code: str,
        quantity_milli: int = 1000,
        unit_price: Money | None = None,
        price_reason: str = "",
        return_of: ReturnOf | None = None,
    ) -> Sale:
        """Rings up a product, or takes one back."""
        request = _digest("add_line", code, quantity_milli, unit_price, price_reason, return_of)

        async def add() -> Sale:
            if done := await self._sales.repeated(transaction_id, version, request):
                return done
            product, sequence = await self._lookups.product(code)

            def change(_: Session, sale: Sale) -> Sale:
                return rules.add_line(
                    sale, product, quantity_milli, sequence, unit_price, price_reason, return_of
                )

            return await self._sales.change(transaction_id, version, request, change)

        return await self._write(add)

    async def change_line(
        self,
        transaction_id: str,
        version: int,
        line_id: str,
        quantity_milli: int | None = None,
        unit_price: Money | None = None,
        price_reason: str = "",
    ) -> Sale:
        """Changes quantity or price of a line."""
        return await self._change(
            transaction_id,
            version,
            ("change_line", line_id, quantity_milli, unit_price, price_reason),
            lambda _, sale: rules.change_line(
                sale, line_id, quantity_milli, unit_price, price_reason
            ),
        )

    async def void_line(self, transaction_id: str, version: int, line_id: str) -> Sale:
        """Takes a line off."""
        return await self._change(
            transaction_id,
            version,
            ("void_line", line_id),
            lambda _, sale: rules.void_line(sale, line_id),
        )

    async def add_cash(self, transaction_id: str, version: int, amount: Money) -> Sale:
        """Takes cash, or gives it out for a return."""
        return await self._change(
            transaction_id, version, ("add_cash", amount), lambda _, s: rules.add_cash(s, amount)
        )

    async def add_gift_card(
        self, transaction_id: str, version: int, amount: Money, number: str
    ) -> Sale:
        """Locks a gift card at headquarters and pays with it; the number is not kept."""
        request = _digest("add_gift_card", amount, last_four(number))

        async def add() -> Sale:
            if done := await self._sales.repeated(transaction_id, version, request):
                return done
            sale = await self._sales.sale(transaction_id)
            rules.check_version(sale, version)
            rules.check_card_amount(sale, amount)
            granted = await self._cards.lock(
                sale,
                rules.next_tender_id(sale),
                number,
                amount,
                amount_only=self.replica.parameters.gift_card.hold_amount_only,
            )

            def change(session: Session, sale: Sale) -> Sale:
                intents.granted(session, granted.card.lock_key, granted.conclude_within_s)
                return rules.add_card(sale, amount, granted.card)

            try:
                return await self._sales.change(transaction_id, version, request, change)
            except BaseException:
                key = granted.card.lock_key
                await self._cards.forget(key, transaction_id, journaled=True)
                raise

        return await self._write(add)

    async def void_tender(self, transaction_id: str, version: int, line_id: str) -> Sale:
        """Takes a payment back; a card's lock is given up in the same transaction."""

        def change(session: Session, sale: Sale) -> Sale:
            card = rules.find_tender(sale, line_id).card
            if card is not None:
                self._cards.give_up(session, card.lock_key, transaction_id)
            return rules.void_tender(sale, line_id)

        sale = await self._change(transaction_id, version, ("void_tender", line_id), change)
        self._given_up(sale, {line_id})
        return sale

    async def complete(self, transaction_id: str, version: int) -> Sale:
        """Completes the sale; the answer is given once it is durable. Print its receipt then."""

        async def complete() -> Sale:
            sale = await self._sales.sale(transaction_id)
            if sale.state is SaleState.COMPLETED:
                return sale
            rules.check_version(sale, version)
            rules.check_complete(sale)
            if sale.cards:
                await self._cards.confirm(sale)
            offline = not self.failover.state.online

            return await self._sales.change(
                transaction_id,
                version,
                _digest("complete"),
                lambda session, sale: self._completion.complete(session, sale, offline=offline),
            )

        sale = await self._write(complete)
        self.journal.news.tell()
        return sale

    async def void(self, transaction_id: str, version: int) -> Sale:
        """Gives the sale up."""
        offline = not self.failover.state.online
        sale = await self._change(
            transaction_id,
            version,
            ("void",),
            lambda session, sale: self._completion.void(session, sale, offline=offline),
        )
        self._given_up(sale, {tender.line_id for tender in sale.tenders})
        return sale

    async def sale(self, transaction_id: str = "") -> Sale:
        """The sale, or the open one; Refused SALE_UNKNOWN."""
        if transaction_id:
            return await self._sales.sale(transaction_id)
        if (sale := await self._sales.open_sale()) is None:
            raise Refused(Reason.SALE_UNKNOWN, "no sale is open")
        return sale

    async def lines(self, before: int = 0, limit: int = 50) -> list[JournalLine]:
        """The journal for people, newest first."""
        return await self.journal.lines(before, limit)

    # Cards and connection

    async def card_balance(self, number: str) -> Money:
        """What is on a gift card; Refused OFFLINE or HEADQUARTERS_UNREACHABLE."""
        answer = await self.failover.realtime(
            lambda timeout_s: self._online.balance(number, timeout_s)
        )
        return money_from(answer.balance)

    async def switch_connection(self, *, connect: bool) -> None:
        """Operation 917: connects or disconnects by hand, or answers what the cashier is asked.

        Manual offline survives a restart. Refused NOT_SIGNED_IN, unless the profile allows it.
        """
        await self.failover.switch(connect=connect, signed_in=self._staff is not None)
        manual = self.failover.state.mode is Mode.OFFLINE_MANUAL
        await self.journal.set("manual_offline", "yes" if manual else "")
        self.news.tell()

    async def status(self) -> Status:
        """What the cashier is told."""
        return await self._board.now(self._store_id, self._staff.staff_id if self._staff else "")

    # Inside

    def _signed_in(self) -> str:
        if self._staff is None:
            raise Refused(Reason.NOT_SIGNED_IN, "sign in first")
        return self._staff.staff_id

    def _given_up(self, sale: Sale, line_ids: set[str]) -> None:
        for tender in sale.tenders:
            if tender.card and tender.line_id in line_ids:
                self._cards.release(tender.card.lock_key)
        self.journal.news.tell()

    async def _change(
        self, transaction_id: str, version: int, request: tuple[object, ...], change: Change
    ) -> Sale:
        digest = _digest(*request)
        return await self._write(
            lambda: self._sales.change(transaction_id, version, digest, change)
        )

    async def _write(self, work: Callable[[], Awaitable[T]]) -> T:
        self._signed_in()
        return await self._alone(work)

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            async with self._one_at_a_time:
                return await work()

        return await to_its_end(self._own(run()))

    def _own(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _learned(self, store_id: str) -> None:
        self._store_id = store_id
        self.news.tell()


def _digest(*request: object) -> bytes:
    """What a write asks for, so that its repeat is known."""
    return hashlib.sha256(repr(request).encode()).digest()
