"""How a package becomes what a replica shows: whole, in the transaction that moves the cursor."""

from collections.abc import Iterator

from stillopen.core.errors import Reason, Refused
from stillopen.replication.package_log import generation_text
from stillopen.replication.packages import DELTA, SNAPSHOT, check_facts
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.tables import TABLES, Table
from stillopen.storage.engine import Row, Session
from stillopen.storage.package import Contents, opened

_BY_NAME = {table.name: table for table in TABLES}


def where_it_stands(session: Session) -> Cursor:
    """The cursor of a replica's database."""
    row = session.one("SELECT generation, sequence, digest FROM replica_state")
    return Cursor(int(row[0], 16), row[1], row[2]) if row else Cursor()


def apply_package(session: Session, package: Package) -> None:
    """Applies a snapshot or a delta; Refused PACKAGE_DAMAGED when it cannot be from here."""
    check_way(where_it_stands(session), package)
    with opened(package.data, SNAPSHOT if package.base is None else DELTA) as contents:
        check_facts(contents, package)
        if package.base is None:
            for table in TABLES:
                session.run(f"DELETE FROM {table.name}")  # noqa: S608 - constants
        else:
            _remove(session, contents.removed())
        for table in TABLES:
            _put(session, table, contents)
    session.run(
        "INSERT OR REPLACE INTO replica_state VALUES (1,?,?,?)",
        generation_text(package.cursor.generation),
        package.cursor.sequence,
        package.cursor.digest,
    )


def check_way(at: Cursor, package: Package) -> None:
    """Refuses a delta for another place, and a way back within a generation."""
    if package.base is not None and package.base != at:
        raise Refused(
            Reason.PACKAGE_DAMAGED,
            f"the package goes on from {package.base.sequence}, and here it is {at.sequence}",
        )
    same = package.cursor.generation == at.generation
    if not package.cursor.generation or (same and package.cursor.sequence < at.sequence):
        raise Refused(Reason.PACKAGE_DAMAGED, "the package leads back")


def _put(session: Session, table: Table, contents: Contents) -> None:
    places = ", ".join("?" * len(table.names))
    session.run_many(
        f"INSERT OR REPLACE INTO {table.name} VALUES ({places})",  # noqa: S608 - constants
        contents.rows(table.name, table.names),
    )


def _remove(session: Session, removed: Iterator[Row]) -> None:
    for name, key in removed:
        # A table that newer headquarters has is none of ours.
        if table := _BY_NAME.get(name):
            session.run(f"DELETE FROM {table.name} WHERE {table.key} = ?", key)  # noqa: S608
