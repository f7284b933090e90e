"""An estate of which one place is a process that ends itself, and what must be true afterwards."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.processes.cashier import Cashier
from tests.processes.scripts import SCRIPTS
from tests.support.estate import Estate, Place
from tests.support.estate_parts import CARDS, FAST, ME, PATIENCE_S, STEP_S, Running, eur, until
from tests.support.estate_process import Child
from tests.support.estate_till import TIMEOUT_S, Till

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2, realtime_pb2, types_pb2

PROFILE = replace(FAST, timeout_s=3.0, heartbeat_interval_s=0.5)
PLACES = ("register", "channel", "headquarters")
MORE_MAX = 12
FOREVER_S = 300.0
COMPLETED = types_pb2.SALE_STATE_COMPLETED


OnReturn = Callable[["CrashEstate", Till], Awaitable[None]]


@dataclass
class Doomed:
    """First a process of its own that ends itself; then the same place, started again for good."""

    child: Child
    again: Running
    upper: str
    die: str
    armed: bool
    seen_at_start: dict[str, int] = field(default_factory=dict[str, int])
    back: asyncio.Task[None] | None = None
    """Ends when the place has died and runs again; nothing when it is not to die."""
    _running: bool = False

    @property
    def address(self) -> str:
        """Where it listens, in either life."""
        return self.again.address

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._running

    async def start(self) -> None:
        """Starts it, and has it started again when it has died."""
        self._running = True
        arm = ("--arm",) if self.armed else ()
        await self.child.spawn("--upper", self.upper, "--die", self.die, *arm)
        line = await self.child.line()
        if line:
            self.child.address = self.again.address = str(json.loads(line)["address"])
        if self.die:
            self.back = asyncio.create_task(self._restart())
        if not line:  # it ended before it listened
            assert self.back is not None, self.child.said()
            await self.back

    async def arm(self) -> None:
        """Counts from now on."""
        self.child.send(signal.SIGUSR1)
        self.seen_at_start = json.loads(await self.child.line())["armed"]

    async def _restart(self) -> None:
        """Waits for its death, looks at how it died, and starts it again at its address."""
        code = await self.child.ended(FOREVER_S)
        if not self._running:
            return
        assert code == -signal.SIGKILL, f"ended with {code}: {self.child.said()}"
        assert self.child.errors.with_suffix(".marker").read_text() == self.die
        await self.again.start()

    async def totals(self) -> Counter[str]:
        """Ends it in good order and returns what it has counted."""
        self.child.send(signal.SIGTERM)
        seen: dict[str, int] = json.loads(await self.child.line())["seen"]
        assert await self.child.ended() == 0, self.child.said()
        return Counter(seen)

    async def stop(self) -> None:
        """Ends whichever life it has."""
        self._running = False
        try:
            if self.back is None:
                await self.child.stop()
            else:
                self.child.end()
                await self.back
        finally:
            await self.again.stop()


class CrashEstate(Estate):
    """One place of it is a process that dies at a point; empty dies nowhere and is armed."""

    def __init__(
        self,
        folder: Path,
        place: str,
        die: str,
        *,
        armed: bool = True,
        script: str = "gift card",
    ) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, PROFILE)
        self.carries = False  # packages are as many in one run as in another
        self.place = place
        self._script = SCRIPTS[script]
        self._die = die
        self._armed = armed
        if place == "headquarters":
            self.headquarters = self._doomed(self.headquarters, "headquarters", "")

    def _doomed(self, again: Place, data: str, upper: str) -> Doomed:
        assert isinstance(again, Running)
        folder = self.folder / data
        marker = self.folder / f"{self.place}.marker"
        arguments = ("--place", self.place, "--data", str(folder), "--marker", str(marker))
        child = Child(self.place, self.folder, "-m", "tests.processes.launcher", *arguments)
        child.address = again.address
        self.doomed = Doomed(child, again, upper, self._die, self._armed)
        return self.doomed

    def before_channel(self) -> None:
        """The channel's address of headquarters is known from here on."""
        if self.place == "channel":
            self.channel = self._doomed(self.channel, "channel", self.headquarters.address)

    def made_register(self, running: Running) -> Place:
        """The register as it is to be run."""
        if self.place == "register":
            return self._doomed(running, "R1", self.channel.address)
        return running

    async def surely(self, act: Callable[[], Awaitable[None]]) -> None:
        """Does a part of the beginning; again when a place has died in it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await act()
                except Unreachable:
                    await asyncio.sleep(STEP_S)  # nobody tells when it is back

    async def play(self, on_return: OnReturn | None = None) -> Cashier:
        """The script, while the place dies and comes back."""
        till = await self.till("R1", ready=False)
        if self._armed or self.place != "register":
            await self.surely(partial(self._until_ready, till))
        if self._armed:
            await self.doomed.arm()
        cashier = Cashier(till, self._script, self.data)
        if on_return is not None:
            cashier.on_return = partial(on_return, self, till)
        await cashier.play()
        if (back := self.doomed.back) is None:
            return cashier
        for number in range(3, 3 + MORE_MAX):  # what runs beside may come later this time
            await until(partial(_nothing_waits, till, back))
            if back.done():
                break
            await cashier.one_more(number)
        async with asyncio.timeout(PATIENCE_S):
            await back
        return cashier

    async def _until_ready(self, till: Till) -> None:
        """The register has everything, so that nothing comes later in one run than in another."""
        await till.sign_in()
        await till.until(
            lambda s: (
                s.link_up
                and s.lane_announced
                and bool(s.store_id)
                and s.offline_ready
                and s.catalogue_sequence >= self.shown
            )
        )
        await till.sign_out()

    async def counted(self) -> tuple[Counter[str], Counter[str]]:
        """Ends the place and returns what it counted until it was ready, and in the script."""
        for till in self._tills.values():
            await till.close()  # so that nobody watches while it ends
        return Counter(self.doomed.seen_at_start), await self.doomed.totals()

    async def check(self, cashier: Cashier) -> None:
        """P1 to P5: everything printed is home once, and every card is right and free."""
        await until(self._home)
        home = await self.sales_home()
        by_name = {each.sale.transaction_id: each for each in home}
        assert len(by_name) == len(home)
        for printed in cashier.receipts:
            _check_receipt(printed, by_name[printed.transaction_id])
        completed = [each.sale for each in home if each.sale.state == COMPLETED]
        assert {sale.transaction_id for sale in completed} == {
            sale.transaction_id for sale in cashier.receipts
        }
        paid = sum(
            tender.amount.minor_units
            for sale in completed
            for tender in sale.tenders
            if tender.kind == types_pb2.TENDER_KIND_GIFT_CARD and not tender.voided
        )
        spent = 0
        for number, currency, _ in CARDS:
            seen = await self.balance(number)
            ledger = await self.people.ledger(seen.card_id)
            total = sum(entry.amount.minor_units for entry in ledger.entries)
            assert seen.balance.minor_units == total >= 0
            assert (seen.free, seen.locked_by) == (seen.balance, "")
            spent -= sum(e.amount.minor_units for e in ledger.entries if e.kind != "OPENING")
            assert seen.balance.currency_code == currency
        assert spent == paid
        await self._check_memos(cashier)
        assert await self.people.exceptions() == []
        blocking = [x for x in await self.people.locks() if x.lock.blocks_for.seconds]
        assert blocking == []

    async def _check_memos(self, cashier: Cashier) -> None:
        for number, left in cashier.memos.items():
            request = realtime_pb2.GetCardBalanceRequest(
                number=number, kind=types_pb2.CARD_KIND_CREDIT_MEMO
            )
            try:
                seen = await call(self.cards.GetCardBalance, request, ME, TIMEOUT_S)
            except Refused as error:
                assert (error.reason, left) == (Reason.CARD_USED, 0)  # noqa: PT017
            else:
                assert (seen.balance, seen.free, seen.locked_by) == (eur(left), eur(left), "")
                ledger = await self.people.ledger(seen.card_id)
                assert sum(entry.amount.minor_units for entry in ledger.entries) == left

    async def _home(self) -> bool:
        """Whether everything is at headquarters, applied, without conflicts."""
        try:
            status = await self._tills["R1"].status()
            found = await self.people.completeness()
        except Unreachable:
            return False
        assert all(lane.conflicts == 0 for lane in found.lanes)
        return found.complete and status.waiting_headquarters == 0


def _check_receipt(printed: types_pb2.Sale, home: headquarters_pb2.ReceivedTransaction) -> None:
    assert home.sale.lines == printed.lines
    kept = types_pb2.Sale.FromString(printed.SerializeToString())
    for tender in kept.tenders:
        if tender.card.new_memo.number:  # what a journal never holds
            tender.card.new_memo.ClearField("number")
    assert home.sale.tenders == kept.tenders
    where = (printed.receipt.epoch, printed.receipt.sequence)
    assert where == (home.position.epoch, home.position.sequence)


async def _nothing_waits(till: Till, back: asyncio.Task[None]) -> bool:
    try:
        return back.done() or (await till.status()).waiting_headquarters == 0
    except Unreachable:
        return False
