"""One price change at headquarters, until 50 connected registers sell at it.

From the answer of the import, so after headquarters' commit, until the register's own copy gives
the price to a new sale line. The 50 registers are the library that ships, each with its own files
and its own connection, in two processes of 25. The reference: one message to 50 empty streams,
held by two processes likewise, and one durable row at each.
"""

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench import stores
from tests.bench.child import Child
from tests.bench.figures import Figure, median, percentile
from tests.bench.tills import READY

from stillopen.cli.estate import CHANNEL, Estate
from stillopen.cli.sample import sample_products
from stillopen.core.money import Money
from stillopen.rpc.wire import money_to
from stillopen.v1 import headquarters_pb2, types_pb2

REGISTERS, PROCESSES = 50, 2
CHANGES = 20
"""In a round."""
ROUNDS = 3
CODE = "P000"


async def started(stack: AsyncExitStack, kind: str, address: str, folder: Path) -> list[Child]:
    """The processes of the tills, ready."""
    names = stores.names(REGISTERS)
    share = REGISTERS // PROCESSES
    tills = [
        Child("tests.bench.tills", kind, address, str(folder), *names[n : n + share])
        for n in range(0, REGISTERS, share)
    ]
    for each in tills:
        await stack.enter_async_context(each)
    await _ready(tills)
    return tills


async def _ready(tills: list[Child]) -> None:
    for each in tills:
        assert await each.hears() == READY


async def _moments(tills: list[Child]) -> list[float]:
    found: list[float] = []
    for each in tills:
        found += map(float, await each.hears_list())
    return found


async def ours(estate: Estate, tills: list[Child], minor: int) -> list[float]:
    """Seconds until each sells at the price."""
    for each in tills:
        each.say(f"{CODE} {minor}")
    await _ready(tills)
    changed = next(each for each in sample_products("EUR") if each.product_id == CODE)
    changed.price.CopyFrom(money_to(Money("EUR", minor)))
    async with estate.office() as office:
        report = await office.import_products(_rows(changed))
        committed = time.perf_counter()
        assert report.accepted == 1
        return [moment - committed for moment in await _moments(tills)]


async def _rows(row: types_pb2.Product) -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
    yield headquarters_pb2.ImportProductsRequest(rows=[row])


async def theirs(servicer: Child, tills: list[Child]) -> list[float]:
    """Seconds until each row is written."""
    for each in tills:
        each.say()
    await _ready(tills)
    servicer.say()
    began = await servicer.hears_moment()
    return [moment - began for moment in await _moments(tills)]


async def measure() -> list[Figure]:
    """Rounds of both in turn; medians of the rounds."""
    mine: list[list[float]] = []
    plain: list[list[float]] = []
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with (
            stores.estate_with(stores.names(REGISTERS)) as estate,
            Child("tests.bench.streams", "127.0.0.1:0", "0") as servicer,
            AsyncExitStack() as stack,
        ):
            tills = await started(stack, "registers", estate.address(CHANNEL), estate.folder)
            rows = await started(stack, "rows", str(await servicer.hears()), Path(name))
            for number in range(ROUNDS):
                first = 1_000 + number * CHANGES
                changes = [await ours(estate, tills, first + n) for n in range(CHANGES)]
                mine.append([each for change in changes for each in change])
                messages = [await theirs(servicer, rows) for _ in range(CHANGES)]
                plain.append([each for message in messages for each in message])
    return [_figure(share, mine, plain) for share in (0.5, 0.99)]


def _figure(share: float, mine: list[list[float]], plain: list[list[float]]) -> Figure:
    return Figure(
        f"price change on {REGISTERS} registers, p{share * 100:g}",
        median(percentile(each, share) for each in mine) * 1_000,
        "ms",
        median(percentile(each, share) for each in plain) * 1_000,
        aim=5.0,
        at_least=False,
    )
