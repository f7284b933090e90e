"""Distribution: schedules, runs, replicas and sessions, from headquarters to registers."""

from dataclasses import replace

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_distribution import Schedule, add_plum, pause, replica
from tests.support.estate_messages import R1, ask
from tests.support.estate_parts import FAST, ME, STORE, eur, one, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.core.parameters import DEFAULT_PROFILE
from stillopen.rpc.identity import Caller
from stillopen.v1 import channel_data_pb2, headquarters_pb2, types_pb2

APPLIED = headquarters_pb2.DOWNLOAD_STATE_APPLIED
AVAILABLE = headquarters_pb2.DOWNLOAD_STATE_AVAILABLE
SUSPENDED = headquarters_pb2.DOWNLOAD_STATE_SUSPENDED


async def knows_plum(estate: Estate) -> bool:
    """Whether the channel has it."""
    request = channel_data_pb2.SearchProductsRequest(query="PLUM")
    return len((await ask(estate.data.SearchProducts, request)).products) == 1


async def test_a_new_headquarters_distributes_everything_on_every_change(estate: Estate) -> None:
    [schedule] = await estate.people.schedules()
    assert (schedule.name, list(schedule.jobs), list(schedule.group_ids)) == ("default", [9999], [])
    assert (schedule.on_change, schedule.paused, schedule.every.seconds) == (True, False, 0)
    await add_plum(estate)
    await until(lambda: knows_plum(estate))


async def test_a_paused_schedule_runs_when_somebody_runs_it(estate: Estate) -> None:
    await pause(estate)
    await add_plum(estate)
    [run] = await estate.people.run_schedule()
    assert (run.schedule, run.group_id, run.changed, run.removed) == ("default", "Default", 1, 0)
    assert run.size > 0
    await until(lambda: knows_plum(estate))
    assert await estate.people.run_schedule() == []
    assert await anext(estate.people.runs()) == run


async def test_several_changes_share_a_package(estate: Estate) -> None:
    await pause(estate)
    for minor in (50, 60, 70):
        await add_plum(estate, minor)
    [run] = await estate.people.run_schedule()
    assert run.changed == 1
    await until(lambda: knows_plum(estate))
    answer = await ask(estate.data.GetProduct, channel_data_pb2.GetProductRequest(code="PLUM"))
    assert answer.product.price == eur(70)


async def test_a_schedule_carries_its_jobs_alone(estate: Estate) -> None:
    await pause(estate)
    await add_plum(estate)
    await estate.people.set_schedule(Schedule(name="staff", jobs=[1060]))
    assert await estate.people.run_schedule("staff") == []
    await estate.people.set_schedule(Schedule(name="goods", jobs=[1040], group_ids=["Default"]))
    [run] = await estate.people.run_schedule("goods")
    assert list(run.jobs) == [1040]


async def test_parameters_are_reloaded_while_schedules_are_paused(estate: Estate) -> None:
    await pause(estate)
    parameters = await estate.people.parameters()
    await estate.people.set_gift_card(replace(parameters.gift_card, lease_s=130.0))
    answer = await estate.people.reload_parameters()
    assert [list(run.jobs) for run in answer.runs] == [[1110]]

    async def shown() -> bool:
        request = channel_data_pb2.GetParametersRequest()
        return (await ask(estate.data.GetParameters, request)).parameters.version == answer.version

    await until(shown)


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        (Schedule(name="", jobs=[9999]), "name"),
        (Schedule(name="a"), "jobs"),
        (Schedule(name="a", jobs=[1]), "jobs"),
        (Schedule(name="a", jobs=[9999], every=Duration(seconds=-1)), "every"),
        (Schedule(name="a", jobs=[9999], every=Duration(seconds=400 * 86_400)), "every"),
        (Schedule(name="a", jobs=[9999], group_ids=["\n"]), "group_ids"),
    ],
    ids=["no name", "no job", "unknown job", "negative", "too long", "no group's id"],
)
async def test_a_schedule_that_cannot_be_is_refused(
    estate: Estate, schedule: Schedule, field: str
) -> None:
    before = await estate.people.schedules()
    async with estate.refuses(Reason.INVALID_ARGUMENT, field):
        await estate.people.set_schedule(schedule)
    assert await estate.people.schedules() == before


