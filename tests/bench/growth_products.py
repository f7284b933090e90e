"""What a catalogue's size costs: a sale, a lookup, a delta of one price; a snapshot and its apply.

For each size a headquarters as it ships has the products, and a register has them from its
snapshot; the register is offline. Both are in this process: what lies between them is not measured.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.bench import goods, offline_sale, stores
from tests.bench.bootstrap import fill
from tests.bench.curves import BYTES, SECONDS, Curve
from tests.bench.figures import median
from tests.support.distributing import Office

from stillopen.headquarters.tables import SCHEMA
from stillopen.register import Register, RegisterSettings, open_register
from stillopen.replication.frames import BLOCK_BYTES
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.tables import PRODUCT, STORE
from stillopen.storage.sqlite import open_sqlite

SIZES = (10_000, 100_000, 1_000_000)
STORES = {"S2": "North", "S1": "Default"}
"""Of each group a snapshot is compiled and applied; the log of the last one goes on."""
LAST = "S1"
TURNS = 200
"""Of the sizes, one after the other: who else uses the machine meanwhile meets them all."""
LOOKUPS = 5
DELTA_EVERY = 5
DELTA_ROWS_MIN = 10_000
COSTS = ("compiled", "size", "applied", "sale", "completed", "looked up", "delta", "delta applied")
Costs = dict[str, list[float]]


class Shop:
    """A headquarters with so many products, and a register."""

    def __init__(self, size: int, office: Office, register: Register) -> None:
        self.size = size
        self.costs: Costs = {name: [] for name in COSTS}
        """Seconds, or bytes."""
        self._office = office
        self._register = register
        self._rng = random.Random(size)  # noqa: S311 - a benchmark, not a secret

    async def snapshot(self, store_id: str) -> None:
        """One is compiled for the group of a store, and applied by the register."""
        began = time.perf_counter()
        package = await self._office.distribution.newest(store_id, Cursor())
        self.costs["compiled"].append(time.perf_counter() - began)
        assert package is not None
        self.costs["size"].append(package.size)
        self.costs["applied"].append(await self._apply(package))

    async def begin(self) -> None:
        """Somebody signs in, and everything is done once that does not count."""
        await self._office.remove(STORE, *(each for each in STORES if each != LAST))
        await self._register.sign_in("anna", "x")
        assert not self._register.failover.state.online
        found = await self._register.journal.engine.write(
            lambda session: session.all("PRAGMA synchronous")
        )
        assert found == [(stores.DURABLE,)]
        kept = {name: list(taken) for name, taken in self.costs.items()}
        await self.turn(0)
        self.costs = kept

    async def turn(self, number: int) -> None:
        """What is to stay flat."""
        for _ in range(LOOKUPS):
            began = time.perf_counter()
            await self._register.product(self._barcode())
            self.costs["looked up"].append(time.perf_counter() - began)
        await self._sale()
        if number % DELTA_EVERY == 0:
            await self._delta()

    async def _sale(self) -> None:
        register = self._register
        began = time.perf_counter()
        sale = await register.begin()
        for _ in range(offline_sale.LINES):
            sale = await register.add_line(sale.transaction_id, sale.version, self._barcode())
        sale = await register.tenders.add_cash(sale.transaction_id, sale.version, sale.due)
        paid = time.perf_counter()
        await register.complete(sale.transaction_id, sale.version)
        ended = time.perf_counter()
        self.costs["sale"].append(ended - began)
        self.costs["completed"].append(ended - paid)

    async def _delta(self) -> None:
        code = goods.code(self._rng.randrange(self.size))
        price = self._rng.randrange(1, 10_000)
        await self._office.put(PRODUCT, (code, code, "Another price", "EUR", price, "STANDARD"))
        began = time.perf_counter()
        assert await self._office.run() == 1
        self.costs["delta"].append(time.perf_counter() - began)
        package = await self._office.distribution.newest(LAST, self._register.replica.at)
        assert package is not None
        assert package.base is not None
        self.costs["delta applied"].append(await self._apply(package))

    async def _apply(self, package: Package) -> float:
        replica, source = self._register.replica, self._office.distribution
        coming = await replica.receive(package)
        while coming.there < package.size:
            await coming.write(await source.block(package, coming.there, BLOCK_BYTES))
        await coming.finish()
        began = time.perf_counter()
        await replica.apply(package)
        return time.perf_counter() - began

    def _barcode(self) -> str:
        return goods.barcode(self._rng.randrange(self.size))


@asynccontextmanager
async def shop(size: int, folder: Path) -> AsyncGenerator[Shop]:
    """A headquarters and a register, each of which has everything."""
    path = folder / "headquarters.db"
    await (await open_sqlite(path, SCHEMA)).close()
    await asyncio.to_thread(fill, path, size)
    settings = RegisterSettings("R1", folder / "register", offline_sale.NOBODY)
    engine = await open_sqlite(path, SCHEMA)
    async with (
        Office(engine, folder, DELTA_ROWS_MIN) as office,
        await open_register(settings, check_password=offline_sale.fits) as register,
    ):
        few = offline_sale.master_data()
        for table, rows in few.items():
            if table is not PRODUCT:
                await office.put(table, *rows)
        for store_id, group_id in STORES.items():
            await office.group(group_id)
            await office.store(store_id, group_id)
        await office.register("R1", LAST)
        yield Shop(size, office, register)


async def curves() -> list[Curve]:
    """All sizes, in turn."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with AsyncExitStack() as stack:
            shops: list[Shop] = []
            for size in SIZES:
                folder = Path(name) / str(size)
                shops.append(await stack.enter_async_context(shop(size, folder)))
            for store_id in STORES:
                for each in shops:
                    await each.snapshot(store_id)
            for each in shops:
                await each.begin()
            for number in range(TURNS):
                for each in shops:
                    await each.turn(number)
            return [
                _curve("sale, three lines by barcode, cash", "sale", shops),
                _curve("complete()", "completed", shops),
                _curve("lookup by barcode", "looked up", shops),
                _curve("delta of one price, compiled", "delta", shops),
                _curve("delta of one price, applied", "delta applied", shops),
                _curve("snapshot, compiled", "compiled", shops, flat=False),
                _curve("snapshot, size", "size", shops, flat=False, is_size=True),
                _curve("snapshot, applied", "applied", shops, flat=False),
            ]


def _curve(
    name: str, what: str, shops: list[Shop], *, flat: bool = True, is_size: bool = False
) -> Curve:
    costs = {each.size: median(each.costs[what]) for each in shops}
    return Curve(name, "products", costs, flat, BYTES if is_size else SECONDS)
