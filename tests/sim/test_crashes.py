"""A sale with a gift card, and a process that dies at each of its commits: the protocol's table.

Wherever the power fails there is one sale at headquarters, one debit, no lock and one receipt.
"""

import asyncio

import pytest
from tests.sim.disk import Moment, deaths
from tests.sim.scene import ALLOWED, HOUR_S, Scene, Till, act, refusal, small

from stillopen.core.errors import StillopenError, Unreachable
from stillopen.v1 import types_pb2

COMMITS = {"R1-1": 14, "S1": 8, "HQ": 10}
"""More than each place makes in the story."""


async def sells(till: Till) -> types_pb2.Sale:
    """The sale with its receipt: a frontend that repeats what was not answered and tries again."""
    name = till.new_name()
    sale = await till.repeated(lambda _: till.begin(name), types_pb2.Sale())
    sale = await till.repeated(till.line, sale)
    while sale.state != types_pb2.SALE_STATE_COMPLETED:
        write = till.card if sale.due.minor_units else till.complete
        try:
            sale = await till.repeated(write, sale)
        except StillopenError:
            await asyncio.sleep(1)
            sale = await till.repeated(lambda _: till.sale(name), sale)
            if (await till.status()).mode_reason in {"UNREACHABLE", "TIMED_OUT"}:
                await till.connect()
    return sale


async def starts_again(scene: Scene, name: str, deaths: list[str]) -> None:
    process = scene.estate.processes[name]
    process.on_end = deaths.append
    while True:
        await process.ended()
        await asyncio.sleep(2)
        await process.start()


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("place", list(COMMITS))
def test_a_sale_survives_a_crash_at_every_commit(place: str, moment: Moment) -> None:
    died = 0
    for number in deaths(COMMITS[place], moment):
        died_at: list[str] = []

        async def story(scene: Scene) -> None:
            scene.estate.processes[place].commits.die_at(number, moment)  # noqa: B023
            keeper = asyncio.create_task(starts_again(scene, place, died_at))  # noqa: B023
            async with asyncio.timeout(HOUR_S):
                sale = await sells(scene.till)
            await asyncio.sleep(11)  # headquarters saves its clock every ten seconds
            scene.estate.processes[place].commits.live_on()
            await scene.settled()
            keeper.cancel()
            assert [each.transaction_id for each in await scene.home()] == [sale.transaction_id]
            assert await scene.spent() == [sale.total.minor_units]
            assert (await scene.locks(), await scene.exceptions()) == ([], [])
            assert (await scene.till.sale(sale.transaction_id)).receipt == sale.receipt

        act(story, plan=small(ALLOWED, tills=(1,)))
        died += len(died_at)
    assert died >= len(deaths(COMMITS[place], moment)) // 2


@pytest.mark.parametrize("moment", list(Moment))
def test_a_register_that_dies_while_it_starts_starts_the_next_time(moment: Moment) -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        till.process.crash()
        till.process.commits.die_at(1, moment)
        assert not await till.process.start()
        assert await till.process.start()
        await till.sign_in()
        assert await till.sale() == sale
        assert await refusal(till.begin()) == "SALE_OPEN"

    act(story)


def test_the_crash_between_the_append_and_the_answer_prints_the_receipt_later() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.cash(await till.line(await till.begin()))
        till.process.commits.die_at(1, Moment.AFTER)
        with pytest.raises(Unreachable):
            await till.complete(sale)
        await till.process.start()
        await till.sign_in()
        done = await till.sale(sale.transaction_id)
        assert done.state == types_pb2.SALE_STATE_COMPLETED
        assert (await till.complete(sale)).receipt == done.receipt

    act(story)


def test_the_crash_before_the_append_leaves_the_sale_open() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.cash(await till.line(await till.begin()))
        till.process.commits.die_at(1, Moment.BEFORE)
        with pytest.raises(Unreachable):
            await till.complete(sale)
        await till.process.start()
        await till.sign_in()
        assert await till.sale() == sale

    act(story)
