"""What goes wrong in shops with other products when sales are to go home; docs/symptoms.md has all.

Each test is named for the symptom and says where it was seen.
"""

import asyncio
from dataclasses import replace

import pytest
from tests.sim.disk import Moment
from tests.sim.images import another, rows, take
from tests.sim.network import Cut
from tests.sim.scene import ALLOWED, ANSWER_S, Scene, Till, act, refusal, small
from tests.sim.session import comes_online, set_prices
from tests.sim.test_crashes import sells, starts_again
from tests.sim.test_upgrades import lane_of
from tests.sim.wire import Wire
from tests.sim.world import HQ, store_address
from tests.support import callers
from tests.support.estate_messages import entry_of, sale_of

from stillopen.core.journal import Lane
from stillopen.core.parameters import OfflineProfile
from stillopen.register import sales
from stillopen.rpc.status import call
from stillopen.rpc.wire import entry_to
from stillopen.rpc.wire_sale import Record, record_of
from stillopen.v1 import channel_data_pb2, channel_data_pb2_grpc, types_pb2

Sale = types_pb2.Sale
FEW_AT_A_TIME = replace(small(tills=(1,)), profile=OfflineProfile(upload_transaction_size=3))
AGAIN_S = 2.5
"""P7: a broken stream is tried again at least so often."""


async def home_once(scene: Scene, *printed: Sale) -> None:
    """Everything is home: each receipt that was printed is there once, and nothing else."""
    await scene.settled()
    home = sorted(sale.transaction_id for sale in await scene.home())
    assert home == sorted(sale.transaction_id for sale in printed)


async def sold_offline(till: Till, count: int) -> list[Sale]:
    """Sales while nobody hears of them; then the link is back."""
    till.cut(Cut.SILENT)
    found = [await till.sold() for _ in range(count)]
    till.heal()
    return found


def entries_at(scene: Scene, name: str) -> int:
    """How many journal entries a server has, whatever became of them."""
    file = "headquarters.db" if name == HQ else "channel.db"
    [(count,)] = rows(scene, name, file, "SELECT count(*) FROM entry")
    return int(count)


async def delivered(till: Till, within_s: float = 60.0) -> None:
    """Waits until nothing of a register waits, whatever became of it."""
    async with asyncio.timeout(within_s):
        while True:
            if not (await till.status()).waiting_headquarters:
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("hop", ["R1-1", "S1"])
def test_a_commit_whose_answer_is_lost_makes_no_duplicate_sale(hop: str) -> None:
    """odoo/odoo#40567, odoo/odoo#40600, odoo/odoo#85527, BrainWise-DEV/POSNext#50."""

    async def story(scene: Scene) -> None:
        wire, till = Wire(scene), scene.till
        wire.cut_after(hop, "entries", 1, 2)
        printed = [await till.complete(await till.with_card())]
        await home_once(scene, *printed)
        printed.append(await till.sold())
        await home_once(scene, *printed)
        assert wire.cuts == 2
        assert (entries_at(scene, "S1"), entries_at(scene, HQ)) == (2, 2)
        assert await scene.spent() == [printed[0].total.minor_units]

    act(story, plan=small(tills=(1,)))


@pytest.mark.parametrize(
    ("dies", "moment"),
    [("R1-1", Moment.AFTER), *((name, moment) for name in ("S1", HQ) for moment in Moment)],
)
def test_a_printed_receipt_always_reaches_headquarters(dies: str, moment: Moment) -> None:
    """odoo/odoo#60939, odoo/odoo#56840, frappe/erpnext#11461, frappe/erpnext#11745.

    The till dies right behind its receipt, a server before or after it writes the sale down.
    """

    async def story(scene: Scene) -> None:
        till, process = scene.till, scene.estate.processes[dies]
        printed = [await till.sold()]
        await scene.settled()
        if dies == till.name:
            printed.append(await till.sold())
            process.crash()
        else:
            process.commits.die_at(1, moment)
            printed.append(await till.sold())
        async with asyncio.timeout(60):
            await process.ended()
        await process.start()
        await home_once(scene, *printed)

    act(story, plan=small(tills=(1,)))


def test_one_poison_record_does_not_block_the_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """frappe/erpnext#13388: what is behind it comes home, and the register's queue is empty."""
    poisoned: list[str] = []

    def reads(message: types_pb2.JournalRecord) -> Record:
        if message.sale.transaction_id in poisoned:
            raise ZeroDivisionError("nobody thought of that")
        return record_of(message)

    async def story(scene: Scene) -> None:
        till = scene.till
        till.cut(Cut.SILENT)
        printed = [await till.sold() for _ in range(7)]
        poisoned.append(printed[2].transaction_id)
        till.heal()
        await delivered(till)
        home = {sale.transaction_id for sale in await scene.home()}
        assert home == {sale.transaction_id for sale in printed} - set(poisoned)
        lane = await lane_of(scene, till.name)
        assert (lane.stored_through, lane.applied, lane.quarantined) == (7, 6, 1)

    monkeypatch.setattr("stillopen.replication.told.record_of", reads)
    act(story, plan=FEW_AT_A_TIME, fresh=True)


@pytest.mark.parametrize("hop", ["R1-1", "S1"])
def test_a_link_that_drops_during_sync_is_retried(hop: str) -> None:
    """odoo/odoo#261096, pubkey/rxdb#8285: the rest goes up by itself, and soon."""

    async def story(scene: Scene) -> None:
        wire, till = Wire(scene), scene.till
        wire.cut_after(hop, "entries", 1, 2)
        printed = await sold_offline(till, 14)
        await scene.settled(within_s=4 * AGAIN_S + 5)
        assert wire.cuts == 2
        await home_once(scene, *printed)

    act(story, plan=FEW_AT_A_TIME)


