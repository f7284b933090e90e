"""Headquarters goes back to an old copy, and of its packages only registers have the newest."""

import asyncio

import pytest
from tests.sim.images import put_back, take
from tests.sim.scene import Scene, act, small
from tests.sim.session import begins_anew, differences, set_prices, until_priced
from tests.sim.world import HQ

ONE = small(tills=(1,))
SOON_S = 30.0


@pytest.mark.parametrize("channel", ["lost its copy", "went back, too"])
def test_a_register_that_alone_has_newer_prices_gets_those_of_headquarters(channel: str) -> None:
    async def story(scene: Scene) -> None:
        till, store = scene.till.name, scene.till.store
        images = {name: take(scene, name) for name in (HQ, store)}
        for factor in (2, 3):
            await set_prices(scene, factor, [till])
        scene.estate.processes[store].crash()
        await put_back(scene, HQ, images[HQ])
        if channel == "lost its copy":
            await begins_anew(scene, store)
        else:
            await put_back(scene, store, images[store])
        async with asyncio.timeout(SOON_S):
            await until_priced(scene, 1, [(store, "replica.db"), (till, "offline.db")])
        assert await differences(scene) == []
        await set_prices(scene, 4, [till])
        assert (await scene.till.sold()).total.minor_units == 104

    act(story, plan=ONE)
