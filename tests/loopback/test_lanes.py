"""Lanes at headquarters: who takes turns, what people acknowledge, give up and declare lost."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support import callers
from tests.support.enrolment import FOR_EVER_S
from tests.support.estate import Estate
from tests.support.estate_messages import (
    HEADQUARTERS,
    LANE,
    R1,
    R2,
    ask,
    entries_of,
    lock_of,
)
from tests.support.estate_parts import ME, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till
from tests.support.nursery import COMMAND, spawn

from stillopen.cli.sessions import SignedIn, keep_session
from stillopen.core.errors import Reason
from stillopen.core.journal import NO_PARENT, Head, Lane, append
from stillopen.core.memo_number import prefix_of
from stillopen.rpc.identity import Caller
from stillopen.v1 import headquarters_pb2, sync_pb2_grpc, types_pb2

ELSEWHERE = callers.channel("S2")
"""A store of its own: the estate's channel would take its name back."""
FIRST, SECOND = Lane("R1", 0xA), Lane("R1", 0xB)
TAKES_TURNS = types_pb2.LANE_ALARM_KIND_TAKES_TURNS
CONFLICT = types_pb2.LANE_ALARM_KIND_CONFLICT


async def meets(stub: sync_pb2_grpc.SyncServiceStub, caller: Caller, lane: Lane) -> None:
    """A process of the caller connects, is welcomed and goes."""
    async with Stream(stub, caller) as stream:
        heads = [Head(lane, 1, 0)] if caller is R1 else []
        stream.hello(*heads, instance=lane.epoch)
        await stream.welcome()


async def alarms_of(estate: Estate) -> list[headquarters_pb2.LaneAlarm]:
    """Everything strange that headquarters knows of."""
    found = await estate.people.completeness()
    return [*(a for lane in found.lanes for a in lane.alarms), *found.other_alarms]


async def test_two_streams_of_one_identity_that_take_turns_are_an_alarm(estate: Estate) -> None:
    for lane in (FIRST, SECOND, FIRST):
        await meets(estate.streams, R1, lane)

    async def raised() -> bool:
        return bool(await alarms_of(estate))

    await until(raised)
    [alarm] = await alarms_of(estate)
    assert (alarm.register_id, alarm.epoch, alarm.kind) == ("R1", FIRST.epoch, TAKES_TURNS)


async def test_two_channels_of_one_store_that_take_turns_are_an_alarm_of_no_lane(
    estate: Estate,
) -> None:
    for instance in (FIRST, SECOND, FIRST):
        await meets(estate.upper_streams, ELSEWHERE, instance)
    [alarm] = (await estate.people.completeness()).other_alarms
    assert (alarm.register_id, alarm.kind) == ("S2", TAKES_TURNS)


async def test_a_register_that_connects_again_or_is_started_again_is_no_alarm(
    estate: Estate,
) -> None:
    for lane in (FIRST, FIRST, FIRST, SECOND, SECOND):
        await meets(estate.streams, R1, lane)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(Head(SECOND, 1, 0), instance=SECOND.epoch)
        [state] = (await stream.welcome()).lanes
        if not state.headquarters_knows:
            await stream.hears(lambda f: any(lane.headquarters_knows for lane in f.stored.lanes))
    assert await alarms_of(estate) == []


async def lose_a_tail(estate: Estate) -> None:
    """A register that claims five entries, has delivered three, and holds a card."""
    entries = entries_of(5)
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(Head(LANE, 1, 5, entries[-1].digest))
        await stream.welcome()
        await stream.stored(stream.send(*entries[:3]))
    await ask(estate.cards.LockCard, lock_of(1))
    await ask(estate.cards.LockCard, lock_of(2, card="6001-0002"), R2)


async def test_a_lane_declared_lost_becomes_a_record_with_its_open_locks(estate: Estate) -> None:
    await lose_a_tail(estate)
    assert not (await estate.people.completeness()).complete
    lost = await estate.people.declare_lost("R1", LANE.epoch, "the disk is dead")
    assert (lost.claimed_head, lost.received_head, lost.reason) == (5, 3, "the disk is dead")
    assert [each.register_id for each in lost.locks] == ["R1"]
    assert not lost.came_back

    async def complete() -> bool:
        return (await estate.people.completeness()).complete

    await until(complete)
    [lane] = (await estate.people.completeness("R1")).lanes
    assert (lane.declared_lost, lane.claimed_head, lane.stored_through) == (True, 5, 3)
    assert [action.action for action in lane.actions] == ["DECLARE_LOST"]
    assert await estate.people.lost_lanes() == [lost]
    again = await estate.people.declare_lost("R1", LANE.epoch, "still dead")
    assert again == lost


async def test_a_lane_declared_lost_keeps_no_memo_number_waiting(estate: Estate) -> None:
    async def not_home() -> list[str]:
        request = headquarters_pb2.GetStandingRequest(memo_prefix=prefix_of("R1"))
        answer = await ask(estate.people_stub.GetStanding, request, HEADQUARTERS)
        return [each.register_id for each in answer.not_home]

    await lose_a_tail(estate)
    await until_applied(estate, 3)
    assert await not_home() == ["R1"]
    await estate.people.declare_lost("R1", LANE.epoch, "the disk is dead")
    assert await not_home() == []


async def until_applied(estate: Estate, count: int) -> None:
    """Waits until so many entries of the only lane are applied."""

    async def applied() -> bool:
        [lane] = (await estate.people.completeness()).lanes
        return lane.applied == count

    await until(applied)


