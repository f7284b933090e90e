"""SyncService: one stream, spoken frame by frame as a register and as a channel."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import (
    CHANNEL,
    LANE,
    R1,
    R2,
    damaged,
    entries_of,
    entry_of,
    sale_of,
)
from tests.support.estate_parts import ME, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.core.journal import PAYLOAD_BYTES_MAX, Entry, Head, Lane
from stillopen.replication.frames import CURSORS_MAX
from stillopen.replication.packages import check_package
from stillopen.replication.ports import Cursor
from stillopen.rpc.identity import Caller
from stillopen.storage.package_file import unpack
from stillopen.v1 import headquarters_pb2, sync_pb2, sync_pb2_grpc

HEAD = Head(LANE, 1, 0)
Lane_ = headquarters_pb2.LaneCompleteness


def claims(entries: list[Entry]) -> Head:
    """The lane of these entries, as long as it is."""
    return Head(entries[0].lane, 1, entries[-1].sequence, entries[-1].digest)


async def refused_at_once(stub: sync_pb2_grpc.SyncServiceStub, caller: Caller | None) -> Reason:
    """Why a stream is refused before its hello is heard.

    gRPC says INTERNAL of its own, now and then, when a stream ends while a message is being sent;
    a client connects again then.
    """
    reason = Reason.UNREACHABLE
    for _ in range(5):
        async with Stream(stub, caller) as stream:
            stream.hello(HEAD)
            reason = await stream.refused()
        if reason is not Reason.UNREACHABLE:
            break
    return reason


async def until_lane(estate: Estate, wanted: Callable[[Lane_], bool]) -> None:
    """Waits until headquarters has one lane and it is as wanted."""

    async def there() -> bool:
        lanes = (await estate.people.completeness()).lanes
        return len(lanes) == 1 and wanted(lanes[0])

    await until(there)


async def test_entries_are_stored_and_come_home(estate: Estate) -> None:
    entries = entries_of(5)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(claims(entries))
        [lane] = (await stream.welcome()).lanes
        assert (lane.register_id, lane.epoch, lane.stored_through) == ("R1", LANE.epoch, 0)
        [lane] = await stream.stored(stream.send(*entries))
        assert lane.stored_through == 5
        await stream.hears(lambda f: any(lane.headquarters_through == 5 for lane in f.stored.lanes))
    await until_lane(estate, lambda lane: lane.applied == 5)
    assert (await estate.people.completeness()).complete


async def test_entries_sent_again_have_no_second_effect(estate: Estate) -> None:
    entries = entries_of(3)
    for _ in range(2):
        async with Stream(estate.streams, R1) as stream:
            stream.hello(claims(entries))
            await stream.welcome()
            for _ in range(2):
                [lane] = await stream.stored(stream.send(*entries))
                assert lane.stored_through == 3
    await until_lane(estate, lambda lane: lane.applied == 3)
    [home] = (await estate.people.completeness()).lanes
    assert (home.stored, home.conflicts) == (3, 0)
    assert len(await estate.sales_home()) == 3


async def test_entries_out_of_order_are_kept_and_count_once_the_gap_is_filled(
    estate: Estate,
) -> None:
    first, second, third = entries_of(3)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        assert [lane.stored_through for lane in await stream.stored(stream.send(third))] == [0]
        assert [lane.stored_through for lane in await stream.stored(stream.send(first))] == [1]
        assert [lane.stored_through for lane in await stream.stored(stream.send(second))] == [3]


async def test_the_servers_word_replaces_what_the_client_believed(estate: Estate) -> None:
    entries = entries_of(3)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(claims(entries))
        await stream.welcome()
        await stream.stored(stream.send(*entries[:2]))
    async with Stream(estate.streams, R1) as stream:
        stream.hello(claims(entries))
        [lane] = (await stream.welcome()).lanes
        assert lane.stored_through == 2


async def test_a_replica_gets_a_package_with_the_digest_it_was_announced_with(
    estate: Estate, tmp_path: Path
) -> None:
    file, database = tmp_path / "file", tmp_path / "database"
    async with Stream(estate.streams, R1) as stream:
        stream.hello()
        package, data = await stream.package()
    assert len(data) == package.size
    file.write_bytes(data)
    assert unpack(file, database) == package.cursor.digest
    check_package(database, package)


async def test_a_replica_that_says_it_was_lost_gets_a_snapshot_again(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello()
        package, data = await stream.package()
        stream.applied(package.cursor)
        stream.wants(Cursor())
        again, same = await stream.package()
    assert (again.cursor, again.base, same) == (package.cursor, None, data)


@pytest.mark.parametrize("count", [0, CURSORS_MAX + 1])
async def test_a_client_that_wants_nothing_or_too_much_ends_its_stream(
    estate: Estate, count: int
) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello()
        await stream.welcome()
        stream.wants(*[Cursor()] * count)
        assert await stream.refused() is Reason.INVALID_ARGUMENT


async def test_a_refused_package_is_not_sent_again_and_journals_go_on(estate: Estate) -> None:
    entries = entries_of(1)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(claims(entries))
        begin = await stream.hears(lambda frame: frame.HasField("package_begin"))
        refused = sync_pb2.PackageRefused(
            cursor=begin.package_begin.cursor, reason="PACKAGE_DAMAGED", message="a test"
        )
        stream.say(sync_pb2.SyncRequest(package_refused=refused))
        await stream.hears(lambda frame: frame.HasField("package_end"))
        [lane] = await stream.stored(stream.send(*entries))
        assert lane.stored_through == 1


async def test_damaged_bytes_are_asked_for_again_and_the_third_time_kept_as_damaged(
    estate: Estate,
) -> None:
    first, second = entries_of(2)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(claims([first, second]))
        await stream.welcome()
        for _ in range(2):
            batch = stream.send(damaged(first))
            assert [p.sequence for p in await stream.resend()] == [1]
            assert all(lane.stored_through == 0 for lane in await stream.stored(batch))
        [lane] = await stream.stored(stream.send(damaged(first), second))
        assert lane.stored_through == 2
    await until_lane(estate, lambda lane: lane.stored == 2 and lane.applied == 1)
    [lane_home] = (await estate.people.completeness()).lanes
    assert (lane_home.damaged, lane_home.quarantined) == (1, 0)
    assert not (await estate.people.completeness()).complete
    [received] = await estate.sales_home()
    assert received.position.sequence == 2


async def test_damaged_bytes_that_come_well_the_second_time_are_as_if_never_damaged(
    estate: Estate,
) -> None:
    entries = entries_of(2)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(claims(entries))
        await stream.welcome()
        stream.send(damaged(entries[0]), entries[1])
        assert [p.sequence for p in await stream.resend()] == [1]
        [lane] = await stream.stored(stream.send(entries[0]))
        assert lane.stored_through == 2
    await until_lane(estate, lambda lane: lane.applied == 2)
    assert (await estate.people.completeness()).complete


async def test_the_same_key_with_other_contents_is_kept_beside_and_raises_an_alarm(
    estate: Estate,
) -> None:
    first, other = entry_of(sale_of(1)), entry_of(sale_of(2))
    async with Stream(estate.upper_streams, CHANNEL) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        await stream.stored(stream.send(first))
        for _ in range(2):
            [lane] = await stream.stored(stream.send(other))
            assert lane.stored_through == 1
    await until_lane(estate, lambda lane: lane.applied == 1)
    [lane_home] = (await estate.people.completeness()).lanes
    assert (lane_home.stored, lane_home.conflicts) == (1, 1)
    assert not (await estate.people.completeness()).complete
    assert [x.sale.transaction_id for x in await estate.sales_home()] == [f"{1:032x}"]


async def test_a_conflict_that_only_the_channel_saw_is_an_alarm_at_headquarters(
    estate: Estate,
) -> None:
    first, other = entry_of(sale_of(1)), entry_of(sale_of(2))
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        await stream.stored(stream.send(first))
        await stream.stored(stream.send(other))
    await until_lane(estate, lambda lane: lane.conflicts == 1)


async def test_a_second_hello_ends_the_stream(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello()
        await stream.welcome()
        stream.hello()
        assert await stream.refused() is Reason.INVALID_ARGUMENT


async def test_entries_before_hello_end_the_stream_and_change_nothing(estate: Estate) -> None:
    before = await estate.picture()
    async with Stream(estate.streams, R1) as stream:
        stream.send(*entries_of(1))
        assert await stream.refused() is Reason.INVALID_ARGUMENT
    assert await estate.picture() == before


async def test_a_version_of_the_protocol_that_nobody_speaks_is_refused(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD, version=0)
        assert await stream.refused() is Reason.PROTOCOL_VERSION
    assert not (await estate.people.completeness()).lanes


@pytest.mark.parametrize("caller", [None, ME, CHANNEL, Caller(R1.kind, "R" * 41)])
async def test_a_stream_without_a_registers_name_is_refused(
    estate: Estate, caller: Caller | None
) -> None:
    wanted = dict.fromkeys((None, ME, CHANNEL), Reason.CALLER_UNKNOWN)
    found = await refused_at_once(estate.streams, caller)
    assert found is wanted.get(caller, Reason.INVALID_ARGUMENT)


async def test_headquarters_takes_streams_from_channels_only(estate: Estate) -> None:
    assert await refused_at_once(estate.upper_streams, R1) is Reason.NOT_ALLOWED


async def test_a_register_cannot_bring_the_journal_of_another(estate: Estate) -> None:
    for caller, heads in ((R2, [HEAD]), (R2, [])):
        async with Stream(estate.streams, caller) as stream:
            stream.hello(*heads)
            stream.send(*entries_of(1))
            assert await stream.refused() is Reason.NOT_ALLOWED
    assert not (await estate.people.completeness()).lanes


NOT_HEADS = [Head(Lane("R1", 0), 1, 0), Head(LANE, 1, 2**62), Head(LANE, 9, 3)]


@pytest.mark.parametrize("head", NOT_HEADS, ids=["no epoch", "too long", "begins after its end"])
async def test_a_lane_that_cannot_be_is_refused(estate: Estate, head: Head) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello(head)
        assert await stream.refused() is Reason.INVALID_ARGUMENT
    assert not (await estate.people.completeness()).lanes


NOT_BATCHES: dict[str, list[Entry]] = {
    "too many entries": entries_of(1_001),
    "no sequence": [replace(entry_of(sale_of(1)), sequence=0)],
    "short digest": [replace(entry_of(sale_of(1)), digest=b"")],
    "entry too large": [replace(entry_of(sale_of(1)), payload=bytes(PAYLOAD_BYTES_MAX + 1))],
}


@pytest.mark.parametrize("batch", NOT_BATCHES.values(), ids=NOT_BATCHES.keys())
async def test_a_batch_that_cannot_be_ends_the_stream_and_stores_nothing(
    estate: Estate, batch: list[Entry]
) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        stream.send(*batch)
        assert await stream.refused() is Reason.INVALID_ARGUMENT
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        assert [lane.stored_through for lane in (await stream.welcome()).lanes] == [0]


async def test_a_frame_of_a_kind_not_known_is_passed_over(estate: Estate) -> None:
    entries = entries_of(1)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        stream.say(sync_pb2.SyncRequest.FromString(b"\xfa\x01\x03new"))
        [lane] = await stream.stored(stream.send(*entries))
        assert lane.stored_through == 1


async def test_the_newest_stream_of_an_identity_wins(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as older:
        older.hello(HEAD)
        await older.welcome()
        async with Stream(estate.streams, R1) as newer, Stream(estate.streams, R2) as another:
            newer.hello(HEAD)
            another.hello()
            assert await older.refused() is Reason.STREAM_REPLACED
            await another.welcome()
            await newer.welcome()
            [lane] = await newer.stored(newer.send(*entries_of(1)))
            assert lane.stored_through == 1


async def test_a_register_whose_stream_was_replaced_comes_back_by_itself(
    estate: Estate, till: Till
) -> None:
    async with Stream(estate.streams, R1) as imposter:
        imposter.hello()
        await imposter.welcome()
        await till.sold()
        assert await imposter.refused() is Reason.STREAM_REPLACED
    await estate.until_home(till)


async def test_a_silent_client_is_let_go(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        await stream.closed()


async def test_a_client_that_says_it_is_there_is_kept(estate: Estate) -> None:
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        for _ in range(6):  # twice as long as silence would be suffered
            stream.heartbeat()
            await stream.hears(lambda frame: frame.HasField("heartbeat"))
        await stream.stored(stream.send(*entries_of(1)))


async def test_a_lost_tail_is_known_by_the_head_that_was_claimed(estate: Estate) -> None:
    entries = entries_of(4)
    async with Stream(estate.upper_streams, CHANNEL) as stream:
        stream.hello(Head(LANE, 1, 2))
        await stream.welcome()
        stream.heartbeat(claims(entries))
        await stream.stored(stream.send(*entries[:2]))
    await until_lane(estate, lambda lane: lane.claimed_head == 4 and lane.applied == 2)
    assert not (await estate.people.completeness()).complete


async def test_a_lane_that_begins_late_is_taken_and_its_hole_is_known(estate: Estate) -> None:
    entries = entries_of(4)
    async with Stream(estate.upper_streams, CHANNEL) as stream:
        stream.hello(Head(LANE, 3, 4, entries[-1].digest))
        await stream.welcome()
        [lane] = await stream.stored(stream.send(*entries[2:]))
        assert lane.stored_through == 4
    await until_lane(estate, lambda lane: lane.applied == 2)
    assert not (await estate.people.completeness()).complete


async def test_two_lanes_of_one_register_both_come_home(estate: Estate) -> None:
    one, other = entries_of(2), entries_of(2, Lane("R1", 0xBEEF))
    async with Stream(estate.streams, R1) as stream:
        stream.hello(claims(one), claims(other))
        await stream.welcome()
        lanes = await stream.stored(stream.send(*one, *other))
        assert [lane.stored_through for lane in lanes] == [2, 2]

    async def home() -> bool:
        found = await estate.people.completeness()
        return len(found.lanes) == 2 and found.complete

    await until(home)
