"""Drafts: a database that is filled from another one, by statements alone.

Rows are copied by SQLite itself (`INSERT ... SELECT`), never one by one, while the other database
goes on being read and written by whoever has it open.
"""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.engine import Session
from stillopen.storage.files import where_is
from stillopen.storage.group import run_read, translate

T = TypeVar("T")


def fill_draft(
    target: Path, statements: Sequence[str], source: Path, fill: Callable[[Session], T]
) -> T:
    """Makes a database by `statements`, and runs `fill` on one committed state of the source.

    In `fill` the source's tables have their own names and the draft's stand in schema `draft`.
    """
    # Indexes are made when the rows are there: in one go each.
    later = [each for each in statements if each.startswith("CREATE INDEX")]
    _run(target, [each for each in statements if each not in later])
    with _connected(":memory:") as with_both:
        with_both.execute("ATTACH ? AS source", (where_is(source),))
        with_both.execute("ATTACH ? AS draft", (f"{target.absolute().as_uri()}?mode=rw",))
        with_both.execute("PRAGMA draft.journal_mode=OFF")
        with_both.execute("PRAGMA draft.synchronous=OFF")
        result = run_copy(with_both, fill)
    _run(target, later)
    return result


def run_copy(connection: sqlite3.Connection, fill: Callable[[Session], T]) -> T:
    """Runs `fill` in one transaction."""
    connection.execute("BEGIN")
    result = fill(Session(connection))
    connection.execute("COMMIT")
    return result


def check_draft(target: Path) -> None:
    """Raises Misuse INTERNAL for a draft that is not sound: the last moment to find out."""
    with _connected(target) as connection:
        found = run_read(connection, lambda session: session.one("PRAGMA integrity_check(1)"))
    if found != ("ok",):
        raise Misuse(Reason.INTERNAL, f"a package was built that is not sound: {found}")


def edit_draft(target: Path, edit: Callable[[Session], T]) -> T:
    """Changes a database that nobody has open, in one transaction; durable when it returns."""
    with _connected(target) as connection:
        connection.execute("PRAGMA journal_mode=TRUNCATE")
        connection.execute("PRAGMA synchronous=FULL")
        return run_copy(connection, edit)


def _run(target: Path, statements: Sequence[str]) -> None:
    with _connected(target) as connection:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")


@contextmanager
def _connected(path: Path | str) -> Generator[sqlite3.Connection]:
    """A connection whose every failure is said in our words."""
    try:
        connection = _connect(path)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise translate(error, reading=True) from error


def _connect(path: Path | str) -> sqlite3.Connection:
    where = path if isinstance(path, str) else f"{path.absolute().as_uri()}?mode=rwc"
    return sqlite3.connect(  # noqa: TID251 - storage opens databases
        where, uri=True, isolation_level=None, check_same_thread=False
    )
