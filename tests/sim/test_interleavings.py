"""The interleavings of the protocol that the shipped places close, each told as its story."""

import asyncio
import random

import pytest
from tests.sim.network import Cut
from tests.sim.scene import (
    ALLOWED,
    ANSWER_S,
    CARD,
    HOUR_S,
    OPENING,
    SHORT,
    Scene,
    act,
    refusal,
    small,
)
from tests.support import callers

from stillopen.core.errors import Unreachable
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.v1 import realtime_pb2, register_pb2, types_pb2

KEY = bytes(range(16))
WINDOW_S = ALLOWED.conclude_within_s
ONLINE = register_pb2.CONNECTION_MODE_ONLINE


def asks(scene: Scene, key: bytes, register: str) -> "asyncio.Task[realtime_pb2.LockCardResponse]":
    """LockCard as a register sends it."""
    request = realtime_pb2.LockCardRequest(
        lock_key=key,
        number=CARD,
        purpose=types_pb2.CARD_PURPOSE_REDEEM,
        currency_code="EUR",
        transaction_id=f"{hash_of(register):032x}",
        line_id="T1",
        amount=types_pb2.Money(currency_code="EUR", minor_units=100),
    )
    caller = callers.register(register)
    stub = scene.estate.cards.LockCard
    return asyncio.get_running_loop().create_task(call(stub, request, caller, ANSWER_S))


def hash_of(register: str) -> int:
    return random.Random(register).getrandbits(128)  # noqa: S311 - a name


async def unlocks(scene: Scene, key: bytes, register: str) -> realtime_pb2.CardLock:
    request = realtime_pb2.UnlockCardRequest(lock_key=key)
    caller = callers.register(register)
    return (await call(scene.estate.cards.UnlockCard, request, caller, ANSWER_S)).lock


# H2


def test_a_refused_ask_does_not_swallow_the_sale_that_followed() -> None:
    """The confirm waits in the network until its lock has lapsed; the fact is judged by itself."""

    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        scene.cut_headquarters(Cut.SILENT)
        done = await till.complete(sale)
        assert done.receipt.receipt_number
        await asyncio.sleep(60)
        scene.heal_headquarters()
        await scene.settled()
        assert await scene.spent() == [sale.total.minor_units]
        assert await scene.exceptions() == []

    act(story, plan=small(SHORT))


def test_a_fact_whose_money_is_gone_is_an_exception_and_moves_nothing() -> None:
    async def story(scene: Scene) -> None:
        first, second = scene.tills
        sale = await first.with_card()
        first.cut(Cut.SILENT)
        await first.complete(sale)
        await asyncio.sleep(60)
        other = await second.begin()
        while other.due.minor_units + 101 <= OPENING:
            other = await second.line(other)
        await second.complete(await second.card(other))
        first.heal()
        await scene.settled()
        assert await scene.spent() == [other.total.minor_units]
        [exception] = await scene.exceptions()
        left = OPENING - other.total.minor_units
        assert exception.transaction_id == sale.transaction_id
        assert exception.shortfall.minor_units == sale.total.minor_units - left

    act(story, plan=small(SHORT))


def test_a_repeated_lock_tells_the_truth_of_today() -> None:
    async def story(scene: Scene) -> None:
        first = (await asks(scene, KEY, "R1-1")).lock
        assert first.blocks_for.seconds >= 30
        await asyncio.sleep(60)
        other = (await asks(scene, bytes(16), "R1-2")).lock
        again = (await asks(scene, KEY, "R1-1")).lock
        assert (other.blocks_for.seconds > 0, again.blocks_for.ToSeconds()) == (True, 0)

    act(story, plan=small(SHORT))


# H3


def test_a_lock_whose_answer_was_lost_ends_by_itself() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.line(await till.begin())
        scene.cut_headquarters(Cut.ANSWERS_LOST)
        assert await refusal(till.card(sale)) == "HEADQUARTERS_UNREACHABLE"
        assert len(await scene.locks()) == 1
        scene.heal_headquarters()
        await asyncio.sleep(5)
        assert await scene.locks() == []
        assert (await other.with_card()).due.minor_units == 0

    act(story)


