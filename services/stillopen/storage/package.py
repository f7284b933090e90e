"""What is in an unpacked package: its tables, text for text, and what it says of itself.

Whoever reads a package names the statements that make its tables; a database whose tables are not
made by exactly these is refused: a view could pass for a table, a trigger could do anything.
"""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.engine import Database, Row, Session
from stillopen.storage.files import where_is
from stillopen.storage.package_file import damaged

FACTS = "CREATE TABLE package (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
REMOVED = (
    "CREATE TABLE removed (table_name TEXT NOT NULL, key TEXT NOT NULL,"
    " PRIMARY KEY (table_name, key)) STRICT, WITHOUT ROWID"
)
_WAL = 2
_WAL_AT = 18


@contextmanager
def looked_into(database: Database, *, sound: bool = False) -> Generator[Session]:
    """A database of unknown origin, to be read with care; Refused PACKAGE_DAMAGED.

    With `sound` its pages are checked first.
    """
    if _head(database)[_WAL_AT:] == bytes([_WAL]):
        raise damaged("it is a part of a database: the rest is in another file")
    connection = sqlite3.connect(  # noqa: TID251 - storage opens databases
        where_is(database, "immutable=1"), uri=True, isolation_level=None
    )
    try:
        if isinstance(database, bytes):
            connection.deserialize(database)
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if sound and (found := connection.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
            raise damaged(str(found[0] if found else "it is not sound"))
        yield Session(connection)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # a damaged schema is no text
        raise damaged(str(error)) from None
    except Misuse as error:
        if error.reason is not Reason.DATABASE_DAMAGED:
            raise
        raise damaged(error.message) from None
    finally:
        connection.close()


def _head(database: Database) -> bytes:
    if isinstance(database, bytes):
        return database[: _WAL_AT + 1]
    with database.open("rb") as file:
        return file.read(_WAL_AT + 1)


def check_tables(session: Session, statements: Sequence[str]) -> None:
    """Refused PACKAGE_DAMAGED unless a database's tables are made by exactly these statements."""
    if _schema(session) != _made_by(tuple(statements)):
        raise damaged("its tables are not those of a package")


def facts_of(session: Session) -> dict[str, str]:
    """What a package says of itself."""
    return dict(session.all("SELECT name, value FROM package LIMIT 1000"))


def count_rows(session: Session, table: str) -> int:
    """How many rows a table has."""
    [(count,)] = session.all(f"SELECT count(*) FROM {table}")  # noqa: S608 - a known table
    return int(count)


def _schema(session: Session) -> list[Row]:
    return session.all("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")


@lru_cache(maxsize=16)
def _made_by(statements: tuple[str, ...]) -> list[Row]:
    connection = sqlite3.connect(":memory:")  # noqa: TID251 - storage opens databases
    try:
        for statement in statements:
            connection.execute(statement)
        return _schema(Session(connection))
    finally:
        connection.close()
