"""Replicas that are damaged, gone or of another log, where sales go on: they come back."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_distribution import add_plum
from tests.support.estate_parts import PATIENCE_S, STEP_S, until
from tests.support.estate_till import Till

from stillopen.core.errors import Refused, StillopenError
from stillopen.replication import package_log
from stillopen.replication.packages import Selection
from stillopen.replication.tables import tables_at
from stillopen.storage.beside import read_beside
from stillopen.storage.engine import Row, Session

Rows = dict[str, list[Row]]
Damage = Callable[[Path], None]


def target(database: Path) -> Path:
    """The file that a replica's name leads to."""
    return database.parent / database.readlink()


def spoil(database: Path) -> None:
    """Nonsense over everything but the first page."""
    with target(database).open("r+b") as file:
        size = target(database).stat().st_size
        file.seek(4_096)
        file.write(b"\xff" * (size - 4_096))


def remove_file(database: Path) -> None:
    """The file is gone."""
    target(database).unlink()


def remove_name(database: Path) -> None:
    """The name leads nowhere."""
    database.unlink()


def rows_in(database: Path) -> Rows:
    """What a database has of the replicated tables."""

    def read(session: Session) -> Rows:
        found: Rows = {}
        for table in tables_at(1):
            condition, values = Selection("Default").of(table)
            found[table.name] = session.all(
                f"SELECT * FROM {table.name} WHERE {condition} ORDER BY {table.key}",  # noqa: S608
                *values,
            )
        return found

    return read_beside(database, read)


@asynccontextmanager
async def selling(till: Till) -> AsyncGenerator[list[int]]:
    """Sales go on meanwhile; each is completed, or its product is not to be had for a moment."""
    sold = [0]

    async def sell() -> None:
        while True:
            sale = await till.begin()
            try:
                sale = await till.line(sale)
            except Refused:
                await till.void(sale)
                await asyncio.sleep(STEP_S)  # the replica is on its way
                continue
            await till.complete(await till.cash(sale))
            sold[0] += 1

    task = asyncio.create_task(sell())
    try:
        yield sold
        before = sold[0]
        async with asyncio.timeout(PATIENCE_S):
            while sold[0] == before and not task.done():  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(STEP_S)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled(), task.exception()


async def shows_all(estate: Estate, database: Path) -> bool:
    """Whether a replica's file has what headquarters has."""
    try:
        there = rows_in(target(database))
    except (StillopenError, OSError):  # damaged, or gone
        return False
    return there == rows_in(estate.folder / "headquarters" / "headquarters.db")


@pytest.mark.parametrize("damage", [spoil, remove_file, remove_name])
@pytest.mark.parametrize("place", ["channel/replica.db", "R1/offline.db"])
async def test_a_damaged_replica_comes_back_while_it_sells(
    estate: Estate, till: Till, place: str, damage: Damage
) -> None:
    database = estate.folder / place
    async with selling(till):
        before = target(database)
        damage(database)
        await add_plum(estate)
        await until(partial(shows_all, estate, database))
        assert target(database) != before
        await add_plum(estate, 70)  # and deltas go on from there
        await until(partial(shows_all, estate, database))
    await estate.until_home(till)


async def test_a_replica_that_missed_packages_gets_a_snapshot_while_it_sells(
    estate: Estate, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_log, "DELTAS_BYTES_MIN", 1)
    monkeypatch.setattr(package_log, "DELTAS_MAX", 1)
    database = estate.folder / "R1" / "offline.db"
    async with selling(till):
        await estate.channel.stop()
        for minor in (50, 60, 70, 80):
            await add_plum(estate, minor)
        await estate.channel.start()
        await until(partial(shows_all, estate, database))
    await estate.until_home(till)


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead of it", "overtaken by it"])
async def test_headquarters_of_an_old_copy_replaces_what_replicas_that_sell_had_since(
    estate: Estate, till: Till, *, ahead: bool
) -> None:
    folder = estate.folder / "headquarters"
    await estate.headquarters.stop()
    shutil.copytree(folder, estate.folder / "copy")
    await estate.headquarters.start()
    for minor in (50, 60, 70):
        await add_plum(estate, minor)
        await estate.until_channel_shows()
    async with selling(till):
        await estate.channel.stop()
        await estate.headquarters.stop()
        shutil.rmtree(folder)
        shutil.copytree(estate.folder / "copy", folder)
        await estate.headquarters.start()
        for minor in (80,) if ahead else (90, 80, 85, 80):
            await add_plum(estate, minor)
        await estate.channel.start()
        for place in ("channel/replica.db", "R1/offline.db"):
            await until(partial(shows_all, estate, estate.folder / place))
    await estate.until_home(till)
