"""Group commit: what waits is committed together, and nobody is answered before the commit.

Every member runs in a savepoint. When SQLite itself rolls everything back (it does on a full disk),
or the commit fails, every member runs again alone (protocol rule 14).
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.storage.engine import Database, Session, Work
from stillopen.storage.files import where_is

Result = tuple[Any, BaseException | None]
"""What a member returned, or what it raised."""

_SYNC_ERRORS = {
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
}


_UNREADABLE = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
"""Whoever reads is told the same as of a damaged page: the file may be gone."""


class SyncFailedError(BaseException):
    """A flush to disk failed: what the disk holds is unknown and the process must end."""


def run_group(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Result]:
    """Runs all works in one transaction and commits; one result for each, in order."""
    if len(works) == 1:
        return [_run_alone(connection, works[0])]
    results: list[Result] = []
    session = Session(connection)
    connection.execute("BEGIN IMMEDIATE")
    for work in works:
        connection.execute("SAVEPOINT member")
        try:
            results.append((work(session), None))
        except Exception as error:  # noqa: BLE001 - handed to the member's caller
            if not connection.in_transaction:
                return [_run_alone(connection, each) for each in works]
            connection.execute("ROLLBACK TO member")
            results.append((None, translate(error)))
        connection.execute("RELEASE member")
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _undo(connection, error)
        return [_run_alone(connection, each) for each in works]
    return results


def run_with(connection: sqlite3.Connection, database: Database, work: Work[Any]) -> Result:
    """Runs a work alone, with another database as schema `package`."""
    connection.execute("ATTACH ? AS package", (where_is(database),))
    try:
        if isinstance(database, bytes):
            connection.deserialize(database, name="package")
        result = _run_alone(connection, work)
    except BaseException:
        with suppress(sqlite3.Error):  # what happened counts, not that it cannot be let go of now
            connection.execute("DETACH package")
        raise
    connection.execute("DETACH package")
    return result


def _run_alone(connection: sqlite3.Connection, work: Work[Any]) -> Result:
    try:
        connection.execute("BEGIN IMMEDIATE")
        result = work(Session(connection))
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - handed to the caller
        _undo(connection, error)
        return None, translate(error)
    return result, None


def _undo(connection: sqlite3.Connection, error: Exception) -> None:
    if isinstance(error, sqlite3.Error) and _code(error) in _SYNC_ERRORS:
        raise SyncFailedError(str(error)) from error
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def run_read(connection: sqlite3.Connection, work: Work[Any]) -> Any:
    """Runs a work that only reads, on one committed state."""
    try:
        connection.execute("BEGIN")
        return work(Session(connection))
    except sqlite3.Error as error:
        raise translate(error, reading=True) from error
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def translate(error: BaseException, *, reading: bool = False) -> BaseException:
    """The same error in our words, where we have them."""
    if not isinstance(error, sqlite3.Error):
        return error
    if reading and _code(error) & 0xFF in _UNREADABLE:
        return Misuse(Reason.DATABASE_DAMAGED, f"a database cannot be read: {error}")
    match _code(error) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return Refused(Reason.DISK_FULL, "the disk is full; nothing was changed")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Misuse(Reason.DATABASE_DAMAGED, f"a database cannot be read: {error}")
        case _:
            return error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", None) or 0