async def test_a_lost_lane_that_comes_back_is_taken_and_the_record_says_so(estate: Estate) -> None:
    await lose_a_tail(estate)
    await estate.people.declare_lost("R1", LANE.epoch, "the disk is dead")
    entries = entries_of(5)
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(Head(LANE, 1, 5, entries[-1].digest))
        await stream.welcome()
        await stream.stored(stream.send(entries[3]))
        [lost] = await estate.people.lost_lanes("R1")
        assert (lost.came_back, lost.stored_through) == (True, 4)
        answer = await estate.people.completeness()
        assert (answer.complete, answer.lanes[0].declared_lost) == (False, False)
        await stream.stored(stream.send(entries[4]))
    await until_applied(estate, 5)
    assert (await estate.people.completeness()).complete
    assert len(await estate.sales_home()) == 5


async def test_what_headquarters_once_had_is_waited_for_until_a_person_ends_it(
    estate: Estate,
) -> None:
    standing = headquarters_pb2.GetStandingRequest(register_id="R1")

    async def recovering() -> str:
        return (await ask(estate.people_stub.GetStanding, standing, HEADQUARTERS)).recovering

    entries = entries_of(5)
    for believed, waited_for in ((0, False), (4, True), (4, False)):
        async with Stream(estate.upper_streams, ELSEWHERE) as stream:
            stream.hello(Head(LANE, 1, 5, entries[-1].digest, believed=believed))
            await stream.welcome()
            assert bool(await recovering()) is waited_for
            if not believed:
                await stream.stored(stream.send(*entries[:3]))
        if waited_for:
            assert "R1" in await recovering()
            [given_up] = await estate.people.end_recovery("the store burned down")
            assert (given_up.register_id, given_up.sequence) == ("R1", 5)
            assert await recovering() == ""
    [lane] = (await estate.people.completeness("R1")).lanes
    assert [(a.action, a.reason) for a in lane.actions] == [
        ("END_RECOVERY", "the store burned down")
    ]


async def conflict(estate: Estate) -> None:
    """A lane with two copies of one entry."""
    entries = entries_of(1)
    other = entries_of(1, Lane("R1", LANE.epoch + 1))[0]
    changed = append(LANE, 1, NO_PARENT, other.payload)
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(Head(LANE, 1, 1))
        await stream.welcome()
        await stream.stored(stream.send(*entries))
        await stream.stored(stream.send(changed))


async def test_an_alarm_is_acknowledged_once_and_stays(estate: Estate) -> None:
    await conflict(estate)
    people = estate.people
    seen = await people.acknowledge("R1", LANE.epoch, CONFLICT, "a snapshot was resumed twice")
    assert (seen.acknowledged_by, seen.kind) == ("test", CONFLICT)
    assert await people.acknowledge("R1", LANE.epoch, CONFLICT, "again") == seen
    assert await alarms_of(estate) == [seen]
    [lane] = (await people.completeness("R1")).lanes
    assert [(a.action, a.person) for a in lane.actions] == [("ACKNOWLEDGE_ALARM", "test")]


async def test_what_people_do_needs_a_reason_and_a_lane(estate: Estate) -> None:
    await conflict(estate)
    people = estate.people
    async with estate.refuses(Reason.INVALID_ARGUMENT, "reason"):
        await people.acknowledge("R1", LANE.epoch, CONFLICT, "")
    async with estate.refuses(Reason.INVALID_ARGUMENT, "reason"):
        await people.end_recovery(" ")
    async with estate.refuses(Reason.INVALID_ARGUMENT, "reason"):
        await people.declare_lost("R1", LANE.epoch, "")
    async with estate.refuses(Reason.LANE_UNKNOWN):
        await people.declare_lost("R1", 1, "no such lane")
    async with estate.refuses(Reason.LANE_UNKNOWN):
        await people.acknowledge("R1", LANE.epoch, TAKES_TURNS, "no such alarm")
    request = headquarters_pb2.EndRecoveryRequest(reason="a register may not")
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(estate.people_stub.EndRecovery, request, R1)


async def stillopen(*arguments: str) -> tuple[int, str]:
    """Runs the command and returns its exit status and what it said."""
    process = await spawn(
        COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_the_command_lists_shows_and_declares_lost(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLOPEN_HOME", str(tmp_path / "home"))
    keep_session(estate.headquarters.address, SignedIn(ME.name, ME.secret, FOR_EVER_S))
    await lose_a_tail(estate)
    await conflict(estate)
    at = f"--headquarters={estate.headquarters.address}"
    epoch = f"{LANE.epoch:016x}"
    code, said = await stillopen("lane", "list", at)
    assert code == 0
    assert all(word in said for word in ("R1", epoch[:8], "conflict", "not complete"))
    code, said = await stillopen(
        "lane", "acknowledge", "R1", epoch, "conflict", at, "--reason", "seen"
    )
    assert (code, said.strip()) == (0, "acknowledged by test: seen")
    code, said = await stillopen("lane", "declare-lost", "R1", epoch, at, "--reason", "disk dead")
    assert code == 0
    assert "disk dead" in said
    code, said = await stillopen("lane", "show", "R1", epoch[:12], at, "--json")
    found = json.loads(said)
    assert found["lane"]["declared_lost"] is True
    assert found["lost_lane"]["received_head"] == "3"
    code, said = await stillopen("lane", "end-recovery", at, "--reason", "nothing is missing")
    assert (code, said.strip()) == (0, "nothing was waited for")
    code, said = await stillopen("lane", "show", "R1", "ffff", at)
    assert (code, "LANE_UNKNOWN" in said) == (1, True)


async def test_a_register_that_sells_and_starts_again_raises_nothing(
    estate: Estate, till: Till
) -> None:
    await till.sold()
    await estate.until_home(till)
    till = await estate.restart("R1")
    await till.until(lambda status: status.link_up)
    await till.sign_in()
    await till.sold()
    await estate.until_home(till)
    assert await alarms_of(estate) == []
