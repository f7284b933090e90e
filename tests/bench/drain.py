"""100,000 offline sales go up: to the channel's acknowledgement, and to headquarters'.

The entries are written by the register's own journal code before the clock starts; it runs from the
sign-in, which begins the register's stream, until the last was acknowledged. The reference puts the
rows that a channel keeps of a sale from ready tuples, in the same batches, each flushed. Then the
same entries are sent again whatever the channel says, which must add no row; then a journal of
which one entry in a hundred is poison. PouchDB is given 10,000 sales of the same size to push.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc.aio
from tests.bench import journals, pouchdb, stores
from tests.bench.figures import Figure, Line
from tests.bench.journals import Written
from tests.support import callers

from stillopen.channel.tables import SCHEMA
from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate
from stillopen.core.journal import Head
from stillopen.core.lanes import epoch_text
from stillopen.replication.frames import BATCHES_IN_FLIGHT_MAX, PROTOCOL_VERSION
from stillopen.rpc.channel import open_channel
from stillopen.rpc.wire import entry_to, head_to
from stillopen.storage.files import open_writer
from stillopen.v1 import sync_pb2, sync_pb2_grpc

SALES = 100_000
PUSHED = 10_000
Row = tuple[int | str | bytes, ...]
ONE_IN = 100
"""Of so many entries one is poison."""
REGISTER, POISONED = "R0001", "R0002"
PATIENCE_S = 280.0
LOOK_AGAIN_S = 0.05
WAITING = "SELECT count(*) FROM entry WHERE state = 'STORED'"
QUARANTINED = "SELECT count(*) FROM entry WHERE state = 'QUARANTINED'"
ROWS = "SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM received_sale)"


@dataclass(frozen=True, slots=True)
class Drained:
    """Sales a second, from the sign-in, which begins a register's stream."""

    at_channel: float
    at_headquarters: float
    applied: float
    """By both."""


async def drain(estate: Estate, written: Written) -> Drained:
    """Signs in at the register that has the journal, and waits for both acknowledgements."""
    async with (
        await stores.opened(
            written.lane.register_id, estate.folder, estate.address(CHANNEL)
        ) as register,
        asyncio.timeout(PATIENCE_S),
    ):
        began = time.perf_counter()

        def rate() -> float:
            return written.entries / (time.perf_counter() - began)

        await stores.sign_in(register)
        await stores.acknowledged(register, "through", written.lane, written.entries)
        at_channel = rate()
        await stores.acknowledged(register, "headquarters_through", written.lane, written.entries)
        at_headquarters = rate()
        # Other processes have them: no event tells.
        while any(stores.look(each, WAITING)[0] for each in received(estate)):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_S)
        return Drained(at_channel, at_headquarters, rate())


def received(estate: Estate) -> tuple[Path, Path]:
    """Where channel and headquarters keep what they received."""
    home = estate.folder / HEADQUARTERS / "headquarters.db"
    return stores.channel_database(estate), home


class Again:
    """A client of the stream that takes no word of the server on what it has."""

    def __init__(self, channel: grpc.aio.Channel, written: Written) -> None:
        self._written = written
        self._stub = sync_pb2_grpc.SyncServiceStub(channel)
        self._in_flight = asyncio.Semaphore(BATCHES_IN_FLIGHT_MAX)
        self._welcomed = asyncio.Event()
        self._ended = asyncio.Event()
        self._last = 0

    async def run(self) -> None:
        """Sends everything, and waits for the last acknowledgement."""
        caller = callers.register(self._written.lane.register_id)
        call = self._stub.Sync(self._frames(), metadata=caller.metadata())
        async for frame in call:
            if frame.HasField("welcome"):
                self._welcomed.set()
            if frame.stored.batch:
                self._in_flight.release()
                if frame.stored.batch == self._last:
                    break
        self._ended.set()
        call.cancel()

    async def _frames(self) -> AsyncIterator[sync_pb2.SyncRequest]:
        head = head_to(Head(self._written.lane, 1, self._written.entries))
        hello = sync_pb2.Hello(protocol_version=PROTOCOL_VERSION, lanes=[head], instance=1)
        yield sync_pb2.SyncRequest(hello=hello)
        await self._welcomed.wait()
        for batch, found in enumerate(journals.batches(self._written), 1):
            await self._in_flight.acquire()
            if found[-1].sequence == self._written.entries:
                self._last = batch
            entries = sync_pb2.Entries(batch=batch, entries=[entry_to(each) for each in found])
            yield sync_pb2.SyncRequest(entries=entries)
        await self._ended.wait()


