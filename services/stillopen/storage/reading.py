"""A database that is read and never written, also while another process has it open."""

import sqlite3
from pathlib import Path
from typing import NoReturn, TypeVar

from stillopen.core.errors import Misuse, Reason, Refused, invalid
from stillopen.storage.engine import Database, Work
from stillopen.storage.files import open_reader
from stillopen.storage.group import run_read
from stillopen.storage.schema import Schema

T = TypeVar("T")


class ReadingEngine:
    """An engine without writes. Open with `open_reading`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def write(self, work: Work[T]) -> T:
        """Never: it was opened to be read."""
        _never(work)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Never either."""
        _never((database, work))

    async def read(self, work: Work[T]) -> T:
        """Runs `work` on one committed state, on the caller's thread."""
        result: T = run_read(self._connection, work)
        return result

    async def close(self) -> None:
        """Lets the file go."""
        self._connection.close()


def open_reading(path: Path, schema: Schema) -> ReadingEngine:
    """Opens a database as it is.

    Misuse when there is none, of another kind, or of newer software; Refused NOT_READY when older
    software wrote it.
    """
    if not path.is_file():
        raise invalid("data", f"there is no {path}")
    connection = open_reader(path)
    try:
        _check(connection, schema, path)
    except BaseException:
        connection.close()
        raise
    return ReadingEngine(connection)


def _check(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    try:
        rows = run_read(
            connection, lambda session: session.all("SELECT schema, step FROM migration LIMIT 1000")
        )
    except sqlite3.OperationalError:
        raise Misuse(Reason.DATABASE_DAMAGED, f"{path} is no {schema.name} database") from None
    if any(name != schema.name for name, _ in rows):
        raise Misuse(Reason.DATABASE_DAMAGED, f"{path} is no {schema.name} database")
    done = max((step for _, step in rows), default=0)
    if done > len(schema.steps):
        raise Misuse(Reason.DATABASE_NEWER, f"{path} was written by newer software; upgrade first")
    if done < len(schema.steps):
        raise Refused(
            Reason.NOT_READY, f"{path} was written by older software; start its place once"
        )


def _never(what: object) -> NoReturn:
    raise Misuse(Reason.INTERNAL, f"the database was opened to be read, not for {what!r}")