async def test_a_schedule_for_a_group_that_is_not_there_is_refused(estate: Estate) -> None:
    async with estate.refuses(Reason.NAME_UNKNOWN, "group_ids"):
        await estate.people.set_schedule(Schedule(name="a", jobs=[9999], group_ids=["Nowhere"]))
    assert [each.name for each in await estate.people.schedules()] == ["default"]


async def test_a_schedule_that_is_not_there_is_refused(estate: Estate) -> None:
    async with estate.refuses(Reason.NAME_UNKNOWN, "name"):
        await estate.people.run_schedule("nothing")
    async with estate.refuses(Reason.NAME_UNKNOWN, "name"):
        await estate.people.remove_schedule("nothing")


async def test_a_removed_schedule_runs_no_more(estate: Estate) -> None:
    await estate.until_channel_shows()
    await estate.people.remove_schedule("default")
    assert await estate.people.schedules() == []
    await add_plum(estate)
    await estate.people.set_schedule(Schedule(name="by hand", jobs=[9999]))
    assert len(await estate.people.run_schedule("by hand")) == 1


async def test_replicas_say_what_they_have_and_lack(estate: Estate, till: Till) -> None:
    await pause(estate)
    channel = await replica(estate)
    assert (channel.state, channel.behind, channel.sequence) == (
        APPLIED,
        0,
        channel.newest_sequence,
    )
    await till.until(lambda status: status.catalogue_sequence == channel.sequence)

    async def told() -> bool:
        return (await replica(estate, "R1")).sequence == channel.sequence

    await until(told)
    assert (await replica(estate, "R1")).state == APPLIED
    never = await replica(estate, "R2")
    assert (never.state, never.sequence, never.behind) == (AVAILABLE, 0, 1)
    assert not never.HasField("last_contact_time")


async def test_a_channel_that_is_away_lacks_what_was_made_meanwhile(estate: Estate) -> None:
    await pause(estate)
    await estate.channel.stop()
    for minor in (50, 60):
        await add_plum(estate, minor)
        await estate.people.run_schedule()
    away = await replica(estate)
    assert (away.behind, away.newest_sequence - away.sequence) == (2, 2)
    sessions = [
        each
        async for each in estate.people.downloads(STORE)
        if not each.register_id and each.run.sequence > away.sequence
    ]
    assert [each.run.sequence - away.sequence for each in sessions] == [2, 1]
    assert {each.state for each in sessions} == {AVAILABLE}
    await estate.channel.start()
    await estate.until_channel_shows()
    done = [each async for each in estate.people.downloads(STORE) if not each.register_id]
    assert {each.state for each in done} == {APPLIED}
    assert [each async for each in estate.people.replicas(only_behind=True)] != []


async def test_lists_are_paged_without_a_gap(estate: Estate) -> None:
    await estate.until_channel_shows()
    whole = [each async for each in estate.people.replicas()]
    request = headquarters_pb2.ListReplicasRequest(page_size=1)
    found: list[headquarters_pb2.Replica] = []
    while True:
        answer = await ask(estate.people_stub.ListReplicas, request, ME)
        found += answer.replicas
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert found == whole
    sessions = [each async for each in estate.people.downloads()]
    asked = headquarters_pb2.ListDownloadSessionsRequest(page_size=2)
    seen: list[headquarters_pb2.DownloadSession] = []
    while True:
        page = await ask(estate.people_stub.ListDownloadSessions, asked, ME)
        seen += page.sessions
        if not page.next_page_token:
            break
        asked.page_token = page.next_page_token
    assert seen == sessions
    runs = [each async for each in estate.people.runs()]
    assert len(sessions) == len(runs) * len(whole)


async def test_a_profile_that_pauses_shows_its_registers_suspended(
    estate: Estate, till: Till
) -> None:
    profile = replace(FAST, name=DEFAULT_PROFILE, pause_offline_sync=True)
    await estate.people.set_profile(profile)
    await add_plum(estate)
    await estate.until_channel_shows()
    assert await knows_plum(estate)

    async def suspended() -> bool:
        return (await replica(estate, "R1")).state == SUSPENDED

    await until(suspended)
    await till.sold()
    await estate.until_home(till)  # journals go up all the same
    shown = (await replica(estate)).sequence
    await estate.people.set_profile(replace(profile, pause_offline_sync=False))
    await till.until(lambda status: status.catalogue_sequence > shown)


