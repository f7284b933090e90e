"""Database files: how one is opened, by whom, and what is kept of a damaged one."""

import fcntl
import os
import sqlite3
from pathlib import Path

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.engine import Database
from stillopen.storage.schema import Schema, migrate

BUSY_TIMEOUT_S = 5.0


class Hold:
    """The operating system's lock on a database, for the life of its process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise Misuse(
                Reason.REGISTER_IN_USE, f"another process has {path} open; end it first"
            ) from None

    def release(self) -> None:
        """Lets the database go; the operating system does the same when the process ends."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def open_writer(path: Path | str, schema: Schema, *, durable: bool) -> sqlite3.Connection:
    """The one connection that commits: WAL, and every commit flushed when `durable`.

    A file that cannot be read raises DATABASE_DAMAGED and is left as it is.
    """
    if isinstance(path, Path):  # its owner alone may read it; SQLite gives its companions the same
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = _connect(path, "rwc")
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys=ON")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        migrate(connection, schema, Path(path))
    except Misuse:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError) and "file format" not in str(error):
            raise
        raise Misuse(
            Reason.DATABASE_DAMAGED,
            f"{path} cannot be read ({error}); it was left as it is: restore it from a backup, or"
            " move it away to begin anew",
        ) from None
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, on a database that a writer has open."""
    return _connect(path, "ro")


def where_is(database: Database, *options: str) -> str:
    """How SQLite finds a database that is only read; the bytes of one are put into the place."""
    if isinstance(database, bytes):
        return ":memory:"
    return f"{database.absolute().as_uri()}?{'&'.join(('mode=ro', *options))}"


def _connect(path: Path | str, mode: str) -> sqlite3.Connection:
    where = f"{path.absolute().as_uri()}?mode={mode}" if isinstance(path, Path) else path
    return sqlite3.connect(  # noqa: TID251 - the engines open files
        where,
        uri=isinstance(path, Path),
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def set_aside(path: Path) -> Path:
    """Renames a damaged database with its companions; returns the new name. Never deletes."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(target.with_name(target.name + suffix))
    path.rename(target)
    return target
