"""An empty register gets a million products from its channel over loopback, and sells one.

Timed from its first sign-in, which begins delivery, until its own database has everything; then
the channel is ended, and the last product of the catalogue is sold from it. The reference puts the
same rows into the same tables by `executemany`, in the same run. Headquarters, channel and register
are the processes that ship, with their shipped settings.

PouchDB is given 100,000 products, each with its barcode and its price in one document where ours
are three rows; ours beside it is the rate of the million.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import goods, pouchdb
from tests.bench.figures import Figure, Line
from tests.bench.imports import peak_mb

from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate, import_master_data
from stillopen.cli.frontend import Frontend
from stillopen.cli.sample import sample_cards, sample_products

READY_S = 240.0
REGISTER = "R1"


@dataclass(frozen=True, slots=True)
class Run:
    """One bootstrap: seconds, and the most memory that each place had, in megabytes."""

    rows: int
    seconds: float
    peak_mb: dict[str, float]


def fill(path: Path, rows: int) -> None:
    """Puts a catalogue into headquarters' database, which nobody has open."""
    database = sqlite3.connect(path, isolation_level=None)  # noqa: TID251 - quicker than an import
    goods.put(database, rows)
    for table in goods.TABLES:
        database.execute(
            f"INSERT OR REPLACE INTO change (table_name, key) SELECT '{table.name}', {table.key}"  # noqa: S608
            f" FROM {table.name}"
        )
    database.close()


@asynccontextmanager
async def estate_with(rows: int) -> AsyncGenerator[Estate]:
    """Headquarters and a channel that have the catalogue, and a register that has nothing."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with Estate(Path(name), "EUR") as estate:
            await estate.start_headquarters()
            await import_master_data(estate, sample_products("EUR"), sample_cards("EUR"))
            await estate.kill(HEADQUARTERS)
            await asyncio.to_thread(fill, estate.folder / HEADQUARTERS / "headquarters.db", rows)
            await estate.restart(HEADQUARTERS)
            await estate.start_channel()
            await estate.start_register(REGISTER)
            yield estate


async def bootstrap(rows: int) -> Run:
    """One register from nothing to everything."""
    async with (
        estate_with(rows) as estate,
        Frontend(estate.address(REGISTER)) as frontend,
    ):
        began = time.perf_counter()
        await frontend.sign_in()
        await frontend.until(lambda status: status.offline_ready, READY_S)
        seconds = time.perf_counter() - began
        peaks = {
            name: peak_mb(estate.process_id(name)) for name in (HEADQUARTERS, CHANNEL, REGISTER)
        }
        await estate.kill(CHANNEL)
        await frontend.begin()
        await frontend.ring(goods.barcode(rows - 1))
        await frontend.pay_cash()
        await frontend.complete()
        return Run(rows, seconds, peaks)


async def measure() -> list[Line]:
    """Both sizes, the reference in between, and PouchDB."""
    small = await bootstrap(goods.SMALL)
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        reference = await asyncio.to_thread(goods.plainly, Path(name), goods.LARGE)
    large = await bootstrap(goods.LARGE)
    lines: list[Line] = [
        Figure("bootstrap 1M products", large.seconds, "s", reference, aim=0.3, at_least=False)
    ]
    for name, peak in large.peak_mb.items():
        label = f"bootstrap memory of {name}, 1M against 100k"
        lines.append(Figure(label, peak, "MB", small.peak_mb[name], aim=1.2, at_least=False))
    lines.append(
        await pouchdb.against(
            "bootstrap 1M, a second, to PouchDB's of 100,000",
            large.rows / large.seconds,
            "products/s",
            100.0,
            partial(pouchdb.pulled, goods.SMALL),
        )
    )
    return lines
