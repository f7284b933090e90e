"""What packages hold: every replicated table in a snapshot, the changed rows of them in a delta.

A package says of itself where a replica stands once it has it, and where it must stand for it.
Which rows it carries is decided when it is built; whoever passes it on leaves it as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from stillopen.replication.ports import Cursor, Package, file_name
from stillopen.replication.tables import REGISTER, SCHEMA_VERSION, STORE, Table, tables_at
from stillopen.storage.draft import check_draft, fill_draft
from stillopen.storage.engine import Database, Session, Value
from stillopen.storage.package import (
    FACTS,
    REMOVED,
    check_tables,
    count_rows,
    facts_of,
    looked_into,
)
from stillopen.storage.package_file import damaged
from stillopen.storage.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows replicas of a channel group see; every row without a group."""

    group_id: str | None = None

    def of(self, table: Table) -> tuple[str, tuple[str, ...]]:
        """A condition on the rows of a table, and its values."""
        if self.group_id is None or table.name not in (STORE.name, REGISTER.name):
            return "true", ()
        if table.name == STORE.name:
            return "store.group_id = ?", (self.group_id,)
        return (
            "register.store_id IN (SELECT store_id FROM store WHERE group_id = ?)",
            (self.group_id,),
        )


@dataclass(frozen=True, slots=True)
class Filled:
    """What was put into a draft: where it leads, from where, and how many rows it has."""

    at: Cursor
    base: Cursor | None
    changed: int
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    """A package that was built, and how many rows it changes and removes."""

    package: Package
    changed: int
    removed: int = 0


def snapshot_statements(version: int) -> tuple[str, ...]:
    """What makes the tables of a snapshot: those of a replica, indexes and all."""
    return _snapshot(tables_at(version))


def delta_statements(version: int) -> tuple[str, ...]:
    """The same of a delta: no indexes, its rows are read once."""
    return _delta(tables_at(version))


@lru_cache(maxsize=4)
def _snapshot(tables: tuple[Table, ...]) -> tuple[str, ...]:
    return (FACTS, *(each for table in tables for each in table.create()))


@lru_cache(maxsize=4)
def _delta(tables: tuple[Table, ...]) -> tuple[str, ...]:
    return (FACTS, REMOVED, *(table.create()[0] for table in tables))


def build(
    shelf: Shelf,
    source: Path,
    statements: tuple[str, ...],
    fill: Callable[[Session], Filled | None],
) -> Built | None:
    """Makes a package of the rows of a database and puts it on a shelf; for a thread of its own.

    `fill` copies rows into schema `draft` and says what they are; nothing makes no package.
    """
    with shelf.scratch() as folder:
        draft = folder / "draft"
        filled = fill_draft(draft, statements, source, fill)
        if filled is None:
            return None
        check_draft(draft)
        sequence, snapshot = filled.at.sequence, filled.base is None
        packed = shelf.put(draft, lambda digest: file_name(sequence, digest, snapshot=snapshot))
    cursor = replace(filled.at, digest=packed.digest)
    return Built(Package(cursor, packed.size, filled.base), filled.changed, filled.removed)


def fill_snapshot(session: Session, selection: Selection, at: Cursor) -> Filled:
    """Everything that replicas of a scope show."""
    rows = 0
    for table in tables_at(at.scope.version):
        condition, values = selection.of(table)
        count = 0
        if table.name not in at.scope.excluded:
            names = ", ".join(table.names)
            count = copy_rows(
                session,
                table,
                f"SELECT {names} FROM {table.name} WHERE {condition} ORDER BY {table.key}",  # noqa: S608
                *values,
            )
        say(session, f"rows.{table.name}", str(count))
        rows += count
    say_where(session, at, None)
    return Filled(at, None, rows)


def copy_rows(session: Session, table: Table, select: str, *values: Value) -> int:
    """Puts the rows of a SELECT into a draft's table; returns how many."""
    names = ", ".join(table.names)
    return max(0, session.run(f"INSERT INTO draft.{table.name} ({names}) {select}", *values))


def say(session: Session, name: str, value: str) -> None:
    """Says something of the package as a whole."""
    session.run("INSERT OR REPLACE INTO draft.package VALUES (?, ?)", name, value)


def say_where(session: Session, at: Cursor, base: Cursor | None) -> None:
    """Writes into a package where a replica stands with it, and where it must stand for it."""
    for name, value in _where(at, base).items():
        say(session, name, value)
    if base is not None:
        say(session, "base_digest", base.digest.hex())


def check_package(database: Database, package: Package, *, sound: bool = True) -> None:
    """Refused PACKAGE_DAMAGED unless an unpacked database is what its package was said to be.

    Without `sound` its pages are not checked: for who opens it by an engine next, which does that.
    """
    version = package.cursor.scope.version
    if version > SCHEMA_VERSION:
        raise damaged(f"it has version {version} of the tables, and {SCHEMA_VERSION} is known here")
    statements = (snapshot_statements if package.base is None else delta_statements)(version)
    with looked_into(database, sound=sound) as session:
        check_tables(session, statements)
        facts = facts_of(session)
        # At one sequence replicas may stand with different digests: the base's is for people.
        said = {each: facts.get(each) for each in _where(package.cursor, package.base)}
        if said != _where(package.cursor, package.base):
            raise damaged("it is another than it was said to be")
        for table in tables_at(version):
            if str(count_rows(session, table.name)) != facts.get(f"rows.{table.name}", "0"):
                raise damaged(f"table {table.name} does not have the rows that it says")


def _where(at: Cursor, base: Cursor | None) -> dict[str, str]:
    said = {
        "schema_version": str(at.scope.version),
        "excluded": at.scope.text,
        "generation": f"{at.generation:016x}",
        "sequence": str(at.sequence),
    }
    return said if base is None else {**said, "base": str(base.sequence)}
