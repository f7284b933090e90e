"""What each operation of a register costs its databases: as much as today, and no more.

Whoever makes one cheaper lowers its number here; whoever needs more says why in the change that
raises it. A hop is a turn of a database's thread; a hop that writes is a flush of the disk.
"""

import asyncio
from pathlib import Path

import pytest
from tests.support.costs import Cost, counted
from tests.support.notes import SCHEMA, add, texts

from stillopen.register import Register
from stillopen.storage import sqlite
from stillopen.storage.sqlite import open_sqlite

LINES = 3


async def sold(register: Register) -> dict[str, Cost]:
    """What each operation of a sale of three lines and a tender cost."""
    costs: dict[str, Cost] = {}
    with counted() as costs["begin"]:
        sale = await register.begin()
    for number in range(LINES):
        with counted() as costs[f"line {number + 1}"]:
            sale = await register.add_line(sale.transaction_id, sale.version, f"P{number}")
    with counted() as costs["cash"]:
        sale = await register.tenders.add_cash(sale.transaction_id, sale.version, sale.due)
    with counted() as costs["complete"]:
        await register.complete(sale.transaction_id, sale.version)
    return costs


async def test_a_sale_costs_these_hops_and_statements(register: Register) -> None:
    await sold(register)  # the first of a lane looks for the lane before
    assert await sold(register) == {
        "begin": Cost(reads=1, writes=1, statements=5),
        "line 1": Cost(reads=2, writes=1, statements=6),
        "line 2": Cost(reads=1, writes=1, statements=5),
        "line 3": Cost(reads=1, writes=1, statements=5),
        "cash": Cost(writes=1, statements=2),
        "complete": Cost(writes=1, statements=7),
    }


async def test_each_change_of_a_sale_is_one_commit(register: Register) -> None:
    costs = await sold(register)
    assert [each.commits for each in costs.values()] == [1] * (LINES + 3)


async def test_what_is_changed_in_a_sale_costs_one_hop(register: Register) -> None:
    sale = await register.begin()
    sale = await register.add_line(sale.transaction_id, sale.version, "P0")
    with counted() as cost:
        sale = await register.change_line(sale.transaction_id, sale.version, "L1", 2_000)
    assert cost == Cost(writes=1, statements=2)
    with counted() as cost:
        sale = await register.void_line(sale.transaction_id, sale.version, "L1")
    assert cost == Cost(writes=1, statements=2)
    with counted() as cost:
        await register.void(sale.transaction_id, sale.version)
    assert cost == Cost(writes=1, statements=8)


async def test_what_is_asked_of_a_register_writes_nothing(register: Register) -> None:
    await sold(register)
    sale = await register.begin()
    await register.status()
    found: dict[str, Cost] = {}
    with counted() as found["the open sale"]:
        await register.sale()
    with counted() as found["a lookup"]:
        await register.product("P1")
    with counted() as found["the status"]:
        await register.status()
    with counted() as found["the journal"]:
        await register.lines()
    sale = await register.add_line(sale.transaction_id, sale.version, "P0")
    sale = await register.tenders.add_cash(sale.transaction_id, sale.version, sale.due)
    done = await register.complete(sale.transaction_id, sale.version)
    with counted() as found["the answer again"]:
        assert await register.complete(sale.transaction_id, sale.version) == done
    assert found == {
        "the open sale": Cost(),
        "a lookup": Cost(reads=1, statements=3),
        "the status": Cost(reads=2, statements=2),
        "the journal": Cost(reads=1, statements=1),
        "the answer again": Cost(),
    }


async def test_signing_in_offline_costs_three_reads(register: Register) -> None:
    with counted() as cost:
        await register.sign_in("anna", "x")
    assert cost == Cost(reads=3, statements=3)


async def test_a_hop_is_one_turn_of_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    thread = sqlite._Thread  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    call = thread.call

    async def noted(self: object, function: object, *arguments: object) -> object:
        turns.append(getattr(function, "__name__", ""))
        return await call(self, function, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(thread, "call", noted)
    engine = await open_sqlite(tmp_path / "notes.db", SCHEMA)
    try:
        await engine.write(lambda session: [add(text)(session) for text in ("one", "two")])
        assert await engine.read(texts) == ["one", "two"]
        assert turns == ["run_group", "run_read"]
        turns.clear()
        await asyncio.gather(*(engine.write(add(f"note {n}")) for n in range(100)))
        assert len(turns) <= 2  # those that wait share one turn, and one commit
    finally:
        await engine.close()
