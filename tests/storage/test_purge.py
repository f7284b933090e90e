"""What a register deletes: what may go, in pieces, and with an entry only what belongs to it."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.lanes import Watch
from tests.support.notes import Opener

from stillopen.core.journal import Stored
from stillopen.register.journal import Journal, Noted, open_journal
from stillopen.register.purge import AT_ONCE, purge
from stillopen.register.tables import SCHEMA
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

KEYS = [bytes([n]) * 16 for n in range(5)]


async def begun(open_engine: Opener, folder: Path, seed: int = 1) -> Journal:
    """The journal of a register that starts."""
    engine = await open_engine(folder / "journal.db", SCHEMA)
    return await open_journal(engine, "R1", Watch(), random.Random(seed))  # noqa: S311


async def write(journal: Journal, *kinds: tuple[str, str]) -> None:
    """Journals entries of a kind, each of a sale."""

    def put(session: Session) -> None:
        for kind, sale in kinds:
            journal.append(session, types_pb2.JournalRecord(), Noted(kind, sale, 0.0))

    await journal.engine.write(put)


async def keep(journal: Journal, sale: str, state: str, key: bytes, intent: str) -> None:
    """A sale in a state, and a card intent of it."""

    def put(session: Session) -> None:
        session.run("INSERT INTO sale VALUES (?,1,?,x'',x'')", sale, state)
        session.run("INSERT INTO card_intent VALUES (?,?,?,0,0,0,'')", key, sale, intent)

    await journal.engine.write(put)


async def left(journal: Journal) -> tuple[list[int], set[str], set[bytes]]:
    """Sequences, sales and keys that are still there."""

    def read(session: Session) -> tuple[list[int], set[str], set[bytes]]:
        return (
            [row[0] for row in session.all("SELECT sequence FROM journal_entry ORDER BY number")],
            {row[0] for row in session.all("SELECT transaction_id FROM sale")},
            {row[0] for row in session.all("SELECT lock_key FROM card_intent")},
        )

    return await journal.engine.read(read)


async def let_go(journal: Journal, through: int, home: int | None = None) -> int:
    """The channel says that entries may go; returns in how many transactions they went."""
    word = Stored(journal.lane, 10**6, through if home is None else home, through)
    await journal.remember([word])
    pieces = 0
    while await journal.engine.write(lambda session: purge(session, "R1")):
        pieces += 1
    return pieces


async def test_with_an_entry_goes_its_final_sale_and_the_intents_that_are_done(
    open_engine: Opener, tmp_path: Path
) -> None:
    journal = await begun(open_engine, tmp_path)
    await write(journal, ("COMPLETED", "a"), ("VOIDED", "b"), ("UNLOCK", "c"), ("COMPLETED", "d"))
    await keep(journal, "a", "COMPLETED", KEYS[0], "DONE")
    await keep(journal, "b", "VOIDED", KEYS[1], "DONE")
    await keep(journal, "c", "OPEN", KEYS[2], "DONE")
    await keep(journal, "d", "COMPLETED", KEYS[3], "DONE")
    await keep(journal, "e", "VOIDED", KEYS[4], "GRANTED")
    await let_go(journal, 3)
    assert await left(journal) == ([4], {"c", "d", "e"}, {KEYS[2], KEYS[3], KEYS[4]})


async def test_an_intent_that_is_not_done_stays_with_whatever_sale(
    open_engine: Opener, tmp_path: Path
) -> None:
    journal = await begun(open_engine, tmp_path)
    await write(journal, ("COMPLETED", "a"))
    await keep(journal, "a", "COMPLETED", KEYS[0], "GRANTED")
    await let_go(journal, 1)
    assert await left(journal) == ([], set(), {KEYS[0]})


@pytest.mark.parametrize(("through", "home", "gone"), [(9, 2, 2), (9, 9, 3), (0, 9, 0), (2, 9, 2)])
async def test_nothing_goes_that_is_not_at_headquarters_or_not_there_at_all(
    open_engine: Opener, tmp_path: Path, through: int, home: int, gone: int
) -> None:
    journal = await begun(open_engine, tmp_path)
    await write(journal, *(("COMPLETED", str(n)) for n in range(3)))
    await let_go(journal, through, home)
    assert (await left(journal))[0] == list(range(gone + 1, 4))
    [head] = await journal.heads()
    assert (head.first, head.last) == (gone + 1, 3)


async def test_much_goes_in_pieces(open_engine: Opener, tmp_path: Path) -> None:
    journal = await begun(open_engine, tmp_path)
    await write(journal, *(("COMPLETED", str(n)) for n in range(2 * AT_ONCE + 1)))
    assert await let_go(journal, 2 * AT_ONCE + 1) == 3
    assert (await left(journal))[0] == []


async def test_a_word_that_goes_back_brings_nothing_back_and_deletes_nothing(
    open_engine: Opener, tmp_path: Path
) -> None:
    journal = await begun(open_engine, tmp_path)
    await write(journal, *(("COMPLETED", str(n)) for n in range(4)))
    await let_go(journal, 3)
    await let_go(journal, 1)
    [head] = await journal.heads()
    assert (head.first, head.last) == (4, 4)
    await let_go(journal, 4)
    assert (await left(journal))[0] == []


async def test_a_lane_that_is_gone_is_still_the_parent_of_the_next_and_is_listed_no_more(
    open_engine: Opener, tmp_path: Path
) -> None:
    first = await begun(open_engine, tmp_path)
    await write(first, *(("COMPLETED", str(n)) for n in range(3)))
    await let_go(first, 3)
    [alone] = await first.heads()
    assert (alone.lane, alone.first, alone.last) == (first.lane, 4, 3)
    await first.engine.close()
    second = await begun(open_engine, tmp_path, seed=2)
    assert [head.lane for head in await second.heads()] == [second.lane]
    await write(second, ("COMPLETED", "later"))
    [entry] = await second.read(second.lane, 0, 10, 10**6)
    parent = types_pb2.JournalRecord.FromString(entry.payload).parent
    assert (parent.epoch, parent.sequence) == (first.lane.epoch, 3)
    assert (parent.digest, entry.parent_digest) == (alone.digest, alone.digest)


async def test_a_heartbeat_is_about_what_waits_and_the_lane_of_this_run(
    open_engine: Opener, tmp_path: Path
) -> None:
    first = await begun(open_engine, tmp_path)
    await write(first, ("COMPLETED", "a"))
    await first.engine.close()
    second = await begun(open_engine, tmp_path, seed=2)
    assert [head.lane for head in await second.moved()] == [first.lane, second.lane]
    await second.remember([Stored(first.lane, 1, 1)])
    assert [head.lane for head in await second.moved()] == [second.lane]
    assert [head.lane for head in await second.heads()] == [first.lane, second.lane]
    lost = replace(Stored(first.lane, 1, 1), headquarters_through=0)
    await second.remember([lost])
    assert [head.lane for head in await second.moved()] == [first.lane, second.lane]
