"""The channel is away for 10 s and comes back on its port: until a working register hears it.

From the moment when the channel's process says that it serves, until the first question that only
the channel can answer was answered by it: which sales are suspended in the store. A register asks
so every 50 ms, and rings up lines meanwhile, from its own copy. In the same outage clients with
gRPC's default options make the same call every 50 ms, at the same port, with the same deadline;
none of them waits for its channel (`wait_for_ready`), which was slower still.

A register may be asked so before it leaves its offline mode: what only the channel knows is asked
as soon as its stream has heard it. When prices come from there again is the profile's reconnect
interval, five minutes as it ships, and no matter of speed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from tests.bench import stores
from tests.bench.cashiers import Cashier, at_work
from tests.bench.failover import plain_channel
from tests.bench.figures import Figure, median
from tests.support import callers

from stillopen.cli.estate import CHANNEL, Estate
from stillopen.core.errors import Unreachable
from stillopen.core.parameters import OfflineProfile
from stillopen.register.online import Online

EACH = 4
"""Registers, and clients beside them, in the same outage."""
ROUNDS = 6
AWAY_S = 10.0
POLL_S = 0.05
BACK_S = 1.0
DEADLINE_S = OfflineProfile().timeout_s

Asks = Callable[[], Awaitable[bool]]
"""Whether the channel answered."""


async def answered(asks: Asks) -> float:
    """The moment of the first answer."""
    while not await asks():  # noqa: ASYNC110 - as a client does
        await asyncio.sleep(POLL_S)
    return time.perf_counter()


def asks_of(cashier: Cashier) -> Asks:
    """Those of a register that goes on working."""

    async def ask() -> bool:
        await cashier.ring_up()
        return (await cashier.register.suspended.listed()).whole_store

    return ask


def asks_plainly(online: Online) -> Asks:
    """Those of a client that has nothing but its channel."""

    async def ask() -> bool:
        try:
            await online.suspended(DEADLINE_S)
        except Unreachable:
            return False
        return True

    return ask


async def outage(
    estate: Estate, cashiers: Sequence[Cashier], plain: Sequence[Online]
) -> tuple[list[float], list[float]]:
    """Seconds from where the channel serves, for each register and each client."""
    ours, theirs = [asks_of(each) for each in cashiers], [asks_plainly(each) for each in plain]
    for ask in (*ours, *theirs):
        assert await ask()
    await estate.kill(CHANNEL)
    for ask in (*ours, *theirs):
        assert not await ask()
    waiting = [asyncio.create_task(answered(ask)) for ask in (*ours, *theirs)]
    await asyncio.sleep(AWAY_S)
    await estate.restart(CHANNEL)
    serves = time.perf_counter()
    taken = [max(0.0, moment - serves) for moment in await asyncio.gather(*waiting)]
    for each in cashiers:
        await each.come_back()
    return taken[: len(cashiers)], taken[len(cashiers) :]


async def measure() -> list[Figure]:
    """Both in the same outages; medians of the rounds."""
    names = stores.names(2 * EACH)
    async with (
        stores.estate_with(names) as estate,
        at_work(estate, names[:EACH]) as cashiers,
        AsyncExitStack() as stack,
    ):
        plain: list[Online] = []
        for name in names[EACH:]:
            channel = await stack.enter_async_context(plain_channel(estate.address(CHANNEL)))
            plain.append(Online(channel, callers.register(name)))
        rounds = [await outage(estate, cashiers, plain) for _ in range(ROUNDS)]
    ours = median(median(mine) for mine, _ in rounds)
    theirs = median(median(others) for _, others in rounds)
    name = f"back after {AWAY_S:g} s, first answer"
    return [
        Figure(name, ours, "s", BACK_S, aim=1.0, at_least=False),
        Figure(f"{name}, default back-off", ours, "s", theirs, aim=1 / 5, at_least=False),
    ]
