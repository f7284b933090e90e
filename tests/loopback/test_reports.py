"""How registers stand, told by them, kept by their channel and known at headquarters."""

from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_messages import LANE, R1, R2
from tests.support.estate_parts import eur, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.core.journal import Head, Lane
from stillopen.replication.reports import Report
from stillopen.rpc.wire import time_from, time_to
from stillopen.v1 import headquarters_pb2, sync_pb2

HEAD = Head(LANE, 1, 0)
OFFLINE = Report(
    register_id="R1",
    reported_time=time_to(1.0),
    offline=True,
    offline_reason="TIMED_OUT",
    offline_since_time=time_to(1_800_000_000.0),
    waiting_entries=3,
    waiting_amount=eur(750),
    cursor=sync_pb2.Cursor(generation=5, sequence=7),
    parameters_version=4,
    software_version="9.9",
    missing=["STAFF"],
    package_refusal="PACKAGE_DAMAGED: no",
)


async def row_of(
    estate: Estate, register_id: str = "R1"
) -> headquarters_pb2.RegisterCompleteness | None:
    """What headquarters knows of a register."""
    found = (await estate.people.completeness(register_id)).registers
    return found[0] if found else None


async def until_told(estate: Estate, report: Report) -> Report:
    """Waits until headquarters has that report; as it has it, with its time."""
    seen: list[Report] = []

    async def told() -> bool:
        row = await row_of(estate, report.register_id)
        if row is None or not row.HasField("report"):
            return False
        seen[:] = [row.report]
        return _timeless(row.report) == _timeless(report)

    await until(told)
    return seen[0]


def _timeless(report: Report) -> Report:
    """The report without when it was made."""
    found = Report()
    found.CopyFrom(report)
    found.ClearField("reported_time")
    return found


async def test_headquarters_hears_how_a_register_stands_with_its_channels_time(
    estate: Estate,
) -> None:
    before_s = estate.clock.wall_s()
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD, reports=[OFFLINE])
        await stream.welcome()
        told = await until_told(estate, OFFLINE)
        assert before_s - 0.01 <= time_from(told.reported_time) <= estate.clock.wall_s()
        online = Report(register_id="R1", software_version="9.9")
        stream.heartbeat(reports=[online])
        await until_told(estate, online)


async def test_a_report_outlives_channel_and_headquarters(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD, reports=[OFFLINE])
        await stream.welcome()
    told = await until_told(estate, OFFLINE)
    await estate.channel.stop()
    await estate.headquarters.stop()
    await estate.headquarters.start()
    assert await until_told(estate, OFFLINE) == told
    await estate.channel.start()
    async with Stream(estate.streams, R2) as stream:
        stream.hello(Head(Lane("R2", 1), 1, 0), reports=[Report(register_id="R2")])
        await stream.welcome()
        await until_told(estate, Report(register_id="R2"))
    assert await until_told(estate, OFFLINE) == told


async def test_a_channel_tells_what_it_kept_to_a_headquarters_that_has_less(
    estate: Estate,
) -> None:
    await estate.headquarters.stop()
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD, reports=[OFFLINE])
        await stream.welcome()
    await estate.channel.stop()
    await estate.headquarters.start()
    await estate.channel.start()
    await until_told(estate, OFFLINE)


async def test_a_register_that_speaks_for_another_is_refused(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD, reports=[OFFLINE])
        await stream.welcome()
        await until_told(estate, OFFLINE)
    for reports in ([OFFLINE], [Report(register_id="R2"), OFFLINE]):
        async with Stream(estate.streams, R2) as stream:
            stream.hello(reports=reports)
            assert await stream.refused() is Reason.NOT_ALLOWED
    lie = Report()
    lie.CopyFrom(OFFLINE)
    lie.offline_reason = "x" * 201
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD, reports=[lie])
        assert await stream.refused() is Reason.INVALID_ARGUMENT
    row = await row_of(estate, "R2")
    assert row is not None
    assert not row.HasField("report")
    await until_told(estate, OFFLINE)


async def test_of_two_channels_the_one_that_heard_the_register_last_is_believed(
    estate: Estate,
) -> None:
    await estate.channel.stop()  # it would take its name back
    newer, older = Report(), Report()
    for report, wall_s in ((newer, 2_000.0), (older, 1_000.0)):
        report.CopyFrom(Report(register_id="R9", waiting_entries=int(wall_s)))
        report.reported_time.CopyFrom(time_to(wall_s))
    for caller, report in ((callers.channel("S2"), newer), (callers.channel("S1"), older)):
        async with Stream(estate.upper_streams, caller) as stream:
            stream.hello(reports=[report])
            await stream.welcome()
            stream.heartbeat(HEAD)  # what follows is taken after what came before
            await stream.hears(lambda frame: frame.HasField("heartbeat"))
    row = await row_of(estate, "R9")
    assert row is not None
    assert row.report == newer


async def test_a_register_tells_that_it_is_offline_since_when_and_what_it_sold(
    estate: Estate, till: Till
) -> None:
    await estate.channel.stop()
    for _ in range(2):
        await till.sold()
    offline = await till.status()
    assert offline.waiting_amount.minor_units > 0
    await estate.headquarters.stop()  # so that what it says at first stays
    await estate.channel.start()
    await till.until(lambda s: s.link_up)
    await estate.headquarters.start()

    async def told() -> bool:
        row = await row_of(estate)
        return row is not None and row.report.offline

    await until(told)
    row = await row_of(estate)
    assert row is not None
    assert row.report.offline_reason == offline.mode_reason
    assert row.report.offline_since_time == offline.mode_since
    assert (row.report.parameters_version, row.store_id) == (offline.parameters_version, "S1")
    await till.sold()  # a sale that begins brings it back

    async def back() -> bool:
        row = await row_of(estate)
        return (
            row is not None
            and row.complete
            and not row.report.offline
            and row.report.waiting_entries == 0
        )

    await until(back)
