"""Copies that are damaged or gone stand nowhere until a snapshot comes."""

from pathlib import Path

import pytest
from tests.support.copies import Place
from tests.support.notes import Opener
from tests.support.packages import (
    goods,
    make_delta,
    make_snapshot,
    product,
)

from stillopen.core.errors import Reason, Refused
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import PRODUCT

MANY = tuple(f"P{n:05}" for n in range(3_000))


def spoil(path: Path) -> None:
    """Writes nonsense over everything but the first pages of a database."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.seek(16 * 4_096)
        file.write(b"\xff" * (size - 16 * 4_096))


async def stands_nowhere(place: Place) -> bool:
    """Whether only a snapshot helps."""
    return not (await place.copy.cursor()).digest


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


async def test_a_damaged_copy_never_shows_what_was_before_it(place: Place) -> None:
    await place.copy.apply(make_snapshot(place.shelf, goods("NEW"), Cursor(7, 5)))
    (place.folder / "offline.db").unlink()
    assert await stands_nowhere(place)
    assert (await place.copy.cursor()).sequence == 5
    assert "back" in await place.refuses(make_snapshot(place.shelf, goods("OLD"), Cursor(7, 4)))
    await place.copy.apply(make_snapshot(place.shelf, goods("NEWER"), Cursor(7, 6)))
    assert await place.prices() == {"NEWER": 100}


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


async def test_a_copy_whose_file_goes_again_and_again_stands_again_each_time(place: Place) -> None:
    package = make_snapshot(place.shelf, goods("APPLE"))
    for _ in range(4):
        await place.copy.apply(package)
        await place.copy.left()
        assert await place.copy.cursor() == package.cursor
        (place.folder / (place.folder / "offline.db").readlink()).unlink()
        assert await stands_nowhere(place)


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
