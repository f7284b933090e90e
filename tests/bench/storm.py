"""1,000 and 5,000 registers, each on its own connection: idle, and all coming back at once.

The channel is ended and started again at once; the clock runs from where it serves until the last
register is welcomed. The registers are the stream's own client with its own back-off, spread over
four processes, so that nothing but the server is another in the reference: a servicer that
welcomes, beats, and does nothing. Each process may have as many open files as the machine allows,
which must be more than there are registers.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol

from tests.bench import stores
from tests.bench.child import Child
from tests.bench.figures import Figure

from stillopen.cli.estate import CHANNEL, Estate, free_address
from stillopen.core.parameters import OfflineProfile
from stillopen.replication.frames import cursor_to
from stillopen.replication.replica_apply import where_it_stands
from stillopen.storage.engine import Session
from stillopen.storage.files import open_reader
from stillopen.v1 import sync_pb2

CROWDS = (1_000, 5_000)
PROCESSES = 4
BEAT_S = OfflineProfile().heartbeat_interval_s
WATCHED_S = 3 * BEAT_S
"""For so long nobody may be lost: who is not served in that time is taken for gone."""
ANSWERS_IN_S = 100.0
"""A crowd that is not up by then counts as lost."""


@dataclass(frozen=True, slots=True)
class Storm:
    """What one crowd met."""

    together_s: float
    """Until all were up, who began at once."""
    back_s: float
    """Until all were up again, from where the server serves."""
    kib_each: float
    """The server's memory for each register."""
    wrong: int
    """Refused, or not up."""
    broke: int
    """Broke under the load, and came back."""


def resident_kib(process_id: int) -> int:
    """The memory that a process has now."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Server(Protocol):
    """A server that can be ended and started again."""

    address: str

    @property
    def process_id(self) -> int:
        """The number of its process."""
        ...

    async def restart(self) -> None:
        """Ends it as a power cut does, and starts it at the same address."""
        ...


class Channel:
    """A channel as it ships."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self.address = estate.address(CHANNEL)

    @property
    def process_id(self) -> int:
        return self._estate.process_id(CHANNEL)

    async def restart(self) -> None:
        await self._estate.kill(CHANNEL)
        await self._estate.restart(CHANNEL)


class Empty:
    """The reference."""

    def __init__(self) -> None:
        self.address = free_address()
        self._child = Child("tests.bench.streams", self.address, str(BEAT_S))

    async def start(self) -> None:
        """Starts it."""
        await self._child.__aenter__()
        assert await self._child.hears() == self.address

    async def end(self) -> None:
        """Ends it."""
        await self._child.__aexit__()

    @property
    def process_id(self) -> int:
        return self._child.process_id

    async def restart(self) -> None:
        await self.end()
        await self.start()


@contextlib.asynccontextmanager
async def empty() -> AsyncGenerator[Empty]:
    """The reference, started."""
    server = Empty()
    try:
        await server.start()
        yield server
    finally:
        await server.end()


async def storm(server: Server, at: sync_pb2.Cursor, count: int) -> Storm:
    """A crowd comes, stays, and comes back."""
    before_kib = resident_kib(server.process_id)
    async with AsyncExitStack() as stack:
        share = count // PROCESSES
        began = perf_counter()
        crowd = [
            await stack.enter_async_context(
                Child(
                    "tests.bench.crowd",
                    server.address,
                    at.SerializeToString().hex(),
                    *(str(first), str(share)),
                    answers_in_s=ANSWERS_IN_S,
                )
            )
            for first in range(1, count + 1, share)
        ]
        together = max([await each.hears_moment() for each in crowd])
        kib_each = (resident_kib(server.process_id) - before_kib) / count
        for each in crowd:
            each.say()
        await server.restart()
        serves = perf_counter()
        back = max([await each.hears_moment() for each in crowd])
        await asyncio.sleep(WATCHED_S)
        for each in crowd:
            each.say("wrong")
        wrong = [each for told in crowd for each in await told.hears_list()]
    broke = wrong.count("broke")
    return Storm(together - began, back - serves, kib_each, len(wrong) - broke, broke)


async def bounded(server: Server, at: sync_pb2.Cursor, count: int) -> Storm:
    """The same; a crowd that is not up in time is a figure too."""
    try:
        return await storm(server, at, count)
    except TimeoutError:
        return Storm(ANSWERS_IN_S, ANSWERS_IN_S, resident_kib(server.process_id) / count, count, 0)


def stands(estate: Estate) -> sync_pb2.Cursor:
    """Where a register stands that has all that the channel has."""
    with contextlib.closing(open_reader(estate.folder / CHANNEL / "replica.db")) as reader:
        return cursor_to(where_it_stands(Session(reader)))


async def measure() -> list[Figure]:
    """Each crowd at the channel and at the reference, in turn."""
    figures: list[Figure] = []
    most = stores.allow_connections()
    assert most > max(CROWDS) + 1_000, f"{most} open files are too few; see ulimit -n"
    for count in CROWDS:
        async with stores.estate_with(stores.names(count)) as estate:
            at = stands(estate)
            ours = await bounded(Channel(estate), at, count)
        async with empty() as server:
            plain = await bounded(server, sync_pb2.Cursor(), count)
        figures += [
            Figure(
                f"{count:,} come back, until all are up",
                ours.back_s,
                "s",
                plain.back_s,
                1.5,
                at_least=False,
            ),
            Figure(
                f"{count:,} idle, memory of each",
                ours.kib_each,
                "KiB",
                plain.kib_each,
                1.5,
                at_least=False,
            ),
            Figure(f"{count:,}, refused", ours.wrong, "streams", count, 0.0, at_least=False),
            Figure(f"{count:,}, broke once", ours.broke, "streams", count, 0.01, at_least=False),
        ]
    return figures
