"""How a package becomes what a replica shows: whole, in the transaction that moves the cursor."""

from functools import lru_cache

from stillopen.replication.package_log import generation_text
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.replica_tables import complete
from stillopen.replication.scope import Scope
from stillopen.replication.tables import Table, tables_at
from stillopen.storage.engine import Session
from stillopen.storage.package import facts_of
from stillopen.storage.package_file import damaged


def where_it_stands(session: Session) -> Cursor:
    """The cursor of a replica's database; in the version of the package that made it."""
    said = facts_of(session)
    if "digest" not in said:
        return Cursor()
    return Cursor(
        int(said["generation"], 16),
        int(said["sequence"]),
        bytes.fromhex(said["digest"]),
        Scope(tuple(said["excluded"].split()), int(said["schema_version"])),
    )


def check_way(at: Cursor, package: Package) -> None:
    """Refuses a delta for another place, and a way back within a generation."""
    if package.base is not None and (place_of(package.base) != place_of(at)):
        raise damaged(f"it goes on from {package.base.sequence}, and here it is {at.sequence}")
    same = package.cursor.generation == at.generation
    if not package.cursor.generation or (same and package.cursor.sequence < at.sequence):
        raise damaged("it leads back")


def begin_replica(session: Session, at: Cursor, version: int) -> None:
    """Makes a replica of the database of a snapshot, for who reads that version of the tables."""
    session.run("DELETE FROM package WHERE name LIKE 'rows.%'")
    _move(session, at)
    complete(session, version)


def apply_delta(session: Session, package: Package) -> None:
    """Applies a delta that stands in schema `package`: a few statements, however many rows."""
    check_way(where_it_stands(session), package)
    removed = {name for (name,) in session.all("SELECT DISTINCT table_name FROM package.removed")}
    brought = session.all("SELECT name FROM package.package WHERE value <> '0'")
    for table in tables_at(package.cursor.scope.version):
        if table.name in removed:
            session.run(
                f"DELETE FROM {table.name} WHERE {table.key} IN"  # noqa: S608 - constants
                " (SELECT key FROM package.removed WHERE table_name = ?)",
                table.name,
            )
        if (f"rows.{table.name}",) in brought:
            session.run(_put(table))
    _move(session, package.cursor)


@lru_cache(maxsize=32)
def _put(table: Table) -> str:
    names = ", ".join(table.names)
    others = ", ".join(f"{name} = excluded.{name}" for name in table.names[1:])
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM package.{table.name} WHERE true"  # noqa: S608
        f" ON CONFLICT ({table.key}) DO UPDATE SET {others}"
    )


def _move(session: Session, at: Cursor) -> None:
    session.run_many(
        "INSERT OR REPLACE INTO package VALUES (?, ?)",
        [
            ("generation", generation_text(at.generation)),
            ("sequence", str(at.sequence)),
            ("digest", at.digest.hex()),
            ("excluded", at.scope.text),
            ("schema_version", str(at.scope.version)),
        ],
    )


def place_of(at: Cursor) -> tuple[int, int, bytes]:
    """Where it is; in which version it was said does not matter."""
    return at.generation, at.sequence, at.digest
