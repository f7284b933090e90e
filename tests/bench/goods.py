"""A catalogue of any size: products, a barcode and a dated price each, as rows and in tables."""

import itertools
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from stillopen.replication.tables import BARCODE, PRICE, PRODUCT, Table
from stillopen.storage.engine import Value

SMALL, LARGE = 100_000, 1_000_000
TABLES = (PRODUCT, BARCODE, PRICE)
FROM_S = 1_750_000_000
Row = tuple[Value, ...]


def code(number: int) -> str:
    """A product's id."""
    return f"P{number:07d}"


def barcode(number: int) -> str:
    """Its barcode."""
    return f"{4_000_000_000_000 + number}"


def rows(table: Table, count: int) -> Iterator[Row]:
    """The rows of a table, in the order of their key."""
    for n in range(count):
        match table.name:
            case "product":
                name = f"Product number {n}, {('blue', 'red', 'green')[n % 3]}"
                yield (code(n), code(n), name, "EUR", 100 + n % 9_900, "STANDARD")
            case "barcode":
                yield (barcode(n), barcode(n), code(n), 0)
            case _:
                key = f"{code(n)} 2025-06-15T15:06:40Z"
                yield (key, code(n), "EUR", 90 + n % 9_900, FROM_S, None)


def put(database: sqlite3.Connection, count: int) -> None:
    """Puts them into tables that are there, row by row, in one transaction."""
    database.execute("BEGIN")
    for table in TABLES:
        places = ", ".join("?" * len(table.names))
        database.executemany(f"INSERT INTO {table.name} VALUES ({places})", rows(table, count))  # noqa: S608
    database.execute("COMMIT")


def plainly(folder: Path, count: int) -> float:
    """Seconds of `executemany` for the same rows into the same tables, rows made beforehand."""
    ready = {table: list(rows(table, count)) for table in TABLES}
    path = folder / "plain.db"
    database = sqlite3.connect(path, isolation_level=None)  # noqa: TID251 - the reference
    for statement in itertools.chain.from_iterable(table.create() for table in TABLES):
        database.execute(statement)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    began = time.perf_counter()
    database.execute("BEGIN")
    for table in TABLES:
        places = ", ".join("?" * len(table.names))
        database.executemany(f"INSERT INTO {table.name} VALUES ({places})", ready[table])  # noqa: S608
    database.execute("COMMIT")
    taken = time.perf_counter() - began
    database.close()
    path.unlink()
    return taken
