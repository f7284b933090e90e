"""Sales that come home late: after their lock lapsed, or while cards do not answer."""

import asyncio

from tests.sim.network import Cut
from tests.sim.scene import ALLOWED, Scene, act, refusal
from tests.sim.world import HQ_ADDRESS

LEASE_S = ALLOWED.lease_s
CONFIRMED_S = 0.006
"""When the confirm has passed and its sale is not home."""


def test_a_lapsed_lock_does_not_come_back_while_another_sale_holds_the_card() -> None:
    async def story(scene: Scene) -> None:
        first, second = scene.tills
        sale = await first.with_card()
        first.cut(Cut.SILENT)
        await asyncio.sleep(LEASE_S + 1)
        other = await second.with_card()
        first.heal()
        await asyncio.sleep(LEASE_S)
        assert await refusal(first.complete(sale)) == "CONFIRM_REFUSED"
        await second.complete(other)
        await scene.settled()
        assert await refusal(first.complete(sale)) == "CONFIRM_REFUSED"
        await first.complete(await first.cash(await first.take_back(sale, "T1")))
        await scene.settled()
        assert await scene.spent() == [other.total.minor_units]
        assert await scene.exceptions() == []

    act(story)


def test_a_sale_that_comes_home_while_cards_do_not_answer_is_settled_when_they_do() -> None:
    async def story(scene: Scene) -> None:
        sale = await scene.till.with_card()
        await asyncio.sleep(1)
        done = asyncio.create_task(scene.till.complete(sale))
        await asyncio.sleep(CONFIRMED_S)
        scene.estate.network.cut(scene.hq, HQ_ADDRESS, mode=Cut.CLOSED)
        await done
        await asyncio.sleep(30)
        assert await scene.spent() == []
        scene.estate.network.heal(scene.hq, HQ_ADDRESS)
        await scene.settled()
        assert await scene.spent() == [sale.total.minor_units]
        assert await scene.locks() == []

    act(story)
