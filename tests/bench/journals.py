"""Journals of registers that sold offline: written by the register's own journal code."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from stillopen.cli.estate import STORE
from stillopen.core.journal import Entry, Lane
from stillopen.core.money import Money
from stillopen.core.products import Product
from stillopen.core.sale import Sale, add_line, complete
from stillopen.core.tender import add_cash
from stillopen.register.journal import Journal, Noted, open_journal
from stillopen.register.tables import SCHEMA
from stillopen.replication.frames import BATCH_BYTES_MAX, BATCH_ENTRIES_MAX
from stillopen.replication.inbox import read_entries
from stillopen.rpc.machine import SystemClock
from stillopen.rpc.wire import time_to
from stillopen.rpc.wire_sale import sale_to
from stillopen.storage.engine import Session
from stillopen.storage.files import open_reader
from stillopen.storage.sqlite import open_sqlite
from stillopen.v1 import types_pb2

AT_A_TIME = 1_000
FIRST_WALL_S = 1_760_000_000.0


@dataclass(frozen=True, slots=True)
class Written:
    """A journal of an earlier run of a register, and where it is."""

    lane: Lane
    entries: int
    path: Path


def sale_of(register_id: str) -> Sale:
    """A completed sale of three lines and a tender."""
    begun = Sale("0" * 32, STORE, register_id, "anna", "EUR", FIRST_WALL_S)
    for line in range(3):
        product = Product(f"P{line:03d}", f"Wooden thing {line}", Money("EUR", 95 + 40 * line))
        begun = add_line(begun, product, 1_000, 1)
    return complete(add_cash(begun, begun.due))


async def write(
    folder: Path, register_id: str, entries: int, poisoned: Callable[[int], bool] | None = None
) -> Written:
    """Writes journal.db as a register leaves it that completed so many sales offline.

    A `poisoned` entry is intact and says nothing that anybody can read.
    """
    path = folder / register_id / "journal.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = await open_sqlite(path, SCHEMA)
    try:
        rng = random.Random(1)  # noqa: S311 - a benchmark, not a secret
        journal = await open_journal(engine, register_id, SystemClock(), rng)
        sale = sale_of(register_id)
        for start in range(0, entries, AT_A_TIME):

            def put(session: Session, start: int = start) -> None:
                for number in range(start + 1, start + AT_A_TIME + 1):
                    poison = bool(poisoned and poisoned(number))
                    _append(session, journal, _nth(sale, number), number, poison=poison)

            await engine.write(put)
    finally:
        await engine.close()
    return Written(journal.lane, entries, path)


def batches(written: Written) -> Iterator[list[Entry]]:
    """The entries as a stream carries them, a batch at a time."""
    with closing(open_reader(written.path)) as reader:
        session, after = Session(reader), 0
        while after < written.entries:
            found = read_entries(
                session, "journal_entry", written.lane, after, BATCH_ENTRIES_MAX, BATCH_BYTES_MAX
            )
            yield found
            after = found[-1].sequence


def transaction_id(register_id: str, number: int) -> str:
    """The sale of an entry: as ids are, in the order of time, and no other register's."""
    return f"{number:012x}{register_id.encode().hex():0>20}"


def _nth(sale: Sale, number: int) -> Sale:
    name = transaction_id(sale.register_id, number)
    return replace(sale, transaction_id=name, begin_wall_s=FIRST_WALL_S + number)


def _append(session: Session, journal: Journal, sale: Sale, number: int, *, poison: bool) -> None:
    wall_s, receipt = sale.begin_wall_s, f"{sale.register_id}-{number:06d}"
    record = types_pb2.JournalRecord(
        wall_time=time_to(wall_s), receipt_number=receipt, offline=True, sale=sale_to(sale)
    )
    if poison:
        record.ClearField("sale")
    noted = Noted("COMPLETED", sale.transaction_id, wall_s, receipt, sale.total)
    journal.append(session, record, noted)
