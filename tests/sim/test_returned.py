"""Returns: each interleaving of the protocol (H28) as its story."""

import asyncio

from tests.sim.network import Cut
from tests.sim.scene import Scene, act, refusal
from tests.sim.test_carts import SOON_S, sells

MOMENTS_S = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
"""At one of them the channel knows that headquarters is there before its stream has come back."""


def test_the_same_receipt_line_returned_on_two_offline_tills_is_an_exception() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        bought = await till.sold()
        await scene.settled()
        for each in scene.tills:
            each.cut(Cut.CLOSED)
        name = bought.transaction_id
        backs = [
            await sells(till, await till.give_back(await till.begin(), name)),
            await sells(other, await other.gives_back_unseen(await other.begin(), name)),
        ]
        assert await refusal(till.give_back(await till.begin(), name)) == "RETURN_TOO_MUCH"
        for each in scene.tills:
            each.heal()
        await scene.settled()
        [over] = await scene.over_returns()
        assert (over.transaction_id, over.sold_milli, over.line.returned_milli) == (
            name,
            1_000,
            2_000,
        )
        assert {each.transaction_id for each in over.line.returns} == {
            each.transaction_id for each in backs
        }
        assert len(await scene.home()) == 3

    act(story)


def test_a_return_may_come_home_before_its_sale() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        till.cut(Cut.CLOSED)
        name = (await till.sold()).transaction_id
        await sells(other, await other.gives_back_unseen(await other.begin(), name))
        await asyncio.sleep(SOON_S)
        assert [each.transaction_id for each in await scene.home()] != [name]
        assert await refusal(other.receipt(name)) == "SALE_UNKNOWN"
        assert await scene.over_returns() == []
        till.heal()
        await scene.settled()
        known = await other.receipt(name)
        assert [line.returned_milli for line in known.returned] == [1_000]
        assert await scene.over_returns() == []

    act(story)


def test_too_much_is_seen_when_the_sale_comes_home_last() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        till.cut(Cut.CLOSED)
        name = (await till.sold()).transaction_id
        for _ in range(2):
            await sells(other, await other.gives_back_unseen(await other.begin(), name))
        await asyncio.sleep(SOON_S)
        assert await scene.over_returns() == []
        till.heal()
        await scene.settled()
        [over] = await scene.over_returns()
        assert (over.sold_milli, over.line.returned_milli) == (1_000, 2_000)

    act(story)


def test_a_return_counts_while_it_is_on_its_way_home_and_once_when_it_is_there() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        heard = False
        for moment_s in MOMENTS_S:
            name = (await till.sold()).transaction_id
            await scene.settled()
            sold = len(await scene.home())
            scene.cut_headquarters(Cut.CLOSED)
            await sells(other, await other.give_back(await other.begin(), name))
            await asyncio.sleep(SOON_S + moment_s)
            assert len(await scene.home()) == sold
            scene.heal_headquarters()
            while len(await scene.home()) == sold:
                known = await till.receipt(name)
                assert [line.returned_milli for line in known.returned] == [1_000]
                heard = heard or known.all_stores
            await scene.settled()
            known = await till.receipt(name)
            assert [line.returned_milli for line in known.returned] == [1_000]
        assert heard

    act(story)
