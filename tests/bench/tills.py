"""Many tills in one process, for the benchmarks that need more than a machine has cores.

`python -m tests.bench.tills registers CHANNEL FOLDER NAMES` opens registers, each with its own
files and its own connection; for each line `CODE MINOR` that it reads it answers when each of them
sold the product at that price: the price that a new sale line gets from the register's own copy,
so also when the line goes at that moment. `rows ADDRESS FOLDER NAMES` is the reference: streams to
an empty servicer, and one durable row each when a message came. Moments are those of the system's
monotonic clock, which all processes share.
"""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench import stores
from tests.support import callers

from stillopen.register import Register
from stillopen.rpc.channel import open_channel
from stillopen.rpc.machine import SystemClock
from stillopen.v1 import sync_pb2, sync_pb2_grpc

READY = "ready"


def say(what: object) -> None:
    """Tells the parent."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def lines() -> AsyncIterator[str]:
    """What the parent says."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


async def sells_at(register: Register, code: str, minor: int) -> float:
    """When the register sells the product at that price."""
    clock = SystemClock()
    while True:
        version = register.replica.news.version
        if (await register.replica.product(code, clock.wall_s())).price.minor == minor:
            return time.perf_counter()
        await register.replica.news.after(version)


async def registers(channel: str, folder: Path, names: list[str]) -> None:
    """Opens registers, and says when each sells at a price."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(await stores.opened(name, folder, channel))
            for name in names
        ]
        for each in opened:
            await stores.sign_in(each)
        for each in opened:
            while not each.replica.at.generation:
                await each.replica.news.after(each.replica.news.version)
        say(READY)
        async for line in lines():
            code, minor = line.split()
            watching = [asyncio.create_task(sells_at(e, code, int(minor))) for e in opened]
            say(READY)
            say(await asyncio.gather(*watching))


class Row:
    """A stream to an empty servicer, and a row that is written durably for each message."""

    def __init__(self, address: str, path: Path, name: str) -> None:
        self._channel = open_channel(address)
        self._name = name
        self._database = sqlite3.connect(path, isolation_level=None)  # noqa: TID251 - the reference
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE price (code TEXT PRIMARY KEY, minor INTEGER NOT NULL) STRICT",
            "INSERT INTO price VALUES ('P000', 0)",
        ):
            self._database.execute(statement)
        [(synchronous,)] = self._database.execute("PRAGMA synchronous").fetchall()
        assert synchronous == stores.DURABLE

    async def run(self, written: asyncio.Queue[float]) -> None:
        """Writes for each message, for as long as the process runs."""
        stub = sync_pb2_grpc.SyncServiceStub(self._channel)
        metadata = callers.register(self._name).metadata()
        async for frame in stub.Sync(self._frames(), metadata=metadata):
            if frame.HasField("welcome"):
                written.put_nowait(0.0)
                continue
            self._database.execute("UPDATE price SET minor = minor + 1 WHERE code = 'P000'")
            written.put_nowait(time.perf_counter())

    @staticmethod
    async def _frames() -> AsyncIterator[sync_pb2.SyncRequest]:
        yield sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=2))
        await asyncio.Event().wait()


async def rows(address: str, folder: Path, names: list[str]) -> None:
    """Opens streams, and says when each row was written."""
    written: asyncio.Queue[float] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(Row(address, folder / f"{name}.db", name).run(written))
            for name in names
        ]
        for _ in names:
            await written.get()
        say(READY)
        async for _ in lines():
            say(READY)
            say([await written.get() for _ in names])
        for each in running:
            each.cancel()


if __name__ == "__main__":
    kind, where, directory, *named = sys.argv[1:]
    stores.allow_connections()
    asyncio.run((registers if kind == "registers" else rows)(where, Path(directory), named))
