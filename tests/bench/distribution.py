"""Packages of a million products: what a snapshot costs, and that a delta costs what changed."""

import random
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.bench.figures import Figure
from tests.support.distributing import Office
from tests.support.steps import counted

from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.tables import CREATE_STEP
from stillopen.storage.files import open_writer
from stillopen.storage.inline import InlineEngine
from stillopen.storage.schema import Schema

T = TypeVar("T")
SMALL, LARGE = 10_000, 1_000_000
CHANGED = 1_000
REGISTERS = 10_000
"""Known to headquarters in either case."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What one office paid."""

    snapshot_s: float
    snapshot_apply_s: float
    delta_s: float
    delta_apply_s: float
    delta_steps: int
    delta_bytes: int
    delta_peak_bytes: int
    """The most memory that Python held for the run."""
    plain_s: float
    """For `executemany` of the same rows into the same table, durable or not."""


async def costs(rows: int) -> Costs:
    """A snapshot of so many products to a replica, then a delta of a few."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        folder = Path(name)
        connection = open_writer(folder / "headquarters.db", SCHEMA, durable=False)
        async with Office(InlineEngine(connection), folder, 10_000) as office:
            await office.store("S1")
            await office.registers(REGISTERS, "S1")
            await office.products(rows)
            snapshot_s, _ = await timed(office.ask("S1"))
            replica = await office.replica("S1", relays=False)
            apply_s, _ = await timed(replica.catch_up())
            chosen = random.Random(1).sample(range(rows), CHANGED)  # noqa: S311 - a benchmark
            for number in chosen:
                await office.product(f"P{number:07}", 5)
            tracemalloc.start()
            with counted(connection) as steps:
                delta_s, _ = await timed(office.run())
            delta_peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            delta_apply_s, [delta] = await timed(replica.catch_up())
        return Costs(
            snapshot_s,
            apply_s,
            delta_s,
            delta_apply_s,
            steps.count,
            delta.size,
            delta_peak,
            plainly(folder, rows),
        )


async def timed(work: Awaitable[T]) -> tuple[float, T]:
    """How long it took, and what came of it."""
    before = time.perf_counter()
    found = await work
    return time.perf_counter() - before, found


def plainly(folder: Path, rows: int) -> float:
    """Seconds for the same rows into an empty replica, without packages."""
    connection = open_writer(folder / "plain.db", Schema("plain", (CREATE_STEP,)), durable=False)
    began = time.perf_counter()
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO product VALUES (?,?,?,?,?,?)",
        ((f"P{n:07}", f"P{n:07}", "x", "EUR", n, "") for n in range(rows)),
    )
    connection.execute("COMMIT")
    took_s = time.perf_counter() - began
    connection.close()
    return took_s


async def measure() -> list[Figure]:
    """A small and a large headquarters."""
    small, large = await costs(SMALL), await costs(LARGE)
    return [
        Figure(
            "snapshot of 1,000,000, built",
            large.snapshot_s,
            "s",
            large.plain_s,
            aim=4.0,
            at_least=False,
        ),
        Figure(
            "snapshot of 1,000,000, applied",
            large.snapshot_apply_s,
            "s",
            large.plain_s,
            aim=4.0,
            at_least=False,
        ),
        Figure(
            f"delta of {CHANGED}, steps, 1,000,000 to 10,000",
            large.delta_steps,
            "steps",
            small.delta_steps,
            aim=1.2,
            at_least=False,
        ),
        Figure(
            f"delta of {CHANGED}, memory, 1,000,000 to 10,000",
            large.delta_peak_bytes / 2**20,
            "MiB",
            small.delta_peak_bytes / 2**20,
            aim=1.2,
            at_least=False,
        ),
        Figure(
            f"delta of {CHANGED}, run, 1,000,000 to 10,000",
            large.delta_s * 1_000,
            "ms",
            small.delta_s * 1_000,
            aim=5.0,
            at_least=False,
        ),
        Figure(
            f"delta of {CHANGED}, applied, 1,000,000 to 10,000",
            large.delta_apply_s * 1_000,
            "ms",
            small.delta_apply_s * 1_000,
            aim=5.0,
            at_least=False,
        ),
    ]
