"""1,000 and 5,000 registers, each on its own connection, that have everything and sell nothing.

What each costs the memory of the channel's process, once all are up and settled, and how long it
takes to tell all of them of a price change: from headquarters' answer to the import, so after its
commit, until the last register's stream said that a package comes. On the way headquarters makes
the package, the channel takes it, shows it and offers it to each; what registers do with it is
theirs and not measured. The reference is as many streams of a servicer that does nothing: its
memory, and one message to each. Both crowds are there at a time, and are told in turn.

Each process may have as many open files as the machine allows, which must be more than there are
registers.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.bench import stores
from tests.bench.child import Child
from tests.bench.crowd import HAVE, NEWS
from tests.bench.figures import Figure, median
from tests.bench.storm import ANSWERS_IN_S, BEAT_S, CROWDS, resident_kib, stands

from stillopen.cli.estate import CHANNEL, Estate, free_address
from stillopen.cli.sample import sample_products
from stillopen.core.money import Money
from stillopen.rpc.wire import money_to
from stillopen.v1 import headquarters_pb2, sync_pb2

PROCESSES = 2
"""Of a crowd."""
CHANGES = 7
LOOKS_S = 2.0
SETTLED = 1.01
"""Memory that grew by no more between two looks has settled."""
BROKE_MAX = 0.01
"""A share that may lose its stream on a busy machine, and comes back."""
QUIET_S = 1.0
"""Between two rounds: what follows a message is over."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """A crowd that is up, and what each of it costs its server."""

    processes: Sequence[Child]
    kib_each: float

    async def last_told(self) -> float:
        """When the last register was told, for whoever asked before that."""
        return max([await each.hears_moment() for each in self.processes])

    def listen(self) -> None:
        """Every register is to say when it is told."""
        for each in self.processes:
            each.say(NEWS)

    async def all_have(self) -> None:
        """Waits until the package that they were told of has come to all."""
        for each in self.processes:
            each.say(HAVE)
        await self.last_told()


@asynccontextmanager
async def crowded(
    address: str, process_id: int, at: sync_pb2.Cursor, count: int
) -> AsyncGenerator[Crowded]:
    """So many registers at a server, up and settled."""
    before_kib = resident_kib(process_id)
    cursor, share = at.SerializeToString().hex(), count // PROCESSES
    async with AsyncExitStack() as stack:
        processes: list[Child] = []
        for first in range(1, count + 1, share):
            words = (address, cursor, str(first), str(share))
            child = Child("tests.bench.crowd", *words, answers_in_s=ANSWERS_IN_S)
            processes.append(await stack.enter_async_context(child))
        for each in processes:
            await each.hears_moment()
        kib_each = (await settled_kib(process_id) - before_kib) / count
        yield Crowded(processes, kib_each)
        for each in processes:
            each.say("wrong")
        wrong = [word for each in processes for word in await each.hears_list()]
        assert wrong == ["broke"] * len(wrong), wrong[:5]
        assert len(wrong) <= count * BROKE_MAX, f"{len(wrong)} streams of {count} broke"


async def settled_kib(process_id: int) -> float:
    """The memory of a process, when it grows no more."""
    before, now = 0.0, float(resident_kib(process_id))
    while now > before * SETTLED:
        await asyncio.sleep(LOOKS_S)
        before, now = now, float(resident_kib(process_id))
    return now


async def price_change(estate: Estate, crowd: Crowded, minor: int) -> float:
    """Seconds until the last register knows that something changed."""
    changed = sample_products("EUR")[0]
    changed.price.CopyFrom(money_to(Money("EUR", minor)))

    async def rows() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
        yield headquarters_pb2.ImportProductsRequest(rows=[changed])

    crowd.listen()
    async with estate.office() as office:
        report = await office.import_products(rows())
        committed = time.perf_counter()
        assert report.accepted == 1
        told = await crowd.last_told() - committed
    await crowd.all_have()
    return told


async def message(servicer: Child, crowd: Crowded) -> float:
    """Seconds until the last stream has one."""
    crowd.listen()
    servicer.say()
    began = await servicer.hears_moment()
    return await crowd.last_told() - began


async def compared(count: int) -> list[Figure]:
    """Both, with so many."""
    mine: list[float] = []
    plain: list[float] = []
    address = free_address()
    async with (
        stores.estate_with(stores.names(count)) as estate,
        Child("tests.bench.streams", address, str(BEAT_S)) as servicer,
        AsyncExitStack() as stack,
    ):
        assert await servicer.hears() == address
        channel = estate.address(CHANNEL), estate.process_id(CHANNEL)
        ours = await stack.enter_async_context(crowded(*channel, stands(estate), count))
        empty = crowded(address, servicer.process_id, sync_pb2.Cursor(), count)
        theirs = await stack.enter_async_context(empty)
        for number in range(CHANGES):
            mine.append(await price_change(estate, ours, 1_000 + number))
            await asyncio.sleep(QUIET_S)
            plain.append(await message(servicer, theirs))
            await asyncio.sleep(QUIET_S)
    return [
        Figure(
            f"{count:,} idle and settled, memory of each",
            ours.kib_each,
            "KiB",
            theirs.kib_each,
            aim=1.5,
            at_least=False,
        ),
        Figure(
            f"{count:,} idle, until all are told",
            median(mine) * 1_000,
            "ms",
            median(plain) * 1_000,
            aim=1.5,
            at_least=False,
        ),
    ]


async def measure() -> list[Figure]:
    """Each crowd."""
    most = stores.allow_connections()
    assert most > max(CROWDS) + 1_000, f"{most} open files are too few; see ulimit -n"
    return [figure for count in CROWDS for figure in await compared(count)]
