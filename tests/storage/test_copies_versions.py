"""Copies and packages of older and newer versions of the tables."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.copies import Place
from tests.support.packages import (
    FIRST,
    goods,
    make_delta,
    make_snapshot,
    product,
)

from stillopen.replication import tables
from stillopen.replication.ports import Cursor
from stillopen.replication.scope import EVERYTHING, Scope
from stillopen.replication.tables import PRODUCT, TABLES, Table

MANY = tuple(f"P{n:05}" for n in range(3_000))


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
