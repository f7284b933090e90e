"""The register: a sale from its first line to its receipt, online or offline.

    async with await open_register(settings, machine) as register:
        await register.sign_in("anna", "secret")
        sale = await register.begin()
        sale = await register.add_line(sale.transaction_id, sale.version, "85123A")
        sale = await register.tenders.add_cash(sale.transaction_id, sale.version, sale.due)
        sale = await register.complete(sale.transaction_id, sale.version)
        print(sale.receipt)

Every write names the sale and the version it saw.
"""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self, TypeVar

from stillopen.core import sale as rules
from stillopen.core.allowed import to_add, to_change
from stillopen.core.card_line import find_line
from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_transaction_id, new_transaction_id
from stillopen.core.money import Money
from stillopen.core.ports import Clock
from stillopen.core.products import Product, StaffMember
from stillopen.core.purpose import CardKind
from stillopen.core.sale import ReturnOf, Sale, SaleState
from stillopen.register.cards import Cards
from stillopen.register.completion import Completion
from stillopen.register.customers import Customers
from stillopen.register.deliveries import Deliveries
from stillopen.register.failover import Failover
from stillopen.register.journal import Journal, JournalLine
from stillopen.register.lookups import Lookups
from stillopen.register.memos import Memos
from stillopen.register.online import Online
from stillopen.register.people import People
from stillopen.register.purge import keep_purged
from stillopen.register.report import report_of
from stillopen.register.returns import Returns
from stillopen.register.sales import SaleStore
from stillopen.register.server_time import ServerTime
from stillopen.register.status import Status, StatusBoard
from stillopen.register.suspended import Suspended
from stillopen.register.tenders import Tenders
from stillopen.register.upkeep import Loop, Upkeep, kept_up
from stillopen.register.writes import Writes, digest_of
from stillopen.replication.client import SyncClient
from stillopen.replication.news import News
from stillopen.replication.replica import Replica
from stillopen.replication.reports import Report
from stillopen.replication.sign_in import PasswordCheck, SignIns
from stillopen.replication.sign_in_failures import SignInFailures
from stillopen.rpc.wire import money_from
from stillopen.storage.engine import Session
from stillopen.storage.reserve import Reserve
from stillopen.v1 import realtime_pb2, types_pb2

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
        reserve: Reserve,
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
        failures = SignInFailures(journal.engine, clock)
        sign_ins = SignIns(replica.staff, failures, check_password)
        self._lookups = Lookups(failover, online, replica, sign_ins, clock)
        self._close = close
        self._server_time = ServerTime(clock)
        self._reserve = reserve
        self._store_id = store_id
        self._sales = SaleStore(journal.engine)
        self.writes = Writes(self._sales)
        self.people = People(
            self.writes, self._lookups, journal, replica, failover, clock, self.news
        )
        """Who is signed in, and what others allow."""
        self.customers = Customers(self.writes, failover, online, replica)
        """Who buys."""
        self._cards = Cards(journal, online, failover, clock, rng)
        self.memos = Memos(journal.engine, journal.lane.register_id, rng)
        """The numbers of the credit memos that this register made."""
        self.tenders = Tenders(
            self.writes, self._cards, journal, replica, self.memos, self.card_balance
        )
        """Payments, what is given back, and the cards that are sold."""
        self.suspended = Suspended(
            self.writes,
            online,
            failover,
            clock,
            rng,
            journal.lane.register_id,
            lambda: self._store_id,
            self._check_room,
        )
        """Sales that were set aside, here and in the store."""
        self.returns = Returns(self.writes, online, failover)
        """What customers bring back with their receipt."""
        self._completion = Completion(journal, self._cards, clock, self._server_time)
        self._deliveries = Deliveries(journal, replica, link, clock)
        parts = (journal, replica, failover, link, self._sales, self._deliveries)
        self._board = StatusBoard(*parts, self._server_time)

    async def start(self) -> None:
        """Ends what a crash left behind, then begins delivery and renewals."""
        await self._cards.forget_orphans()
        await self._deliveries.load()
        parts = (self.journal, self.replica, self._online, self._link, self._cards)
        upkeep = Upkeep(*parts, self.failover, self._clock, self._rng)
        changes = (self.failover.news, self.journal.news, self.journal.delivered, self._link.news)
        loops: list[Loop] = [
            self._link.run,
            self._cards.run_releases,
            self._cards.forget_later,
            self.suspended.handing.run,
            partial(upkeep.pass_on, self.suspended.handing.news, self.news),
            partial(upkeep.pass_on, self.suspended.handing.handed, self.news),
            *(
                partial(upkeep.pass_on, each, self.suspended.handing.news)
                for each in (self._link.news, self.failover.news)
            ),
            partial(upkeep.renew_locks, self._sales),
            partial(upkeep.let_go, self._sales, self.tenders.let_go),
            partial(upkeep.check_again, self._sales),
            upkeep.check_health,
            upkeep.keep_log,
            partial(upkeep.learn_store, self._learned),
            upkeep.note_support,
            partial(keep_purged, self.journal),
            self.people.keep_up,
            self._deliveries.note_packages,
            self._deliveries.note_link,
            *(partial(upkeep.pass_on, each, self.news) for each in (*changes, self.replica.news)),
        ]
        for loop in loops:
            self.writes.own(kept_up(loop))

    async def close(self) -> None:
        """Finishes the write that runs, stops delivery and closes the databases."""

        async def last() -> None:
            await self.failover.log.save()
            await self._deliveries.note_heard()
            await self._close()

        await self.writes.close(last)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Signing in

    async def sign_in(self, staff_id: str, password: str) -> StaffMember:
        """Signs a person in; Refused SIGN_IN_FAILED, or NOT_READY offline without staff."""
        return await self.people.sign_in(staff_id, password)

    async def sign_out(self) -> None:
        """Signs the person out; Refused SALE_OPEN while a sale is open."""
        await self.people.sign_out()

    # The sale

    async def begin(self, transaction_id: str = "") -> Sale:
        """Begins a sale; repeated with the same id it is the sale that was begun."""
        staff_id = self.writes.signed_in()
        name = transaction_id or new_transaction_id(self._clock.wall_s(), self._rng)
        check_transaction_id(name)

        async def begin() -> Sale:
            if (begun := await self._sales.known(name)) is not None:
                return begun
            self.writes.check_allowed(None, "BEGIN")
            self._check_room()
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

        return await self.writes.alone(begin)

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
        request = digest_of("add_line", code, quantity_milli, unit_price, price_reason, return_of)

        async def add() -> Sale:
            if done := await self._sales.repeated(transaction_id, version, request):
                return done
            product, sequence = await self._lookups.product(code)

            def change(_: Session, sale: Sale) -> Sale:
                self.writes.check_allowed(sale, *to_add(product.price, unit_price, return_of))
                return rules.add_line(
                    sale, product, quantity_milli, sequence, unit_price, price_reason, return_of
                )

            return await self._sales.change(transaction_id, version, request, change)

        return await self.writes.write(add)

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

        def change(_: Session, sale: Sale) -> Sale:
            line = find_line(sale, line_id)
            self.writes.check_allowed(sale, *to_change(line, quantity_milli, unit_price))
            return rules.change_line(sale, line_id, quantity_milli, unit_price, price_reason)

        request = ("change_line", line_id, quantity_milli, unit_price, price_reason)
        return await self.writes.change(transaction_id, version, "CHANGE_LINE", request, change)

    async def void_line(self, transaction_id: str, version: int, line_id: str) -> Sale:
        """Takes a line off; a card's lock is given up in the same transaction."""

        def change(session: Session, sale: Sale) -> Sale:
            found = find_line(sale, line_id)
            if found and found.card:
                self._cards.give_up(session, found.card.lock_key, transaction_id)
            return rules.void_line(sale, line_id)

        sale = await self.writes.change(
            transaction_id, version, "VOID_LINE", ("void_line", line_id), change
        )
        self.tenders.given_up(sale, {line_id})
        return sale

    async def complete(self, transaction_id: str, version: int) -> Sale:
        """Completes the sale; the answer is given once it is durable. Print its receipt then."""

        async def complete() -> Sale:
            sale = await self._sales.sale(transaction_id)
            if sale.state is SaleState.COMPLETED:
                return sale
            rules.check_version(sale, version)
            self.writes.check_allowed(sale, "COMPLETE")
            rules.check_complete(sale)
            if sale.cards:
                await self._cards.confirm(sale)
            offline = not self.failover.state.online

            return await self._sales.change(
                transaction_id,
                version,
                digest_of("complete"),
                lambda session, sale: self._completion.complete(session, sale, offline=offline),
            )

        sale = await self.writes.write(complete)
        self.journal.news.tell()
        return sale

    async def void(self, transaction_id: str, version: int) -> Sale:
        """Gives the sale up."""
        offline = not self.failover.state.online
        sale = await self.writes.change(
            transaction_id,
            version,
            "VOID",
            ("void",),
            lambda session, sale: self._completion.void(session, sale, offline=offline),
        )
        self.tenders.given_up(sale, set(sale.held))
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

    async def card_balance(self, number: str, kind: CardKind = CardKind.GIFT_CARD) -> Money:
        """What is on a card; Refused OFFLINE or HEADQUARTERS_UNREACHABLE."""
        return money_from((await self.card_seen(number, kind)).balance)

    async def card_seen(
        self, number: str, kind: CardKind = CardKind.GIFT_CARD
    ) -> realtime_pb2.GetCardBalanceResponse:
        """What is on a card, what of it is free, and who holds it."""
        return await self.failover.realtime(
            lambda timeout_s: self._online.balance(number, kind, timeout_s)
        )

    async def unlock_card(
        self, number: str, kind: CardKind, manager: types_pb2.ManagerWord, *, force: bool
    ) -> int:
        """Ends what holds a card on a manager's word; how many locks that were."""
        return await self.failover.realtime(
            lambda timeout_s: self._online.unlock_on_word(
                number, kind, manager, timeout_s, force=force
            )
        )

    async def switch_connection(self, *, connect: bool) -> None:
        """Operation 917: connects or disconnects by hand, or answers what the cashier is asked.

        Manual offline survives a restart. Refused NOT_SIGNED_IN, unless the profile allows it.
        """
        if self.writes.person is not None and not self.failover.state.asks:
            self.writes.check_allowed(None, "SWITCH_CONNECTION")
        await self.failover.switch(
            connect=connect,
            signed_in=self.writes.person is not None,
            keep=lambda manual: self.journal.set("manual_offline", "yes" if manual else ""),
        )
        self.news.tell()

    async def status(self) -> Status:
        """What the cashier is told."""
        return await self._board.now(self._store_id, self.writes.person)

    async def report(self) -> Report:
        """What headquarters is told of this register."""
        return report_of(await self.status(), self.replica.at, self._link.package_refusal)

    # Inside

    def _check_room(self) -> None:
        """Below the reserve no sale begins."""
        if not self._reserve.hold():
            raise Refused(
                Reason.DISK_LOW, "the disk is nearly full; make room, then begin the sale"
            )

    def _learned(self, store_id: str, server_wall_s: float | None) -> None:
        self._store_id = store_id
        if server_wall_s is not None:
            self._server_time.heard(server_wall_s)
        self.news.tell()
