"""What the number of registers costs: from the answer of an import until every register has it.

One price changes at headquarters; headquarters and channel are the processes that ship. The
registers are streams in two processes that take the package and do nothing with it; headquarters
knows as many as there are of the most, and so many of them are connected.
"""

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from tests.bench import stores, storm, visible
from tests.bench.child import Child
from tests.bench.curves import Curve
from tests.bench.figures import median
from tests.bench.tills import READY

from stillopen.cli.estate import CHANNEL, Estate
from stillopen.cli.sample import sample_products
from stillopen.core.money import Money
from stillopen.rpc.wire import money_to
from stillopen.v1 import headquarters_pb2, types_pb2

SIZES = (10, 100, 1_000)
PROCESSES = 2
ROUNDS = 3
CHANGES = 4
"""In a round; the first does not count."""
PRICES = itertools.count(1_000)


async def told(estate: Estate, count: int) -> list[float]:
    """Seconds until all of so many registers had the package, change by change."""
    async with AsyncExitStack() as stack:
        share = count // PROCESSES
        where = estate.address(CHANNEL)
        stands = storm.stands(estate).SerializeToString().hex()
        crowd = [
            await stack.enter_async_context(
                Child("tests.bench.listeners", where, stands, str(first), str(share))
            )
            for first in range(1, count + 1, share)
        ]
        for each in crowd:
            assert await each.hears() == READY
        return [await _change(estate, crowd) for _ in range(CHANGES)][1:]


async def _change(estate: Estate, crowd: list[Child]) -> float:
    changed = next(each for each in sample_products("EUR") if each.product_id == visible.CODE)
    changed.price.CopyFrom(money_to(Money("EUR", next(PRICES))))
    for each in crowd:
        each.say()
    async with estate.office() as office:
        report = await office.import_products(_rows(changed))
        committed = time.perf_counter()
        assert report.accepted == 1
        moments = [float(moment) for each in crowd for moment in await each.hears_list()]
        return max(moments) - committed


async def _rows(row: types_pb2.Product) -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
    yield headquarters_pb2.ImportProductsRequest(rows=[row])


async def curves() -> list[Curve]:
    """All sizes, in turn."""
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    async with stores.estate_with(stores.names(max(SIZES))) as estate:
        for _ in range(ROUNDS):
            for size in SIZES:
                taken[size] += await told(estate, size)
    costs = {size: median(seconds) for size, seconds in taken.items()}
    return [Curve("price change, until all registers have it", "registers", costs, flat=False)]
