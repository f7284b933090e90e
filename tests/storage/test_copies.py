"""Copies of headquarters' rows: old or new, never a mix; what is damaged comes back by itself."""

import asyncio
import errno
import shutil
import stat
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.notes import Opener
from tests.support.packages import (
    FIRST,
    goods,
    make_delta,
    make_snapshot,
    product,
    put_bytes,
    shelf_in,
)

from stillopen.core.errors import Reason, Refused
from stillopen.replication import tables
from stillopen.replication.copies import Copy, open_copy
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import EVERYTHING, Scope
from stillopen.replication.tables import PRODUCT, TABLES, Table
from stillopen.storage.engine import Engine, Session
from stillopen.storage.schema import Schema
from stillopen.v1 import sync_pb2

MANY = tuple(f"P{n:05}" for n in range(3_000))


class Place:
    """A folder with a copy, and the shelf that its packages come to."""

    def __init__(self, folder: Path, opener: Opener) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        self.shelf = shelf_in(folder)
        self._opener = opener
        self.copy: Copy

    async def open(self, scope: Scope = EVERYTHING) -> Copy:
        """Opens the copy, as a process does when it starts."""
        self.copy = await open_copy(
            self.folder / "offline.db", self.shelf, self._opener, scope, self.warnings.append
        )
        return self.copy

    async def prices(self) -> dict[str, int]:
        """What the copy shows."""
        rows = await self.copy.read(lambda s: s.all("SELECT code, price_minor FROM product"))
        return dict(rows)

    def databases(self) -> list[str]:
        """The numbered files, and what was set aside."""
        return sorted(
            each.name
            for each in self.folder.glob("offline-*")
            if not each.name.endswith(("-wal", "-shm", ".lock"))
        )

    async def refuses(self, package: Package) -> str:
        """Why a package is refused; nothing changes."""
        await self.copy.left()
        before = await self.prices(), self.copy.at, self.databases()
        with pytest.raises(Refused) as caught:
            await self.copy.apply(package)
        assert caught.value.reason is Reason.PACKAGE_DAMAGED
        assert (await self.prices(), self.copy.at, self.databases()) == before
        assert not list(self.shelf.folder.glob("scratch-*"))
        return caught.value.message


@pytest.fixture
async def place(tmp_path: Path, open_engine: Opener) -> AsyncIterator[Place]:
    """An empty copy, on each engine."""
    place = Place(tmp_path, open_engine)
    await place.open()
    yield place
    await place.copy.close()


async def test_a_copy_begins_without_rows_and_nowhere(place: Place) -> None:
    assert await place.prices() == {}
    assert await place.copy.cursor() == Cursor()


async def test_a_snapshot_becomes_the_copy(place: Place) -> None:
    package = make_snapshot(place.shelf, goods("APPLE", "PEAR"))
    await place.copy.apply(package)
    assert await place.prices() == {"APPLE": 100, "PEAR": 100}
    assert await place.copy.cursor() == place.copy.at == package.cursor
    await place.copy.left()
    assert place.databases() == ["offline-2.db"]
    assert (place.folder / "offline.db").readlink() == Path("offline-2.db")


async def test_a_delta_puts_changes_and_removes_rows_and_keeps_the_file(place: Place) -> None:
    first = make_snapshot(place.shelf, goods("APPLE", "PEAR", "PLUM"))
    await place.copy.apply(first)
    rows = {PRODUCT: [product("PEAR", 250), product("FIG", 30)]}
    second = make_delta(place.shelf, first.cursor, rows, [(PRODUCT, "PLUM"), (PRODUCT, "NONE")])
    await place.copy.apply(second)
    assert await place.prices() == {"APPLE": 100, "PEAR": 250, "FIG": 30}
    assert await place.copy.cursor() == second.cursor
    await place.copy.left()
    assert place.databases() == ["offline-2.db"]


async def test_a_copy_is_there_again_after_a_restart(place: Place) -> None:
    first = make_snapshot(place.shelf, goods("APPLE"))
    await place.copy.apply(first)
    second = make_delta(place.shelf, first.cursor, {PRODUCT: [product("PEAR")]})
    await place.copy.apply(second)
    await place.copy.close()
    await place.open()
    assert await place.prices() == {"APPLE": 100, "PEAR": 100}
    assert await place.copy.cursor() == second.cursor


async def test_a_snapshot_of_another_generation_replaces_everything(place: Place) -> None:
    await place.copy.apply(make_snapshot(place.shelf, goods("APPLE"), Cursor(7, 9)))
    await place.copy.apply(make_snapshot(place.shelf, goods("PEAR"), Cursor(8, 1)))
    assert await place.prices() == {"PEAR": 100}


