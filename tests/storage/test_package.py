"""What is in a package: other tables, facts or rows than described are refused, and do nothing."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.packages import FIRST, goods, make_delta, make_snapshot, shelf_in

from stillopen.core.errors import Reason, Refused
from stillopen.replication.packages import check_package, snapshot_statements
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import Scope
from stillopen.replication.tables import BARCODE, PRODUCT, tables_at
from stillopen.storage.package import check_tables, facts_of, looked_into
from stillopen.storage.package_file import unpack

STATEMENTS = snapshot_statements(1)
CREATE_PRODUCT = PRODUCT.create()[0]
CREATE_BARCODES = BARCODE.create()


def unpacked(folder: Path) -> tuple[Package, Path]:
    """A snapshot of two products, and its database."""
    shelf = shelf_in(folder)
    package = make_snapshot(shelf, goods("APPLE", "PEAR"))
    database = folder / "database"
    unpack(shelf.path(package.name), database)
    return package, database


def refused(database: Path, package: Package) -> str:
    """Why a database is not what its package was said to be."""
    with pytest.raises(Refused) as caught:
        check_package(database, package)
    assert caught.value.reason is Reason.PACKAGE_DAMAGED
    return caught.value.message


def changed(database: Path, *statements: str) -> None:
    """Somebody else changes a database."""
    connection = sqlite3.connect(database)  # noqa: TID251 - not by our own code
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def made(database: Path, statements: Iterable[str]) -> Path:
    """A database that somebody else made."""
    database.unlink(missing_ok=True)
    changed(database, *statements)
    return database


def test_a_package_says_of_itself_what_it_is(tmp_path: Path) -> None:
    package, database = unpacked(tmp_path)
    check_package(database, package)
    with looked_into(database, sound=True) as session:
        facts = facts_of(session)
    assert facts["sequence"] == "1"
    assert facts["rows.product"] == "2"
    assert package.name == f"00000001-snapshot-{package.cursor.digest.hex()}.sqlite.zst"


def test_a_delta_says_where_a_replica_must_stand(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    base = replace(FIRST, digest=b"base")
    package = make_delta(shelf, base, goods("APPLE"), [(PRODUCT, "PEAR")])
    unpack(shelf.path(package.name), tmp_path / "database")
    check_package(tmp_path / "database", package)
    assert "-delta-" in package.name
    assert refused(tmp_path / "database", replace(package, base=replace(base, sequence=9)))
    assert refused(tmp_path / "database", replace(package, base=None))


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    first = make_snapshot(shelf_in(tmp_path / "a"), goods("APPLE", "PEAR"))
    second = make_snapshot(shelf_in(tmp_path / "b"), goods("PEAR", "APPLE"))
    assert first == second


def test_a_small_delta_is_small(tmp_path: Path) -> None:
    package = make_delta(shelf_in(tmp_path), FIRST, {PRODUCT: goods("APPLE")[PRODUCT]})
    assert package.size < 1_500


@pytest.mark.parametrize(
    "cursor",
    [
        replace(FIRST, generation=8),
        replace(FIRST, sequence=2),
        replace(FIRST, scope=Scope(("price",))),
        replace(FIRST, scope=Scope((), 2)),
    ],
    ids=["generation", "sequence", "tables left out", "version"],
)
def test_another_package_than_was_said_is_refused(tmp_path: Path, cursor: Cursor) -> None:
    package, database = unpacked(tmp_path)
    assert refused(database, replace(package, cursor=cursor))


def test_rows_that_are_not_those_it_says_are_refused(tmp_path: Path) -> None:
    package, database = unpacked(tmp_path)
    changed(database, "DELETE FROM product WHERE code = 'PEAR'")
    assert "product" in refused(database, package)


@pytest.mark.parametrize(
    "statements",
    [
        STATEMENTS[:-1],
        (*STATEMENTS, "CREATE TABLE more (a)"),
        [each.replace("price_minor INTEGER", "price_minor ANY") for each in STATEMENTS],
        [each for each in STATEMENTS if each != CREATE_PRODUCT]
        + ["CREATE VIEW product AS SELECT 'P1' AS code"],
        [*STATEMENTS, "CREATE TRIGGER t INSERT ON product BEGIN DELETE FROM staff; END"],
        [*STATEMENTS, "CREATE VIRTUAL TABLE words USING fts5(word)"],
        [
            each.replace("name TEXT NOT NULL", "name TEXT AS (upper(code)) STORED")
            if each == CREATE_PRODUCT
            else each
            for each in STATEMENTS
        ],
        [
            each.replace("price_minor INTEGER NOT NULL", "price_minor INTEGER CHECK (abs(1))")
            if each == CREATE_PRODUCT
            else each
            for each in STATEMENTS
        ],
        [*STATEMENTS, "CREATE INDEX more ON product (upper(name))"],
        [each for each in STATEMENTS if each not in CREATE_BARCODES[1:]],
    ],
    ids=[
        "an index less",
        "a table more",
        "another column",
        "a view",
        "a trigger",
        "a virtual table",
        "a generated column",
        "a check",
        "an index on an expression",
        "no barcode index",
    ],
)
def test_other_tables_than_described_are_refused(tmp_path: Path, statements: list[str]) -> None:
    package, _ = unpacked(tmp_path)
    assert "tables" in refused(made(tmp_path / "other", statements), package)


def test_facts_in_a_view_are_not_read(tmp_path: Path) -> None:
    package, _ = unpacked(tmp_path)
    lying = ["CREATE VIEW package AS SELECT 'sequence' AS name, '1' AS value", *STATEMENTS[1:]]
    assert "tables" in refused(made(tmp_path / "other", lying), package)


def test_a_database_with_a_write_ahead_log_is_refused(tmp_path: Path) -> None:
    package, database = unpacked(tmp_path)
    data = bytearray(database.read_bytes())
    data[18] = data[19] = 2
    database.write_bytes(data)
    assert refused(database, package)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    package, database = unpacked(tmp_path)
    database.write_bytes(b"no database" * 1_000)
    assert refused(database, package)


def test_damaged_pages_are_refused_or_harm_nobody(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    package = make_snapshot(shelf, goods(*(f"P{n:04}" for n in range(400))))
    whole = tmp_path / "whole"
    unpack(shelf.path(package.name), whole)
    data = whole.read_bytes()
    found = 0
    for start in range(0, len(data), 1_024):
        damaged = bytearray(data)
        damaged[start : start + 32] = b"\xff" * 32
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            check_package(tmp_path / "damaged", package)
        except Refused:
            found += 1
    assert found >= 20


def test_nothing_can_be_written_where_a_package_is_looked_into(tmp_path: Path) -> None:
    _, database = unpacked(tmp_path)
    before = database.read_bytes()
    with pytest.raises(Refused), looked_into(database) as session:
        session.run("DELETE FROM product")
    assert database.read_bytes() == before


def test_tables_of_every_version_that_is_known_can_be_made(tmp_path: Path) -> None:
    database = made(tmp_path / "empty", STATEMENTS)
    with looked_into(database) as session:
        check_tables(session, STATEMENTS)
    assert {table.name for table in tables_at(1)} >= {"product", "price", "barcode", "staff"}