def test_a_draft_opened_online_and_paid_offline_keeps_its_payment() -> None:
    """odoo/odoo#288974: the payments of both halves of the sale are at headquarters."""

    async def story(scene: Scene) -> None:
        till = scene.till
        draft = await till.with_card()
        till.cut(Cut.SILENT)
        paid = await till.complete(await till.cash(await till.line(draft, "P1")))
        till.heal()
        await home_once(scene, paid)
        [home] = await scene.home()
        assert [(x.kind, x.amount.minor_units) for x in home.tenders] == [
            (types_pb2.TENDER_KIND_GIFT_CARD, 101),
            (types_pb2.TENDER_KIND_CASH, 201),
        ]
        assert await scene.spent() == [101]

    act(story, plan=small(ALLOWED, tills=(1,)))


def test_two_processes_that_share_an_identity_make_no_double_orders() -> None:
    """odoo/odoo#152259: two machines with one name, and two windows on one of them."""

    async def story(scene: Scene) -> None:
        till = scene.till
        printed = [await till.sold()]
        await scene.settled()
        till.process.crash()
        twin = await another(scene, "twin", till, take(scene, till.name))
        await till.process.start()
        for each in (till, twin):
            await each.sign_in()
        both = (till, twin)
        for _ in range(3):
            printed += await asyncio.gather(*(each.sold() for each in both))
        window = Till(scene, till.name)
        seen = await till.cash(await till.line(await till.begin()))
        answers = await asyncio.gather(till.complete(seen), window.complete(seen))
        assert answers[0] == answers[1]
        await home_once(scene, *printed, answers[0])

    act(story, plan=small(tills=(1,)))


@pytest.mark.parametrize("dies", ["R1-1", "S1", HQ])
def test_a_kill_during_a_write_blocks_nothing(dies: str) -> None:
    """powersync-ja/powersync-sqlite-core#162: nothing that the dead process held is in the way."""

    async def story(scene: Scene) -> None:
        till, process, deaths = scene.till, scene.estate.processes[dies], list[str]()
        printed: list[Sale] = []
        keeper = asyncio.create_task(starts_again(scene, dies, deaths))
        for number, moment in enumerate(Moment, 1):
            process.commits.die_at(1, moment)
            printed.append(await sells(till))
            async with asyncio.timeout(60):
                while len(deaths) < number:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
        keeper.cancel()
        await comes_online(till)
        await set_prices(scene, 2, [till.name])
        await home_once(scene, *printed)

    act(story, plan=small(ALLOWED, tills=(1,)))


async def as_much_as_fits(till: Till) -> Sale:
    """A sale with lines until no other fits."""
    sale = await till.begin()
    while await refusal(till.line(sale)) != "SALE_TOO_LARGE":
        sale = await till.sale(sale.transaction_id)
    return sale


def test_a_queue_always_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    """powersync-ja/powersync-js#1058: nothing gets into the queue that cannot leave it.

    A line that would make a sale too large to send is refused before anything is printed; what
    comes damaged however often is taken as that.
    """
    monkeypatch.setattr(sales, "PAYLOAD_BYTES_MAX", 40_000)

    async def story(scene: Scene) -> None:
        wire, till = Wire(scene), scene.till
        till.cut(Cut.SILENT)
        large = await till.complete(await till.cash(await as_much_as_fits(till)))
        spoiled = await till.sold()
        await till.sold()
        wire.damage(till.name, "entries", times=3, about=spoiled.transaction_id)
        till.heal()
        await delivered(till)
        lane = await lane_of(scene, till.name)
        assert (lane.stored_through, lane.applied, lane.damaged) == (3, 2, 1)
        assert large.transaction_id in {sale.transaction_id for sale in await scene.home()}

    act(story, plan=FEW_AT_A_TIME, fresh=True)


async def forges(scene: Scene, like: Sale) -> None:
    """Another sale comes to the channel under the key that the journal has for this one."""
    receipt = like.receipt
    forged = entry_of(sale_of(7), receipt.sequence, Lane(receipt.register_id, receipt.epoch))
    address = store_address(scene.till.store)
    stub = channel_data_pb2_grpc.ChannelDataServiceStub(
        scene.estate.network.channel("office", address)
    )
    request = channel_data_pb2.SaveTransactionRequest(entry=entry_to(forged))
    await call(stub.SaveTransaction, request, callers.register(receipt.register_id), ANSWER_S)


def test_conflicts_need_no_files_deleted_by_hand() -> None:
    """tursodatabase/libsql#2122: both are kept, a person is told, and everything else goes on."""

    async def story(scene: Scene) -> None:
        till = scene.till
        till.cut(Cut.SILENT)
        printed = [await till.sold() for _ in range(3)]
        await forges(scene, printed[1])
        till.heal()
        printed.append(await till.sold())
        await delivered(till)
        lane = await lane_of(scene, till.name)
        assert (lane.stored_through, lane.applied, lane.conflicts) == (4, 4, 1)
        kept = rows(scene, HQ, "headquarters.db", "SELECT sequence FROM entry_conflict")
        assert kept == [(2,)]
        till.process.crash()
        await till.process.start()
        await till.sign_in()
        await till.sold()
        await delivered(till)

    act(story, plan=small(tills=(1,)), fresh=True)
