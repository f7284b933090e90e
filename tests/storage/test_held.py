"""Small deltas on their way to a register: in no file, and refused like any other."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.support.notes import Opener
from tests.support.packages import goods, make_delta, make_snapshot, product, shelf_in

from stillopen.core.errors import Reason, Refused
from stillopen.replication.ports import Arriving, Package
from stillopen.replication.replica import Replica, open_replica
from stillopen.replication.tables import PRODUCT
from stillopen.storage.held import HELD_BYTES_MAX, Held
from stillopen.storage.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Where the register's packages go."""
    return shelf_in(tmp_path)


@pytest.fixture
async def replica(tmp_path: Path, shelf: Shelf, open_engine: Opener) -> AsyncGenerator[Replica]:
    """A register's copy that has two products."""
    replica = await open_replica(tmp_path / "offline.db", shelf, open_engine, "S1")
    await replica.apply(make_snapshot(shelf, goods("APPLE", "PEAR")))
    yield replica
    await replica.close()


def taken(shelf: Shelf, package: Package) -> bytes:
    """The bytes of a package, which are on the shelf no longer."""
    path = shelf.path(package.name)
    data = path.read_bytes()
    path.unlink()
    return data


async def price(replica: Replica, code: str) -> int:
    """What a product costs here."""
    return (await replica.product(code, 0.0)).price.minor


async def bring(coming: Arriving, data: bytes, part: int = 100) -> None:
    """Its bytes come in parts."""
    for at in range(0, len(data), part):
        there = coming.there
        await coming.write(data[at : at + part])
        assert coming.there == there + len(data[at : at + part])
    await coming.finish()


async def refused(coming: Arriving, data: bytes) -> Reason:
    """Why bytes are refused."""
    with pytest.raises(Refused) as caught:
        await bring(coming, data)
    return caught.value.reason


async def test_a_small_delta_is_shown_and_was_in_no_file(replica: Replica, shelf: Shelf) -> None:
    delta = make_delta(shelf, replica.at, {PRODUCT: [product("PEAR", 250)]})
    data = taken(shelf, delta)
    await bring(await replica.receive(delta), data)
    assert list(shelf.folder.iterdir()) == []
    await replica.apply(delta)
    assert await price(replica, "PEAR") == 250
    assert replica.at == delta.cursor
    assert list(shelf.folder.iterdir()) == []


async def test_snapshots_and_what_is_large_go_by_the_shelf(replica: Replica, shelf: Shelf) -> None:
    many = goods(*(f"P{n:05}" for n in range(40_000)))
    for package in (
        make_snapshot(shelf, goods("FIG"), replica.at),
        make_delta(shelf, replica.at, many),
    ):
        assert package.base is None or package.size > HELD_BYTES_MAX
        data = taken(shelf, package)
        coming = await replica.receive(package)
        await coming.write(data[:100])
        assert list(shelf.folder.iterdir()) != []
        coming.drop()


async def test_a_delta_whose_stream_ended_comes_again_from_its_first_byte(
    replica: Replica, shelf: Shelf
) -> None:
    delta = make_delta(shelf, replica.at, {PRODUCT: [product("PEAR", 250)]})
    data = taken(shelf, delta)
    first = await replica.receive(delta)
    await first.write(data[:100])
    assert await replica.partials() == []
    second = await replica.receive(delta)
    assert await refused(first, data[100:]) is Reason.STREAM_REPLACED
    await bring(second, data)
    await replica.apply(delta)
    assert await price(replica, "PEAR") == 250


async def test_a_delta_of_other_bytes_is_refused_and_changes_nothing(
    replica: Replica, shelf: Shelf
) -> None:
    delta = make_delta(shelf, replica.at, {PRODUCT: [product("PEAR", 250)]})
    data = taken(shelf, delta)
    before = replica.at
    await bring(await replica.receive(delta), data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Refused) as caught:
        await replica.apply(delta)
    assert caught.value.reason is Reason.PACKAGE_DAMAGED
    assert (await price(replica, "PEAR"), replica.at) == (100, before)
    await bring(await replica.receive(delta), data)
    await replica.apply(delta)
    assert await price(replica, "PEAR") == 250


async def test_more_or_less_than_was_said_is_refused() -> None:
    came: list[bytes] = []
    for data in (b"more than five", b"less"):
        assert await refused(Held(5, came.append), data) is Reason.PACKAGE_DAMAGED
    await bring(Held(5, came.append), b"right")
    assert came == [b"right"]
