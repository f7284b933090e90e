"""The room that is kept for the open sale."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.notes import SCHEMA

from stillopen.core.errors import Reason, Refused
from stillopen.storage.engine import Database, Engine, Session, Work
from stillopen.storage.reserve import FileReserve, ReservedEngine
from stillopen.storage.sqlite import open_sqlite

T = TypeVar("T")


class Disk:
    """A disk, a reserve on it, and an engine that writes only while there is room."""

    def __init__(self, inner: Engine, *, room: bool, reserve: bool) -> None:
        self.room = room
        self.reserve = reserve
        self._inner = inner

    def hold(self) -> bool:
        """Whether the room is kept."""
        return self.reserve

    def give_up(self) -> bool:
        """What was kept becomes room."""
        there, self.reserve = self.reserve, False
        self.room = self.room or there
        return there

    async def write(self, work: Work[T]) -> T:
        """Writes, or is full."""
        if not self.room:
            raise Refused(Reason.DISK_FULL, "the disk is full")
        return await self._inner.write(work)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Nothing here attaches anything."""
        return await self._inner.write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        """Reads."""
        return await self._inner.read(work)

    async def close(self) -> None:
        """Closes."""
        await self._inner.close()


class _Together:
    """Lets the first writes meet the disk before any of them is answered, as a group does."""

    def __init__(self, inner: Engine, count: int) -> None:
        self._inner = inner
        self._waiting = count
        self._all_there = asyncio.Event()

    async def write(self, work: Work[T]) -> T:
        """Writes; a refusal is told once all are there."""
        try:
            return await self._inner.write(work)
        finally:
            self._waiting -= 1
            if self._waiting <= 0:
                self._all_there.set()
            await self._all_there.wait()

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Nothing here attaches anything."""
        return await self._inner.write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        """Reads."""
        return await self._inner.read(work)

    async def close(self) -> None:
        """Closes."""
        await self._inner.close()


@pytest.fixture
async def inner(tmp_path: Path) -> AsyncIterator[Engine]:
    """A database."""
    engine = await open_sqlite(tmp_path / "notes.db", SCHEMA)
    yield engine
    await engine.close()


def count(session: Session) -> int:
    """Writes a row; how many there are then."""
    session.run("INSERT INTO note (text) VALUES (hex(randomblob(8)))")
    [(rows,)] = session.all("SELECT count(*) FROM note")
    return int(rows)


async def test_a_write_on_a_full_disk_uses_the_reserve(inner: Engine) -> None:
    disk = Disk(inner, room=False, reserve=True)
    engine = ReservedEngine(disk, disk)
    assert [await engine.write(count), await engine.write(count)] == [1, 2]
    assert not disk.hold()


async def test_of_two_writes_that_meet_the_full_disk_together_both_get_the_room(
    inner: Engine,
) -> None:
    disk = Disk(inner, room=False, reserve=True)
    engine = ReservedEngine(_Together(disk, 2), disk)
    assert sorted(await asyncio.gather(engine.write(count), engine.write(count))) == [1, 2]


async def test_without_a_reserve_a_full_disk_is_said(inner: Engine) -> None:
    disk = Disk(inner, room=False, reserve=False)
    with pytest.raises(Refused, match="full"):
        await ReservedEngine(disk, disk).write(count)
    assert await inner.write(count) == 1


async def test_other_refusals_leave_the_reserve_alone(inner: Engine) -> None:
    disk = Disk(inner, room=True, reserve=True)

    def refuse(_: Session) -> int:
        raise Refused(Reason.SALE_OPEN, "another sale is open")

    with pytest.raises(Refused, match="another"):
        await ReservedEngine(disk, disk).write(refuse)
    assert disk.hold()


def test_a_reserve_takes_its_room_once_and_gives_it_up_once(tmp_path: Path) -> None:
    path = tmp_path / "register" / "reserve"
    reserve = FileReserve(path, 10_000)
    assert reserve.hold()
    assert reserve.hold()
    assert (path.stat().st_size, path.stat().st_blocks * 512 >= 10_000) == (10_000, True)
    assert reserve.give_up()
    assert not path.exists()
    assert not reserve.give_up()
    assert reserve.hold()


def test_a_part_of_a_reserve_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / "reserve").write_bytes(b"x" * 100)
    assert FileReserve(tmp_path / "reserve", 10_000).hold()
    assert (tmp_path / "reserve").stat().st_size == 10_000


def test_more_than_the_disk_has_is_not_held_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    assert not FileReserve(path, 2**60).hold()
    assert not path.exists()
