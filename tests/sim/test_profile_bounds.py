"""What an offline profile bounds and pauses, on both hops of a whole estate."""

import asyncio
from dataclasses import replace

from tests.sim.history import now_s
from tests.sim.network import Cut
from tests.sim.scene import Scene, act, seconds, small
from tests.sim.world import OFFICE

from stillopen.core.parameters import OfflineProfile
from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2

AT_ONCE = OfflineProfile()
KIB = 1_024
SOON_S = 30
MANY = 300
"""Products, so that a package is not all header."""
SALES = 150
"""Half a minute of them, at a kibibyte a second."""
SUSPENDED = headquarters_pb2.DOWNLOAD_STATE_SUSPENDED


async def replicas(scene: Scene) -> dict[str, headquarters_pb2.Replica]:
    """How the channel, and each register by its name, stands as headquarters lists it."""
    request = headquarters_pb2.ListReplicasRequest()
    answer = await call(scene.estate.headquarters.ListReplicas, request, OFFICE, 10.0)
    return {each.register_id: each for each in answer.replicas}


async def shown(scene: Scene, sequence: int) -> float:
    """Waits until the first till shows that; how long that was."""
    began_s = now_s()
    while (await scene.till.status()).catalogue_sequence < sequence:  # noqa: ASYNC110 - time is what is looked at
        await asyncio.sleep(0.1)
    return now_s() - began_s


def newest_kib(scene: Scene) -> float:
    """How large the newest package at headquarters is."""
    files = (scene.estate.folder / scene.hq / "packages").glob("*-delta-*")
    return max(files, key=lambda each: each.name).stat().st_size / KIB


def test_a_bound_of_the_profile_holds_on_both_hops_and_a_card_waits_for_none() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        profile = replace(AT_ONCE, download_max_kib_per_s=1, upload_max_kib_per_s=1)
        await scene.estate.set_profile(profile)
        await asyncio.sleep(SOON_S)
        before = (await till.status()).catalogue_sequence
        await scene.estate.set_prices(7)
        assert await seconds(other.with_card()) < 1
        assert await seconds(till.sold()) < 1
        took_s = await shown(scene, before + 1)
        hop_s = newest_kib(scene)
        assert hop_s > 4
        assert 2 * (hop_s - 1) < took_s < 2 * (hop_s + 2)
        await scene.settled()

    act(story, plan=replace(small(), products=MANY))


def test_sales_of_an_outage_come_home_as_fast_as_the_profile_lets_them() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        await scene.estate.set_profile(replace(AT_ONCE, upload_max_kib_per_s=1))
        await asyncio.sleep(SOON_S)
        scene.cut_headquarters(Cut.CLOSED)
        for _ in range(SALES):
            await till.sold()
        await asyncio.sleep(SOON_S / 3)
        assert SALES / 3 < (await till.status()).waiting_entries < SALES
        await asyncio.sleep(2 * SOON_S)
        assert not (await till.status()).waiting_entries, "the channel has them"
        scene.heal_headquarters()
        await asyncio.sleep(SOON_S / 3)
        began = len(await scene.home())
        assert await seconds(other.with_card()) < 1
        assert 0 < began < SALES
        await asyncio.sleep(10)
        assert began < len(await scene.home()) < SALES
        await scene.estate.set_profile(AT_ONCE)
        await scene.settled(SOON_S / 3)
        assert len(await scene.home()) == SALES

    act(story)


def test_a_paused_channel_gets_no_packages_and_its_sales_come_home() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        before = (await till.status()).catalogue_sequence
        await scene.estate.set_profile(replace(AT_ONCE, pause_channel_sync=True))
        for factor in (7, 8, 9):
            await scene.estate.set_prices(factor)
            await asyncio.sleep(600)
        await till.sold()
        await scene.settled()
        assert len(await scene.home()) == 1
        assert (await till.status()).catalogue_sequence == before
        listed = await replicas(scene)
        told = {name: (each.state, each.message) for name, each in listed.items()}
        why = "the offline profile pauses packages"
        assert told[""] == (SUSPENDED, why)
        assert told[till.name] == (SUSPENDED, f"{why} for the channel of its store")
        await scene.estate.set_profile(AT_ONCE)
        await shown(scene, listed[""].newest_sequence)
        sale = await till.line(await till.begin())
        assert sale.lines[0].unit_price.minor_units == 109

    act(story)
