"""People of the simulated estate: cashiers that sell, and somebody at headquarters."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc.aio
from tests.sim.dealing import Dealing
from tests.sim.habits import Habits
from tests.sim.history import Glance, History, Kind, now_s
from tests.sim.process import PASSWORD
from tests.sim.recalling import Answer, Recalling
from tests.sim.world import STAFF, money
from tests.support import callers

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.register.wire import without_countdowns
from stillopen.rpc.status import call
from stillopen.v1 import register_pb2, register_pb2_grpc, types_pb2

Request = TypeVar("Request")
Response = TypeVar("Response")
PATIENCE = 40
JOURNAL_PAGE = 500
_OF_A_DRIVE = (Reason.INTERNAL, Reason.DATABASE_DAMAGED)
_OF_NO_ROOM = (Reason.DISK_FULL, Reason.DISK_LOW, Reason.NOT_READY)


class Cashier:
    """Sells at one register, through its agent, and repeats what was not answered."""

    def __init__(
        self,
        register: str,
        stub: register_pb2_grpc.RegisterServiceStub,
        rng: random.Random,
        cards: Sequence[str],
        products: int,
        history: History,
        habits: Habits,
    ) -> None:
        self.register = register
        self.closing = False
        """Set to have the sale finished and the shop closed."""
        self._stub = stub
        self._rng = rng
        self._dealing = Dealing(cards, rng, history)
        self._products = products
        self._history = history
        self._habits = habits
        self._caller = callers.person(f"cashier-{register}")
        self._sold: list[tuple[str, str]] = []
        self._not_begun: set[str] = set()
        """Sales that the register would not begin when it was asked."""
        self._recalling = Recalling(
            register, stub, rng, history, habits.asks_a_manager, self._ask, self._write
        )
        self._wants_cash = False
        self._disconnected = False

    async def work(self) -> None:
        """Serves customers until the shop closes."""
        await self._sign_in()
        while not self.closing:
            await self._switch()
            await self._serve()
            await self._glance()
            await self._pause(self._habits.customer_s)
        if self._history.put_back(self.register):
            await self._sign_in()  # a register that begins anew fetches nothing before
        await self._look_at_the_mode()
        await self._connect()

    async def _serve(self) -> None:
        recalls = self._draw(self._habits.recalls)
        sale = await self._recalling.one_of_the_list() if recalls else None
        if sale is None:
            sale = await self._begin()
        if sale is None:
            return
        name = sale.transaction_id
        self._wants_cash = False
        lines_left = self._rng.randint(1, self._habits.lines_max)
        steps = 0
        while sale.state == types_pb2.SALE_STATE_OPEN:
            steps += 1
            if steps > 2 * PATIENCE:
                self._history.surprises.append(f"{self.register}: sale {name} has no end")
                return
            if lines_left and len(sale.lines) < lines_left:
                lines_left -= not self._draw(0.9)
                step = self._ring_up(sale)
            else:
                lines_left = 0
                step = self._set_aside(sale) or self._go_on(sale, steps)
            try:
                sale = await step
            except Refused as error:
                await self._refused(error)
                found = await self._find(name)
                if found is None:
                    return
                sale = found
            await self._pause(self._habits.pause_s, dawdles=4 if sale.tenders else 1)
        if sale.state == types_pb2.SALE_STATE_COMPLETED:
            goods = (x for x in sale.lines if not x.voided and not x.HasField("card"))
            self._sold += [(name, line.line_id) for line in goods]

    async def _begin(self) -> types_pb2.Sale | None:
        name = f"{self._rng.getrandbits(128):032x}"
        begin = register_pb2.BeginRequest(transaction_id=name)
        try:
            return await self._write("Begin", self._stub.Begin, begin, name, 0)
        except Refused as error:
            if error.reason is Reason.SALE_OPEN:
                found = await self._find("")
                # One that stood on the image, or that was refused and then begun by a request that
                # had been given up: nobody remembers a refusal, so it counts when it comes late.
                if self._history.put_back(self.register) or (
                    found is not None and found.transaction_id in self._not_begun
                ):
                    return found
            self._surprise("Begin", error)
            return None

    async def _refused(self, error: Refused) -> None:
        self._history.refusals[str(error.reason)] += 1
        match error.reason:
            case Reason.CONFIRM_REFUSED | Reason.TENDERS_PRESENT:
                self._wants_cash = True
            case Reason.CONCLUDE_NOT_ALLOWED:
                self._wants_cash = self.closing or self._draw(0.5)
                await self._pause(self._habits.waits_s)
            case (
                Reason.OFFLINE
                | Reason.HEADQUARTERS_UNREACHABLE
                | Reason.HEADQUARTERS_RECOVERING
                | Reason.CARD_LOCKED
                | Reason.CARD_TWICE
            ):
                self._wants_cash = self._draw(0.7)
            case _:
                pass

    def _ring_up(self, sale: types_pb2.Sale) -> Awaitable[types_pb2.Sale]:
        rng, name = self._rng, sale.transaction_id
        if self._draw(self._habits.deals):
            deal = self._dealing.line(sale)
            return self._write("AddCardLine", self._stub.AddCardLine, deal, name, sale.version)
        number = rng.randrange(self._products)
        request = register_pb2.AddLineRequest(
            transaction_id=name,
            version=sale.version,
            code=rng.choice([f"P{number}", f"p{number}", f"40000{number}"]),
            quantity_milli=rng.choice([1000, 1000, 2000, 333, 1500]),
        )
        if self._draw(self._habits.by_hand):
            request.unit_price.CopyFrom(money(rng.randint(1, 500)))
            request.price_reason = "damaged"
        if self._draw(self._habits.returns):
            if self._sold and self._draw(self._habits.by_receipt):
                return self._give_back(sale)
            request.quantity_milli = -request.quantity_milli
            request.return_of.reason = "too small"
            if self._sold:
                sold = rng.choice(self._sold)
                request.return_of.transaction_id, request.return_of.line_id = sold
        return self._write("AddLine", self._stub.AddLine, request, name, sale.version)

    def _go_on(self, sale: types_pb2.Sale, steps: int) -> Awaitable[types_pb2.Sale]:
        lines = [line for line in sale.lines if not line.voided]
        tenders = [tender for tender in sale.tenders if not tender.voided]
        if not lines or steps > PATIENCE or self._draw(self._habits.gives_up):
            return self._void(sale)
        if self._wants_cash and (step := self._without_a_card(sale)):
            return step
        if self._draw(self._habits.takes_back):
            if tenders and self._draw(0.5):
                return self._void_tender(sale, self._rng.choice(tenders).line_id)
            return self._void_line(sale, self._rng.choice(lines).line_id)
        due, total = sale.due.minor_units, sale.total.minor_units
        if due > 0 or (due != 0 and total < 0):
            return self._pay(sale)
        request = register_pb2.CompleteRequest(
            transaction_id=sale.transaction_id, version=sale.version
        )
        return self._write(
            "Complete", self._stub.Complete, request, sale.transaction_id, sale.version
        )

    def _without_a_card(self, sale: types_pb2.Sale) -> Awaitable[types_pb2.Sale] | None:
        by_card = [t for t in sale.tenders if t.HasField("card") and not t.voided]
        if by_card:
            return self._void_tender(sale, self._rng.choice(by_card).line_id)
        deals = [line for line in sale.lines if line.HasField("card") and not line.voided]
        return self._void_line(sale, self._rng.choice(deals).line_id) if deals else None

    def _pay(self, sale: types_pb2.Sale) -> Awaitable[types_pb2.Sale]:
        due = sale.due.minor_units
        request = register_pb2.AddTenderRequest(
            transaction_id=sale.transaction_id, version=sale.version
        )
        if not self._wants_cash and self._draw(self._habits.by_card):
            self._dealing.tender(request, due)
        else:
            request.kind = types_pb2.TENDER_KIND_CASH
            more = self._rng.choice([0, 0, 50, 500]) if due > 0 else 0
            request.amount.CopyFrom(money(due + more))
        return self._write(
            "AddTender", self._stub.AddTender, request, sale.transaction_id, sale.version
        )

    def _set_aside(self, sale: types_pb2.Sale) -> Awaitable[types_pb2.Sale] | None:
        name, version = sale.transaction_id, sale.version
        bare = all(x.voided for x in sale.tenders) and not all(x.voided for x in sale.lines)
        if not bare or not self._draw(self._habits.suspends):
            return None
        request = register_pb2.SuspendRequest(transaction_id=name, version=version)
        return self._write("Suspend", self._stub.Suspend, request, name, version)

    def _give_back(self, sale: types_pb2.Sale) -> Awaitable[types_pb2.Sale]:
        name, version = sale.transaction_id, sale.version
        bought, line_id = self._rng.choice(self._sold)
        request = register_pb2.ReturnRequest(
            transaction_id=name,
            version=version,
            receipt=bought,
            line_id=line_id,
            quantity_milli=self._rng.choice([333, 1000, 2000]),
            reason="too large",
        )
        return self._write("Return", self._stub.Return, request, name, version)

    def _void(self, sale: types_pb2.Sale) -> Awaitable[types_pb2.Sale]:
        request = register_pb2.VoidRequest(transaction_id=sale.transaction_id, version=sale.version)
        return self._write("Void", self._stub.Void, request, sale.transaction_id, sale.version)

    def _void_line(self, sale: types_pb2.Sale, line_id: str) -> Awaitable[types_pb2.Sale]:
        name, version = sale.transaction_id, sale.version
        request = register_pb2.VoidLineRequest(
            transaction_id=name, version=version, line_id=line_id
        )
        return self._write("VoidLine", self._stub.VoidLine, request, name, version)

    def _void_tender(self, sale: types_pb2.Sale, line_id: str) -> Awaitable[types_pb2.Sale]:
        name, version = sale.transaction_id, sale.version
        request = register_pb2.VoidTenderRequest(
            transaction_id=name, version=version, line_id=line_id
        )
        return self._write("VoidTender", self._stub.VoidTender, request, name, version)

    # What every frontend does

    async def _write(
        self,
        method: str,
        stub: grpc.aio.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        transaction_id: str,
        version: int,
    ) -> types_pb2.Sale:
        """Sends a write until it is answered; always the same one."""
        note = self._history.add
        note(self.register, Kind.SENT, transaction_id, version, method)

        async def look() -> None:
            if self._draw(self._habits.looks) and version:
                await self._look(transaction_id)

        try:
            sale = (await self._ask(stub, request, look)).sale
        except Refused as error:
            note(self.register, Kind.REFUSED, transaction_id, version, str(error.reason))
            if not version:
                self._not_begun.add(transaction_id)
            raise
        note(self.register, Kind.ANSWERED, transaction_id, sale.version, method, sale)
        return sale

    async def _look(self, transaction_id: str) -> types_pb2.Sale:
        request = register_pb2.GetSaleRequest(transaction_id=transaction_id)
        sale = (await self._ask(self._stub.GetSale, request)).sale
        note = self._history.add
        note(self.register, Kind.SEEN, sale.transaction_id, sale.version, "GetSale", sale)
        return sale

    async def _find(self, transaction_id: str) -> types_pb2.Sale | None:
        """The sale, or the open one; nothing when it went with the disk of this register."""
        try:
            return await self._look(transaction_id)
        except Refused as error:
            if error.reason is Reason.SALE_UNKNOWN and self._history.put_back(self.register):
                return None
            raise

    async def _ask(
        self,
        stub: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> Response:
        while True:
            try:
                return await call(stub, request, self._caller, self._habits.answer_s)
            except Unreachable:
                await self._pause((0.1, 2.0))
                if meanwhile is not None:
                    await meanwhile()
            except Refused as error:
                if error.reason is not Reason.NOT_SIGNED_IN:
                    raise
                await self._sign_in()
            except Misuse as error:
                if not self._history.strained or error.reason not in _OF_A_DRIVE:
                    raise
                await self._pause((0.5, 2.0))  # a drive failed, somewhere: nothing was changed

    async def _sign_in(self) -> None:
        request = register_pb2.RegisterServiceSignInRequest(staff_id=STAFF, password=PASSWORD)
        while True:
            try:
                await self._ask(self._stub.SignIn, request)
            except Refused as error:
                self._surprise("SignIn", error)
                await self._look_at_the_mode()
                await self._connect(tries=1)  # without its data nobody signs in at a till
                await self._pause((1.0, 2.0))
            else:
                return

    async def _switch(self) -> None:
        if self._disconnected and self._draw(0.5):
            await self._connect(tries=1)
        elif self._draw(self._habits.switches):
            self._disconnected = True
            request = register_pb2.SwitchConnectionRequest(connect=False)
            try:
                await self._ask(self._stub.SwitchConnection, request)
            except Refused as error:
                self._disconnected = False
                self._surprise("SwitchConnection", error)

    async def _look_at_the_mode(self) -> None:
        request = register_pb2.GetStatusRequest()
        mode = (await self._ask(self._stub.GetStatus, request)).status.mode
        self._disconnected = mode == register_pb2.CONNECTION_MODE_OFFLINE_MANUAL

    async def _connect(self, tries: int = 60) -> None:
        request = register_pb2.SwitchConnectionRequest(connect=True)
        for _ in range(tries if self._disconnected else 0):
            try:
                await call(
                    self._stub.SwitchConnection, request, self._caller, self._habits.answer_s
                )
            except StillopenError:
                await self._pause((0.5, 1.5))
            else:
                self._disconnected = False
                return

    async def _glance(self) -> None:
        """Compares what the status says to be waiting with the journal of the same moment."""
        request = register_pb2.GetStatusRequest()
        before = (await self._ask(self._stub.GetStatus, request)).status
        page = register_pb2.ListJournalRequest(page_size=JOURNAL_PAGE)
        lines = (await self._ask(self._stub.ListJournal, page)).lines
        after = (await self._ask(self._stub.GetStatus, request)).status
        if without_countdowns(before) == without_countdowns(after):
            self._history.glances.append(Glance(self.register, after, tuple(lines)))

    async def _pause(self, between_s: tuple[float, float], dawdles: int = 1) -> None:
        if not self.closing and self._draw(self._habits.dawdles * dawdles):
            between_s = self._habits.dawdle_s
        until_s = now_s() + self._rng.uniform(*between_s)
        while (left_s := until_s - now_s()) > 0:
            await asyncio.sleep(min(left_s, 5.0))
            if self.closing:
                return

    def _draw(self, rate: float) -> bool:
        return self._rng.random() < rate

    def _surprise(self, method: str, error: StillopenError) -> None:
        begins_anew = self._history.spoiled or self._history.put_back(self.register)
        if begins_anew and error.reason in (Reason.NOT_READY, Reason.SIGN_IN_FAILED):
            return  # a copy that begins anew knows nothing, or less, until its link is there
        if self._history.strained and error.reason in _OF_NO_ROOM:
            return
        self._history.surprises.append(f"{self.register}: {method} answered {error}")
