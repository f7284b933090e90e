"""A small estate for one test: tills at hand, and every moment is the test's own."""

import asyncio
import contextlib
import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.sim.history import Card, now_s
from tests.sim.loop import run
from tests.sim.network import Cut
from tests.sim.prepared import copy_prepared, scratch_folder
from tests.sim.process import PASSWORD
from tests.sim.world import HQ, HQ_ADDRESS, OFFICE, STAFF, Estate, Plan, store_address
from tests.support import callers

from stillopen.core.errors import Refused, StillopenError, Unreachable
from stillopen.core.parameters import DAY_S, CardParameters
from stillopen.rpc.status import call
from stillopen.v1 import (
    channel_data_pb2,
    channel_data_pb2_grpc,
    headquarters_pb2,
    realtime_pb2,
    register_pb2,
    types_pb2,
)

CARD = "700000000001"
OPENING = 5_000
ANSWER_S = 30.0
ALLOWED = CardParameters(allow_concluding_offline=True, conclude_within_s=900)
SHORT = CardParameters(
    allow_concluding_offline=True,
    conclude_within_s=20,
    lease_s=10,
    grace_s=30,
    settle_margin_s=20,
)
HOUR_S = DAY_S / 24


class Till:
    """A frontend of one register. Each write is sent once."""

    def __init__(self, scene: "Scene", name: str) -> None:
        self.name = name
        self.store = scene.estate.store_of[name]
        self.process = scene.estate.processes[name]
        self.stub = scene.estate.register(name)
        self._scene = scene
        self._names = random.Random(name)  # noqa: S311 - repeatable

    async def sign_in(self) -> None:
        request = register_pb2.RegisterServiceSignInRequest(staff_id=STAFF, password=PASSWORD)
        await call(self.stub.SignIn, request, OFFICE, ANSWER_S)

    def new_name(self) -> str:
        """An id for a sale."""
        return f"{self._names.getrandbits(128):032x}"

    async def begin(self, name: str = "") -> types_pb2.Sale:
        request = register_pb2.BeginRequest(transaction_id=name or self.new_name())
        return (await call(self.stub.Begin, request, OFFICE, ANSWER_S)).sale

    async def line(self, sale: types_pb2.Sale, code: str = "P0") -> types_pb2.Sale:
        request = register_pb2.AddLineRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            code=code,
            quantity_milli=1000,
        )
        return (await call(self.stub.AddLine, request, OFFICE, ANSWER_S)).sale

    async def cash(self, sale: types_pb2.Sale) -> types_pb2.Sale:
        request = register_pb2.AddTenderRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            kind=types_pb2.TENDER_KIND_CASH,
            amount=sale.due,
        )
        return (await call(self.stub.AddTender, request, OFFICE, ANSWER_S)).sale

    async def card(self, sale: types_pb2.Sale, number: str = CARD) -> types_pb2.Sale:
        request = register_pb2.AddTenderRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            kind=types_pb2.TENDER_KIND_GIFT_CARD,
            amount=sale.due,
            card_number=number,
        )
        return (await call(self.stub.AddTender, request, OFFICE, ANSWER_S)).sale

    async def take_back(self, sale: types_pb2.Sale, line_id: str) -> types_pb2.Sale:
        request = register_pb2.VoidTenderRequest(
            transaction_id=sale.transaction_id, version=sale.version, line_id=line_id
        )
        return (await call(self.stub.VoidTender, request, OFFICE, ANSWER_S)).sale

    async def complete(self, sale: types_pb2.Sale) -> types_pb2.Sale:
        request = register_pb2.CompleteRequest(
            transaction_id=sale.transaction_id, version=sale.version
        )
        return (await call(self.stub.Complete, request, OFFICE, ANSWER_S)).sale

    async def suspend(self, sale: types_pb2.Sale) -> types_pb2.Sale:
        request = register_pb2.SuspendRequest(
            transaction_id=sale.transaction_id, version=sale.version
        )
        return (await call(self.stub.Suspend, request, OFFICE, ANSWER_S)).sale

    async def recall(
        self, cart: str, name: str = "", manager: types_pb2.ManagerWord | None = None
    ) -> types_pb2.Sale:
        request = register_pb2.RecallRequest(
            transaction_id=cart, recalling_id=name, manager=manager
        )
        return (await call(self.stub.Recall, request, OFFICE, ANSWER_S)).sale

    async def suspended(self) -> list[types_pb2.Sale]:
        """What may be recalled now."""
        request = register_pb2.ListSuspendedRequest()
        return list((await call(self.stub.ListSuspended, request, OFFICE, ANSWER_S)).sales)

    async def receipt(self, receipt: str) -> register_pb2.GetReceiptResponse:
        request = register_pb2.GetReceiptRequest(receipt=receipt)
        return await call(self.stub.GetReceipt, request, OFFICE, ANSWER_S)

    async def give_back(
        self, sale: types_pb2.Sale, receipt: str, quantity_milli: int = 1000
    ) -> types_pb2.Sale:
        request = register_pb2.ReturnRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            receipt=receipt,
            line_id="L1",
            quantity_milli=quantity_milli,
            reason="torn",
        )
        return (await call(self.stub.Return, request, OFFICE, ANSWER_S)).sale

    async def gives_back_unseen(self, sale: types_pb2.Sale, bought: str) -> types_pb2.Sale:
        """A return line that names a sale which the register does not know."""
        request = register_pb2.AddLineRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            code="P0",
            quantity_milli=-1000,
            return_of=types_pb2.ReturnOf(reason="torn", transaction_id=bought, line_id="L1"),
        )
        return (await call(self.stub.AddLine, request, OFFICE, ANSWER_S)).sale

    async def sale(self, transaction_id: str = "") -> types_pb2.Sale:
        request = register_pb2.GetSaleRequest(transaction_id=transaction_id)
        return (await call(self.stub.GetSale, request, OFFICE, ANSWER_S)).sale

    async def status(self) -> register_pb2.RegisterStatus:
        request = register_pb2.GetStatusRequest()
        return (await call(self.stub.GetStatus, request, OFFICE, ANSWER_S)).status

    async def with_card(self) -> types_pb2.Sale:
        """An open sale of one line, paid with the card."""
        return await self.card(await self.line(await self.begin()))

    async def sold(self) -> types_pb2.Sale:
        """A sale for cash, completed."""
        return await self.complete(await self.cash(await self.line(await self.begin())))

    async def repeated(
        self, write: Callable[[types_pb2.Sale], Awaitable[types_pb2.Sale]], sale: types_pb2.Sale
    ) -> types_pb2.Sale:
        """The answer of a write that is sent until it is answered, by a frontend that signs in."""
        while True:
            try:
                return await write(sale)
            except Unreachable:
                await asyncio.sleep(0.5)
            except Refused as error:
                if error.reason != "NOT_SIGNED_IN":
                    raise
                await self.sign_in()

    async def connect(self) -> None:
        """Operation 917, by a person who is not told when it fails."""
        request = register_pb2.SwitchConnectionRequest(connect=True)
        with contextlib.suppress(StillopenError):
            await call(self.stub.SwitchConnection, request, OFFICE, ANSWER_S)

    def cut(self, mode: Cut) -> None:
        """Cuts the link to the channel."""
        self._scene.estate.network.cut(self.name, store_address(self.store), mode=mode)

    def heal(self) -> None:
        """Mends it."""
        self._scene.estate.network.heal(self.name, store_address(self.store))


