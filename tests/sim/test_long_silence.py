"""H32: keys outlive whatever a register was away for."""

import pytest
from tests.sim.images import put_back, take
from tests.sim.network import Cut
from tests.sim.scene import ALLOWED, Scene, act, small

from stillopen.core.parameters import DAY_S


@pytest.mark.parametrize("days", [3, 400])
def test_a_card_sale_that_comes_after_days_and_comes_again_is_paid_once(days: int) -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await till.sold()
        await scene.settled()
        monday = take(scene, till.store)
        sale = await till.with_card()
        till.cut(Cut.SILENT)
        await till.complete(sale)
        for process in scene.estate.processes.values():
            process.clock.suspend(days * DAY_S)
        till.heal()
        await scene.settled()
        assert await scene.spent() == [sale.total.minor_units]
        for process in scene.estate.processes.values():
            process.clock.suspend(days * DAY_S)
        await put_back(scene, till.store, monday)
        await till.sold()
        await scene.settled()
        assert await scene.spent() == [sale.total.minor_units]
        assert (await scene.locks(), await scene.exceptions()) == ([], [])
        assert len(await scene.home()) == 3

    act(story, plan=small(ALLOWED))
