"""Suspend and recall: each interleaving of the protocol (H25, H27) as its story."""

import asyncio

import pytest
from tests.sim.disk import Moment, deaths
from tests.sim.network import Cut
from tests.sim.process import PASSWORD
from tests.sim.scene import HOUR_S, Scene, Till, act, refusal
from tests.sim.test_crashes import starts_again
from tests.sim.world import MANAGER

from stillopen.core.errors import Refused, Unreachable
from stillopen.v1 import types_pb2

OPEN = types_pb2.SALE_STATE_OPEN
WORD = types_pb2.ManagerWord(staff_id=MANAGER, password=PASSWORD, reason="the till is broken")
SOON_S = 10.0


async def two_lines(till: Till) -> types_pb2.Sale:
    """An open sale."""
    return await till.line(await till.line(await till.begin()), "P1")


async def cart(till: Till) -> types_pb2.Sale:
    """A suspended sale."""
    return await till.suspend(await two_lines(till))


async def sells(till: Till, sale: types_pb2.Sale) -> types_pb2.Sale:
    return await till.complete(await till.cash(sale))


async def becomes(scene: Scene, wanted: list[str]) -> None:
    """Waits until the channel gives out these carts and no others."""
    async with asyncio.timeout(60):
        while await scene.at_channel() != wanted:  # noqa: ASYNC110 - no event exists
            await asyncio.sleep(0.2)


async def sold_once(scene: Scene, suspended: types_pb2.Sale) -> types_pb2.Sale:
    """The one sale at headquarters that has the lines of the cart."""
    await scene.settled()
    [home] = await scene.home()
    assert list(home.lines) == list(suspended.lines)
    assert await scene.at_channel() == []
    return home


# H25


def test_a_suspended_sale_has_one_owner_when_the_answer_is_lost() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await two_lines(till)
        till.cut(Cut.ANSWERS_LOST)
        suspended = await till.suspend(sale)
        name = suspended.transaction_id
        await becomes(scene, [name])
        sold = await sells(other, await other.recall(name))
        assert await refusal(till.recall(name)) == "HANDED_OVER"
        assert await till.suspended() == []
        till.heal()
        await till.connect()
        assert await refusal(till.recall(name)) == "CLAIMED"
        home = await sold_once(scene, suspended)
        assert (home.transaction_id, home.recalled_from) == (sold.transaction_id, name)

    act(story)


def test_a_sale_that_may_have_been_handed_over_is_given_out_by_the_channel_alone() -> None:
    """The power fails between the hand-over and its answer; the register never heard it."""

    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await two_lines(till)
        till.cut(Cut.ANSWERS_LOST)
        suspended = await till.suspend(sale)
        await becomes(scene, [suspended.transaction_id])
        till.process.crash()
        till.cut(Cut.CLOSED)
        await till.process.start()
        await till.sign_in()
        assert await refusal(till.recall(suspended.transaction_id)) == "HANDED_OVER"
        await sells(other, await other.recall(suspended.transaction_id))
        till.heal()
        await sold_once(scene, suspended)

    act(story)


def test_a_cart_that_never_left_is_recalled_without_the_channel() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        till.cut(Cut.CLOSED)
        suspended = await cart(till)
        till.process.crash()
        await till.process.start()
        await till.sign_in()
        await sells(till, await till.recall(suspended.transaction_id))
        till.heal()
        assert await refusal(other.recall(suspended.transaction_id)) == "SALE_UNKNOWN"
        await sold_once(scene, suspended)

    act(story)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("repeats", [False, True])
def test_a_cart_recalled_into_a_dead_link_is_not_lost(*, repeats: bool, crashes: bool) -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        suspended = await cart(till)
        await becomes(scene, [suspended.transaction_id])
        other.cut(Cut.ANSWERS_LOST)
        name = other.new_name()
        assert await refusal(other.recall(suspended.transaction_id, name)) == "OFFLINE"
        assert await refusal(till.recall(suspended.transaction_id)) == "CLAIMED"
        assert await refusal(other.begin(name)) == "KEY_REUSED"
        if crashes:
            other.process.crash()
            await other.process.start()
            await other.sign_in()
        other.heal()
        if repeats:
            await other.connect()
            sale = await other.recall(suspended.transaction_id, name)
            assert (sale.transaction_id, sale.state) == (name, OPEN)
            await sells(other, sale)
        else:
            await becomes(scene, [name])
            [again] = await till.suspended()
            assert (again.transaction_id, again.recalled_from) == (name, suspended.transaction_id)
            assert await refusal(other.recall(suspended.transaction_id, name)) == "HANDED_OVER"
            await sells(till, await till.recall(name))
        await sold_once(scene, suspended)

    act(story)


def test_a_recall_that_nobody_repeated_in_time_is_finished_whatever_dies() -> None:
    """It may also be repeated after all: what was finished and not handed over is opened then."""
    opened: list[int] = []
    for number in range(1, 9):

        async def story(scene: Scene) -> None:
            till, other = scene.tills
            suspended = await cart(till)
            await becomes(scene, [suspended.transaction_id])
            other.cut(Cut.ANSWERS_LOST)
            name = other.new_name()
            assert await refusal(other.recall(suspended.transaction_id, name)) == "OFFLINE"
            other.heal()
            other.process.commits.die_at(number, Moment.AFTER)  # noqa: B023
            await asyncio.sleep(90)
            other.process.crash()
            other.cut(Cut.CLOSED)
            await other.process.start()
            await other.sign_in()
            again = await is_opened(other, suspended.transaction_id, name)
            other.heal()
            if again is not None:
                opened.append(again.version)
                await sells(other, again)
            else:
                await becomes(scene, [name])
                await sells(till, await till.recall(name))
            await sold_once(scene, suspended)

        act(story)
    assert opened == [2]