class Scene:
    """An estate with tills that are signed in."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.estate = Estate(plan, folder, "scene")
        self.calls: list[tuple[float, str, str]] = []
        """Moment, machine and method of each call."""
        self.estate.network.on_call = self._note
        self.tills = [Till(self, name) for name in self.estate.registers]

    @property
    def till(self) -> Till:
        """The first register's."""
        return self.tills[0]

    @property
    def hq(self) -> str:
        """The machine of headquarters."""
        return HQ

    async def open(self) -> None:
        await self.estate.open()
        for till in self.tills:
            await till.sign_in()

    def cut_headquarters(self, mode: Cut) -> None:
        """Cuts every channel off headquarters."""
        for store in self.estate.stores:
            self.estate.network.cut(store, HQ_ADDRESS, mode=mode)

    def heal_headquarters(self) -> None:
        """Mends it."""
        for store in self.estate.stores:
            self.estate.network.heal(store, HQ_ADDRESS)

    async def locks(self) -> list[realtime_pb2.OpenLock]:
        """What headquarters knows to be locked."""
        request = realtime_pb2.ListLocksRequest()
        return list((await call(self.estate.cards.ListLocks, request, OFFICE, ANSWER_S)).locks)

    async def exceptions(self) -> list[realtime_pb2.CardException]:
        """What could not be paid."""
        request = realtime_pb2.ListExceptionsRequest()
        answer = await call(self.estate.cards.ListExceptions, request, OFFICE, ANSWER_S)
        return list(answer.exceptions)

    async def spent(self, number: str = CARD) -> list[int]:
        """The debits of a card."""
        request = realtime_pb2.ListCardEntriesRequest(number=number)
        ledger = await call(self.estate.cards.ListCardEntries, request, OFFICE, ANSWER_S)
        assert ledger.balance.minor_units == sum(e.amount.minor_units for e in ledger.entries)
        return [-e.amount.minor_units for e in ledger.entries if e.kind != "OPENING"]

    async def at_channel(self) -> list[str]:
        """The ids of the carts that the first store's channel gives out."""
        request = channel_data_pb2.ListTransactionsRequest(suspended=True, page_size=500)
        address = store_address(self.estate.stores[0])
        stub = channel_data_pb2_grpc.ChannelDataServiceStub(
            self.estate.network.channel("office", address)
        )
        asker = callers.register(self.estate.registers[0])
        answer = await call(stub.ListTransactions, request, asker, ANSWER_S)
        return [sale.transaction_id for sale in answer.sales]

    async def over_returns(self) -> list[headquarters_pb2.OverReturn]:
        """Lines of which more was returned than sold."""
        request = headquarters_pb2.ListOverReturnsRequest()
        stub = self.estate.headquarters.ListOverReturns
        return list((await call(stub, request, OFFICE, ANSWER_S)).over_returns)

    async def home(self) -> list[types_pb2.Sale]:
        """The sales at headquarters."""
        request = headquarters_pb2.HeadquartersServiceListTransactionsRequest(page_size=500)
        stub = self.estate.headquarters.ListTransactions
        return [each.sale for each in (await call(stub, request, OFFICE, ANSWER_S)).transactions]

    async def settled(self, within_s: float = 60.0) -> None:
        """Waits until every journal is at headquarters and applied."""
        stub, request = self.estate.headquarters, headquarters_pb2.GetCompletenessRequest()
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(Unreachable):  # somebody is down and starts again
                    statuses = [await till.status() for till in self.tills]
                    answer = await call(stub.GetCompleteness, request, OFFICE, ANSWER_S)
                    if answer.complete and not any(s.waiting_headquarters for s in statuses):
                        return
                await asyncio.sleep(0.1)

    def calls_of(self, machine: str, since_s: float) -> list[str]:
        """Methods that a machine called, besides keeping its stream."""
        return [
            method
            for at_s, source, method in self.calls
            if source == machine and at_s >= since_s and not method.endswith("/Sync")
        ]

    def _note(self, source: str, target: str, method: str) -> None:
        del target
        self.calls.append((now_s(), source, method))


async def seconds(work: Awaitable[object]) -> float:
    """How long it takes."""
    began_s = now_s()
    await work
    return now_s() - began_s


async def refusal(work: Awaitable[object]) -> str:
    """Why it is refused."""
    try:
        await work
    except StillopenError as error:
        return str(error.reason)
    return ""


def act(
    story: Callable[[Scene], Awaitable[None]],
    *,
    plan: Plan | None = None,
    limit_s: float = 1e6,
    fresh: bool = False,
) -> None:
    """Tells a story on an estate of its own.

    Its machines were set up before and are switched on; or they are `fresh`: everything is the
    first of its kind.
    """
    folder, plan = scratch_folder(), plan or small()
    if not fresh:
        copy_prepared(plan.tills, plan.products, folder)

    async def main() -> None:
        scene = Scene(plan, folder)
        try:
            await scene.open()
            await story(scene)
        finally:
            await scene.estate.close()

    try:
        run(main(), limit_s=limit_s)
    finally:
        shutil.rmtree(folder)


def small(gift_card: CardParameters | None = None, tills: tuple[int, ...] = (2,)) -> Plan:
    """One store, one card."""
    return Plan(tills, (Card(CARD, OPENING),), 3, gift_card or CardParameters())
