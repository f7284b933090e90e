"""The same database without threads, for simulations on virtual time."""

import sqlite3
from pathlib import Path
from typing import TypeVar

from stillopen.storage.engine import Database, Engine, Work
from stillopen.storage.files import open_writer
from stillopen.storage.group import run_group, run_read, run_with
from stillopen.storage.schema import Schema

T = TypeVar("T")


class InlineEngine:
    """A database on the loop's own thread: every call is done when it returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def write(self, work: Work[T]) -> T:
        """Runs and commits `work`."""
        [(value, failure)] = run_group(self._connection, [work])
        if failure is not None:
            raise failure
        result: T = value
        return result

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Runs and commits `work`, with another database at hand."""
        value, failure = run_with(self._connection, database, work)
        if failure is not None:
            raise failure
        result: T = value
        return result

    async def read(self, work: Work[T]) -> T:
        """Runs `work`; nothing it writes stays."""
        result: T = run_read(self._connection, work)
        return result

    async def close(self) -> None:
        """Lets the file go."""
        self._connection.close()


async def open_inline(path: Path, schema: Schema, *, durable: bool = True) -> Engine:
    """Opens or creates the database on this thread."""
    return InlineEngine(open_writer(path, schema, durable=durable))
