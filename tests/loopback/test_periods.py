"""Periods: closed when all is home, or with a reason; what comes later is late and counted once."""

from dataclasses import replace

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_messages import ask, sale_of
from tests.support.estate_parts import ME, STORES, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, Refused
from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, append
from stillopen.core.sale import Sale, SaleState
from stillopen.replication.reports import Report
from stillopen.rpc.wire import time_to
from stillopen.rpc.wire_sale import sale_to
from stillopen.v1 import headquarters_pb2, types_pb2

ELSEWHERE = callers.channel("S2")
LANE = Lane("R1", 0xA)
EARLY_S, MIDDLE_S, LATE_S = 1_000_000.0, 2_000_000.0, 3_000_000.0
"""Moments long ago: everybody was heard since."""


def sold(number: int, wall_s: float, before: list[Entry], sale: Sale | None = None) -> Entry:
    """The entry of a sale that was completed then; each comes to three euros."""
    record = types_pb2.JournalRecord(
        wall_time=time_to(wall_s), sale=sale_to(sale or sale_of(number, minor=300))
    )
    parent = before[-1].digest if before else NO_PARENT
    entry = append(LANE, len(before) + 1, parent, record.SerializeToString())
    before.append(entry)
    return entry


async def bring(estate: Estate, *entries: Entry, claimed: int = 0) -> None:
    """A channel brings entries of R1, and has heard of every register of the other store."""
    others = [Head(Lane(name, 1), 1, 0) for name in STORES["S1"]]
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        length = entries[-1].sequence if entries else 0
        stream.hello(*others, Head(LANE, 1, length, claimed=claimed))
        await stream.welcome()
        if entries:
            await stream.stored(stream.send(*entries))

    async def applied() -> bool:
        found = await estate.people.completeness("R1")
        return all(lane.stored == lane.applied for lane in found.lanes)

    await until(applied)


async def late_ids(estate: Estate, period_id: str = "") -> list[str]:
    """The sales that were late."""
    return [each.sale.transaction_id async for each in estate.people.late_transactions(period_id)]


async def test_a_period_counts_the_sales_that_were_completed_in_it(estate: Estate) -> None:
    journal: list[Entry] = []
    foreign = replace(sale_of(4), currency="USD", lines=(), tenders=())
    given_up = replace(sale_of(5), state=SaleState.VOIDED)
    sold(1, EARLY_S - 1, journal)
    sold(2, EARLY_S, journal)
    sold(3, MIDDLE_S - 1, journal)
    sold(4, MIDDLE_S - 1, journal, foreign)
    sold(5, MIDDLE_S - 1, journal, given_up)
    sold(6, MIDDLE_S, journal)
    await bring(estate, *journal)
    first = await estate.people.close_period("first", EARLY_S)
    assert (first.sales, first.total.minor_units, first.HasField("begin_time")) == (1, 300, False)
    second = await estate.people.close_period("second", MIDDLE_S)
    assert (second.sales, second.total.minor_units) == (3, 600)
    assert (second.begin_time, second.end_time) == (first.end_time, time_to(MIDDLE_S))
    assert (second.closed_by, second.override_reason) == ("test", "")
    assert second.total.currency_code == "EUR"
    listed = [each async for each in estate.people.periods()]
    assert listed == [second, first]
    assert await late_ids(estate) == []


async def test_a_period_is_closed_once_and_in_order(estate: Estate) -> None:
    await bring(estate)
    closed = await estate.people.close_period("now", MIDDLE_S)
    for period_id, end_s in (
        ("now", MIDDLE_S),
        ("now", LATE_S),
        ("again", MIDDLE_S),
        ("before", EARLY_S),
    ):
        async with estate.refuses(Reason.PERIOD_CLOSED):
            await estate.people.close_period(period_id, end_s, "because")
    assert [each async for each in estate.people.periods()] == [closed]