async def test_a_package_for_another_place_is_refused(place: Place) -> None:
    first = make_snapshot(place.shelf, goods("APPLE"), Cursor(7, 5))
    await place.copy.apply(first)
    for base in (
        replace(first.cursor, sequence=6),
        replace(first.cursor, generation=8),
        replace(first.cursor, digest=b"another"),
    ):
        assert "goes on" in await place.refuses(make_delta(place.shelf, base, goods("PEAR")))
    older = make_snapshot(place.shelf, goods("PEAR"), Cursor(7, 4))
    assert "back" in await place.refuses(older)


@pytest.mark.parametrize("snapshot", [True, False], ids=["snapshot", "delta"])
async def test_a_bit_that_is_another_is_refused_wherever_it_is(
    place: Place, *, snapshot: bool
) -> None:
    first = make_snapshot(place.shelf, goods("APPLE"))
    await place.copy.apply(first)
    if snapshot:
        package = make_snapshot(place.shelf, goods("PEAR"), Cursor(7, 2))
    else:
        package = make_delta(place.shelf, first.cursor, goods("PEAR"))
    data = place.shelf.path(package.name).read_bytes()
    for at in [*range(24), *range(24, len(data), max(1, len(data) // 40)), len(data) - 1]:
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        put_bytes(place.shelf, package, bytes(flipped))
        await place.refuses(package)
    for length in (0, 1, 17, len(data) // 2, len(data) - 1):
        put_bytes(place.shelf, package, data[:length])
        await place.refuses(package)
    put_bytes(place.shelf, package, data)
    await place.copy.apply(package)


async def test_a_package_under_the_name_of_another_is_refused(place: Place) -> None:
    await place.copy.apply(make_snapshot(place.shelf, goods("APPLE")))
    mine = make_snapshot(place.shelf, goods("PEAR"), Cursor(7, 2))
    others = make_snapshot(place.shelf, goods("FIG"), Cursor(9, 2))
    put_bytes(place.shelf, mine, place.shelf.path(others.name).read_bytes())
    await place.refuses(mine)
    relabelled = replace(mine, cursor=replace(mine.cursor, digest=others.cursor.digest))
    assert "another" in await place.refuses(relabelled)


async def test_who_reads_the_file_before_reads_on_and_it_goes_when_they_leave(
    tmp_path: Path, open_threaded: Opener
) -> None:
    place = Place(tmp_path, open_threaded)
    copy = await place.open()
    await copy.apply(make_snapshot(place.shelf, goods("APPLE")))
    inside, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> list[str]:
        inside.set()
        go_on.wait(20)
        return [row[0] for row in session.all("SELECT code FROM product")]

    reading = asyncio.create_task(copy.read(slow))
    await asyncio.to_thread(inside.wait, 20)
    applying = asyncio.create_task(
        copy.apply(make_snapshot(place.shelf, goods("PEAR"), Cursor(7, 2)))
    )
    while copy.path.name != "offline-3.db":  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)
    assert await place.prices() == {"PEAR": 100}
    assert place.databases() == ["offline-2.db", "offline-3.db"]
    await applying  # nobody waits for the one who reads
    go_on.set()
    assert await reading == ["APPLE"]
    await copy.left()
    assert place.databases() == ["offline-3.db"]
    await copy.close()


# Self-repair


def spoil(path: Path) -> None:
    """Writes nonsense over everything but the first pages of a database."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.seek(16 * 4_096)
        file.write(b"\xff" * (size - 16 * 4_096))


async def stands_nowhere(place: Place) -> bool:
    return not (await place.copy.cursor()).generation


async def test_a_copy_that_is_damaged_while_it_is_read_stands_nowhere_until_a_snapshot_comes(
    tmp_path: Path, open_threaded: Opener
) -> None:
    place = Place(tmp_path, open_threaded)
    copy = await place.open()
    package = make_snapshot(place.shelf, goods(*MANY))
    await copy.apply(package)
    assert (await copy.read(lambda s: s.one("SELECT count(*) FROM staff"))) == (1,)
    spoil(copy.path)
    version = copy.news.version
    with pytest.raises(Refused) as caught:
        await copy.read(lambda s: s.all("SELECT * FROM product"))
    assert caught.value.reason is Reason.NOT_READY
    assert copy.news.version > version
    assert await stands_nowhere(place)
    await copy.apply(package)  # the same one: it is where it was
    assert await copy.cursor() == package.cursor
    assert len(await place.prices()) == len(MANY)
    await copy.left()
    assert place.databases() == ["offline-3.db"]
    await copy.close()


async def test_a_damage_that_a_delta_finds_is_the_copys_and_not_the_packages(
    tmp_path: Path, open_threaded: Opener
) -> None:
    place = Place(tmp_path, open_threaded)
    copy = await place.open()
    more = tuple(f"{code}{n}" for code in MANY for n in range(20))  # more than is held in memory
    package = make_snapshot(place.shelf, goods(*more))
    await copy.apply(package)
    spoil(copy.path)
    rows = {PRODUCT: [product(code, 5) for code in more]}
    with pytest.raises(Refused) as caught:
        await copy.apply(make_delta(place.shelf, package.cursor, rows))
    assert caught.value.reason is Reason.NOT_READY
    assert await stands_nowhere(place)
    await copy.close()


@pytest.mark.parametrize("what", ["offline.db", "offline-2.db"])
async def test_a_copy_whose_file_is_gone_stands_nowhere_and_is_read_on(
    place: Place, what: str
) -> None:
    package = make_snapshot(place.shelf, goods("APPLE"))
    await place.copy.apply(package)
    assert await place.prices() == {"APPLE": 100}
    (place.folder / what).unlink()
    assert await stands_nowhere(place)
    assert await place.prices() == {"APPLE": 100}
    await place.copy.apply(package)
    assert await place.copy.cursor() == package.cursor
    assert (place.folder / "offline.db").is_file()


async def test_a_file_that_cannot_be_opened_is_set_aside_and_said(place: Place) -> None:
    await place.copy.apply(make_snapshot(place.shelf, goods("APPLE")))
    await place.copy.close()
    (place.folder / "offline-2.db").write_bytes(b"not a database" * 1_000)
    await place.open()
    assert await stands_nowhere(place)
    assert "offline-2.db.damaged-1" in place.warnings[0]
    await place.copy.apply(make_snapshot(place.shelf, goods("PEAR")))
    assert await place.prices() == {"PEAR": 100}


async def test_what_a_process_left_half_done_is_swept_away(place: Place) -> None:
    await place.copy.apply(make_snapshot(place.shelf, goods("APPLE")))
    await place.copy.close()
    (place.folder / "offline-9.db").write_bytes(b"half")
    (place.folder / "offline.db.new").symlink_to("offline-9.db")
    await place.open()
    assert await place.prices() == {"APPLE": 100}
    assert place.databases() == ["offline-2.db"]


# Versions of the tables

SECOND = Table(
    "product", PRODUCT.job, PRODUCT.columns, added=((2, "origin TEXT NOT NULL DEFAULT ''"),)
)
PICTURE = Table("picture", PRODUCT.job, ("code TEXT", "link TEXT NOT NULL"), since=2)


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes this software know version 2: products have an origin, and there are pictures."""

    def upgrade() -> None:
        others = tuple(table for table in TABLES if table.name != "product")
        monkeypatch.setattr(tables, "TABLES", (SECOND, *others, PICTURE))
        monkeypatch.setattr(tables, "SCHEMA_VERSION", 2)
        monkeypatch.setattr("stillopen.replication.packages.SCHEMA_VERSION", 2)

    return upgrade


NEWER = Scope((), 2)


async def test_newer_software_reads_an_older_copy_and_asks_for_a_newer_one(
    place: Place, newer: Callable[[], None]
) -> None:
    old = make_snapshot(place.shelf, goods("APPLE"))
    await place.copy.apply(old)
    await place.copy.close()
    newer()
    await place.open(NEWER)
    found = await place.copy.read(lambda s: s.all("SELECT code, origin FROM product"))
    assert found == [("APPLE", "")]
    assert await place.copy.read(lambda s: s.all("SELECT * FROM picture")) == []
    assert await place.copy.cursor() == replace(old.cursor, scope=NEWER)
    rows = {SECOND.at(2): [(*product("PEAR"), "Spain")]}
    await place.copy.apply(make_snapshot(place.shelf, rows, Cursor(11, 1, scope=NEWER)))
    found = await place.copy.read(lambda s: s.all("SELECT code, origin FROM product"))
    assert found == [("PEAR", "Spain")]


async def test_newer_software_takes_the_packages_of_an_older_server(
    place: Place, newer: Callable[[], None]
) -> None:
    newer()
    await place.copy.close()
    await place.open(NEWER)
    older = replace(FIRST, scope=Scope((), 1))
    first = make_snapshot(place.shelf, goods("APPLE"), older)
    await place.copy.apply(first)
    delta = make_delta(place.shelf, first.cursor, {PRODUCT: [product("PEAR", 7)]})
    await place.copy.apply(delta)
    found = await place.copy.read(lambda s: s.all("SELECT code, origin FROM product"))
    assert found == [("APPLE", ""), ("PEAR", "")]


async def test_older_software_reads_a_newer_copy_and_refuses_newer_packages(
    place: Place, newer: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context():
        newer()
        await place.copy.close()
        await place.open(NEWER)
        rows = {SECOND.at(2): [(*product("PEAR"), "Spain")]}
        package = make_snapshot(place.shelf, rows, replace(FIRST, scope=NEWER))
        await place.copy.apply(package)
        another = make_snapshot(place.shelf, rows, Cursor(7, 2, scope=NEWER))
        await place.copy.close()
    monkeypatch.undo()
    await place.open()
    assert await place.prices() == {"PEAR": 100}
    assert (await place.copy.cursor()).scope == EVERYTHING
    assert "version 2" in await place.refuses(another)


# What the disk may have in store


async def test_the_log_of_a_file_that_is_gone_is_not_taken_for_that_of_the_next(
    tmp_path: Path, open_threaded: Opener
) -> None:
    place = Place(tmp_path, open_threaded)
    await place.open()
    first = make_snapshot(place.shelf, goods("APPLE"))
    await place.copy.apply(first)
    await place.copy.apply(make_delta(place.shelf, first.cursor, {PRODUCT: [product("OLD")]}))
    await place.copy.left()
    for suffix in ("-wal", "-shm"):  # as power loss leaves them, and somebody moved the file away
        shutil.copy(tmp_path / f"offline-2.db{suffix}", tmp_path / f"kept{suffix}")
    await place.copy.close()
    (tmp_path / "offline-2.db").unlink()
    for suffix in ("-wal", "-shm"):
        shutil.copy(tmp_path / f"kept{suffix}", tmp_path / f"offline-2.db{suffix}")
    await place.open()
    await place.copy.apply(make_snapshot(place.shelf, goods("PEAR"), Cursor(9, 1)))
    assert await place.prices() == {"PEAR": 100}
    await place.copy.close()


async def test_nobody_else_may_read_packages_and_copies(place: Place) -> None:
    package = make_snapshot(place.shelf, goods("APPLE"))
    await place.copy.apply(package)
    others = stat.S_IRWXG | stat.S_IRWXO
    for path in (place.shelf.folder, place.shelf.path(package.name), place.copy.path):
        assert not path.stat().st_mode & others, path


async def test_a_comparison_of_the_file_before_does_not_call_the_next_one_damaged(
    tmp_path: Path, open_threaded: Opener
) -> None:
    hold, held = threading.Event(), threading.Event()

    async def later(work: Callable[[], object]) -> object:
        if "read_beside" in str(work):
            held.set()
            await asyncio.to_thread(hold.wait, 20)
        return await asyncio.to_thread(work)

    place = Place(tmp_path, open_threaded)
    copy = await place.open()
    await copy.apply(make_snapshot(place.shelf, goods("APPLE")))
    place.shelf.off_loop = later  # type: ignore[assignment]
    asking = asyncio.create_task(copy.digests(sync_pb2.DigestsAsked(number=1, table="product")))
    await asyncio.to_thread(held.wait, 20)
    second = make_snapshot(place.shelf, goods("PEAR"), Cursor(7, 2))
    await copy.apply(second)
    hold.set()
    assert not (await asking).refusal
    assert await copy.cursor() == second.cursor
    await copy.close()


async def test_a_copy_that_cannot_be_opened_leaves_nothing_and_is_not_called_damaged(
    tmp_path: Path, open_threaded: Opener
) -> None:
    full = False

    async def opener(path: Path, schema: Schema, *, durable: bool = True) -> Engine:
        if full:
            raise OSError(errno.ENOSPC, "no space left on device")
        return await open_threaded(path, schema, durable=durable)

    place = Place(tmp_path, opener)
    copy = await place.open()
    first = make_snapshot(place.shelf, goods("APPLE"))
    await copy.apply(first)
    await copy.left()
    full = True
    with pytest.raises(Refused) as caught:
        await copy.apply(make_snapshot(place.shelf, goods("PEAR"), Cursor(7, 2)))
    assert caught.value.reason is Reason.DISK_FULL
    assert place.databases() == ["offline-2.db"]
    assert await copy.cursor() == first.cursor
    await copy.close()
