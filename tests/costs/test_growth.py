"""What must not read more when there is more: counted in the steps of SQLite, never in seconds.

A count of a whole table is one step, however large it is: so the statements are counted too.
"""

import sqlite3
from pathlib import Path

import pytest
from tests.support.costs import Cost, counted, open_counted, watched
from tests.support.distributing import Following, Office
from tests.support.packages import shelf_in

from stillopen.core.money import Money
from stillopen.headquarters.tables import SCHEMA
from stillopen.register import Register
from stillopen.register.journal import Noted
from stillopen.replication.replica import open_replica
from stillopen.replication.tables import BARCODE, PRICE
from stillopen.storage import draft
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

FEW, MANY = 1_000, 10_000
CHANGED = f"P{FEW // 2:07}"
SCANNED = "4000500"
NOW_S = 1_800_000_000.0


async def one_price_changes(folder: Path, products: int) -> dict[str, Cost]:
    """What a delta of one price costs headquarters and a replica, and a lookup."""
    engine = await open_counted(folder / "headquarters.db", SCHEMA, durable=False)
    async with Office(engine, folder, 1_000) as office:
        await office.store("S1")
        await office.products(products)
        codes = [f"P{number:07}" for number in range(products)]
        await office.put(
            BARCODE,
            *((f"{4_000_000 + n}", f"{4_000_000 + n}", code, 0) for n, code in enumerate(codes)),
        )
        await office.put(PRICE, *((f"{code} 2025", code, "EUR", 5, 0, None) for code in codes))
        copy = folder / "copy"
        replica = await open_replica(copy / "replica.db", shelf_in(copy), open_counted, "S1")
        store = Following("S1", replica, replica, office.distribution)
        await store.catch_up()
        await office.product(CHANGED, 7)
        costs: dict[str, Cost] = {}
        with counted() as costs["the run"]:
            assert await office.run() == 1
        package = await office.distribution.newest("S1", replica.at)
        assert package is not None
        await store.fetch(package)
        with counted() as costs["the apply"]:
            await replica.apply(package)
        with counted() as costs["the lookup"]:
            assert (await replica.product(SCANNED, NOW_S)).product_id == CHANGED
        await replica.close()
    return costs


@pytest.fixture
def drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What packages are built on is counted too."""
    connect = draft._connect  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def counted_too(path: Path | str) -> sqlite3.Connection:
        return watched(connect(path))

    monkeypatch.setattr(draft, "_connect", counted_too)


@pytest.mark.usefixtures("drafts")
async def test_a_delta_of_one_price_and_a_lookup_read_the_same_of_any_catalogue(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    steps: list[dict[str, int]] = []
    for products in (FEW, MANY):
        costs = await one_price_changes(tmp_path_factory.mktemp("shop"), products)
        assert costs == {
            "the run": Cost(reads=3, writes=1, statements=65),
            "the apply": Cost(writes=1, statements=15),
            "the lookup": Cost(reads=1, statements=4),
        }
        steps.append({name: cost.steps for name, cost in costs.items()})
        assert min(steps[-1].values()) > 10  # something was counted
    assert steps[0] == steps[1]


async def sold(register: Register) -> dict[str, int]:
    """The steps of a sale's end, and of the status after it."""
    sale = await register.begin()
    sale = await register.add_line(sale.transaction_id, sale.version, "P0")
    sale = await register.tenders.add_cash(sale.transaction_id, sale.version, sale.due)
    with counted() as completed:
        await register.complete(sale.transaction_id, sale.version)
    with counted() as told:
        await register.status()
    with counted() as begun:
        sale = await register.begin()
    await register.void(sale.transaction_id, sale.version)
    await register.status()
    return {"complete": completed.steps, "status": told.steps, "begin": begun.steps}


async def test_a_sale_and_the_status_read_the_same_with_any_journal(register: Register) -> None:
    def sell_more(session: Session) -> None:
        for number in range(FEW):
            name, record = f"{number:032x}", types_pb2.JournalRecord(receipt_number=f"old {number}")
            noted = Noted("COMPLETED", name, NOW_S, record.receipt_number, Money("EUR", 1))
            register.journal.append(session, record, noted)
            session.run("INSERT INTO sale VALUES (?,9,'COMPLETED',x'',x'')", name)

    await sold(register)
    few = await sold(register)
    await register.journal.engine.write(sell_more)
    await register.status()
    assert await sold(register) == few
    assert min(few.values()) > 10