def test_a_lock_whose_answer_was_lost_ends_by_itself_when_the_link_to_the_channel_failed() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.ANSWERS_LOST)
        assert await refusal(till.card(sale)) == "OFFLINE"
        assert len(await scene.locks()) == 1
        till.heal()
        await scene.settled()
        assert await scene.locks() == []

    act(story, plan=small(ALLOWED))


def test_an_unlock_that_overtakes_its_lock_keeps_it_from_being_granted() -> None:
    async def story(scene: Scene) -> None:
        ended = await unlocks(scene, KEY, "R1-1")
        assert ended.state == realtime_pb2.LOCK_STATE_ENDED
        assert await refusal(asks(scene, KEY, "R1-1")) == "LOCK_ENDED"
        assert await scene.locks() == []

    act(story)


def test_a_power_cut_between_the_lock_and_its_answer_leaves_no_lock() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.ANSWERS_LOST)
        paying = asyncio.create_task(till.card(sale))
        await asyncio.sleep(0.5)
        assert len(await scene.locks()) == 1
        till.process.crash()
        with pytest.raises(Unreachable):
            await paying
        till.heal()
        await till.process.start()
        await scene.settled()
        assert await scene.locks() == []
        await till.sign_in()
        open_sale = await till.sale()
        assert (open_sale.version, len(open_sale.tenders)) == (sale.version, 0)
        assert (await till.card(open_sale)).due.minor_units == 0

    act(story, plan=small(ALLOWED))


# H4


def test_headquarters_down_for_hours_does_not_lapse_leases() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.with_card()
        headquarters = scene.estate.processes[scene.hq]
        headquarters.crash()
        for _ in range(6):
            await asyncio.sleep(HOUR_S / 3)
            sale = await till.line(sale)  # the customer is still choosing
        await headquarters.start()
        await asyncio.sleep(2)
        taken = await other.line(await other.begin())
        assert await refusal(other.card(taken)) == "CARD_LOCKED"
        sale = await till.cash(sale)
        assert (await till.complete(sale)).receipt.receipt_number
        await scene.settled()
        assert await scene.spent() == [sale.tenders[0].amount.minor_units]

    act(story)


@pytest.mark.parametrize("seconds", [10_000_000, -10_000_000])
def test_a_wall_clock_that_jumps_at_headquarters_lapses_nothing(seconds: float) -> None:
    async def story(scene: Scene) -> None:
        await scene.till.with_card()
        before_s = (await scene.locks())[0].lock.blocks_for.ToTimedelta().total_seconds()
        scene.estate.processes[scene.hq].clock.jump(seconds)
        after_s = (await scene.locks())[0].lock.blocks_for.ToTimedelta().total_seconds()
        assert before_s - 0.1 < after_s <= before_s

    act(story)


def test_a_sale_may_be_concluded_without_headquarters_while_its_window_is_open() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        scene.cut_headquarters(Cut.SILENT)
        await asyncio.sleep(WINDOW_S - 60)
        assert (await till.complete(sale)).receipt.receipt_number
        assert (await till.status()).mode == ONLINE
        scene.heal_headquarters()
        await scene.settled()
        assert await scene.spent() == [sale.total.minor_units]

    act(story, plan=small(ALLOWED))


@pytest.mark.parametrize("left_s", [0.5, -0.5])
def test_a_slow_answer_makes_the_window_no_longer(left_s: float) -> None:
    """The register counts from the moment it asked."""

    async def story(scene: Scene) -> None:
        till, loop = scene.till, asyncio.get_running_loop()
        sale = await till.line(await till.begin())
        scene.cut_headquarters(Cut.SILENT)
        asked_s = loop.time()
        paying = asyncio.create_task(till.card(sale))
        await asyncio.sleep(1)
        scene.heal_headquarters()
        sale = await paying
        scene.cut_headquarters(Cut.CLOSED)
        await asyncio.sleep(asked_s + WINDOW_S - left_s - loop.time())
        wanted = "" if left_s > 0 else "CONCLUDE_NOT_ALLOWED"
        assert await refusal(till.complete(sale)) == wanted

    act(story, plan=small(ALLOWED))


