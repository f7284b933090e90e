"""The shelf: what is on it is whole, and what nobody knows goes."""

import resource
from pathlib import Path

import pytest

from stillopen.core.errors import Reason, Refused
from stillopen.storage.off_loop import inline
from stillopen.storage.shelf import SUFFIX, Shelf
from stillopen.storage.written import FLUSH_BYTES

NAME = f"00000001-snapshot-ab{SUFFIX}"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty shelf."""
    return Shelf(tmp_path / "packages", inline)


async def test_what_came_whole_is_there(shelf: Shelf) -> None:
    coming = await shelf.receive(NAME, 6)
    for part in (b"abc", b"def"):
        await coming.write(part)
        assert shelf.names() == []
        assert not shelf.has(NAME, 6)
    await coming.finish()
    assert shelf.names() == [NAME]
    assert [await shelf.block(NAME, at, 4) for at in (0, 4, 8)] == [b"abcd", b"ef", b""]


async def test_what_is_cut_short_is_not_there(shelf: Shelf) -> None:
    coming = await shelf.receive(NAME, 6)
    await coming.write(b"abc")
    with pytest.raises(Refused) as caught:
        await coming.finish()
    assert caught.value.reason is Reason.PACKAGE_DAMAGED
    coming.drop()
    assert list(shelf.folder.iterdir()) == []


async def test_more_than_was_said_is_refused(shelf: Shelf) -> None:
    coming = await shelf.receive(NAME, 2)
    with pytest.raises(Refused) as caught:
        await coming.write(b"abc")
    assert caught.value.reason is Reason.PACKAGE_DAMAGED
    coming.drop()


async def test_a_stream_that_begins_again_is_not_disturbed_by_the_one_before(shelf: Shelf) -> None:
    before = await shelf.receive(NAME, 3)
    again = await shelf.receive(NAME, 3)
    await again.write(b"new")
    with pytest.raises(Refused) as caught:
        await before.write(b"old")
    assert caught.value.reason is Reason.STREAM_REPLACED
    before.drop()
    await again.finish()
    assert await shelf.block(NAME, 0, 9) == b"new"


async def test_what_broke_off_goes_on_where_it_was(shelf: Shelf) -> None:
    coming = await shelf.receive(NAME, 6)
    await coming.write(b"abc")
    assert await shelf.part() == (NAME, 3)
    again = await shelf.receive(NAME, 6, 3)
    await again.write(b"def")
    await again.finish()
    assert await shelf.block(NAME, 0, 9) == b"abcdef"
    assert await shelf.part() is None


async def test_what_broke_off_may_be_begun_anew(shelf: Shelf) -> None:
    coming = await shelf.receive(NAME, 6)
    await coming.write(b"abcd")
    again = await shelf.receive(NAME, 6, 2)
    await again.write(b"CDEF")
    await again.finish()
    assert await shelf.block(NAME, 0, 9) == b"abCDEF"


async def test_of_what_an_earlier_process_received_only_what_it_flushed_is_gone_on_with(
    shelf: Shelf,
) -> None:
    size = 4 * FLUSH_BYTES
    part = bytes(range(256)) * (FLUSH_BYTES // 1024)
    coming = await shelf.receive(NAME, size)
    for _ in range(10):  # two and a half times as much as is flushed at a time
        await coming.write(part)
    later = Shelf(shelf.folder, inline)
    assert await later.part() == (NAME, FLUSH_BYTES)
    again = await later.receive(NAME, size, FLUSH_BYTES)
    for _ in range(12):
        await again.write(part)
    await again.finish()
    assert await later.block(NAME, 0, size) == part * 16


async def test_what_is_not_there_cannot_be_gone_on_with(shelf: Shelf) -> None:
    coming = await shelf.receive(NAME, 6)
    await coming.write(b"abc")
    with pytest.raises(Refused) as caught:
        await shelf.receive(NAME, 6, 4)
    assert caught.value.reason is Reason.NAME_UNKNOWN
    other = await shelf.receive(f"00000002-snapshot-cd{SUFFIX}", 6)
    await other.write(b"x")
    with pytest.raises(Refused):
        await shelf.receive(NAME, 6, 3)


async def test_of_two_packages_that_broke_off_the_newer_is_kept(shelf: Shelf) -> None:
    for name in (NAME, f"00000002-snapshot-cd{SUFFIX}"):
        coming = await shelf.receive(name, 6)
        await coming.write(b"abc")
    assert await shelf.part() == (f"00000002-snapshot-cd{SUFFIX}", 3)
    assert len(list(shelf.folder.iterdir())) == 1


@pytest.mark.parametrize("size", [5_000, 500_000], ids=["at its end", "on its way"])
async def test_a_package_that_the_disk_has_no_room_for_leaves_nothing(
    shelf: Shelf, size: int
) -> None:
    coming = await shelf.receive(NAME, size)

    async def filled() -> None:
        await coming.write(bytes(size))
        await coming.finish()

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, before[1]))
    try:
        with pytest.raises(Refused) as caught:
            await filled()
        coming.drop()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.reason is Reason.DISK_FULL
    assert list(shelf.folder.iterdir()) == []


async def test_a_package_that_was_removed_is_said_to_be(shelf: Shelf) -> None:
    with pytest.raises(Refused) as caught:
        await shelf.block(NAME, 0, 1)
    assert caught.value.reason is Reason.NAME_UNKNOWN


async def test_only_what_is_wanted_stays_and_what_is_on_its_way(shelf: Shelf) -> None:
    for name in (NAME, f"other{SUFFIX}"):
        coming = await shelf.receive(name, 1)
        await coming.write(b"x")
        await coming.finish()
    await shelf.receive("half", 9)
    (shelf.folder / "scratch-x").mkdir()
    (shelf.folder / "scratch-x" / "draft").write_text("left by an earlier process")
    await shelf.keep_only({NAME})
    assert sorted(each.name for each in shelf.folder.iterdir()) == [NAME, "coming-half"]


async def test_a_desk_is_cleared(shelf: Shelf) -> None:
    async with shelf.desk() as folder:
        (folder / "draft").write_text("x")
    assert list(shelf.folder.iterdir()) == []
