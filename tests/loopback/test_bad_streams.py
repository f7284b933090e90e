"""What no honest client of a stream says: it is refused or passed over, and nothing changes by it.

In each test another register is on the same server, and goes on there.
"""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import LANE, R1, R2, entries_of, entry_of, sale_of
from tests.support.estate_parts import until
from tests.support.estate_stream import Stream

from stillopen.core.errors import Reason
from stillopen.core.journal import Entry, Head, Lane, append
from stillopen.replication.frames import CURSORS_MAX, PARTIALS_MAX
from stillopen.rpc.wire import entry_to
from stillopen.v1 import sync_pb2, types_pb2

Request = sync_pb2.SyncRequest
HEAD = Head(LANE, 1, 0)
OTHER = Lane("R2", 0xCAFE)
TABLES = {
    "entry": "register_id, epoch, sequence, digest, payload",
    "entry_conflict": "register_id, epoch, sequence, digest, payload",
    "lane": "register_id, epoch, first, head, through, purge_through",
    "lane_hole": "register_id, epoch, first, last",
}


def kept(estate: Estate) -> dict[str, list[tuple[object, ...]]]:
    """What both servers have of the first register, row by row."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for place in ("channel", "headquarters"):
        path = estate.folder / place / f"{place}.db"
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)  # noqa: TID251 - outside
        for table, columns in TABLES.items():
            sql = f"SELECT {columns} FROM {table} WHERE register_id = 'R1' ORDER BY 1, 2, 3"  # noqa: S608
            found[f"{place}.{table}"] = connection.execute(sql).fetchall()
        connection.close()
    return found


@asynccontextmanager
async def beside_another(estate: Estate) -> AsyncGenerator[Stream]:
    """A stream of a register that has brought something; another's is open, and must go on.

    What was there of the first is there afterwards, and nothing else.
    """
    sold, more = entries_of(2), entries_of(3, OTHER)
    async with Stream(estate.streams, R2) as other:
        other.hello(Head(OTHER, 1, 3, more[-1].digest))
        await other.welcome()
        await other.stored(other.send(more[0]))
        async with Stream(estate.streams, R1) as stream:
            stream.hello(Head(LANE, 1, 2, sold[-1].digest))
            await stream.welcome()
            await stream.stored(stream.send(*sold))
            await until_home(estate, 3)
            before = kept(estate)
            await other.stored(other.send(more[1]))
            yield stream
        [lane] = await other.stored(other.send(more[2]))
        assert lane.stored_through == 3
    await until_home(estate, 5)
    assert kept(estate) == before


async def until_home(estate: Estate, count: int) -> None:
    """Waits until so many sales are at headquarters."""

    async def there() -> bool:
        lanes = (await estate.people.completeness()).lanes
        return sum(lane.applied for lane in lanes) == count

    await until(there)


def batch(*entries: Entry) -> Request:
    """Entries that nobody checked."""
    frame = sync_pb2.Entries(batch=2, entries=[entry_to(entry) for entry in entries])
    return Request(entries=frame)


def claim(**fields: object) -> Request:
    """A heartbeat with a lane."""
    lane = sync_pb2.LaneClaim(register_id="R1", epoch=LANE.epoch, first=1, head=2)
    for name, value in fields.items():
        setattr(lane, name, value)
    return Request(heartbeat=sync_pb2.Heartbeat(lanes=[lane]))


def wanted(*cursors: sync_pb2.Cursor) -> Request:
    """Where replicas stand."""
    return Request(packages_wanted=sync_pb2.PackagesWanted(cursors=cursors))


def report(register_id: str) -> Request:
    """How a register stands."""
    reports = [sync_pb2.RegisterReport(register_id=register_id)]
    return Request(heartbeat=sync_pb2.Heartbeat(reports=reports))


THIRD = entry_of(sale_of(3), 3)
INVALID, NOT_ALLOWED = Reason.INVALID_ARGUMENT, Reason.NOT_ALLOWED
REFUSED: dict[str, tuple[Request, Reason]] = {
    "a hello again": (Request(hello=sync_pb2.Hello(protocol_version=2)), INVALID),
    "entries of another": (batch(entry_of(sale_of(4), 2, OTHER)), NOT_ALLOWED),
    "entries of itself and another": (batch(THIRD, entry_of(sale_of(4), 2, OTHER)), NOT_ALLOWED),
    "a head of another": (claim(register_id="R2", epoch=OTHER.epoch), NOT_ALLOWED),
    "a report of another": (report("R2"), NOT_ALLOWED),
    "a register without a name": (batch(replace(THIRD, lane=Lane("", LANE.epoch))), INVALID),
    "no epoch": (batch(replace(THIRD, lane=Lane("R1", 0))), INVALID),
    "sequence 0": (batch(replace(THIRD, sequence=0)), INVALID),
    "sequence 2**63": (batch(replace(THIRD, sequence=2**63)), INVALID),
    "the largest sequence": (batch(replace(THIRD, sequence=2**64 - 1)), INVALID),
    "a short digest": (batch(replace(THIRD, digest=bytes(31))), INVALID),
    "a long digest": (batch(replace(THIRD, digest=bytes(33))), INVALID),
    "a long parent digest": (batch(replace(THIRD, parent_digest=bytes(33))), INVALID),
    "a head of 2**63": (claim(head=2**63), INVALID),
    "a lane that begins behind its end": (claim(first=4), INVALID),
    "a head's digest that is none": (claim(head_digest=bytes(33)), INVALID),
    "no cursor": (wanted(), INVALID),
    "too many cursors": (wanted(*[sync_pb2.Cursor()] * (CURSORS_MAX + 1)), INVALID),
    "a cursor of 2**63": (wanted(sync_pb2.Cursor(sequence=2**63)), INVALID),
    "a cursor's digest that is none": (wanted(sync_pb2.Cursor(package_digest=bytes(33))), INVALID),
}


@pytest.mark.parametrize(("frame", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_ends_the_stream_with_a_reason(
    estate: Estate, frame: Request, reason: Reason
) -> None:
    async with beside_another(estate) as stream:
        stream.say(frame)
        assert await stream.refused() is reason


NOWHERE = sync_pb2.Cursor(generation=7, sequence=9, package_digest=bytes(32))
PASSED_OVER: dict[str, Request] = {
    "a frame of no kind": Request(),
    "a frame of a kind to come": Request.FromString(b"\xfa\x01\x03new"),
    "bytes that were never sent": Request(package_taken=sync_pb2.PackageTaken(bytes=2**63)),
    "a package that was never sent, applied": Request(
        package_applied=sync_pb2.PackageApplied(cursor=NOWHERE)
    ),
    "a package that was never sent, refused": Request(
        package_refused=sync_pb2.PackageRefused(cursor=NOWHERE, reason="PACKAGE_DAMAGED")
    ),
    "an answer to no question": Request(digests=sync_pb2.Digests(number=3)),
    "a batch of nothing": Request(entries=sync_pb2.Entries(batch=9)),
    "a heartbeat that is old": claim(head=1),
    "what is there already": batch(*entries_of(2)),
}


@pytest.mark.parametrize("frame", PASSED_OVER.values(), ids=PASSED_OVER.keys())
async def test_what_says_nothing_new_is_passed_over(estate: Estate, frame: Request) -> None:
    async with beside_another(estate) as stream:
        stream.say(frame)
        stream.heartbeat()
        await stream.hears(lambda answer: answer.HasField("heartbeat"))
        stream.say(Request(entries=sync_pb2.Entries(batch=10)))
        await stream.stored(10)


async def test_a_frame_that_is_too_large_ends_its_stream_alone(estate: Estate) -> None:
    async with beside_another(estate) as stream:
        stream.say(batch(*[replace(THIRD, payload=bytes(2**20))] * 6))
        assert await stream.refused() is Reason.MESSAGE_TOO_LARGE


HELLOS: dict[str, sync_pb2.Hello] = {
    "too many parts": sync_pb2.Hello(partials=[sync_pb2.PartialPackage()] * (PARTIALS_MAX + 1)),
    "a lane of another": sync_pb2.Hello(
        lanes=[sync_pb2.LaneClaim(register_id="R2", epoch=OTHER.epoch, first=1, head=9)]
    ),
    "a report of another": sync_pb2.Hello(reports=[sync_pb2.RegisterReport(register_id="R2")]),
    "a cursor of 2**63": sync_pb2.Hello(cursor=sync_pb2.Cursor(sequence=2**63)),
}


@pytest.mark.parametrize("hello", HELLOS.values(), ids=HELLOS.keys())
async def test_a_hello_that_cannot_be_opens_no_stream(
    estate: Estate, hello: sync_pb2.Hello
) -> None:
    async with beside_another(estate):
        said = sync_pb2.Hello(protocol_version=2)
        said.MergeFrom(hello)
        async with Stream(estate.streams, R1) as another:
            another.say(Request(hello=said))
            assert await another.refused() in {INVALID, NOT_ALLOWED}


async def test_a_part_that_is_not_there_is_not_gone_on_with(estate: Estate) -> None:
    async with beside_another(estate):
        async with Stream(estate.streams, R1) as first:
            first.hello(HEAD)
            package, data = await first.package()
        partial = sync_pb2.PartialPackage(
            package_digest=package.cursor.digest, there=package.size + 1
        )
        async with Stream(estate.streams, R1) as second:
            hello = sync_pb2.Hello(protocol_version=2, partials=[partial])
            second.say(Request(hello=hello))
            again, same = await second.package()
        assert (again.cursor.digest, same) == (package.cursor.digest, data)


# Nothing that can be a journal is refused: it is taken, and strange things are told


async def test_a_batch_with_a_gap_is_taken_and_what_lies_in_it_is_asked_for(
    estate: Estate,
) -> None:
    entries = entries_of(5)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(Head(LANE, 1, 5, entries[-1].digest))
        await stream.welcome()
        [lane] = await stream.stored(stream.send(*entries[:2], entries[4]))
        assert lane.stored_through == 2
        [lane] = await stream.stored(stream.send(*entries[2:4]))
        assert lane.stored_through == 5
    await until_home(estate, 5)


async def test_a_fork_is_taken_and_both_of_its_ends_are_kept(estate: Estate) -> None:
    first, second = entries_of(2)
    fork = entry_of(sale_of(9), 2, parent=bytes(32))
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        await stream.stored(stream.send(first, second))
        [lane] = await stream.stored(stream.send(fork))
        assert lane.stored_through == 2
    await until_home(estate, 2)
    rows = kept(estate)
    assert [row[3] for row in rows["channel.entry"]] == [first.digest, second.digest]
    assert [row[3] for row in rows["channel.entry_conflict"]] == [fork.digest]


@pytest.mark.parametrize("year", [1, 1938, 2096, 9999])
async def test_a_sale_whose_clock_is_years_off_comes_home(estate: Estate, year: int) -> None:
    record = types_pb2.JournalRecord.FromString(entry_of(sale_of(1)).payload)
    record.wall_time.FromDatetime(datetime(year, 2, 3, tzinfo=UTC))
    off = append(LANE, 1, bytes(32), record.SerializeToString())
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        [lane] = await stream.stored(stream.send(off, entry_of(sale_of(2), 2)))
        assert lane.stored_through == 2
    await until_home(estate, 2)


async def test_garbage_that_fits_its_digest_is_kept_and_holds_nothing_up(estate: Estate) -> None:
    garbage = append(LANE, 1, bytes(32), b"\xff" * 100)
    async with Stream(estate.streams, R1) as stream:
        stream.hello(HEAD)
        await stream.welcome()
        [lane] = await stream.stored(stream.send(garbage, entry_of(sale_of(2), 2)))
        assert lane.stored_through == 2
    await until_home(estate, 1)
    [lane_home] = (await estate.people.completeness()).lanes
    assert (lane_home.stored, lane_home.quarantined) == (2, 1)
