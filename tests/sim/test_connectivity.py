"""When a register leaves its channel and when it comes back, on virtual time."""

import asyncio
from dataclasses import replace

import pytest
from tests.sim.history import now_s
from tests.sim.images import another
from tests.sim.network import Cut
from tests.sim.scene import ANSWER_S, Scene, Till, act, refusal, seconds, small
from tests.sim.world import OFFICE, Plan, store_address

from stillopen.core.parameters import CardParameters, OfflineProfile
from stillopen.register.connectivity import JITTER
from stillopen.rpc.status import call
from stillopen.rpc.wire import time_from
from stillopen.v1 import register_pb2

ONLINE = register_pb2.CONNECTION_MODE_ONLINE
OFFLINE = register_pb2.CONNECTION_MODE_OFFLINE
MANUAL = register_pb2.CONNECTION_MODE_OFFLINE_MANUAL
LOOPBACK_S = 0.002
HEARD_S = 5.0
"""Within which a stream that may begin has heard the channel."""
DRIFT_S = 1.0
"""What a machine's clock may be wrong by within these stories."""
ADVANCED = OfflineProfile(
    enable_advanced_offline_switching=True, system_health_check_interval_s=5, minimum_dwell_s=30
)
BACK_S = ADVANCED.minimum_dwell_s * (1 + JITTER) + ADVANCED.system_health_check_interval_s + 1
Status = register_pb2.RegisterStatus


def plan(profile: OfflineProfile) -> Plan:
    """A store with that profile."""
    return replace(small(), profile=profile)


async def switch(till: Till, *, connect: bool) -> Status:
    """Operation 917."""
    request = register_pb2.SwitchConnectionRequest(connect=connect)
    return (await call(till.stub.SwitchConnection, request, OFFICE, ANSWER_S)).status


async def restart(till: Till) -> None:
    """Its process dies and starts again."""
    till.process.crash()
    await till.process.start()


def changes(status: Status) -> list[tuple[int, str]]:
    """The log, newest first."""
    return [(each.mode, each.reason) for each in status.mode_changes]


@pytest.mark.parametrize("cut", [Cut.CLOSED, Cut.SILENT])
@pytest.mark.parametrize("period_s", [1.0, 4.0])
def test_a_flapping_link_changes_the_mode_no_oftener_than_the_dwell_allows_and_holds_no_sale_up(
    cut: Cut, period_s: float
) -> None:
    async def story(scene: Scene) -> None:
        till = scene.till

        async def flap() -> None:
            while True:
                till.cut(cut)
                await asyncio.sleep(period_s)
                till.heal()
                await asyncio.sleep(period_s)

        flapping = asyncio.create_task(flap())
        began_s = now_s()
        while now_s() - began_s < 300:
            before = len((await till.status()).mode_changes)
            waited_s = 0.0
            sale = await till.begin()
            for _ in range(3):
                await asyncio.sleep(0.7)
                waited_s += await seconds(till.line(sale))
                sale = await till.sale()
            waited_s += await seconds(till.cash(sale))
            waited_s += await seconds(till.complete(await till.sale()))
            changed = len((await till.status()).mode_changes) - before
            # An answer held up for less than the deadline comes with the healed link: no change.
            held_s = 3 * period_s if cut is Cut.SILENT and period_s < ADVANCED.timeout_s else 0.0
            assert waited_s <= changed * ADVANCED.timeout_s + held_s + 0.1
        flapping.cancel()
        till.heal()
        log = [each for each in (await till.status()).mode_changes if each.reason != "STARTED"]
        went = cut is Cut.CLOSED or period_s > ADVANCED.timeout_s
        assert went == (OFFLINE in {each.mode for each in log})
        times = [time_from(each.time) for each in reversed(log)]
        for first, first_s in enumerate(times):
            for last in range(first, len(times)):
                window_s = times[last] - first_s + DRIFT_S
                assert last - first + 1 <= 2 + 2 * (window_s // ADVANCED.minimum_dwell_s)
        await scene.settled()

    act(story, plan=plan(ADVANCED))


def test_advanced_switching_comes_back_in_the_middle_of_a_sale_and_renews_its_locks() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        till.cut(Cut.CLOSED)
        sale = await till.line(sale, "P1")
        assert (await till.status()).mode == OFFLINE
        till.heal()
        healed_s = now_s()
        await asyncio.sleep(BACK_S)
        status = await till.status()
        assert (status.mode, status.mode_reason) == (ONLINE, "HEALTHY")
        assert status.open_transaction_id == sale.transaction_id
        assert list(status.check_again) == []
        assert any(m.endswith("/RenewLocks") for m in scene.calls_of(till.name, healed_s))
        assert (await till.sale()).lines == sale.lines
        done = await till.complete(await till.cash(sale))
        assert not done.receipt.offline
        await scene.settled()

    act(story, plan=plan(ADVANCED))


def test_prices_that_changed_meanwhile_do_not_touch_the_lines_of_the_open_sale() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.CLOSED)
        sale = await till.line(sale)
        await scene.estate.set_prices(7)
        till.heal()
        await asyncio.sleep(BACK_S)
        assert (await till.status()).mode == ONLINE
        assert (await till.sale()).lines == sale.lines
        again = await till.line(sale)
        assert again.lines[2].unit_price != sale.lines[0].unit_price

    act(story, plan=plan(ADVANCED))


