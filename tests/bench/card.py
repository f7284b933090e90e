"""LockCard and SettleTransaction on the shipped process, against an empty servicer.

Each pair is on a card of its own. `stores.check_flushes` reads back that what a place opens is
durable; `tests/storage/test_durability.py` sees the flush before each answer.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.bench import pairs, stores
from tests.bench.figures import Figure, median

from stillopen.cli.estate import HEADQUARTERS

ROUNDS = 5
PAIRS, PAIRS_ALONE = 1_500, 300
IN_FLIGHT = (1, 64, 256)


@asynccontextmanager
async def echo() -> AsyncGenerator[str]:
    """The empty servicer, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.echo"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def measure() -> list[Figure]:
    """Rounds of both in turn, at 1, 64 and 256 in flight."""
    figures: list[Figure] = []
    await stores.check_flushes()
    cards = pairs.rows(PAIRS)
    async with stores.estate_with([pairs.REGISTER], cards) as estate, echo() as reference:
        ours, house = estate.address(HEADQUARTERS), pairs.house_of(estate)
        for in_flight in IN_FLIGHT:
            work = range(PAIRS if in_flight > 1 else PAIRS_ALONE)
            rounds = [
                (
                    await pairs.run(ours, house, work, in_flight),
                    await pairs.run(reference, house, work, in_flight),
                )
                for _ in range(ROUNDS)
            ]
            name = f"card {in_flight} in flight"
            figures += [
                Figure(
                    name,
                    median(a.calls_a_second for a, _ in rounds),
                    "calls/s",
                    median(b.calls_a_second for _, b in rounds),
                    aim=0.65 if in_flight > 1 else None,
                    at_least=True,
                ),
                Figure(
                    name,
                    median(a.p99_ms for a, _ in rounds),
                    "ms p99",
                    median(b.p99_ms for _, b in rounds),
                    aim=2.0,
                    at_least=False,
                ),
            ]
    return figures