async def test_a_profile_says_how_many_entries_come_at_a_time(estate: Estate) -> None:
    await estate.people.set_profile(replace(FAST, name=DEFAULT_PROFILE, upload_transaction_size=7))
    await estate.until_channel_shows()
    async with Stream(estate.streams, R1) as stream:
        stream.hello()
        assert (await stream.welcome()).limits.batch_entries_max == 7


async def test_customers_are_found_at_the_channel(estate: Estate) -> None:
    rows = [
        types_pb2.Customer(customer_id="C1", name="Ada Byron", email="ada@example.org"),
        types_pb2.Customer(customer_id="C2", name="Grace", phone="+31 6 1234"),
    ]
    await estate.people.import_customers(one(headquarters_pb2.ImportCustomersRequest(rows=rows)))
    await estate.until_channel_shows()
    found = await ask(
        estate.data.GetCustomer, channel_data_pb2.GetCustomerRequest(customer_id="C1")
    )
    assert found.customer == rows[0]
    for query, ids in (("", ["C1", "C2"]), ("c2", ["C2"]), ("byron", ["C1"]), ("1234", ["C2"])):
        request = channel_data_pb2.SearchCustomersRequest(query=query)
        answer = await ask(estate.data.SearchCustomers, request)
        assert [each.customer_id for each in answer.customers] == ids
    async with estate.refuses(Reason.CUSTOMER_UNKNOWN, "customer_id"):
        await ask(estate.data.GetCustomer, channel_data_pb2.GetCustomerRequest(customer_id="C9"))


async def test_a_register_without_offline_support_gets_no_packages(estate: Estate) -> None:
    row = headquarters_pb2.RegisterRow(register_id="R3", store_id=STORE, name="R3")
    await estate.people.set_register(row)
    await estate.until_channel_shows()
    for name, supported in (("R3", False), ("R1", True)):
        request = channel_data_pb2.GetChannelConfigurationRequest()
        answer = await ask(estate.data.GetChannelConfiguration, request, callers.register(name))
        assert answer.support_offline is supported
    assert "R3" not in [each.register_id async for each in estate.people.replicas()]


@pytest.mark.parametrize("caller", [R1, callers.channel(STORE)], ids=["register", "channel"])
async def test_registers_and_channels_do_not_distribute(estate: Estate, caller: Caller) -> None:
    stub = estate.people_stub
    async with estate.refuses(Reason.NOT_ALLOWED):
        update = headquarters_pb2.UpdateDistributionScheduleRequest()
        await ask(stub.UpdateDistributionSchedule, update, caller)
    async with estate.refuses(Reason.NOT_ALLOWED):
        run = headquarters_pb2.RunDistributionScheduleRequest(name="default")
        await ask(stub.RunDistributionSchedule, run, caller)
    async with estate.refuses(Reason.NOT_ALLOWED):
        remove = headquarters_pb2.RemoveDistributionScheduleRequest(name="default")
        await ask(stub.RemoveDistributionSchedule, remove, caller)
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(stub.ListReplicas, headquarters_pb2.ListReplicasRequest(), caller)


def touched(estate: Estate) -> dict[str, int]:
    """When each file of packages and replicas was written last."""
    folders = [estate.folder / name for name in ("headquarters", "channel", "R1")]
    kinds = ("packages/*", "replica*.db*", "offline*.db*")
    files = [file for each in folders for kind in kinds for file in each.glob(kind)]
    assert len(files) > len(kinds)
    return {str(each): each.lstat().st_mtime_ns for each in files}


async def test_a_run_with_nothing_to_send_sends_heartbeats_alone_and_touches_no_file(
    estate: Estate, till: Till
) -> None:
    await till.sold()
    await estate.until_home(till)
    async with Stream(estate.streams, callers.register("R2")) as stream:
        stream.hello()
        package, _ = await stream.package()
        stream.applied(package.cursor)
        before = touched(estate)
        for _ in range(3):
            assert await estate.people.run_schedule() == []
            stream.heartbeat()
            frame = await stream.hears(lambda _: True)
            assert frame.WhichOneof("frame") == "heartbeat"
        assert touched(estate) == before
