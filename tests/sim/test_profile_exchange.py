"""What an offline profile says of the exchange between registers and channel: how often, or not."""

import asyncio
from dataclasses import replace

from tests.sim.cards import switch
from tests.sim.scene import Scene, act, small

from stillopen.core.parameters import OfflineProfile

EVERY_S = 600
SOON_S = 30
AT_ONCE = OfflineProfile()


def test_an_upload_interval_holds_sales_back_and_no_card() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        await asyncio.sleep(EVERY_S)
        await till.sold()
        await scene.settled()
        began = len(await scene.home())
        sale = await till.with_card()
        assert len(await scene.locks()) == 1
        await till.complete(sale)
        await till.sold()
        await asyncio.sleep(EVERY_S / 2)
        assert (await till.status()).waiting_entries == 2
        assert len(await scene.home()) == began
        await asyncio.sleep(EVERY_S)
        assert (await till.status()).waiting_headquarters == 0
        assert len(await scene.home()) == began + 2
        assert (await other.with_card()).due.minor_units == 0

    profile = replace(AT_ONCE, transaction_upload_interval_s=EVERY_S)
    act(story, plan=replace(small(), profile=profile))


def test_what_an_upload_interval_held_back_goes_up_when_a_person_connects_again() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await till.sold()
        await asyncio.sleep(SOON_S)
        assert (await till.status()).waiting_entries == 1
        await switch(till, connect=False)
        await switch(till, connect=True)
        await asyncio.sleep(SOON_S)
        assert (await till.status()).waiting_headquarters == 0
        assert len(await scene.home()) == 1

    profile = replace(AT_ONCE, transaction_upload_interval_s=EVERY_S)
    act(story, plan=replace(small(), profile=profile))


def test_a_package_interval_holds_packages_back_until_it_is_over() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await asyncio.sleep(EVERY_S)
        before = (await till.status()).catalogue_sequence
        await scene.estate.set_prices(7)
        await asyncio.sleep(SOON_S)
        first = (await till.status()).catalogue_sequence
        assert first > before, "nothing was offered for so long"
        await scene.estate.set_prices(8)
        await asyncio.sleep(EVERY_S / 2)
        assert (await till.status()).catalogue_sequence == first
        await asyncio.sleep(EVERY_S)
        assert (await till.status()).catalogue_sequence > first

    profile = replace(AT_ONCE, new_offline_database_check_interval_s=EVERY_S)
    act(story, plan=replace(small(), profile=profile), fresh=True)


def test_a_paused_register_gets_no_packages_and_its_sales_come_home() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await scene.estate.set_profile(replace(AT_ONCE, pause_offline_sync=True))
        await asyncio.sleep(SOON_S)
        before = (await till.status()).catalogue_sequence
        await scene.estate.set_prices(7)
        await till.sold()
        await scene.settled()
        await asyncio.sleep(EVERY_S)
        assert (await till.status()).catalogue_sequence == before
        assert len(await scene.home()) == 1
        await scene.estate.set_profile(AT_ONCE)
        await asyncio.sleep(SOON_S)
        assert (await till.status()).catalogue_sequence > before

    act(story)
