"""From headquarters' tables to replicas: runs, logs, relays, without any network."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.distributing import Following, Office, open_office, two_groups
from tests.support.steps import counted

from stillopen.core.errors import Reason, Refused
from stillopen.headquarters import distribution_runs
from stillopen.headquarters.distribution_schedules import Schedule, due_in_s
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication import package_log
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import TAX_GROUP
from stillopen.storage.files import open_writer
from stillopen.storage.inline import InlineEngine


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Headquarters with two stores of two groups."""
    async with two_groups(tmp_path) as begun:
        yield begun


async def changes_made(office: Office) -> int:
    """How many rows headquarters' connection ever changed."""
    [(changes,)] = await office.engine.read(lambda session: session.all("SELECT total_changes()"))
    return int(changes)


async def agrees(office: Office, following: Following, group_id: str) -> bool:
    """Whether a replica shows what its group is to show, once it has every package."""
    await following.catch_up()
    return await following.rows() == await office.rows(group_id)


async def test_the_first_package_is_a_snapshot_and_the_next_a_delta(office: Office) -> None:
    await office.product("APPLE")
    store = await office.replica("S1")
    assert await agrees(office, store, "Default")
    await office.product("PEAR")
    assert await office.run() == 1
    assert await agrees(office, store, "Default")
    assert [package.base is None for package in store.got] == [True, False]
    assert [package.cursor.sequence for package in store.got] == [1, 2]


async def test_who_refuses_a_delta_is_offered_a_snapshot_that_leads_on(office: Office) -> None:
    """The one that is kept is older than the replica, which never goes back."""
    store = await office.replica("S1")
    for code in ("APPLE", "PEAR", "PLUM"):
        await office.product(code)
        await office.run()
        if code != "PLUM":
            await store.catch_up()
    at = store.replica.at
    refused = await office.distribution.newest("S1", at)
    assert refused is not None
    assert refused.base == at
    nobody = Cursor(refused.cursor.generation, refused.cursor.sequence)
    instead = await office.distribution.newest("S1", nobody)
    assert instead is not None
    assert (instead.base, instead.cursor.sequence) == (None, refused.cursor.sequence)
    await store.take(instead)
    assert await agrees(office, store, "Default")


async def test_a_package_that_is_written_is_shown_though_its_stream_ends(office: Office) -> None:
    await office.product("APPLE")
    await office.run()
    store = await office.replica("S1")
    package = await office.distribution.newest("S1", Cursor())
    assert package is not None
    await store.fetch(package)
    applying = asyncio.create_task(store.sink.apply(package))
    await asyncio.sleep(0)
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    assert await store.replica.copy.cursor() == package.cursor


async def test_a_run_without_changes_makes_no_package_and_no_run(office: Office) -> None:
    await office.ask("S1", "S2")
    await office.product("APPLE")
    assert await office.run() == 2
    before, changes = await office.runs(), await changes_made(office)
    files = {path: path.stat().st_mtime_ns for path in office.shelf.folder.iterdir()}
    folder = office.shelf.folder.stat().st_mtime_ns
    assert await office.run() == 0
    assert await office.runs() == before
    assert await changes_made(office) == changes
    assert {path: path.stat().st_mtime_ns for path in office.shelf.folder.iterdir()} == files
    assert office.shelf.folder.stat().st_mtime_ns == folder


async def test_nothing_is_made_for_a_group_that_nobody_asked_for(office: Office) -> None:
    await office.ask("S1")
    made = office.shelf.names()
    await office.product("APPLE")
    await office.run()
    assert [run.group_id for run in await office.runs()] == ["Default", "Default"]
    assert len(office.shelf.names()) == len(made) + 1


async def test_stores_and_registers_of_other_groups_are_not_seen(office: Office) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    rows = await store.rows()
    assert [row[0] for row in rows["store"]] == ["S1"]
    assert [row[0] for row in rows["register"]] == ["R1"]
    await office.register("R9", "S2")
    await office.run()
    assert await agrees(office, store, "Default")


async def test_a_store_that_moves_to_another_group_gets_a_snapshot(office: Office) -> None:
    await office.ask("S1", "S2")
    await office.store("S3")
    await office.register("R3", "S3")
    await office.run()
    stays, moves = await office.replica("S1"), await office.replica("S3")
    assert await agrees(office, stays, "Default")
    assert await agrees(office, moves, "Default")
    await office.store("S3", "North")
    await office.run()
    taken = await moves.catch_up()
    assert [package.base is None for package in taken] == [True, *[False] * (len(taken) - 1)]
    assert await agrees(office, moves, "North")
    assert "R3" in moves.replica.registers
    assert await agrees(office, stays, "Default")
    assert [row[0] for row in (await stays.rows())["register"]] == ["R1"]