async def test_what_is_no_period_is_refused(estate: Estate) -> None:
    await bring(estate)
    ahead_s = estate.clock.wall_s() + 3_600
    for period_id, end_s, reason, field in (
        ("", MIDDLE_S, "", "period_id"),
        ("x" * 41, MIDDLE_S, "", "period_id"),
        ("now", 0.0, "", "end_time"),
        ("now", -5.0, "", "end_time"),
        ("now", ahead_s, "", "end_time"),
        ("now", MIDDLE_S, "x" * 201, "override_reason"),
    ):
        async with estate.refuses(Reason.INVALID_ARGUMENT, field):
            await estate.people.close_period(period_id, end_s, reason)
    async with estate.refuses(Reason.INVALID_ARGUMENT, "end_time"):
        request = headquarters_pb2.ClosePeriodRequest(period_id="now")
        await ask(estate.people_stub.ClosePeriod, request, ME)
    async with estate.refuses(Reason.NAME_UNKNOWN, "period_id"):
        await late_ids(estate, "never")
    assert [each async for each in estate.people.periods()] == []


async def test_a_register_that_has_more_keeps_a_period_open_until_it_is_home(
    estate: Estate,
) -> None:
    journal: list[Entry] = []
    for number in (1, 2):
        sold(number, EARLY_S, journal)
    await bring(estate, journal[0], claimed=2)
    async with estate.refuses(Reason.INCOMPLETE):
        await estate.people.close_period("now", MIDDLE_S)
    await bring(estate, journal[1])
    closed = await estate.people.close_period("now", MIDDLE_S)
    assert (closed.sales, list(closed.incomplete_register_ids)) == (2, [])


async def test_a_period_is_closed_without_a_register_for_a_reason_and_what_comes_is_late(
    estate: Estate,
) -> None:
    journal: list[Entry] = []
    sold(1, EARLY_S, journal)
    sold(2, EARLY_S, journal)
    sold(3, LATE_S, journal)
    sold(4, EARLY_S, journal, replace(sale_of(4), state=SaleState.VOIDED))
    await bring(estate, journal[0], claimed=4)
    closed = await estate.people.close_period("now", MIDDLE_S, "the till is in the post")
    assert (closed.sales, closed.override_reason) == (1, "the till is in the post")
    assert list(closed.incomplete_register_ids) == ["R1"]
    await bring(estate, *journal[1:])
    await bring(estate, *journal)  # once more, as after a lost answer
    assert await late_ids(estate) == await late_ids(estate, "now") == [f"{2:032x}"]
    [listed] = [each async for each in estate.people.periods()]
    assert (listed.sales, listed.total.minor_units) == (1, 300)
    assert (listed.late_sales, listed.late_total.minor_units) == (1, 300)


async def test_what_was_counted_is_not_late_after_a_restart(estate: Estate) -> None:
    journal: list[Entry] = []
    sold(1, EARLY_S, journal)
    await bring(estate, *journal)
    closed = await estate.people.close_period("now", MIDDLE_S)
    await estate.headquarters.stop()
    await estate.headquarters.start()
    await bring(estate, *journal)
    assert [each async for each in estate.people.periods()] == [closed]
    assert await late_ids(estate) == []


async def test_a_register_that_says_that_something_waits_keeps_a_period_open(
    estate: Estate,
) -> None:
    await bring(estate)
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(reports=[Report(register_id="R2", waiting_entries=4)])
        await stream.welcome()

    async def told() -> bool:
        [register] = (await estate.people.completeness("R2")).registers
        return register.report.waiting_entries > 0

    await until(told)
    async with estate.refuses(Reason.INCOMPLETE):
        await estate.people.close_period("now", MIDDLE_S)


async def test_a_register_that_was_not_heard_since_the_end_keeps_a_period_open(
    estate: Estate, till: Till
) -> None:
    end_s = estate.clock.wall_s()
    await till.sold()
    await estate.until_home(till)

    async def named() -> str:
        with pytest.raises(Refused) as caught:
            await estate.people.close_period("now", end_s)
        return caught.value.message

    async def only_the_others() -> bool:
        return "R1:" not in await named()

    await until(only_the_others)  # it said once more that nothing waits
    assert "R2: it was not heard since the end" in await named()
