"""What a killed process leaves, what the power leaves, and drives that are full, slow or fail."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.sim.disk import Commits, Disk, Moment
from tests.sim.drive import Drive, DriveError, is_of_a_drive
from tests.sim.loop import run
from tests.sim.power import lose_parts

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.storage.engine import Session
from stillopen.storage.files import open_writer
from stillopen.storage.schema import Schema
from stillopen.storage.written import FLUSH_BYTES

SCHEMA = Schema("notes", (("CREATE TABLE note (text TEXT NOT NULL) STRICT",),))
TRIES = 30


class Machine:
    """One drive with one database, and what became of its process."""

    def __init__(self, folder: Path, *, seed: int = 0, full_sync: bool = True) -> None:
        self.path = folder / f"notes-{seed}-{full_sync}.db"
        self.rng = random.Random(seed)  # noqa: S311 - repeatable
        self.died: list[str] = []
        self.counts: list[str] = []
        self.drive = Drive(self.rng, (0.0, 0.0), self.counts.append)
        self._full_sync = full_sync
        self.disk = self.start()

    def start(self) -> Disk:
        """The process begins, or begins again."""
        self.connection = open_writer(self.path, SCHEMA, durable=self._full_sync)
        self.commits = Commits(self._die, self.lose_power, lambda: self.died.append("flush"))
        self.disk = Disk(self.connection, self.path, self.commits, self.drive)
        return self.disk

    def lose_power(self) -> bool:
        """Whether anything that was written is gone."""
        self.died.append("power")
        return self.disk.die(self.rng)

    def _die(self, moment: Moment, _: int) -> None:
        self.died.append(str(moment))
        self.disk.die()

    def bytes(self) -> list[bytes]:
        """Of the database, and of its log when there is one."""
        files = (self.path, Path(f"{self.path}-wal"))
        return [each.read_bytes() for each in files if each.exists()]

    async def note(self, text: str) -> None:
        """Writes a row."""
        await self.disk.write(lambda session: session.run("INSERT INTO note VALUES (?)", text))

    async def notes(self) -> list[str]:
        """All rows, in order."""
        return [row[0] for row in await self.disk.read(_all)]


def _all(session: Session) -> list[tuple[str]]:
    return session.all("SELECT text FROM note ORDER BY rowid")


async def _dies_in_a_commit(machine: Machine) -> None:
    machine.commits.tear(1)
    with pytest.raises(asyncio.CancelledError):
        await machine.note("open")


def test_a_killed_process_leaves_its_log_and_the_next_recovers_from_it(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        await machine.note("kept")
        machine.disk.die()
        assert [b"kept" in each for each in machine.bytes()] == [False, True]
        machine.start()
        assert await machine.notes() == ["kept"]

    run(main())


def test_what_is_ended_in_order_leaves_no_log(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        await machine.note("kept")
        await machine.disk.close()
        assert [b"kept" in each for each in machine.bytes()] == [True]

    run(main())


def test_a_commit_that_was_flushed_survives_the_power_whatever_it_leaves(tmp_path: Path) -> None:
    async def main() -> None:
        for seed in range(TRIES):
            machine = Machine(tmp_path, seed=seed)
            await machine.note("one")
            await machine.note("two")
            assert not machine.lose_power()
            machine.start()
            assert await machine.notes() == ["one", "two"]

    run(main())


def test_of_an_open_commit_all_stays_or_nothing_and_a_torn_tail_is_recovered_from(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        left: list[list[str]] = []
        for seed in range(TRIES):
            machine = Machine(tmp_path, seed=seed)
            await machine.note("one")
            await _dies_in_a_commit(machine)
            machine.start()
            left.append(await machine.notes())
            await machine.note("after")
            assert (await machine.notes())[-1] == "after"
        assert {tuple(each) for each in left} == {("one",), ("one", "open")}

    run(main())


def test_a_database_that_is_not_flushed_loses_its_last_commits_and_never_one_between(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        wanted, kept = [str(number) for number in range(20)], set[int]()
        for seed in range(TRIES):
            machine = Machine(tmp_path, seed=seed, full_sync=False)
            for text in wanted:
                await machine.note(text)
            lost = machine.lose_power()
            machine.start()
            notes = await machine.notes()
            assert notes == wanted[: len(notes)]
            assert lost or notes == wanted
            kept.add(len(notes))
        assert 0 in kept
        assert len(kept) > 3

    run(main())


def test_what_a_checkpoint_has_flushed_is_not_lost_and_the_log_that_begins_anew_is(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        left = set[int]()
        for seed in range(TRIES):
            machine = Machine(tmp_path, seed=seed, full_sync=False)
            await machine.note("one")
            machine.connection.execute("PRAGMA wal_checkpoint")
            await machine.note("two")
            machine.lose_power()
            machine.start()
            notes = await machine.notes()
            assert notes[:1] == ["one"]
            left.add(len(notes))
        assert left == {1, 2}

    run(main())


def test_a_connection_that_was_told_not_to_flush_is_taken_at_its_word(tmp_path: Path) -> None:
    async def main() -> None:
        lost = 0
        for seed in range(TRIES):
            machine = Machine(tmp_path, seed=seed)
            machine.connection.execute("PRAGMA synchronous=NORMAL")
            await machine.note("one")
            lost += machine.lose_power()
        assert lost > 0

    run(main())


def test_a_part_of_a_package_keeps_what_was_flushed_of_it(tmp_path: Path) -> None:
    part = tmp_path / "packages" / "coming-1-full"
    part.parent.mkdir()
    for seed in range(TRIES):
        data = b"x" * (FLUSH_BYTES + 1_000)
        part.write_bytes(data)
        assert lose_parts(tmp_path, random.Random(seed))  # noqa: S311 - repeatable
        assert part.read_bytes() != data
        assert part.read_bytes()[:FLUSH_BYTES] == data[:FLUSH_BYTES]
    part.write_bytes(b"x" * FLUSH_BYTES)
    assert not lose_parts(tmp_path, random.Random(0))  # noqa: S311 - repeatable


async def _fill_up(machine: Machine) -> int:
    """Writes until there is no room; how often it wrote."""
    for count in range(1_000):
        try:
            await machine.note("x" * 500)
        except Refused:
            return count
    raise AssertionError("it was never full")


def test_a_full_drive_refuses_changes_nothing_and_writes_again_once_there_is_room(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.drive.fill()
        count = await _fill_up(machine)
        assert len(await machine.notes()) == count
        assert machine.counts == ["disk full"]
        machine.drive.empty()
        await machine.note("there is room")
        assert len(await machine.notes()) == count + 1

    run(main())


def test_a_full_log_takes_no_write_at_all_until_there_is_room(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.drive.fill(log=True)
        assert await _fill_up(machine) == 0
        assert machine.drive.give_up()
        await machine.note("in the reserve")
        machine.drive.empty()
        assert await machine.notes() == ["in the reserve"]

    run(main())


def test_the_reserve_is_room_for_some_pages_once(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        assert machine.drive.hold()
        machine.drive.fill()
        assert machine.drive.hold()
        await _fill_up(machine)
        assert machine.drive.give_up()
        await machine.note("x" * 5_000)
        assert not machine.drive.hold()
        assert not machine.drive.give_up()
        machine.drive.empty()
        assert machine.drive.hold()

    run(main())


def test_a_database_that_is_opened_on_a_full_drive_finds_no_room(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.drive.fill()
        machine.disk.die()
        machine.start()
        await _fill_up(machine)

    run(main())


async def _first_error(try_once: Callable[[], Awaitable[object]]) -> BaseException:
    for _ in range(1_000):
        try:
            await try_once()
        except Exception as error:  # noqa: BLE001 - it is looked at
            return error
    raise AssertionError("there was none")


def test_what_a_drive_fails_at_changes_nothing_and_is_said_as_sqlite_says_it(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.drive.errors = 0.3
        machine.drive.rng = random.Random(2)  # noqa: S311 - repeatable
        error = await _first_error(lambda: machine.note("one"))
        assert isinstance(error, DriveError)
        assert error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR
        error = await _first_error(machine.notes)
        assert isinstance(error, Misuse)
        assert error.reason is Reason.DATABASE_DAMAGED
        assert is_of_a_drive(error)
        assert machine.counts == ["disk error"] * 2
        machine.drive.heal()
        before = await machine.notes()
        await machine.note("two")
        assert await machine.notes() == [*before, "two"]

    run(main())


def test_a_failed_flush_ends_the_process_and_leaves_all_of_the_commit_or_nothing(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        left = set[int]()
        for seed in range(TRIES):
            machine = Machine(tmp_path, seed=seed)
            machine.drive.errors = 1.0
            machine.drive.write_codes = (sqlite3.SQLITE_IOERR_FSYNC,)
            with pytest.raises(asyncio.CancelledError):
                await machine.note("one")
            assert machine.died == ["flush"]
            machine.drive.heal()
            machine.start()
            left.add(len(await machine.notes()))
        assert left == {0, 1}

    run(main())


def test_writes_keep_their_order_when_a_slow_drive_gets_fast(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.drive.slow_down((1.0, 1.0))
        writing = [asyncio.create_task(machine.note(str(number))) for number in range(3)]
        await asyncio.sleep(2.5)
        machine.drive.hurry()
        await machine.note("3")
        await asyncio.gather(*writing)
        assert await machine.notes() == ["0", "1", "2", "3"]
        assert machine.counts == ["slow disk"]

    run(main())
