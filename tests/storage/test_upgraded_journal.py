"""H6, H22: a journal's bytes outlive its software, fit a message, and are read piece by piece."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.estate_messages import LANE, entries_of, sale_of
from tests.support.lanes import opened
from tests.support.notes import Opener

from stillopen.core.errors import Reason, Refused
from stillopen.core.journal import PAYLOAD_BYTES_MAX, Entry
from stillopen.core.money import Money
from stillopen.core.sale import LINES_MAX, Sale, SaleState, complete
from stillopen.core.tender import add_cash
from stillopen.register.journal import Journal, Noted, Verified, open_journal, verify
from stillopen.register.sales import SaleStore
from stillopen.register.tables import SCHEMA
from stillopen.rpc.machine import SystemClock
from stillopen.rpc.wire_sale import sale_to
from stillopen.storage.engine import Engine
from stillopen.storage.schema import Schema
from stillopen.v1 import types_pb2

NAME = "a name as long as people write them, " * 5


async def journal_on(engine: Engine, seed: int) -> Journal:
    """The journal of a new process."""
    rng = random.Random(seed)  # noqa: S311 - repeatable
    return await open_journal(engine, "R1", SystemClock(), rng)


async def appended(journal: Journal, number: int) -> Entry:
    """A sale in the journal."""
    sale = sale_of(number)
    record = types_pb2.JournalRecord(receipt_number=f"no {number}", sale=sale_to(sale))
    noted = Noted("COMPLETED", sale.transaction_id, 1.0, f"no {number}", Money("EUR", 300))
    return await journal.engine.write(lambda session: journal.append(session, record, noted))


@pytest.mark.parametrize("steps", range(1, len(SCHEMA.steps)))
async def test_entries_that_wait_are_the_same_bytes_after_an_upgrade(
    open_engine: Opener, tmp_path: Path, steps: int
) -> None:
    """H6.2: nobody writes them anew, so their digests hold."""
    path = tmp_path / "journal.db"
    engine = await open_engine(path, Schema(SCHEMA.name, SCHEMA.steps[:steps]))
    older = await journal_on(engine, 1)
    waiting = [await appended(older, number) for number in range(1, 4)]
    await engine.close()
    engine = await open_engine(path, SCHEMA)
    newer = await journal_on(engine, 2)
    assert await newer.read(older.lane, 0, 10, 10**6) == waiting
    after = await appended(newer, 4)
    assert after.parent_digest == waiting[-1].digest
    assert await engine.read(verify) == Verified(4, ())


async def test_a_batch_is_cut_by_bytes_and_never_empty(open_engine: Opener, tmp_path: Path) -> None:
    """H22: an entry that is more than a batch allows goes alone."""
    inbox = await opened(open_engine, tmp_path)
    entries = entries_of(3)
    await inbox.receive(entries, [])
    size = len(entries[0].payload)
    for room, count in ((0, 1), (1, 1), (2 * size, 2), (10 * size, 3)):
        assert await inbox.read(LANE, 0, 10, room) == entries[:count]


async def test_a_line_is_refused_before_its_sale_is_too_large_to_send(
    open_engine: Opener, tmp_path: Path
) -> None:
    """H22: what was rung up before is paid, and its entry fits."""

    def grown(sale: Sale, lines: int) -> Sale:
        more = tuple(replace(named, line_id=f"L{len(sale.lines) + n}") for n in range(lines))
        return replace(sale, version=sale.version + 1, lines=sale.lines + more)

    engine = await open_engine(tmp_path / "journal.db", SCHEMA)
    store = SaleStore(engine)
    sold = sale_of(1)
    named = replace(sold.lines[0], name=NAME)
    sale = await store.begin(replace(sold, state=SaleState.OPEN, lines=(), tenders=(), version=1))

    async def rings_up_all_there_may_be() -> None:
        nonlocal sale
        while len(sale.lines) < LINES_MAX:
            sale = await store.change(
                sale.transaction_id, sale.version, b"", lambda _, now: grown(now, 100)
            )

    with pytest.raises(Refused) as caught:
        await rings_up_all_there_may_be()
    assert caught.value.reason is Reason.SALE_TOO_LARGE
    assert await store.sale(sale.transaction_id) == sale
    paid = await store.change(
        sale.transaction_id,
        sale.version,
        b"",
        lambda _, now: add_cash(now, now.total - now.tendered),
    )
    record = types_pb2.JournalRecord(receipt_number="no 1", sale=sale_to(complete(paid)))
    assert PAYLOAD_BYTES_MAX // 2 < record.ByteSize() <= PAYLOAD_BYTES_MAX