async def is_opened(till: Till, cart_id: str, name: str) -> types_pb2.Sale | None:
    """The sale, when a register that is cut off can go on with it."""
    why = await refusal(till.recall(cart_id, name))
    assert why in {"", "OFFLINE", "HANDED_OVER"}
    return None if why else await till.sale()


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("place", ["R1-1", "R1-2", "S1"])
def test_a_cart_survives_a_crash_at_every_commit(place: str, moment: Moment) -> None:
    """Suspended at one till and recalled at the other, whatever dies: sold once, under one name."""
    died = 0
    for number in deaths(7, moment):
        died_at: list[str] = []

        async def story(scene: Scene) -> None:
            till, other = scene.tills
            sale = await till.line(await till.begin())
            scene.estate.processes[place].commits.die_at(number, moment)  # noqa: B023
            keeper = asyncio.create_task(starts_again(scene, place, died_at))  # noqa: B023
            async with asyncio.timeout(HOUR_S):
                suspended = await till.repeated(till.suspend, sale)
                name = other.new_name()
                again = await recalled(other, suspended.transaction_id, name)
                await other.repeated(other.complete, await other.repeated(other.cash, again))
            scene.estate.processes[place].commits.live_on()
            home = await sold_once(scene, suspended)
            keeper.cancel()
            assert home.transaction_id == name

        act(story)
        died += len(died_at)
    assert died >= len(deaths(7, moment)) // 2


async def recalled(till: Till, cart_id: str, name: str) -> types_pb2.Sale:
    """A frontend that asks with the same ids until it has the sale."""
    while True:
        try:
            return await till.recall(cart_id, name)
        except Unreachable:
            await asyncio.sleep(0.5)
        except Refused as error:
            if error.reason == "NOT_SIGNED_IN":
                await till.sign_in()
            elif error.reason in {"OFFLINE", "SALE_UNKNOWN"}:
                await asyncio.sleep(0.5)
                await till.connect()
            else:
                raise


@pytest.mark.parametrize("offline", [False, True])
def test_a_recall_repeated_after_a_restart_is_the_same_sale(*, offline: bool) -> None:
    async def story(scene: Scene) -> None:
        till, _ = scene.tills
        if offline:
            till.cut(Cut.CLOSED)
        suspended = await cart(till)
        if not offline:
            await becomes(scene, [suspended.transaction_id])
        name = till.new_name()
        till.process.commits.die_at(2 if not offline else 1, Moment.AFTER)
        with pytest.raises(Unreachable):
            await till.recall(suspended.transaction_id, name)
        await till.process.start()
        await till.sign_in()
        first = await till.recall(suspended.transaction_id, name)
        assert (first.transaction_id, first.version, first.state) == (name, 1, OPEN)
        changed = await till.line(first)
        assert await till.recall(suspended.transaction_id, name) == changed
        await till.process.shut_down()
        await till.process.start()
        await till.sign_in()
        assert await till.recall(suspended.transaction_id, name) == changed
        till.heal()
        await sells(till, changed)
        await scene.settled()
        assert [each.transaction_id for each in await scene.home()] == [name]

    act(story)


def test_a_manager_ends_the_claim_of_a_till_that_does_not_come_back() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        suspended = await cart(till)
        name = suspended.transaction_id
        await becomes(scene, [name])
        claimed = await other.recall(name)
        other.process.crash()
        assert await refusal(till.recall(name)) == "CLAIMED"
        await sells(till, await till.recall(name, till.new_name(), WORD))
        await other.process.start()
        await other.sign_in()
        assert await other.sale() == claimed
        assert await refusal(other.recall(name, other.new_name(), WORD)) == "SALE_OPEN"
        await scene.settled()
        [home] = await scene.home()
        assert (home.register_id, home.recalled_from) == (till.name, name)

    act(story)


def test_changes_of_mode_lose_no_cart() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        online = await cart(till)
        await becomes(scene, [online.transaction_id])
        till.cut(Cut.SILENT)
        offline = await cart(till)
        await asyncio.sleep(60)
        assert [each.transaction_id for each in await till.suspended()] == [offline.transaction_id]
        till.heal()
        await becomes(scene, [online.transaction_id, offline.transaction_id])
        for each in (online, offline):
            await sells(other, await other.recall(each.transaction_id))
        await scene.settled()
        assert len(await scene.home()) == 2
        assert await scene.at_channel() == []

    act(story)


# H27


def test_a_price_change_mid_sale_changes_no_line() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.line(await till.begin())
        await scene.estate.set_prices(50)
        await asyncio.sleep(SOON_S)
        assert (await till.line(sale, "P1")).lines[0] == sale.lines[0]
        sale = await till.sale()
        old, new = sale.lines
        assert old.catalogue_sequence < new.catalogue_sequence
        assert new.unit_price.minor_units == 250
        suspended = await till.suspend(sale)
        await scene.estate.set_prices(60)
        await becomes(scene, [suspended.transaction_id])
        await asyncio.sleep(SOON_S)
        again = await other.recall(suspended.transaction_id)
        assert list(again.lines) == [old, new]
        assert again.total == sale.total
        await sells(other, again)
        await sold_once(scene, suspended)

    act(story)
