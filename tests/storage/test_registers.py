"""Ten thousand registers: lists are read by their keys, a page at a time."""

from functools import partial
from pathlib import Path

import pytest
from tests.support.notes import Opener

from stillopen.headquarters import registers
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.tables import SCHEMA
from stillopen.storage.engine import Session
from stillopen.v1.headquarters_pb2 import ListRegistersResponse, RegisterRow

REGISTERS, STORES, PAGE = 10_000, 100, 500


def fill(session: Session) -> None:
    """Many registers in some stores."""
    for number in range(STORES):
        session.run("INSERT INTO store VALUES (?,?,'Default','Default')", f"S{number}", "Store")
    for number in range(REGISTERS):
        row = RegisterRow(register_id=f"M{number:05}", store_id=f"S{number % STORES}")
        registers.put_register(session, row, Doer("test", 1.0))


def page_after(session: Session, after: str, store_id: str) -> ListRegistersResponse:
    """The next page."""
    return registers.list_registers(session, after, PAGE, store_id)


async def test_ten_thousand_registers_are_listed_page_by_page(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "headquarters.db", SCHEMA)
    await engine.write(fill)
    for store_id, expected in (
        ("", [f"M{n:05}" for n in range(REGISTERS)]),
        ("S42", [f"M{n:05}" for n in range(42, REGISTERS, STORES)]),
    ):
        found: list[str] = []
        token, pages = "", 0
        while True:
            page = await engine.read(partial(page_after, after=token, store_id=store_id))
            pages += 1
            found += [each.register_id for each in page.registers]
            token = page.next_page_token
            if not token:
                break
        assert found == expected
        assert pages == max(1, len(expected) // PAGE)


@pytest.mark.parametrize("query", [registers.ALL, registers.OF_STORE])
async def test_a_page_of_registers_reads_no_other_rows(
    open_engine: Opener, tmp_path: Path, query: str
) -> None:
    engine = await open_engine(tmp_path / "headquarters.db", SCHEMA)
    values = ("", PAGE, "S42")[: 3 if query is registers.OF_STORE else 2]
    plan = await engine.read(lambda session: session.all(f"EXPLAIN QUERY PLAN {query}", *values))
    steps = [row[3] for row in plan]
    assert steps
    assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step], steps
