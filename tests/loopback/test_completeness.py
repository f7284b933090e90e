"""What came home of every register, and the journals on their way."""

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_messages import LANE, R1, ask, damaged, entries_of
from tests.support.estate_parts import ME, STORES, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till

from stillopen.core.errors import Misuse, Reason
from stillopen.core.journal import Entry, Head, Lane, append
from stillopen.v1 import headquarters_pb2

ELSEWHERE = callers.channel("S2")
STATE = headquarters_pb2.UploadState


async def names_of_states(estate: Estate, *, only_open: bool = False) -> dict[int, str]:
    """Where the journal of each lane stands."""
    return {
        each.epoch: STATE.Name(each.state).removeprefix("UPLOAD_STATE_")
        async for each in estate.people.upload_sessions(only_open=only_open)
    }


async def test_every_register_is_named_also_one_that_has_no_journal(estate: Estate) -> None:
    found = await estate.people.completeness()
    assert [each.register_id for each in found.registers] == sorted(STORES["S1"])
    assert {each.store_id for each in found.registers} == {"S1"}
    assert all(each.complete for each in found.registers)
    assert not found.registers[0].HasField("last_contact_time")


async def test_a_register_that_is_not_set_up_is_known_by_its_journal(estate: Estate) -> None:
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(Head(Lane("OLD", 7), 1, 0, claimed=4))
        await stream.welcome()
    found = await estate.people.completeness("OLD")
    [register] = found.registers
    assert (register.store_id, register.entries_missing, register.complete) == ("", 4, False)
    assert not found.complete


async def test_what_a_register_claims_and_did_not_bring_is_missing(estate: Estate) -> None:
    entries = entries_of(5)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(Head(LANE, 1, 5, entries[-1].digest))
        await stream.welcome()
        await stream.stored(stream.send(*entries[:3]))

    async def three_are_applied() -> bool:
        lanes = (await estate.people.completeness("R1")).lanes
        return bool(lanes) and lanes[0].applied == 3

    await until(three_are_applied)
    found = await estate.people.completeness(only_open=True)
    [register] = found.registers
    assert (register.register_id, register.entries_missing) == ("R1", 2)
    [lane] = found.lanes
    assert (lane.claimed_head, lane.stored, lane.applied) == (5, 3, 3)
    assert register.HasField("last_contact_time")
    assert await names_of_states(estate) == {LANE.epoch: "AVAILABLE"}


async def test_what_is_complete_is_left_out_where_only_open_ones_are_asked_for(
    estate: Estate, till: Till
) -> None:
    await till.sold()
    await estate.until_home(till)
    found = await estate.people.completeness(only_open=True)
    assert (list(found.lanes), list(found.registers), found.complete) == ([], [], True)
    assert list((await names_of_states(estate)).values()) == ["APPLIED"]
    assert await names_of_states(estate, only_open=True) == {}


async def test_a_lane_with_an_alarm_is_open_until_somebody_has_seen_it(estate: Estate) -> None:
    first, second = Lane("R1", 0xA), Lane("R1", 0xB)
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(Head(first, 1, 1), Head(second, 1, 1))
        await stream.welcome()
        await stream.stored(stream.send(*entries_of(1, first), *entries_of(1, second)))

    async def complete() -> bool:
        return (await estate.people.completeness()).complete

    await until(complete)
    found = await estate.people.completeness(only_open=True)
    [lane] = found.lanes
    [alarm] = lane.alarms
    assert [each.register_id for each in found.registers] == ["R1"]
    await estate.people.acknowledge("R1", lane.epoch, alarm.kind, "a new disk")
    found = await estate.people.completeness(only_open=True)
    assert (list(found.lanes), list(found.registers)) == ([], [])


async def test_damaged_conflicting_and_lost_journals_say_so(estate: Estate) -> None:
    lanes = [Lane("R1", number) for number in (0xA, 0xB, 0xC)]
    hurt, twice, gone = (entries_of(2, lane) for lane in lanes)
    other = entries_of(3, lanes[1])[2]
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(*(Head(lane, 1, 2) for lane in lanes))
        await stream.welcome()
        for _ in range(3):
            await stream.stored(stream.send(hurt[0], damaged(hurt[1])))
        await stream.stored(stream.send(*twice))
        copied = entries_of(1, lanes[1])[0]
        await stream.stored(stream.send(_another(copied)))
        await stream.stored(stream.send(gone[0]))
        await stream.stored(stream.send(other))
    await estate.people.declare_lost("R1", 0xC, "stolen")

    async def told() -> bool:
        return await names_of_states(estate) == {
            0xA: "READ_FAILED",
            0xB: "APPLY_FAILED",
            0xC: "CANCELED",
        }

    await until(told)
    assert len(await names_of_states(estate, only_open=True)) == 3


def _another(entry: Entry) -> Entry:
    """An entry with the same key and other contents."""
    return append(entry.lane, entry.sequence, entry.parent_digest, entry.payload + b"\x9a\x06\x00")


async def test_sessions_come_in_pages(estate: Estate) -> None:
    lanes = [Lane(name, epoch) for name in ("R1", "R2") for epoch in (1, 2)]
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(*(Head(lane, 1, 0) for lane in lanes))
        await stream.welcome()
    found: list[tuple[str, int]] = []
    request = headquarters_pb2.ListUploadSessionsRequest(page_size=3)
    while True:
        page = await ask(estate.people_stub.ListUploadSessions, request, ME)
        found += [(each.register_id, each.epoch) for each in page.sessions]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == [(lane.register_id, lane.epoch) for lane in lanes]
    of_one = [each.register_id async for each in estate.people.upload_sessions("R2")]
    assert of_one == ["R2", "R2"]
    request = headquarters_pb2.ListUploadSessionsRequest(page_token="?")  # noqa: S106
    with pytest.raises(Misuse) as caught:
        await ask(estate.people_stub.ListUploadSessions, request, ME)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
