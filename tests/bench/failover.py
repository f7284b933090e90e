"""What a cashier waits when the line goes: the register as it ships, and its shipped deadlines.

1. *Closed port.* The channel's process is ended. The first line that is rung up then, until it is
   durable here: asked for on the line, refused, priced from the register's own copy, written.
2. *Stopped.* The channel's process is stopped (SIGSTOP): its port stays open, its machine takes
   what comes, and it says nothing. 64 price checks at once at one register, until each is
   answered. The line itself is found dead by the channel options, before the deadline.
3. *Silent.* A server whose connection lives and whose calls are never answered: nothing but the
   deadline ends these. The same 64 price checks.
4. *Stopped for 12 s.* A busy register rings up a line every half second all that time, completes
   sales and begins others. Beside it, in the same outage, a client with gRPC's default options
   asks the channel for each line with the same deadline. Two figures of both: what a cashier waits
   for a line, in the mean of the lines that were rung up, and what was waited in the 12 s
   altogether. A mean for each call would flatter: what fails at once is no work done. Here each
   line of ours is durable, and the first carries the whole wait for the outage. The total cannot
   be less than it takes to find a machine dead that still takes what comes: its aim is a fifth.

Every answer is checked, and every sale that was completed says on its receipt that it was offline.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from tests.bench import stores
from tests.bench.cashiers import CODE, Cashier, at_work, offline
from tests.bench.child import Child
from tests.bench.figures import Figure, median, percentile
from tests.bench.offline_sale import fits, master_data
from tests.support import callers
from tests.support.packages import make_snapshot

from stillopen.cli.estate import CHANNEL, Estate
from stillopen.core.errors import Unreachable
from stillopen.core.parameters import OfflineProfile
from stillopen.register import Register, RegisterSettings, open_register
from stillopen.register.online import Online

REGISTERS = 4
CLOSED_ROUNDS = 5
SILENT_ROUNDS = 5
OUTAGES = 5
OUTAGE_S = 12.0
PAUSE_S = 0.5
"""Between two lines of a cashier."""
AT_ONCE = 64
CLOSED_MS = 5.0
DEADLINE_S = OfflineProfile().timeout_s


@dataclass(frozen=True, slots=True)
class Waited:
    """What an outage cost one who worked through it."""

    mean_s: float
    """For each line."""
    total_s: float
    """Of the outage's time."""


async def closed(estate: Estate, cashiers: list[Cashier]) -> list[float]:
    """Seconds of the first line at each, after the channel has ended."""
    for each in cashiers:
        await each.ring_up()
        assert each.online
    await estate.kill(CHANNEL)
    taken: list[float] = []
    for each in cashiers:
        taken.append(await each.ring_up())
        assert not each.online
        assert offline([await each.finish()])
    await estate.restart(CHANNEL)
    for each in cashiers:
        await each.come_back()
    return taken


async def price_checks(register: Register, code: str) -> list[float]:
    """Seconds of 64 at once, while the register believes that its channel is there."""
    assert register.failover.state.online

    async def one() -> float:
        began = time.perf_counter()
        assert (await register.product(code)).product_id == code
        return time.perf_counter() - began

    taken = await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    assert not register.failover.state.online
    return taken


async def stopped(estate: Estate, cashier: Cashier) -> list[float]:
    """Seconds of price checks, the channel being stopped."""
    assert cashier.register.failover.timeout_s == DEADLINE_S
    estate.pause(CHANNEL)
    taken = await price_checks(cashier.register, CODE)
    estate.resume(CHANNEL)
    await cashier.come_back()
    return taken


