"""Packages of a few rows, made as headquarters makes them."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from stillopen.replication.packages import (
    Filled,
    Selection,
    build,
    copy_rows,
    delta_statements,
    fill_snapshot,
    say_where,
    snapshot_statements,
)
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.tables import PRODUCT, STAFF_MEMBER, Table, tables_at
from stillopen.storage.engine import Session, Value
from stillopen.storage.off_loop import inline
from stillopen.storage.shelf import Shelf

Rows = Mapping[Table, Sequence[tuple[Value, ...]]]
FIRST = Cursor(7, 1)


def shelf_in(folder: Path) -> Shelf:
    """A shelf whose work is done at once."""
    return Shelf(folder / "packages", inline)


def product(code: str, minor: int = 100) -> tuple[Value, ...]:
    """A row of the products."""
    return (code, code, f"{code} of {minor}", "EUR", minor, "")


def person(staff_id: str) -> tuple[Value, ...]:
    """A row of the staff."""
    return (staff_id, staff_id, "", "cashier", 0)


def goods(*codes: str, minor: int = 100) -> Rows:
    """Products, and somebody who sells them."""
    return {PRODUCT: [product(code, minor) for code in codes], STAFF_MEMBER: [person("anna")]}


def make_snapshot(shelf: Shelf, rows: Rows, at: Cursor = FIRST) -> Package:
    """A snapshot of these rows, on the shelf."""
    source = _source(shelf, rows, at.scope.version)
    fill = partial(fill_snapshot, selection=Selection(), at=at)
    built = build(shelf, source, snapshot_statements(at.scope.version), fill)
    assert built is not None
    return built.package


def make_delta(
    shelf: Shelf, base: Cursor, rows: Rows, removed: Sequence[tuple[Table, str]] = ()
) -> Package:
    """A delta of these rows after a cursor, on the shelf."""
    at = replace(base, sequence=base.sequence + 1, digest=b"")

    def fill(session: Session) -> Filled:
        changed = 0
        for table in tables_at(at.scope.version):
            names = ", ".join(table.names)
            count = copy_rows(session, table, f"SELECT {names} FROM {table.name}")  # noqa: S608
            session.run("INSERT INTO draft.package VALUES (?, ?)", f"rows.{table.name}", str(count))
            changed += count
        session.run_many(
            "INSERT INTO draft.removed VALUES (?, ?)", [(t.name, key) for t, key in removed]
        )
        say_where(session, at, base)
        return Filled(at, base, changed, len(removed))

    source = _source(shelf, rows, at.scope.version)
    built = build(shelf, source, delta_statements(at.scope.version), fill)
    assert built is not None
    return built.package


def put_bytes(shelf: Shelf, package: Package, data: bytes) -> None:
    """Puts other bytes in the place of a package's."""
    shelf.path(package.name).write_bytes(data)


def _source(shelf: Shelf, rows: Rows, version: int) -> Path:
    """A database of these rows, as headquarters has them."""
    path = shelf.folder.parent / "source.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)  # noqa: TID251 - not by our own code
    for table in tables_at(version):
        for statement in table.create():
            connection.execute(statement)
    for table, found in rows.items():
        places = ", ".join("?" * len(table.names))
        connection.executemany(f"INSERT INTO {table.name} VALUES ({places})", found)  # noqa: S608
    connection.commit()
    connection.close()
    return path