async def test_a_store_that_moved_knows_its_registers_before_anything_ran(office: Office) -> None:
    await office.ask("S1", "S2")
    moves = await office.replica("S1")
    await moves.catch_up()
    assert "R1" in moves.replica.registers
    await office.store("S1", "North")
    await moves.step()
    assert "R1" in moves.replica.registers
    await office.run()
    assert await agrees(office, moves, "North")


async def test_registers_of_a_store_that_comes_reach_those_who_are_there(office: Office) -> None:
    await office.ask("S1", "S2")
    there = await office.replica("S2")
    await there.catch_up()
    await office.store("S1", "North")
    await office.run()
    assert await agrees(office, there, "North")
    assert {row[0] for row in (await there.rows())["register"]} == {"R1", "R2"}


async def test_jobs_that_are_run_alone_carry_their_tables_alone(office: Office) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    await office.product("APPLE")
    await office.put(TAX_GROUP, ("HIGH", "HIGH", 21_000))
    assert await office.run(1080) == 1
    await store.catch_up()
    rows = await store.rows()
    assert (len(rows["tax_group"]), len(rows["product"])) == (1, 0)
    assert await office.run(1080) == 0
    assert await office.run() == 1
    assert await agrees(office, store, "Default")


async def test_a_run_of_much_is_a_snapshot_and_the_older_deltas_go(tmp_path: Path) -> None:
    async with await open_office(tmp_path, rows_min=20) as office:
        await office.store("S1")
        await office.run()
        store = await office.replica("S1")
        await store.catch_up()
        await office.products(10)
        await office.run()
        await office.products(30)
        await office.run()
        [snapshot] = await store.catch_up()
        assert (snapshot.base, snapshot.cursor.sequence) == (None, 3)
        assert await agrees(office, store, "Default")


async def test_deltas_that_outgrow_the_snapshot_go_and_those_behind_get_a_snapshot(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_log, "DELTAS_BYTES_MIN", 1)
    monkeypatch.setattr(package_log, "DELTAS_MAX", 3)
    await office.run()
    near, far = await office.replica("S1"), await office.replica("S1x")
    await near.catch_up()
    await far.catch_up()
    for number in range(8):
        await office.product(f"P{number}")
        await office.run()
        await near.catch_up()
    assert [package.base is None for package in near.got] == [True, *[False] * 8]
    [snapshot] = await far.catch_up()
    assert (snapshot.base, snapshot.cursor.sequence) == (None, 9)
    assert await agrees(office, near, "Default")
    kept = await office.engine.read(
        lambda session: session.all("SELECT count(*) FROM kept_package WHERE NOT snapshot")
    )
    assert kept[0][0] <= 2 * 3
    await office.product("LAST")
    await office.run()
    [delta] = await far.catch_up()
    assert delta.base == snapshot.cursor


async def test_a_replica_ahead_of_its_log_makes_headquarters_begin_a_new_generation(
    office: Office,
) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    ahead = replace(store.replica.at, sequence=99, digest=b"of a log that was lost")
    package = await office.distribution.newest("S1", ahead)
    assert package is not None
    assert package.base is None
    assert package.cursor.generation not in (0, ahead.generation)
    assert await agrees(office, store, "Default")
    assert store.replica.at.generation == package.cursor.generation
    await office.product("APPLE")
    await office.run()
    [delta] = await store.catch_up()
    assert delta.base == package.cursor


async def test_who_stands_where_headquarters_was_hears_that_a_new_generation_began(
    office: Office,
) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    told = office.distribution.news.version
    ahead = replace(store.replica.at, sequence=99, digest=b"of a log that was lost")
    package = await office.distribution.newest("S1", ahead)
    assert package is not None
    assert office.distribution.news.version > told
    assert [each.cursor for each in await store.catch_up()] == [package.cursor]


async def test_a_register_ahead_of_a_log_ends_its_generation_but_none_that_began_since(
    office: Office,
) -> None:
    await office.ask("S1")
    office.restart()
    store = await office.replica("S1")
    await store.catch_up()
    first, told = store.replica.at.generation, office.distribution.news.version
    await office.distribution.registers_stand("S1", {first: 1, first + 1: 99})
    assert office.distribution.news.version == told
    assert await store.catch_up() == []
    await office.distribution.registers_stand("S1", {first: 99})
    assert office.distribution.news.version > told
    [snapshot] = await store.catch_up()
    assert snapshot.cursor.generation not in (0, first)
    await office.distribution.registers_stand("S1", {snapshot.cursor.generation: 99})
    assert await store.catch_up() == []