async def silent(rounds: int) -> list[list[float]]:
    """Seconds of price checks, the server never answering."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with Child("tests.bench.silent") as server:
            settings = RegisterSettings("R1", Path(name), str(await server.hears()), "secret")
            async with await open_register(settings, check_password=fits) as register:
                shelf = register.replica.copy.shelf
                await register.replica.apply(make_snapshot(shelf, master_data()))
                assert register.failover.timeout_s == DEADLINE_S
                await register.sign_in("anna", "x")
                taken: list[list[float]] = []
                for _ in range(rounds):
                    await register.switch_connection(connect=True)
                    taken.append(await price_checks(register, "P0"))
                return taken


async def through(outage_s: float, ring_up: Callable[[], Awaitable[object]]) -> Waited:
    """Goes on working for so long, a pause after each line."""
    began = time.perf_counter()
    ends = began + outage_s
    each: list[float] = []
    total = 0.0
    while (asked := time.perf_counter()) < ends:
        await ring_up()
        done = time.perf_counter()
        each.append(done - asked)
        total += min(done, ends) - asked
        await asyncio.sleep(PAUSE_S)
    return Waited(sum(each) / len(each), total)


async def outage(estate: Estate, cashier: Cashier, plain: Online) -> tuple[Waited, Waited]:
    """Ours and the reference, through the same one."""

    async def ask() -> None:
        try:
            await plain.product(CODE, DEADLINE_S)
        except Unreachable:
            return  # it has nothing of its own to go on with

    await ask()
    await cashier.ring_up()
    assert cashier.online
    before = len(cashier.completed)
    estate.pause(CHANNEL)
    ours, theirs = await asyncio.gather(through(OUTAGE_S, cashier.ring_up), through(OUTAGE_S, ask))
    estate.resume(CHANNEL)
    assert offline(cashier.completed[before:])
    await cashier.come_back()
    return ours, theirs


def plain_channel(address: str) -> grpc.aio.Channel:
    """One with gRPC's default options, and a connection of its own."""
    own = (("grpc.use_local_subchannel_pool", 1),)
    return grpc.aio.insecure_channel(address, options=own)  # noqa: TID251 - the reference


async def measure() -> list[Figure]:
    """Rounds of all; medians of the rounds."""
    names = stores.names(REGISTERS)
    async with stores.estate_with(names) as estate, at_work(estate, names) as cashiers:
        first = cashiers[0]
        ended = [await closed(estate, cashiers) for _ in range(CLOSED_ROUNDS)]
        checked = [await stopped(estate, first) for _ in range(SILENT_ROUNDS)]
        async with plain_channel(estate.address(CHANNEL)) as channel:
            plain = Online(channel, callers.register(names[1]))
            outages = [await outage(estate, first, plain) for _ in range(OUTAGES)]
    unanswered = await silent(SILENT_ROUNDS)
    ours, theirs = zip(*outages, strict=True)
    return [
        *(_closed(share, ended) for share in (0.5, 0.99)),
        _beyond("stopped", checked),
        _beyond("silent", unanswered),
        Figure(
            f"stopped for {OUTAGE_S:g} s, wait for a line",
            median(each.mean_s for each in ours) * 1_000,
            "ms",
            median(each.mean_s for each in theirs) * 1_000,
            aim=1 / 20,
            at_least=False,
        ),
        Figure(
            f"stopped for {OUTAGE_S:g} s, waited in all",
            median(each.total_s for each in ours),
            "s",
            median(each.total_s for each in theirs),
            aim=1 / 5,
            at_least=False,
        ),
    ]


def _closed(share: float, taken: list[list[float]]) -> Figure:
    return Figure(
        f"closed port, first line offline, p{share * 100:g}",
        median(percentile(each, share) for each in taken) * 1_000,
        "ms",
        CLOSED_MS,
        aim=1.0,
        at_least=False,
    )


def _beyond(what: str, taken: list[list[float]]) -> Figure:
    return Figure(
        f"{what} server, {AT_ONCE} at once, p99 to the deadline",
        median(percentile(each, 0.99) for each in taken),
        "s",
        DEADLINE_S,
        aim=1.01,
        at_least=False,
    )