async def again(estate: Estate, written: Written) -> float:
    """Sales a second of the same entries, sent again however much the channel has."""
    async with open_channel(estate.address(CHANNEL)) as channel, asyncio.timeout(PATIENCE_S):
        began = time.perf_counter()
        await Again(channel, written).run()
        return written.entries / (time.perf_counter() - began)


def plainly(written: Written) -> float:
    """Sales a second of the rows alone: entry, sale and lane, a flushed commit for each batch."""
    lane, epoch = written.lane, epoch_text(written.lane.epoch)
    ready: list[tuple[list[Row], list[Row]]] = []
    for found in journals.batches(written):
        entries: list[Row] = [
            (e.sequence, lane.register_id, epoch, e.sequence, e.parent_digest, e.digest, e.payload)
            for e in found
        ]
        sales: list[Row] = [
            (e.sequence, journals.transaction_id(lane.register_id, e.sequence), f"R-{e.sequence}")
            for e in found
        ]
        ready.append((entries, sales))
    with (
        tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name,
        closing(open_writer(Path(name) / "rows.db", SCHEMA, durable=True)) as database,
    ):
        [(synchronous,)] = database.execute("PRAGMA synchronous").fetchall()
        assert synchronous == stores.DURABLE
        database.execute(
            "INSERT INTO lane (register_id, epoch, first, head, head_digest, through,"
            " headquarters_through, headquarters_knows, purge_through, contact_wall_s)"
            " VALUES (?,?,1,0,x'',0,0,0,0,0)",
            (lane.register_id, epoch),
        )
        began = time.perf_counter()
        for entries, sales in ready:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO entry (arrival, register_id, epoch, sequence, parent_digest, digest,"
                " payload, state) VALUES (?,?,?,?,?,?,?,'APPLIED')",
                entries,
            )
            database.executemany(
                "INSERT INTO received_sale (arrival, transaction_id, state, currency, total_minor,"
                " receipt_number, completed_wall_s, told)"
                " VALUES (?,?,'COMPLETED','EUR',405,?,1.0,1)",
                sales,
            )
            database.execute("UPDATE lane SET head = ?, through = head", (entries[-1][0],))
            database.execute("COMMIT")
        return written.entries / (time.perf_counter() - began)


async def measure() -> list[Line]:
    """A journal that is sound, the same again, one with poison, and PouchDB."""
    async with stores.estate_with([REGISTER, POISONED]) as estate:
        sound = await journals.write(estate.folder, REGISTER, SALES)
        poisoned = await journals.write(estate.folder, POISONED, SALES, lambda n: n % ONE_IN == 0)
        before = await asyncio.to_thread(plainly, sound)
        clean = await drain(estate, sound)
        plain = max(before, await asyncio.to_thread(plainly, sound))
        rows = [stores.look(each, ROWS)[0] for each in received(estate)]
        again_rate = await again(estate, sound)
        rows_again = [stores.look(each, ROWS)[0] for each in received(estate)]
        sick = await drain(estate, poisoned)
        quarantined = [stores.look(each, QUARANTINED)[0] for each in received(estate)]
    return [
        _rate("drain 100,000 sales to the channel", clean.at_channel, plain, 0.5),
        _rate("drain 100,000 sales to headquarters", clean.at_headquarters, plain, None),
        _rate("drain 100,000 sales, applied by both", clean.applied, plain, None),
        await pouchdb.against(
            "drain to the channel, to PouchDB's push of 10,000",
            clean.at_channel,
            "sales/s",
            10.0,
            partial(pouchdb.pushed, PUSHED),
        ),
        _rate("the same upload again, to the first", again_rate, clean.at_channel, 1.0),
        Figure(
            "the same upload again, rows", sum(rows_again), "rows", sum(rows), 1.0, at_least=False
        ),
        _rate("drain with 1 % poison, applied, to without", sick.applied, clean.applied, 0.9),
        Figure(
            "poison in quarantine", min(quarantined), "entries", SALES / ONE_IN, 1.0, at_least=True
        ),
    ]


def _rate(name: str, ours: float, reference: float, aim: float | None) -> Figure:
    return Figure(name, ours, "sales/s", reference, aim, at_least=True)
