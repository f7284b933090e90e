"""Comparing a million products with a replica: seconds, memory, and what is said on the stream."""

import itertools
import multiprocessing
import os
import sqlite3
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench import goods
from tests.bench.figures import Figure
from tests.bench.imports import peak_mb
from tests.support.comparing import OFFICE_STATEMENTS, Pair

from stillopen.replication.tables import CREATE_STEP, PRODUCT
from stillopen.storage.engine import Session

DIFFERENT = 10


@dataclass(frozen=True, slots=True)
class Costs:
    """What one comparison took."""

    taken_s: float
    peak_mb: float
    """The most memory that the process had, headquarters and the replica in one."""
    questions: int
    rows_named: int
    answered_bytes: int


def fill(path: Path, statements: tuple[str, ...], rows: int) -> None:
    """A database with so many products."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:  # noqa: TID251
        for statement in ("PRAGMA synchronous=OFF", *statements, "BEGIN"):
            database.execute(statement)
        database.executemany("INSERT INTO product VALUES (?,?,?,?,?,?)", goods.rows(PRODUCT, rows))
        database.execute("COMMIT")


def compare(folder: Path, rows: int) -> Costs:
    """Compares two databases of which a few rows differ, in a process of its own."""
    with (
        closing(sqlite3.connect(folder / "office.db", isolation_level=None)) as office,  # noqa: TID251
        closing(sqlite3.connect(folder / "replica.db", isolation_level=None)) as replica,  # noqa: TID251
    ):
        pair = Pair(Session(office), Session(replica))
        began = time.perf_counter()
        found = pair.compare(PRODUCT).found
        taken_s = time.perf_counter() - began
    assert (found.rows, found.compared, found.differences) == (rows, rows, DIFFERENT)
    return Costs(taken_s, peak_mb(os.getpid()), len(pair.asked), pair.rows_sent, pair.bytes_sent)


def costs(rows: int) -> Costs:
    """A headquarters and a replica of so many products."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        folder = Path(name)
        fill(folder / "office.db", OFFICE_STATEMENTS, rows)
        fill(folder / "replica.db", CREATE_STEP, rows)
        with closing(sqlite3.connect(folder / "replica.db")) as replica:  # noqa: TID251
            chosen = itertools.islice(range(rows // 20, rows, rows // DIFFERENT), DIFFERENT)
            replica.executemany(
                "UPDATE product SET price_minor = 1 WHERE code = ?",
                [(goods.code(number),) for number in chosen],
            )
            replica.commit()
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as apart:
            return apart.submit(compare, folder, rows).result()


async def measure() -> list[Figure]:
    """A small and a large replica, each with ten rows that differ."""
    small, large = costs(goods.SMALL), costs(goods.LARGE)
    return [
        Figure(
            "compare 1,000,000, to 100,000", large.taken_s, "s", small.taken_s, 13.0, at_least=False
        ),
        Figure(
            "compare 1,000,000, memory, to 100,000",
            large.peak_mb,
            "MB",
            small.peak_mb,
            1.2,
            at_least=False,
        ),
        Figure(
            f"compare, {DIFFERENT} of 1,000,000 differ, rows named, to all",
            large.rows_named,
            "rows",
            goods.LARGE,
            0.01,
            at_least=False,
        ),
        Figure(
            f"compare, {DIFFERENT} of 1,000,000 differ, questions, to 100,000",
            large.questions,
            "frames",
            small.questions,
            3.0,
            at_least=False,
        ),
        Figure(
            f"compare, {DIFFERENT} of 1,000,000 differ, answers, to 100,000",
            large.answered_bytes / 1024,
            "KiB",
            small.answered_bytes / 1024,
            3.0,
            at_least=False,
        ),
    ]