def test_locks_that_cannot_be_renewed_stay_named_until_they_are() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        till.cut(Cut.CLOSED)
        await till.line(sale)
        scene.cut_headquarters(Cut.SILENT)
        till.heal()
        await asyncio.sleep(BACK_S + ADVANCED.timeout_s)
        status = await till.status()
        assert (status.mode, list(status.check_again)) == (ONLINE, ["LOCKS"])
        scene.heal_headquarters()
        await asyncio.sleep(2 * CardParameters().lease_s / 3)
        assert list((await till.status()).check_again) == []

    act(story, plan=plan(ADVANCED))


def test_without_advanced_switching_nobody_asks_and_nothing_comes_back_mid_sale() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.begin()
        till.cut(Cut.CLOSED)
        await till.line(sale)
        till.heal()
        healed_s = now_s()
        await asyncio.sleep(1_000)
        assert (await till.status()).mode == OFFLINE
        assert [m for m in scene.calls_of(till.name, healed_s) if m.endswith("/Check")] == []

    act(story)


def test_a_silent_channel_costs_a_health_check_one_deadline_and_the_cashier_nothing() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.begin()
        till.cut(Cut.SILENT)
        sale = await till.line(sale)
        began_s = now_s()
        for _ in range(20):
            await asyncio.sleep(1)
            assert await seconds(till.line(sale)) <= LOOPBACK_S + 0.001
            sale = await till.sale()
        checks = [m for m in scene.calls_of(till.name, began_s) if m.endswith("/Check")]
        assert 2 <= len(checks) <= 4
        assert (await till.status()).mode == OFFLINE

    act(story, plan=plan(ADVANCED))


def test_slow_answers_in_a_row_move_a_register_offline_and_it_comes_back_by_its_own_interval() -> (
    None
):
    slow = OfflineProfile(
        reconnect_interval_s=0,
        offline_switch_api_performance_threshold_s=1.0,
        reconnect_from_performance_induced_offline_interval_s=120,
    )

    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        scene.estate.network.faults.delay_s = (0.6, 0.6)
        for _ in range(2):
            sale = await till.line(sale)
        assert (await till.status()).mode == ONLINE
        sale = await till.line(sale)
        scene.estate.network.faults.delay_s = (0.0, 0.0)
        status = await till.status()
        assert (status.mode, status.mode_reason) == (OFFLINE, "SLOW")
        assert 110 < status.next_reconnect_s <= 120
        assert len(sale.lines) == 4
        await till.complete(await till.cash(sale))
        await till.sold()
        assert (await till.status()).mode == OFFLINE
        await asyncio.sleep(120)
        await till.sold()
        status = await till.status()
        assert (status.mode, status.mode_reason) == (ONLINE, "RECONNECTED")

    act(story, plan=plan(slow))


def test_the_cashier_is_asked_and_nobody_waits_for_the_answer() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.begin()
        till.cut(Cut.CLOSED)
        sale = await till.line(sale)
        assert (await till.status()).cashier_asked
        assert await seconds(till.line(sale)) <= LOOPBACK_S + 0.001
        assert await refusal(switch(till, connect=True)) == "UNREACHABLE"
        assert (await till.status()).cashier_asked
        status = await switch(till, connect=False)
        assert (status.mode, status.cashier_asked) == (OFFLINE, False)
        await restart(till)
        await till.sign_in()
        assert (await till.status()).mode_reason == "UNREACHABLE"

    act(story, plan=plan(OfflineProfile(prompt_on_seamless_offline=True)))


