"""Package files: a SQLite database, compressed with zstandard, as bytes.

Whoever builds one and whoever reads one name the statements that make its tables; a file whose
tables are not made by exactly these, text for text, is refused: a view could pass for a table.
"""

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Self

import zstandard

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.storage.engine import Row, Value

FACTS = "CREATE TABLE package (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
REMOVED = (
    "CREATE TABLE removed (table_name TEXT NOT NULL, key TEXT NOT NULL,"
    " PRIMARY KEY (table_name, key)) STRICT, WITHOUT ROWID"
)
UNPACKED_BYTES_MAX = 2**30
LEVEL = 3
_WAL = 2
_WAL_AT = 18


class Draft:
    """A package that is being built, in memory. Use it with `with`."""

    def __init__(self, statements: Sequence[str]) -> None:
        self._connection = _memory()
        # Indexes are made when the rows are there: in one go each.
        self._later = [each for each in statements if each.startswith("CREATE INDEX")]
        for statement in statements:
            if statement not in self._later:
                self._connection.execute(statement)
        self._connection.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def put(self, table: str, columns: int, rows: Iterable[Sequence[Value]]) -> int:
        """Puts rows into a table, one at a time as they come; returns how many."""
        places = ", ".join("?" * columns)
        sql = f"INSERT OR REPLACE INTO {table} VALUES ({places})"  # noqa: S608 - a known table
        return max(0, self._connection.executemany(sql, rows).rowcount)

    def fact(self, name: str, value: str) -> None:
        """Says something of the package as a whole."""
        self._connection.execute("INSERT OR REPLACE INTO package VALUES (?, ?)", (name, value))

    def finish(self) -> bytes:
        """The package; whole and sound."""
        for statement in self._later:
            self._connection.execute(statement)
        self._connection.execute("COMMIT")
        [(found,)] = self._connection.execute("PRAGMA integrity_check(1)").fetchall()
        if found != "ok":
            raise Misuse(Reason.INTERNAL, f"a package was built that is not sound: {found}")
        return zstandard.ZstdCompressor(level=LEVEL).compress(self._connection.serialize())


class Contents:
    """A package that was opened: what it says of itself, and its rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.facts: dict[str, str] = dict(self._read("SELECT name, value FROM package"))

    def rows(self, table: str, names: Sequence[str]) -> Iterator[Row]:
        """The rows of a table, one at a time."""
        return self._read(f"SELECT {', '.join(names)} FROM {table}")  # noqa: S608 - a known table

    def removed(self) -> Iterator[Row]:
        """Table and key of each row that is gone."""
        return self._read("SELECT table_name, key FROM removed")

    def _read(self, sql: str) -> Iterator[Row]:
        try:
            yield from self._connection.execute(sql)
        except sqlite3.DatabaseError as error:
            raise _damaged(str(error)) from None


@contextmanager
def opened(
    data: bytes, statements: tuple[str, ...], unpacked_max: int = UNPACKED_BYTES_MAX
) -> Generator[Contents]:
    """A package's contents; Refused PACKAGE_DAMAGED when it is not made by the statements."""
    connection = _memory()
    try:
        _load(connection, _unpack(data, unpacked_max))
        if _schema(connection) != _made_by(statements):
            raise _damaged("its tables are not those of a package")
        yield Contents(connection)
    finally:
        connection.close()


def _unpack(data: bytes, unpacked_max: int) -> bytes:
    try:
        size = zstandard.frame_content_size(data)
        if not 0 < size <= unpacked_max:
            raise _damaged(f"it does not unpack to at most {unpacked_max} bytes")
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _damaged(str(error)) from None


def _load(connection: sqlite3.Connection, unpacked: bytes) -> None:
    if unpacked[_WAL_AT : _WAL_AT + 1] == bytes([_WAL]):
        raise _damaged("it is a part of a database: the rest is in another file")
    try:
        connection.deserialize(unpacked)
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except sqlite3.DatabaseError as error:
        raise _damaged(str(error)) from None


def _schema(connection: sqlite3.Connection) -> list[Row]:
    try:
        return connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
        ).fetchall()
    except sqlite3.DatabaseError as error:
        raise _damaged(str(error)) from None


@lru_cache(maxsize=8)
def _made_by(statements: tuple[str, ...]) -> list[Row]:
    connection = _memory()
    try:
        for statement in statements:
            connection.execute(statement)
        return _schema(connection)
    finally:
        connection.close()


def _memory() -> sqlite3.Connection:
    return sqlite3.connect(  # noqa: TID251 - storage opens databases
        ":memory:", isolation_level=None, check_same_thread=False
    )


def _damaged(why: str) -> Refused:
    return Refused(Reason.PACKAGE_DAMAGED, f"the package cannot be used: {why}")
