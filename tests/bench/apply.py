"""A million rows arrive while the shop sells: what a sale, and a delivery, notice of it.

A register that is offline completes sales while its copy becomes a snapshot of a million products;
a channel receives entries while its own does. Each against the same without a package, in turn.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.bench import goods, offline_sale
from tests.bench.figures import Figure, percentile
from tests.support.estate_messages import sale_of
from tests.support.packages import Rows, make_snapshot

from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.core.journal import NO_PARENT, Entry, Lane, append
from stillopen.register import RegisterSettings, open_register
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.replication.packages import Selection, build, fill_snapshot, snapshot_statements
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.replica import Replica, open_replica
from stillopen.replication.tables import CREATE_STEP
from stillopen.rpc.machine import SystemClock
from stillopen.rpc.wire_sale import sale_to
from stillopen.storage.shelf import Shelf
from stillopen.storage.sqlite import open_sqlite
from stillopen.v1 import types_pb2

ROUNDS = 3
QUIET = 400
"""How often each is measured while nothing arrives, in a round."""
BATCH = 50
Step = Callable[[], Awaitable[float]]


def catalogue(folder: Path) -> Path:
    """A database with everything that headquarters has: a million products, and what sells."""
    path = folder / "catalogue.db"
    database = sqlite3.connect(path, isolation_level=None)  # noqa: TID251 - what is distributed
    for statement in CREATE_STEP:
        database.execute(statement)
    goods.put(database, goods.LARGE)
    few: Rows = offline_sale.master_data()
    for table, rows in few.items():
        places = ", ".join("?" * len(table.names))
        database.executemany(f"INSERT INTO {table.name} VALUES ({places})", rows)  # noqa: S608
    database.execute("PRAGMA journal_mode=WAL")
    database.close()
    return path


def packed(source: Path, shelf: Shelf, sequence: int) -> Package:
    """A snapshot of it on a shelf."""
    fill = partial(fill_snapshot, selection=Selection(), at=Cursor(7, sequence))
    built = build(shelf, source, snapshot_statements(1), fill)
    if built is None:
        raise AssertionError(source)
    return built.package


async def in_turn(source: Path, replica: Replica, step: Step) -> tuple[list[float], list[float]]:
    """How long each step takes without a package, and while one becomes the copy."""
    quiet: list[float] = []
    busy: list[float] = []
    for number in range(ROUNDS):
        package = await asyncio.to_thread(packed, source, replica.copy.shelf, number + 2)
        quiet += [await step() for _ in range(QUIET)]
        applying = asyncio.create_task(replica.apply(package))
        while not applying.done():
            busy.append(await step())
        await applying
    return quiet, busy


async def sales(source: Path, folder: Path) -> tuple[list[float], list[float]]:
    """complete() of a register that is offline."""
    settings = RegisterSettings("R1", folder / "register", offline_sale.NOBODY)
    async with await open_register(settings, check_password=offline_sale.fits) as register:
        few = make_snapshot(register.replica.copy.shelf, offline_sale.master_data())
        await register.replica.apply(few)
        await register.sign_in("anna", "x")
        return await in_turn(source, register.replica, partial(offline_sale.completion, register))


class Deliveries:
    """A register that delivers to a channel, batch by batch."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._lane = Lane("R1", 7)
        self._last: Entry | None = None

    async def batch(self) -> float:
        """Seconds until a batch is durable at the channel."""
        entries: list[Entry] = []
        for _ in range(BATCH):
            number = self._last.sequence + 1 if self._last else 1
            sale = sale_to(sale_of(number))
            record = types_pb2.JournalRecord(receipt_number=f"R1-{number}", sale=sale)
            parent = self._last.digest if self._last else NO_PARENT
            self._last = append(self._lane, number, parent, record.SerializeToString())
            entries.append(self._last)
        before = time.perf_counter()
        await self._inbox.receive(entries, [])
        return time.perf_counter() - before


async def deliveries(source: Path, folder: Path) -> tuple[list[float], list[float]]:
    """Batches that arrive at a channel."""
    engine = await open_sqlite(folder / "channel.db", CHANNEL_SCHEMA)
    inbox = await open_inbox(engine, SystemClock(), last=False)
    shelf = Shelf(folder / "packages")
    replica = await open_replica(folder / "replica.db", shelf, open_sqlite, "S1")
    try:
        return await in_turn(source, replica, Deliveries(inbox).batch)
    finally:
        await replica.close()
        await engine.close()


async def measure() -> list[Figure]:
    """Sales at a register, deliveries at a channel."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        folder = Path(name)
        source = await asyncio.to_thread(catalogue, folder)
        for label, run in (("sale", sales), ("delivery", deliveries)):
            quiet, busy = await run(source, folder)
            figures += [_figure(label, quiet, busy, share) for share in (0.5, 0.99)]
    return figures


def _figure(label: str, quiet: list[float], busy: list[float], share: float) -> Figure:
    name = f"{label} during an apply of 1M, p{share * 100:g} ({len(busy)} of them)"
    ours, reference = percentile(busy, share) * 1_000, percentile(quiet, share) * 1_000
    return Figure(name, ours, "ms", reference, aim=2.0, at_least=False)
