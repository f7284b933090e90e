"""What a journal's length costs: a sale and the status of a register, and the drain to its channel.

The journals are written beforehand, each entry with its sale. The drain goes to a channel and a
headquarters as they ship; everything is there and applied before the next begins.
"""

import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

from tests.bench import drain, journals, offline_sale, stores
from tests.bench.curves import Curve
from tests.bench.figures import median
from tests.support.packages import make_snapshot

from stillopen.register import Register, RegisterSettings, open_register

SIZES = (1_000, 10_000, 100_000)
TURNS = 200
"""Of the sizes, one after the other: who else uses the machine meanwhile meets them all."""
DRAINS = {1_000: 3, 10_000: 3, 100_000: 1}
"""How often each is drained."""
REGISTER = "R0001"


class Till:
    """A register that is offline with a journal of so many sales."""

    def __init__(self, register: Register) -> None:
        self.sales: list[float] = []
        self.statuses: list[float] = []
        self._register = register

    async def begin(self) -> None:
        """Gives it a few products; what it does the first time does not count."""
        replica = self._register.replica
        await replica.apply(make_snapshot(replica.copy.shelf, offline_sale.master_data()))
        await self._register.sign_in("anna", "x")
        await self.turn()
        self.sales.clear()
        self.statuses.clear()

    async def turn(self) -> None:
        """A sale, and the status after it."""
        self.sales.append(await offline_sale.completion(self._register))
        began = time.perf_counter()
        await self._register.status()
        self.statuses.append(time.perf_counter() - began)


@asynccontextmanager
async def till(folder: Path, entries: int) -> AsyncGenerator[Till]:
    """A register that sold so much offline, started again."""
    written = await journals.write(folder, REGISTER, entries)
    with closing(sqlite3.connect(written.path)) as database:  # noqa: TID251 - as a register leaves it
        # Nobody looks into a sale that is final: bytes of the right length do.
        database.execute(
            "INSERT INTO sale SELECT transaction_id, 6, 'COMPLETED', payload, x''"
            " FROM journal_entry"
        )
        database.commit()
    settings = RegisterSettings(REGISTER, folder / REGISTER, offline_sale.NOBODY)
    async with await open_register(settings, check_password=offline_sale.fits) as register:
        yield Till(register)


async def sold() -> list[Curve]:
    """Sales and statuses at registers with journals of all lengths, in turn."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with AsyncExitStack() as stack:
            tills: dict[int, Till] = {}
            for size in SIZES:
                folder = Path(name) / str(size)
                tills[size] = await stack.enter_async_context(till(folder, size))
                await tills[size].begin()
            for _ in range(TURNS):
                for each in tills.values():
                    await each.turn()
            sales = {size: median(each.sales) for size, each in tills.items()}
            statuses = {size: median(each.statuses) for size, each in tills.items()}
    return [
        Curve("complete()", "entries", sales, flat=True),
        Curve("status of a register", "entries", statuses, flat=True),
    ]


async def drained() -> list[Curve]:
    """Journals of all lengths go up, in turn."""
    at_channel: dict[int, list[float]] = {size: [] for size in SIZES}
    at_headquarters: dict[int, list[float]] = {size: [] for size in SIZES}
    rounds = range(max(DRAINS.values()))
    turns = [size for number in rounds for size in SIZES if number < DRAINS[size]]
    names = stores.names(len(turns))
    async with stores.estate_with(names) as estate:
        for register_id, size in zip(names, turns, strict=True):
            written = await journals.write(estate.folder, register_id, size)
            rates = await drain.drain(estate, written)
            at_channel[size].append(size / rates.at_channel)
            at_headquarters[size].append(size / rates.at_headquarters)
    return [
        Curve(f"drain to {where}", "entries", {s: median(t) for s, t in taken.items()}, flat=False)
        for where, taken in (("the channel", at_channel), ("headquarters", at_headquarters))
    ]


async def curves() -> list[Curve]:
    """Those of a register, and those of the drain."""
    return [*await sold(), *await drained()]
