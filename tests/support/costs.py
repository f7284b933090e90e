"""Counts what an operation costs: hops to databases, statements, commits. Never seconds.

    register = await open_register(settings, open_engine=open_counted)
    with counted() as cost:
        await register.begin()
    assert cost == Cost(writes=1, statements=4)

What loops do meanwhile that began before is not the operation's, and is not counted.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from stillopen.storage.engine import Database, Engine, Work
from stillopen.storage.files import open_writer
from stillopen.storage.inline import InlineEngine
from stillopen.storage.schema import Schema

T = TypeVar("T")
FRAMES = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH")
"""What is around the statements of a transaction."""


@dataclass(slots=True)
class Cost:
    """What one operation cost."""

    reads: int = 0
    """Hops to a database that read."""
    writes: int = 0
    """Hops that write, each durable when it returns."""
    statements: int = 0
    """Without those that begin and end transactions."""
    commits: int = field(default=0, compare=False)
    """As the database did them; no more than there are writes."""
    steps: int = field(default=0, compare=False)
    """Of SQLite's machine: how much was read, whatever the statement."""
    said: list[str] = field(default_factory=list[str], compare=False, repr=False)
    """The statements, to see what is new."""


_counting: ContextVar[Cost | None] = ContextVar("counting", default=None)


@contextmanager
def counted() -> Generator[Cost]:
    """Counts what is done within, also by tasks that are begun there."""
    cost = Cost()
    token = _counting.set(cost)
    try:
        yield cost
    finally:
        _counting.reset(token)


def _note(statement: str) -> None:
    cost = _counting.get()
    if cost is None:
        return  # of who counts no more
    if statement.startswith(FRAMES):
        cost.commits += statement == "COMMIT"
    else:
        cost.statements += 1
        cost.said.append(statement)


def _step() -> int:
    if cost := _counting.get():
        cost.steps += 1
    return 0


def watched(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same connection, whose statements and steps are counted while anything is."""
    counts = _counting.get() is not None
    connection.set_trace_callback(_note if counts else None)
    connection.set_progress_handler(_step if counts else None, 1)
    return connection


class CountedEngine:
    """The engine without threads: what it does is done by whoever asked, and counted so."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._inner = InlineEngine(connection)

    async def write(self, work: Work[T]) -> T:
        """A hop that writes."""
        self._hop(writes=1)
        return await self._inner.write(work)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """A hop that writes."""
        self._hop(writes=1)
        return await self._inner.write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        """A hop that reads."""
        self._hop(reads=1)
        return await self._inner.read(work)

    def _hop(self, *, reads: int = 0, writes: int = 0) -> None:
        watched(self._connection)
        if cost := _counting.get():
            cost.reads += reads
            cost.writes += writes

    async def close(self) -> None:
        """Lets the file go."""
        await self._inner.close()


async def open_counted(path: Path, schema: Schema, *, durable: bool = True) -> Engine:
    """Opens a database whose costs are counted."""
    return CountedEngine(open_writer(path, schema, durable=durable))
