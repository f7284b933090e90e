"""How long anything takes when the network is gone, to the millisecond of virtual time."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.sim.history import now_s
from tests.sim.network import Cut
from tests.sim.scene import OPENING, Scene, act, refusal, seconds, small

from stillopen.core.parameters import OfflineProfile
from stillopen.v1 import register_pb2

ONLINE = register_pb2.CONNECTION_MODE_ONLINE
OFFLINE = register_pb2.CONNECTION_MODE_OFFLINE
LOOPBACK_S = 0.002
"""To the agent and back."""
TIMEOUT_S = OfflineProfile().timeout_s


def about(time_s: float) -> object:
    return pytest.approx(time_s, abs=0.0005)


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_a_line_waits_for_a_silent_channel_exactly_its_deadline_and_is_answered_offline(
    tries: int,
) -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.SILENT)
        began_s = now_s()
        sale = await till.line(sale, "P1")
        assert now_s() - began_s == about(TIMEOUT_S + LOOPBACK_S)
        assert [line.product_id for line in sale.lines] == ["P0", "P1"]
        status = await till.status()
        assert (status.mode, status.mode_reason) == (OFFLINE, "TIMED_OUT")

    plan = replace(small(), profile=OfflineProfile(retry_count_to_offline=tries))
    act(story, plan=plan)


def test_while_offline_nothing_waits_for_the_network_and_no_call_is_made() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        till.cut(Cut.SILENT)
        sale = await till.line(await till.begin())
        offline_s = now_s()
        sale = await till.line(sale, "P1")
        assert await refusal(till.card(sale)) == "OFFLINE"
        receipt = (await till.complete(await till.cash(sale))).receipt
        assert receipt.offline
        assert now_s() - offline_s == about(5 * LOOPBACK_S - LOOPBACK_S)
        assert scene.calls_of(till.name, offline_s) == []

    act(story)


def test_waiting_helps_a_sale_that_may_not_be_concluded_alone() -> None:
    """The link is heard again, the mode stays until the next sale: the confirm follows the link."""

    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        till.cut(Cut.CLOSED)
        sale = await till.cash(await till.line(sale, "P1"))
        assert (await till.status()).mode == OFFLINE
        assert await refusal(till.complete(sale)) == "CONCLUDE_NOT_ALLOWED"
        till.heal()
        await asyncio.sleep(30.0)
        assert (await till.status()).mode == OFFLINE
        assert (await till.complete(sale)).receipt.receipt_number
        await scene.settled()
        assert await scene.exceptions() == []

    act(story, plan=small())


def test_a_card_waits_for_a_silent_channel_no_longer_than_one_deadline() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.SILENT)
        began_s = now_s()
        assert await refusal(till.card(sale)) == "OFFLINE"
        assert now_s() - began_s <= TIMEOUT_S + LOOPBACK_S + 0.0005
        assert (await till.status()).mode == OFFLINE

    act(story)


def test_a_closed_port_takes_no_time() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.CLOSED)
        assert await seconds(till.line(sale, "P1")) == about(LOOPBACK_S)
        status = await till.status()
        assert (status.mode, status.mode_reason) == (OFFLINE, "UNREACHABLE")

    act(story)


def test_a_dead_channel_is_noticed_at_once_by_its_closed_port() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        scene.estate.processes[till.store].crash()
        began_s = now_s()
        assert await refusal(till.card(sale)) == "OFFLINE"
        assert now_s() - began_s == about(LOOPBACK_S)
        assert await seconds(till.line(sale, "P1")) == about(LOOPBACK_S)

    act(story)


def test_a_silent_headquarters_leaves_the_register_online_and_is_named_within_the_deadline() -> (
    None
):
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        scene.cut_headquarters(Cut.SILENT)
        began_s = now_s()
        assert await refusal(till.card(sale)) == "HEADQUARTERS_UNREACHABLE"
        assert now_s() - began_s < TIMEOUT_S
        status = await till.status()
        assert (status.mode, status.headquarters_reachable) == (ONLINE, False)
        await asyncio.sleep(5)
        began_s = now_s()
        assert await refusal(till.card(sale)) == "HEADQUARTERS_UNREACHABLE"
        assert now_s() - began_s == about(2 * LOOPBACK_S)
        assert not (await till.complete(await till.cash(sale))).receipt.offline

    act(story)


@pytest.mark.parametrize("timeout_s", [0.5, 1.0, 10.0])
def test_the_relay_keeps_its_reserve_at_every_deadline(timeout_s: float) -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        scene.cut_headquarters(Cut.SILENT)
        assert await refusal(till.card(sale)) == "HEADQUARTERS_UNREACHABLE"
        assert (await till.status()).mode == ONLINE

    act(story, plan=replace(small(), profile=OfflineProfile(timeout_s=timeout_s)))


def test_a_link_that_flaps_does_not_make_the_till_flap() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till

        async def flap() -> None:
            while True:
                till.cut(Cut.CLOSED)
                await asyncio.sleep(1.5)
                till.heal()
                await asyncio.sleep(1.5)

        flapping = asyncio.create_task(flap())
        modes: list[int] = []
        began_s = now_s()
        while now_s() - began_s < 400:
            sale = await till.begin()
            for _ in range(3):
                await asyncio.sleep(1)
                assert await seconds(till.line(sale)) <= TIMEOUT_S
                sale = await till.sale()
                modes.append((await till.status()).mode)
            await till.complete(await till.cash(sale))
        flapping.cancel()
        till.heal()
        changes = sum(1 for a, b in pairwise(modes) if a != b)
        assert OFFLINE in modes
        assert changes <= 2 * 400 / OfflineProfile().reconnect_interval_s + 1
        await scene.settled()

    act(story)


def test_a_register_comes_back_with_a_sale_after_its_interval_and_not_before() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        till.cut(Cut.CLOSED)
        await till.sold()
        till.heal()
        interval_s = OfflineProfile().reconnect_interval_s
        await asyncio.sleep(interval_s - 10)
        await till.sold()
        assert (await till.status()).mode == OFFLINE
        await asyncio.sleep(20)
        assert (await till.status()).mode == OFFLINE
        await till.sold()
        assert (await till.status()).mode == ONLINE

    act(story)


def test_a_sale_is_home_a_few_round_trips_after_its_receipt() -> None:
    async def story(scene: Scene) -> None:
        assert (await scene.till.with_card()).due.minor_units == 0
        sale = await scene.till.sale()
        await scene.till.complete(sale)
        assert await seconds(scene.settled()) < 0.2
        assert sum(await scene.spent()) == sale.total.minor_units < OPENING

    act(story)
