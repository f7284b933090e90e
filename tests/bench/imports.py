"""A million products with a barcode each, imported over gRPC: how fast, and in how much memory."""

import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure

from stillopen.cli.estate import HEADQUARTERS, Estate
from stillopen.replication.tables import BARCODE, PRODUCT
from stillopen.v1 import headquarters_pb2, types_pb2

SMALL, LARGE = 100_000, 1_000_000
BATCH = 1_000
PRICE = types_pb2.Money(currency_code="EUR", minor_units=250)


@dataclass(frozen=True, slots=True)
class Run:
    """One import: seconds, the most memory that headquarters had, in megabytes."""

    rows: int
    first_s: float
    again_s: float
    peak_mb: float


def shuffled(rows: int) -> list[int]:
    """The products in no order: the hard case for a table that is in order."""
    numbers = list(range(rows))
    random.Random(1).shuffle(numbers)  # noqa: S311 - a benchmark, not a secret
    return numbers


def requests(numbers: list[int]) -> Iterator[headquarters_pb2.ImportProductsRequest]:
    """The import's messages."""
    for start in range(0, len(numbers), BATCH):
        yield headquarters_pb2.ImportProductsRequest(
            rows=[
                types_pb2.Product(
                    product_id=f"P{number:07d}",
                    name=f"Product number {number}, blue",
                    price=PRICE,
                    barcodes=[f"{4_000_000_000_000 + number}"],
                    tax_group="STANDARD",
                    tax_percent_milli=21_000,
                )
                for number in numbers[start : start + BATCH]
            ]
        )


async def brought(estate: Estate, numbers: list[int]) -> float:
    """Imports them; how many seconds it took."""

    async def stream() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
        for request in requests(numbers):
            yield request

    async with estate.office() as place:
        began = time.perf_counter()
        report = await place.import_products(stream())
        if report.accepted != len(numbers):
            raise AssertionError(report)
        return time.perf_counter() - began


async def run(rows: int) -> Run:
    """Imports so many products into an empty headquarters, and the same again."""
    numbers = shuffled(rows)
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with Estate(Path(name), "EUR") as estate:
            await estate.start_headquarters()
            await pause(estate)
            first_s = await brought(estate, numbers)
            again_s = await brought(estate, numbers)
            return Run(rows, first_s, again_s, peak_mb(estate.process_id(HEADQUARTERS)))


async def pause(estate: Estate) -> None:
    """No packages are made meanwhile: it is the import that is measured."""
    async with estate.office() as place:
        for schedule in await place.schedules():
            schedule.paused = True
            await place.set_schedule(schedule)


def peak_mb(process_id: int) -> float:
    """The most memory that a process ever had."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def plainly(rows: int) -> float:
    """Seconds for the same rows without a service, checks or changes: one `executemany` each."""
    numbers = sorted(shuffled(rows))
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        database = sqlite3.connect(Path(name) / "plain.db", isolation_level=None)  # noqa: TID251
        for statement in (*PRODUCT.create(), *BARCODE.create()):
            database.execute(statement)
        database.execute("PRAGMA journal_mode=WAL")
        began = time.perf_counter()
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO product VALUES (?,?,?,?,?,?)",
            (
                (f"P{n:07d}", f"P{n:07d}", f"Product number {n}, blue", "EUR", 250, "STANDARD")
                for n in numbers
            ),
        )
        database.executemany(
            "INSERT INTO barcode VALUES (?,?,?,0)",
            ((f"{4 * 10**12 + n}", f"{4 * 10**12 + n}", f"P{n:07d}") for n in numbers),
        )
        database.execute("COMMIT")
        took_s = time.perf_counter() - began
        database.close()
    return took_s


async def measure() -> list[Figure]:
    """A small and a large import, each in a process of its own."""
    small, large = await run(SMALL), await run(LARGE)
    plain_s = await asyncio.to_thread(plainly, LARGE)
    return [
        Figure(
            "import 1,000,000 products",
            LARGE / large.first_s,
            "rows/s",
            LARGE / plain_s,
            aim=0.05,
            at_least=True,
        ),
        Figure(
            "the same again, unchanged",
            LARGE / large.again_s,
            "rows/s",
            LARGE / plain_s,
            aim=0.05,
            at_least=True,
        ),
        Figure(
            "memory, 1,000,000 to 100,000",
            large.peak_mb,
            "MB",
            small.peak_mb,
            aim=1.25,
            at_least=False,
        ),
    ]


if __name__ == "__main__":
    print(asyncio.run(run(int(sys.argv[1]))))  # noqa: T201 - a figure for people
