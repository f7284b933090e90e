"""What goes wrong in shops with other products when master data comes down, and nobody notices.

Each test is named for the symptom and says where it was seen; docs/symptoms.md has them all.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.sim.history import now_s
from tests.sim.images import rows
from tests.sim.network import Cut
from tests.sim.scene import Scene, act, small
from tests.sim.session import differences, set_prices, until_priced
from tests.sim.wire import Wire
from tests.sim.world import HQ_ADDRESS, OFFICE, TIMEOUT_S, product, store_address

from stillopen.core.errors import Reason, Refused
from stillopen.core.parameters import CardParameters
from stillopen.register.journal import Journal
from stillopen.replication.copies import Copy
from stillopen.replication.frames import MISSED_MAX
from stillopen.rpc.status import call, send_all
from stillopen.v1 import headquarters_pb2

HANG_S = 300.0
"""It tells as much as the three days of the report."""
HEARTBEAT_S = 5.0
ONE = small(tills=(1,))


async def link_is(scene: Scene, *, up: bool, within_s: float) -> None:
    """Waits until the register says so of its link."""
    async with asyncio.timeout(within_s):
        while True:
            if (await scene.till.status()).link_up is up:
                return
            await asyncio.sleep(0.1)


def prices(scene: Scene) -> tuple[int, ...]:
    """What goods cost by the register's own copy of the master data."""
    sql = "SELECT price_minor FROM product ORDER BY code"
    return tuple(row[0] for row in rows(scene, scene.till.name, "offline.db", sql))


@pytest.mark.parametrize("hop", ["R1-1", "S1"])
def test_a_checksum_mismatch_does_not_wipe_the_replica(hop: str) -> None:
    """powersync-ja/powersync-js#954: what was there is shown until what comes is whole."""

    async def story(scene: Scene) -> None:
        wire, before, seen = Wire(scene), prices(scene), set[tuple[int, ...]]()
        wire.damage(hop, "package_begin")  # the delta comes whole, the snapshot after it in blocks
        wire.damage(hop, "package_block")
        changed = asyncio.create_task(set_prices(scene, 2, [scene.till.name]))
        while not changed.done():
            seen.add(prices(scene))
            await asyncio.sleep(0.001)
        assert seen == {before, tuple(each + 1 for each in before)}
        assert wire.kinds[hop, "package_refused"] == 2
        assert (await scene.till.sold()).total.minor_units == 102
        await scene.settled()
        assert await differences(scene) == []

    act(story, plan=ONE)


def test_replication_never_stops_silently(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """benbjohnson/litestream#1083: what fails is said where people look, and is tried again."""
    broken = False
    apply, read = Copy.apply, Journal.read

    async def applies(self: Copy, *given: object) -> None:
        if broken:
            raise Refused(Reason.DISK_FULL, "there is no room")
        await apply(self, *given)  # type: ignore[arg-type]

    async def reads(self: Journal, *given: object) -> object:
        if broken:
            raise RuntimeError("nobody thought of that")
        return await read(self, *given)  # type: ignore[arg-type]

    async def story(scene: Scene) -> None:
        nonlocal broken
        broken = True
        await scene.estate.set_prices(2)
        await scene.till.sold()
        await asyncio.sleep(60)
        assert (await scene.till.status()).waiting_entries == 1
        request = headquarters_pb2.ListDownloadSessionsRequest(store_id="S1")
        stub = scene.estate.headquarters.ListDownloadSessions
        sessions = (await call(stub, request, OFFICE, TIMEOUT_S)).sessions
        assert any("there is no room" in each.message for each in sessions)
        broken = False
        await until_priced(scene, 2, [("S1", "replica.db"), (scene.till.name, "offline.db")])
        await scene.settled()

    monkeypatch.setattr(Copy, "apply", applies)
    monkeypatch.setattr(Journal, "read", reads)
    act(story, plan=ONE)
    assert "nobody thought of that" in caplog.text


def test_rows_are_not_missed_because_of_ids_before_commit() -> None:
    """SymmetricDS Mantis 5827 and 6415, jumpmindinc/symmetric-ds#914.

    Many change master data at once on a slow disk, while what changed is packed and sent.
    """

    async def story(scene: Scene) -> None:
        async def changes(number: int) -> None:
            async def request() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
                yield headquarters_pb2.ImportProductsRequest(rows=[product(number, 2)])

            stub = scene.estate.headquarters.ImportProducts
            while True:
                try:
                    await send_all(stub, request(), OFFICE, TIMEOUT_S)
                except Refused:
                    await asyncio.sleep(0.01)  # one import of a kind runs at a time
                else:
                    return

        async def rules() -> None:
            for within_s in range(2, 6):
                await scene.estate.set_gift_card(CardParameters(conclude_within_s=within_s))

        async with asyncio.TaskGroup() as group:
            group.create_task(rules())
            for number in range(scene.estate.plan.products):
                group.create_task(changes(number))
        await until_priced(scene, 2, [("S1", "replica.db"), (scene.till.name, "offline.db")])
        await asyncio.sleep(10)
        assert await differences(scene) == []

    act(story, plan=replace(ONE, products=6, disk_latency_s=(0.001, 0.1)))


@pytest.mark.parametrize("silent", ["the channel's line", "the channel", "headquarters' line"])
def test_a_silent_hang_is_noticed(silent: str) -> None:
    """jumpmindinc/symmetric-ds#994: silence is told within heartbeats, and ends with its cause."""

    async def story(scene: Scene) -> None:
        network, till = scene.estate.network, scene.till
        address = HQ_ADDRESS if silent == "headquarters' line" else store_address(till.store)
        began_s = now_s()
        if silent == "the channel":
            network.stop(address)
        elif silent == "the channel's line":
            till.cut(Cut.SILENT)
        else:
            scene.cut_headquarters(Cut.SILENT)
        if address != HQ_ADDRESS:
            await link_is(scene, up=False, within_s=(MISSED_MAX + 1) * HEARTBEAT_S)
        await till.sold()
        await asyncio.sleep(HANG_S - (now_s() - began_s))
        assert (await till.status()).waiting_headquarters == 1
        network.resume(address)
        network.heal_all()
        await scene.estate.set_prices(2)
        await scene.settled(within_s=30)
        await until_priced(scene, 2, [(till.name, "offline.db")])

    act(story, plan=ONE)


def test_a_gift_card_is_not_spent_twice_online() -> None:
    """medusajs/medusa#16347, spree/spree#13734, odoo/odoo#79235, BrainWise-DEV/POSNext#198.

    Two tills pay with one card at one moment; and a payment that is taken back puts no balance of
    before over what the other spends.
    """

    async def story(scene: Scene) -> None:
        sales = [await till.line(await till.begin()) for till in scene.tills]
        found = await asyncio.gather(
            *(till.card(sale) for till, sale in zip(scene.tills, sales, strict=True)),
            return_exceptions=True,
        )
        [refused] = [each for each in found if isinstance(each, Refused)]
        assert refused.reason is Reason.CARD_LOCKED
        holds = int(isinstance(found[0], Refused))
        first, second = scene.tills[holds], scene.tills[1 - holds]
        held = await first.sale(sales[holds].transaction_id)
        given_up = await first.take_back(held, "T1")
        done = await second.complete(await second.card(sales[1 - holds]))
        await first.complete(await first.cash(given_up))
        await scene.settled()
        assert await scene.spent() == [done.total.minor_units]
        assert await scene.locks() == []

    act(story)
