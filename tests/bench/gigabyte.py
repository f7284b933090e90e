"""A gigabyte comes down while the shop sells: when is a sale acknowledged?

Headquarters' tables are filled with a gigabyte that no compression makes smaller, so that the next
run makes a snapshot of it. From there until the register shows it, the register completes one sale
after another, and notes when the channel, and when headquarters, had acknowledged each. All of it
is on one machine: three places that read, hash, unpack and flush a gigabyte on its cores and disk.
"""

import asyncio
import base64
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import stores
from tests.bench.figures import Figure, median, percentile

from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate
from stillopen.register import Register
from stillopen.replication.tables import PRODUCT

PACKAGE_BYTES = 2**30
NAME_BYTES = 6_000
"""An import takes names of up to 200 characters. Here there are fewer rows and longer ones, put
into the table itself: it is bytes on a stream that are measured, not rows."""
ROOM_BYTES = 14 * 2**30
"""Three databases, their drafts, and the package at three places."""
QUIET = 100
SELL_AGAIN_S = 0.05
AIM_MS = 1_000.0
PATIENCE_S = 280.0
REGISTER, CODE = "R0001", "P000"


@dataclass(slots=True)
class Acknowledged:
    """Seconds from the answer of complete() until it was acknowledged."""

    through: list[float] = field(default_factory=list[float])
    """By the channel."""
    headquarters_through: list[float] = field(default_factory=list[float])


class Till:
    """A register that sells, and notes when it was told that a sale is safe."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._waiting: set[asyncio.Task[None]] = set()

    async def sell(self) -> int:
        """Completes a sale; which entry it is."""
        sale = await self._register.begin()
        sale = await self._register.add_line(sale.transaction_id, sale.version, CODE)
        sale = await self._register.tenders.add_cash(sale.transaction_id, sale.version, sale.due)
        sale = await self._register.complete(sale.transaction_id, sale.version)
        assert sale.receipt is not None
        return sale.receipt.sequence

    async def sell_and_note(self, noted: Acknowledged) -> None:
        """Completes a sale; its acknowledgements are noted when they come."""
        sequence, began = await self.sell(), time.perf_counter()
        for column, taken in (
            ("through", noted.through),
            ("headquarters_through", noted.headquarters_through),
        ):
            task = asyncio.create_task(self._note(column, sequence, began, taken))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def all_noted(self) -> None:
        """Waits for the acknowledgements of what was sold."""
        await asyncio.gather(*self._waiting)

    async def _note(self, column: str, sequence: int, began: float, taken: list[float]) -> None:
        lane = self._register.journal.lane
        await stores.acknowledged(self._register, column, lane, sequence)
        taken.append(time.perf_counter() - began)


def fill(path: Path) -> None:
    """Puts products into headquarters' database, which nobody has open."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:  # noqa: TID251 - as said
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        database.executemany("INSERT INTO product VALUES (?,?,?,'EUR',100,'STANDARD')", _rows())
        database.execute(
            "INSERT OR REPLACE INTO change (table_name, key)"  # noqa: S608 - constants
            f" SELECT '{PRODUCT.name}', {PRODUCT.key} FROM {PRODUCT.name}"
        )
        database.execute("COMMIT")


def _rows() -> Iterator[tuple[str, str, str]]:
    """Random text of six bits in a byte: that is what is left of it, packed."""
    rng = random.Random(1)  # noqa: S311 - a benchmark, not a secret
    for number in range(PACKAGE_BYTES // NAME_BYTES):
        code = f"G{number:07d}"
        yield code, code, base64.b64encode(rng.randbytes(NAME_BYTES)).decode()


async def shown(register: Register, generation: int, sequence: int) -> None:
    """Waits until the register shows another package than it did."""
    while (register.replica.at.generation, register.replica.at.sequence) == (generation, sequence):
        version = register.replica.news.version
        await register.replica.news.after(version)


async def while_it_comes(estate: Estate, register: Register) -> tuple[Acknowledged, float, int]:
    """Sales from when headquarters begins to make the package until the register shows it."""
    till, noted = Till(register), Acknowledged()
    at = register.replica.at
    await estate.kill(HEADQUARTERS)
    await asyncio.to_thread(fill, estate.folder / HEADQUARTERS / "headquarters.db")
    await estate.restart(HEADQUARTERS)
    began = time.perf_counter()
    coming = asyncio.create_task(shown(register, at.generation, at.sequence))
    async with asyncio.timeout(PATIENCE_S):
        while not coming.done():
            await till.sell_and_note(noted)
            await asyncio.sleep(SELL_AGAIN_S)
        await till.all_noted()
    packages = (estate.folder / CHANNEL / "packages").glob("*-snapshot-*")
    size = max(each.stat().st_size for each in packages)
    return noted, time.perf_counter() - began, size


async def measure() -> list[Figure]:
    """Sales without a package, then while a gigabyte comes."""
    assert shutil.disk_usage("/tmp").free > ROOM_BYTES, "too little room"  # noqa: S108 - as tempfile
    async with (
        stores.estate_with([REGISTER]) as estate,
        await stores.opened(REGISTER, estate.folder, estate.address(CHANNEL)) as register,
    ):
        await stores.sign_in(register)
        while not register.replica.at.generation:
            await register.replica.news.after(register.replica.news.version)
        quiet, till = Acknowledged(), Till(register)
        for _ in range(QUIET):
            await till.sell_and_note(quiet)
            await till.all_noted()
        busy, taken_s, size = await while_it_comes(estate, register)
    label = f"{size / 2**30:.2f} GiB down in {taken_s:.0f} s, {len(busy.through)} sales"
    figures: list[Figure] = []
    for place, found, without in (
        ("channel", busy.through, quiet.through),
        ("headquarters", busy.headquarters_through, quiet.headquarters_through),
    ):
        for share, name in ((0.99, "p99"), (1.0, "worst")):
            taken_ms = percentile(found, share) * 1_000
            said = f"{label}: {place}'s acknowledgement, {name}, to a second"
            figures.append(Figure(said, taken_ms, "ms", AIM_MS, aim=1.0, at_least=False))
        said = f"{place}'s acknowledgement, p50, to without a package"
        busy_ms, quiet_ms = median(found) * 1_000, median(without) * 1_000
        figures.append(Figure(said, busy_ms, "ms", quiet_ms, aim=5.0, at_least=False))
    return figures
