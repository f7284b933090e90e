"""PouchDB replicates the same: its server and a client of it, each a process, leveldb on disk.

`make bench` installs it as the lock in `pouch` says. Each round begins with an empty client or an
empty database at the server, and goes in batches of a thousand; the client keeps the time. PouchDB
keeps revisions of each document and looks for conflicts, and it flushes nothing to the disk.
"""

import asyncio
import json
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.figures import Figure, Line, Skipped, median

FOLDER = Path(__file__).parent / "pouch"
INSTALLED = "node_modules/.package-lock.json"
"""Npm writes it last."""
ROUNDS = 3
READY_S = 120.0
"""Within so long the server has its products."""
ROUND_S = 180.0


def why_absent(folder: Path = FOLDER) -> str:
    """Why it cannot be measured against here, or nothing."""
    if shutil.which("node") is None:
        return "Node.js is not on this machine"
    if not (folder / INSTALLED).is_file():
        return "PouchDB is not installed; make bench does it where npm can"
    return ""


async def against(
    name: str, ours: float, unit: str, aim: float, theirs: Callable[[], Awaitable[float]]
) -> Line:
    """Ours beside what PouchDB does, or that it is not here."""
    if why := why_absent():
        return Skipped(name, why)
    return Figure(name, ours, unit, await theirs(), aim, at_least=True)


async def pulled(products: int) -> float:
    """Products a second from the server into an empty client, the median of some rounds."""
    async with served(products) as address:
        return median([await _round("pull", address, products) for _ in range(ROUNDS)])


async def pushed(sales: int) -> float:
    """Sales a second that a client has, to an empty server, the median of some rounds."""
    async with served(0) as address:
        return median([await _round("push", address, sales) for _ in range(ROUNDS)])


@asynccontextmanager
async def served(products: int) -> AsyncGenerator[str]:
    """A server with so many products; its address."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as folder:
        async with _node("server.js", folder, str(products)) as process:
            yield await asyncio.wait_for(_line(process), READY_S)


async def _round(way: str, address: str, documents: int) -> float:
    """Documents a second, counted where they are to be."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as folder:
        async with _node("client.js", way, address, folder, str(documents)) as process:
            told: dict[str, float] = json.loads(await asyncio.wait_for(_line(process), ROUND_S))
    assert told["documents"] == documents
    return documents / told["seconds"]


@asynccontextmanager
async def _node(script: str, *arguments: str) -> AsyncGenerator[Process]:
    """A script of ours that runs; leaving it ends it."""
    command = ("node", str(FOLDER / script), *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _line(process: Process) -> str:
    """What it says next; an error when it ended instead."""
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    assert line, "PouchDB's process ended and said nothing"
    return line