async def test_an_unknown_digest_gets_a_snapshot(office: Office) -> None:
    store = await office.replica("S1")
    await store.catch_up()
    await office.product("APPLE")
    await office.run()
    await store.catch_up()
    package = await office.distribution.newest("S1", replace(store.replica.at, digest=b"another"))
    assert package is not None
    assert (package.base, package.cursor.sequence) == (None, 2)


async def test_a_delta_for_another_place_is_refused_and_changes_nothing(office: Office) -> None:
    store = await office.replica("S1")
    [snapshot] = await store.catch_up()
    for code in ("APPLE", "PEAR"):
        await office.product(code)
        await office.run()
    first = await office.distribution.newest("S1", store.replica.at)
    assert first is not None
    at = store.replica.at
    for wrong in (
        replace(first, base=replace(at, sequence=9)),
        replace(first, base=replace(at, digest=b"another")),
        replace(first, base=None),
        replace(first, cursor=replace(first.cursor, sequence=7)),
        replace(first, cursor=replace(first.cursor, digest=b"another")),
        replace(snapshot, cursor=replace(snapshot.cursor, sequence=0)),
    ):
        file = store.replica.copy.shelf.path(wrong.name)
        file.write_bytes(office.shelf.path(first.name).read_bytes())
        with pytest.raises(Refused) as caught:
            await store.sink.apply(wrong)
        assert caught.value.reason is Reason.PACKAGE_DAMAGED
        assert store.replica.at == at
    assert await agrees(office, store, "Default")
    with pytest.raises(Refused):
        await store.take(snapshot)  # it leads back


async def test_what_a_run_reads_follows_the_change_and_not_the_table(tmp_path: Path) -> None:
    counts: list[int] = []
    for count in (1_000, 20_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        connection = open_writer(folder / "headquarters.db", SCHEMA, durable=False)
        async with Office(InlineEngine(connection), folder, 1_000) as office:
            await office.store("S1")
            await office.products(count)
            await office.ask("S1")
            for number in range(500):
                await office.product(f"P{number:07}", 5)
            with counted(connection) as steps:
                assert await office.run() == 1
            counts.append(steps.count)
            newest = (await office.runs())[0]
            assert (newest.changed, newest.removed) == (500, 0)
    small, large = counts
    assert small > 500
    assert large < small * 1.2


async def test_a_failed_run_is_kept_with_its_reason_and_the_next_repeats_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Refused(Reason.DISK_FULL, "the disk is full")

    await office.ask("S1", "S2")
    await office.product("APPLE")
    before = office.shelf.names()
    with monkeypatch.context() as patched:
        patched.setattr("stillopen.headquarters.distribution.append", full)
        with pytest.raises(Refused):
            await office.run()
    failed = [(each.group_id, bool(each.failure)) for each in await office.runs()]
    assert failed[:2] == [("North", True), ("Default", True)]
    assert office.shelf.names() == before
    assert await office.run() == 2


async def test_runs_are_kept_only_so_many(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution_runs, "RUNS_MAX", 3)
    await office.ask("S1", "S2")
    for number in range(5):
        await office.product(f"P{number}")
        await office.run()
    assert len(await office.runs()) == 3
    [(packages,)] = await office.engine.read(
        lambda session: session.all("SELECT count(*) FROM run_package")
    )
    assert packages == 3


@pytest.mark.parametrize(
    ("schedule", "ran_ago_s", "pending", "due"),
    [
        (Schedule("a", (9999,), on_change=True), None, True, 0),
        (Schedule("a", (9999,), on_change=True), 5.0, True, 0),
        (Schedule("a", (9999,), on_change=True), 5.0, False, None),
        (Schedule("a", (9999,), on_change=True, every_s=60), 5.0, True, 55),
        (Schedule("a", (9999,), on_change=True, every_s=60), 99.0, True, 0),
        (Schedule("a", (9999,), every_s=60), None, False, 0),
        (Schedule("a", (9999,), every_s=60), 20.0, False, 40),
        (Schedule("a", (9999,)), None, True, None),
        (Schedule("a", (9999,), on_change=True, paused=True), None, True, None),
    ],
)
def test_when_a_schedule_is_due(
    schedule: Schedule, ran_ago_s: float | None, *, pending: bool, due: float | None
) -> None:
    assert due_in_s(schedule, ran_ago_s, pending=pending) == due