def test_the_cashiers_answer_to_reconnect_comes_back_at_once() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.begin()
        till.cut(Cut.CLOSED)
        await till.line(sale)
        till.heal()
        status = await switch(till, connect=True)
        assert (status.mode, status.mode_reason) == (ONLINE, "SWITCHED_BY_HAND")
        assert not status.cashier_asked

    act(story, plan=plan(OfflineProfile(prompt_on_seamless_offline=True)))


def test_before_sign_in_a_register_is_disconnected_only_if_the_profile_allows_it() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await restart(till)
        assert await refusal(switch(till, connect=False)) == "NOT_SIGNED_IN"
        status = await till.status()
        assert status.mode == ONLINE
        assert "SWITCH_CONNECTION" not in status.operations
        await scene.estate.set_profile(OfflineProfile(allow_manual_offline_before_sign_in=True))
        await asyncio.sleep(5)
        assert "SWITCH_CONNECTION" in (await till.status()).operations
        assert (await switch(till, connect=False)).mode == MANUAL
        await till.sign_in()
        assert (await till.sold()).receipt.offline

    act(story)


def test_a_new_register_whose_first_sign_in_found_nobody_is_no_longer_alone_than_its_link() -> None:
    """Nothing is delivered before somebody signed in, so no stream would bring it back."""

    async def story(scene: Scene) -> None:
        till = scene.till
        spare = await another(scene, "spare", till)
        scene.estate.network.cut(spare.name, store_address(till.store), mode=Cut.SILENT)
        for _ in range(2):
            assert await refusal(spare.sign_in()) == "NOT_READY"
        assert (await spare.status()).mode == OFFLINE
        scene.estate.network.heal(spare.name, store_address(till.store))
        await spare.sign_in()
        await asyncio.sleep(HEARD_S)
        sale = await spare.sold()
        await scene.settled()
        assert [each.transaction_id for each in await scene.home()] == [sale.transaction_id]

    act(story)


def test_manual_offline_survives_a_restart_and_anybody_may_connect() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await switch(till, connect=False)
        await restart(till)
        began_s = now_s()
        await asyncio.sleep(1_000)
        status = await till.status()
        assert (status.mode, status.mode_reason) == (MANUAL, "SWITCHED_BY_HAND")
        assert not status.HasField("next_reconnect_s")
        assert scene.calls_of(till.name, began_s) == []
        assert (await switch(till, connect=True)).mode == ONLINE

    act(story, plan=plan(ADVANCED))


def test_a_retry_that_is_answered_keeps_the_register_online() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.begin()
        till.cut(Cut.ANSWERS_LOST)
        ringing = asyncio.create_task(till.line(sale))
        await asyncio.sleep(0.5)
        till.heal()
        await ringing
        assert (await till.status()).mode == ONLINE

    act(story, plan=plan(OfflineProfile(retry_count_to_offline=3)))


def test_the_log_outlives_the_process_and_names_each_change() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        till.cut(Cut.CLOSED)
        await till.sold()
        till.heal()
        await switch(till, connect=True)
        await asyncio.sleep(1)
        await restart(till)
        assert changes(await till.status()) == [
            (ONLINE, "STARTED"),
            (ONLINE, "SWITCHED_BY_HAND"),
            (OFFLINE, "UNREACHABLE"),
            (ONLINE, "STARTED"),
        ]

    act(story, fresh=True)


def test_a_card_call_at_a_channel_that_lost_its_master_data_moves_the_register_offline() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        scene.cut_headquarters(Cut.SILENT)
        channel = scene.estate.processes[till.store]
        channel.crash()
        (scene.estate.folder / till.store / "replica.db").resolve().unlink()
        await channel.start()  # it knows no register until headquarters has sent the data anew
        assert await refusal(till.card(sale)) == "OFFLINE"
        assert (await till.status()).mode == OFFLINE
        assert (await till.complete(await till.cash(sale))).receipt.receipt_number

    act(story)
