"""What a register says of itself: the same from every call, and after a restart too."""

from dataclasses import replace

from tests.support.estate import Estate
from tests.support.estate_messages import ask
from tests.support.estate_parts import ME, eur
from tests.support.estate_till import Status, Till

from stillopen.core.parameters import DAY_S, OfflineProfile
from stillopen.register.wire import without_countdowns
from stillopen.v1 import register_pb2

ONLINE = register_pb2.CONNECTION_MODE_ONLINE
OFFLINE = register_pb2.CONNECTION_MODE_OFFLINE


def why_not(status: Status) -> dict[str, str]:
    """Operations that do not work now, and why."""
    return {each.name: each.why_not for each in status.all_operations if not each.works_now}


def changes(status: Status) -> list[tuple[int, str]]:
    """The log, newest first."""
    return [(each.mode, each.reason) for each in status.mode_changes]


async def test_the_status_says_what_was_delivered_each_way_and_how_old_the_data_is(
    estate: Estate, till: Till
) -> None:
    fresh = await till.status()
    assert not fresh.HasField("last_acknowledgement")
    assert fresh.last_package.seconds > 0
    await till.sold()
    await estate.until_home(till)
    status = await till.status()
    assert status.last_acknowledgement.ToMicroseconds() >= fresh.last_package.ToMicroseconds()
    assert 0 <= status.data_age_s < 10
    assert status.waiting_down_bytes == 0
    assert not status.HasField("next_reconnect_s")


async def test_what_waits_is_counted_with_its_money_and_its_oldest_and_shrinks_to_nothing(
    estate: Estate, till: Till
) -> None:
    await estate.channel.stop()
    begun = await till.status()
    status = begun
    for count in range(1, 4):
        await till.sold()
        status = await till.status()
        assert (status.waiting_entries, status.waiting_headquarters) == (count, count)
        assert status.waiting_amount == eur(300 * count)
    oldest = status.waiting_since
    assert oldest.ToMicroseconds() >= begun.mode_since.ToMicroseconds()
    await estate.restart("R1")
    status = await till.status()
    assert (status.waiting_entries, status.waiting_amount) == (3, eur(900))
    assert status.waiting_since == oldest
    await till.sign_in()
    await till.void(await till.rung_up())
    status = await till.status()
    assert (status.waiting_entries, status.waiting_amount) == (4, eur(900))
    await estate.channel.start()
    await estate.until_home(till)
    status = await till.status()
    assert (status.waiting_entries, status.waiting_headquarters) == (0, 0)
    assert not status.HasField("waiting_amount")
    assert not status.HasField("waiting_since")


async def test_the_log_and_the_deliveries_outlive_the_process(estate: Estate, till: Till) -> None:
    await till.sold()
    await estate.until_home(till)
    before = await till.status()
    await estate.channel.stop()
    await till.sold()
    await estate.restart("R1")
    await till.sign_in()
    status = await till.status()
    assert changes(status)[:4] == [
        (OFFLINE, "UNREACHABLE"),
        (ONLINE, "STARTED"),
        (OFFLINE, "UNREACHABLE"),
        (ONLINE, "STARTED"),
    ]
    times = [each.time.ToMicroseconds() for each in status.mode_changes]
    assert times == sorted(times, reverse=True)
    assert status.mode_since == status.mode_changes[0].time
    assert status.last_acknowledgement.ToMicroseconds() >= (
        before.last_acknowledgement.ToMicroseconds()
    )
    assert status.last_package == before.last_package
    assert 0 <= status.data_age_s < 60


async def test_the_log_keeps_the_last_hundred_changes(estate: Estate, till: Till) -> None:
    for number in range(51):
        await till.switch(connect=False)
        status = await till.switch(connect=True)
        assert len(status.mode_changes) == min(1 + 2 * (number + 1), 100)
    await estate.restart("R1")
    status = await till.status()
    assert len(status.mode_changes) == 100
    assert changes(status)[:2] == [(ONLINE, "STARTED"), (ONLINE, "SWITCHED_BY_HAND")]


async def test_get_watch_and_switch_answer_the_same_status(estate: Estate, till: Till) -> None:
    del estate
    switched = await till.switch(connect=False)
    got = await till.until(lambda status: not status.link_up)
    asked = await till.status()
    assert without_countdowns(got) == without_countdowns(asked)
    switched.link_up = False
    assert without_countdowns(switched) == without_countdowns(asked)


async def test_operations_have_the_incumbents_ids_and_say_why_they_do_not_work(
    estate: Estate, till: Till
) -> None:
    status = await till.status()
    ids = {each.name: list(each.operation_ids) for each in status.all_operations}
    assert ids["SWITCH_CONNECTION"] == [917]
    assert ids["TENDER_GIFT_CARD"] == [214]
    assert ids["VOID"] == [500]
    assert (ids["SUSPEND"], ids["RECALL"], ids["RETURN_BY_RECEIPT"]) == ([503], [504], [114])
    assert why_not(status) == {}
    await estate.channel.stop()
    await till.rung_up()
    status = await till.status()
    by_card = {name for name in ids if "CARD" in name or "MEMO" in name}
    assert why_not(status) == dict.fromkeys(by_card, "OFFLINE")
    assert set(status.operations) == set(ids) - set(why_not(status))
    await estate.restart("R1")
    assert why_not(await till.status())["COMPLETE"] == "NOT_SIGNED_IN"


async def test_a_register_without_data_says_that_nothing_can_be_sold(estate: Estate) -> None:
    await estate.channel.stop()
    till = await estate.till("R9", ready=False)
    status = await till.status()
    assert list(status.offline_missing) == ["MASTER_DATA"]
    assert not status.HasField("data_age_s")
    assert not status.HasField("last_package")


async def test_data_of_last_week_is_said_to_be_old_and_sells_all_the_same(
    estate: Estate, till: Till
) -> None:
    await estate.channel.stop()
    await estate.restart("R1")
    estate.clock.ahead_s = 8 * DAY_S
    status = await till.status()
    assert (status.offline_ready, list(status.offline_missing)) == (False, ["RECENT_DATA"])
    assert status.data_age_s > 7 * DAY_S
    await till.sign_in()
    await till.sold()


async def test_a_profile_is_read_as_it_was_written(estate: Estate) -> None:
    profile = replace(
        OfflineProfile(),
        name="Whole",
        timeout_s=2.5,
        prompt_on_seamless_offline=True,
        allow_manual_offline_before_sign_in=True,
        enable_advanced_offline_switching=True,
        system_health_check_interval_s=7.5,
        minimum_dwell_s=11,
        offline_switch_api_performance_threshold_s=1.5,
        reconnect_from_performance_induced_offline_interval_s=0,
        failure_count=4,
        failure_window_s=30,
    )
    assert await estate.people.set_profile(profile) == profile
    assert await estate.people.profile("Whole") == profile


async def test_two_frontends_see_the_same_question(estate: Estate, till: Till) -> None:
    profile = replace(estate.profile, prompt_on_seamless_offline=True)
    await estate.people.set_profile(profile)
    shown = await estate.until_channel_shows()
    await till.until(lambda status: status.catalogue_sequence == shown)
    sale = await till.begin()
    await estate.channel.stop()
    sale = await till.line(sale)
    other = estate.another_till("R1")
    assert (await till.status()).cashier_asked
    assert (await other.status()).cashier_asked
    request = register_pb2.SwitchConnectionRequest(connect=False)
    answer = await ask(other.stub.SwitchConnection, request, ME)
    assert (answer.status.mode, answer.status.cashier_asked) == (OFFLINE, False)
    await till.until(lambda status: not status.cashier_asked)
