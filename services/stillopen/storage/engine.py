"""What every engine promises, and the session a transaction's function works with.

A transaction is one synchronous function: it gets a `Session`, reads, writes and returns. It may be
run again when the group it was committed with failed, so it must depend on nothing but the database
and its arguments. Whatever becomes of the caller, a write that began runs to its end.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from stillopen.storage.schema import Schema

T = TypeVar("T")

Row = tuple[Any, ...]
"""A row; its columns have the types that the table declares."""

Value = None | int | float | str | bytes


class Session:
    """One open transaction."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, *values: Value) -> int:
        """Runs a statement and returns how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> int:
        """Runs a statement once for each row and returns how many rows they changed."""
        return self._connection.executemany(sql, rows).rowcount

    def insert(self, sql: str, *values: Value) -> int:
        """Runs an insert and returns the new row's number."""
        return self._connection.execute(sql, values).lastrowid or 0

    def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or nothing."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Value) -> list[Row]:
        """All rows. Bound the query: the result is held in memory."""
        return self._connection.execute(sql, values).fetchall()

    def each(self, sql: str, *values: Value) -> Iterator[Row]:
        """All rows, one at a time; read them within the transaction."""
        yield from self._connection.execute(sql, values)


Work = Callable[[Session], T]
"""A transaction: reads, writes, returns; raising undoes it."""

Database = Path | bytes
"""A database to read from: its file, or the bytes of one, for a small one that is in no file."""


class OpenEngine(Protocol):
    """How databases are opened."""

    def __call__(self, path: Path, schema: Schema, *, durable: bool = True) -> Awaitable["Engine"]:
        """Opens or creates the database at `path`."""
        ...


class Engine(Protocol):
    """A database: writes one at a time and durable, reads that see one moment."""

    async def write(self, work: Work[T]) -> T:
        """Runs `work` and returns when it is durable; when it raises, nothing changed."""
        ...

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """The same, alone in its commit, with another database to read as schema `package`."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Runs `work` on one committed state; it cannot write."""
        ...

    async def close(self) -> None:
        """Finishes what is waiting and lets the file go."""
        ...
