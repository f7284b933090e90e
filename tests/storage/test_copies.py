"""Copies of headquarters' rows: old or new, never a mix."""

import asyncio
import errno
import shutil
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.copies import Place
from tests.support.notes import Opener
from tests.support.packages import (
    goods,
    make_delta,
    make_snapshot,
    product,
    put_bytes,
)

from stillopen.core.errors import Reason, Refused
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import PRODUCT
from stillopen.storage.engine import Engine, Session
from stillopen.storage.package_file import pack, unpack
from stillopen.storage.schema import Schema
from stillopen.v1 import sync_pb2

PAGE_BYTES = 4_096
MANY = tuple(f"P{n:05}" for n in range(3_000))


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


@pytest.mark.parametrize("kind", ["snapshot", "delta", "delta that is in no file"])
async def test_a_bit_that_is_another_is_refused_wherever_it_is(place: Place, kind: str) -> None:
    first = make_snapshot(place.shelf, goods("APPLE"))
    await place.copy.apply(first)
    if kind == "snapshot":
        package = make_snapshot(place.shelf, goods("PEAR"), Cursor(7, 2))
    else:
        package = make_delta(place.shelf, first.cursor, goods("PEAR"))
    data = place.shelf.path(package.name).read_bytes()

    def brought(contents: bytes) -> bytes | None:
        if kind == "delta that is in no file":
            return contents
        put_bytes(place.shelf, package, contents)
        return None

    for at in [*range(24), *range(24, len(data), max(1, len(data) // 40)), len(data) - 1]:
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        await place.refuses(package, brought(bytes(flipped)))
    for length in (0, 1, 17, len(data) // 2, len(data) - 1):
        await place.refuses(package, brought(data[:length]))
    await place.copy.apply(package, brought(data))
    assert await place.copy.cursor() == package.cursor


async def test_a_snapshot_with_a_page_of_garbage_is_refused_wherever_it_is(place: Place) -> None:
    await place.copy.apply(make_snapshot(place.shelf, goods("APPLE")))
    whole = make_snapshot(place.shelf, goods(*MANY[:200]), Cursor(7, 2))
    database = place.folder / "unpacked"
    unpack(place.shelf.path(whole.name), database)
    pages = database.read_bytes()
    for at in range(0, len(pages), PAGE_BYTES):
        garbage = bytes([0xFF]) * PAGE_BYTES
        database.write_bytes(pages[:at] + garbage + pages[at + PAGE_BYTES :])
        packed = pack(database, place.folder / f"packed-{at}")
        spoiled = replace(
            whole, cursor=replace(whole.cursor, digest=packed.digest), size=packed.size
        )
        (place.folder / f"packed-{at}").rename(place.shelf.path(spoiled.name))
        await place.refuses(spoiled)
    await place.copy.apply(whole)
    assert len(await place.prices()) == 200


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
    await copy.left()
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