@pytest.mark.parametrize("gone", ["parameter is off", "suspend", "hours", "wall", "reboot"])
def test_what_closes_the_window(gone: str) -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        scene.cut_headquarters(Cut.SILENT)
        match gone:
            case "suspend":
                till.process.clock.suspend(WINDOW_S)
            case "hours":
                await asyncio.sleep(WINDOW_S)
            case "wall":
                till.process.clock.jump(WINDOW_S)
            case "reboot":
                till.process.crash()
                till.process.clock.reboot()
                await till.process.start()
                await till.sign_in()
            case _:
                pass
        assert await refusal(till.complete(sale)) == "CONCLUDE_NOT_ALLOWED"
        assert (await till.sale()).version == sale.version
        scene.heal_headquarters()
        await asyncio.sleep(5)
        if gone in {"hours", "reboot"}:
            await till.complete(sale)  # headquarters' word opens it again
        else:
            assert (await till.take_back(sale, "T1")).due.minor_units > 0

    act(story, plan=small(None if gone == "parameter is off" else ALLOWED))


def test_a_restart_of_the_process_alone_leaves_the_window_open() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        scene.cut_headquarters(Cut.CLOSED)
        till.process.crash()
        await asyncio.sleep(60)
        await till.process.start()
        await till.sign_in()
        assert (await till.complete(sale)).receipt.receipt_number

    act(story, plan=small(ALLOWED))


# H8


@pytest.mark.parametrize("restarts", [False, True])
def test_a_complete_whose_answer_was_lost_is_answered_with_the_same_receipt(
    *, restarts: bool
) -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.cash(await till.line(await till.begin()))
        scene.estate.network.faults.drop_response = 1.0
        with pytest.raises(Unreachable):
            await till.complete(sale)
        scene.estate.network.faults.drop_response = 0.0
        if restarts:
            till.process.crash()
            await till.process.start()
            await till.sign_in()
        first = await till.complete(sale)
        assert (await till.complete(sale)).receipt == first.receipt
        await scene.settled()
        assert [each.transaction_id for each in await scene.home()] == [sale.transaction_id]

    act(story)


def test_a_line_whose_answer_was_lost_is_rung_up_once() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.begin()
        scene.estate.network.faults.drop_response = 1.0
        with pytest.raises(Unreachable):
            await till.line(sale)
        scene.estate.network.faults.drop_response = 0.0
        till.process.crash()
        await till.process.start()
        await till.sign_in()
        assert len((await till.line(sale)).lines) == 1
        assert await refusal(till.line(sale, "P1")) == "VERSION_OLD"

    act(story)


# H15 in part, H18, H34


def test_each_register_is_told_of_its_own_journal() -> None:
    async def story(scene: Scene) -> None:
        cut_off, linked = scene.tills
        cut_off.cut(Cut.SILENT)
        for till in (cut_off, cut_off, linked):
            await till.sold()
        await asyncio.sleep(2)
        assert [(await till.status()).waiting_entries for till in scene.tills] == [2, 0]
        assert [(await till.status()).waiting_headquarters for till in scene.tills] == [2, 0]
        scene.cut_headquarters(Cut.SILENT)
        cut_off.heal()
        await linked.sold()
        await asyncio.sleep(30)
        assert [(await till.status()).waiting_entries for till in scene.tills] == [0, 0]
        assert [(await till.status()).waiting_headquarters for till in scene.tills] == [2, 1]
        scene.heal_headquarters()
        await scene.settled()
        assert len(await scene.home()) == 4

    act(story)


def test_a_till_that_is_disconnected_by_hand_is_silent_until_a_person_connects_it() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        switch = register_pb2.SwitchConnectionRequest(connect=False)
        await call(till.stub.SwitchConnection, switch, scene_caller(), ANSWER_S)
        await till.sold()
        till.process.crash()
        await till.process.start()
        await till.sign_in()
        since_s = asyncio.get_running_loop().time()
        await till.sold()
        await asyncio.sleep(HOUR_S / 6)
        assert [
            call_ for call_ in scene.calls if call_[0] > since_s and call_[1] == till.name
        ] == []
        assert (await till.status()).waiting_entries == 2
        switch = register_pb2.SwitchConnectionRequest(connect=True)
        await call(till.stub.SwitchConnection, switch, scene_caller(), ANSWER_S)
        await scene.settled()

    act(story)


def scene_caller() -> Caller:
    return callers.person("cashier")
