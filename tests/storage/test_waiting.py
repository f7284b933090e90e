"""What waits, counted as it grows and shrinks, is what a count of everything finds."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.notes import Opener

from stillopen.core.journal import Stored
from stillopen.core.money import Money
from stillopen.register.journal import Journal, Noted, open_journal
from stillopen.register.tables import SCHEMA
from stillopen.register.waiting import Waiting
from stillopen.rpc.machine import SystemClock
from stillopen.storage.engine import Session, Work
from stillopen.storage.schema import Schema
from stillopen.v1 import types_pb2


def counted(session: Session) -> Waiting:
    """The same, from every entry there is."""
    [(home,)] = session.all(
        "SELECT coalesce(sum(max(0, head - headquarters_through)), 0) FROM journal_lane"
    )
    rows = session.all(
        "SELECT currency, total_minor, wall_s FROM journal_entry JOIN journal_lane USING (epoch)"
        " WHERE sequence > through ORDER BY opened, sequence"
    )
    minors = [minor for currency, minor, _ in rows if currency]
    amount = Money("EUR", sum(minors)) if minors else None
    lacks = session.all(
        "SELECT total_minor FROM journal_entry JOIN journal_lane USING (epoch)"
        " WHERE sequence > headquarters_through AND currency <> ''"
    )
    at_home = Money("EUR", sum(minor for (minor,) in lacks)) if lacks else None
    return Waiting(len(rows), home, amount, rows[0][2] if rows else None, at_home)


def entry(journal: Journal, noted: Noted) -> Work[object]:
    """Appends to the journal."""
    return lambda session: journal.append(session, types_pb2.JournalRecord(), noted)


def random_number(seed: int) -> Callable[[int, int], int]:
    """Draws numbers, the same for a seed."""
    return random.Random(seed).randint  # noqa: S311 - repeatable


@pytest.mark.parametrize("seed", range(6))
async def test_the_count_agrees_after_every_append_acknowledgement_loss_and_restart(
    open_engine: Opener, tmp_path: Path, seed: int
) -> None:
    draw = random_number(seed)
    engine = await open_engine(tmp_path / "journal.db", SCHEMA)
    rng = random.Random(seed)  # noqa: S311 - repeatable
    journal = await open_journal(engine, "R1", SystemClock(), rng)
    lanes = [journal.lane]
    heads = {journal.lane: 0}
    for step in range(80):
        what = draw(0, 9)
        if what <= 4:
            total = Money("EUR", draw(-500, 5_000)) if draw(0, 3) else None
            noted = Noted("COMPLETED", "x", float(step), "", total)
            await engine.write(entry(journal, noted))
            heads[journal.lane] += 1
        elif what <= 7:
            lane = lanes[draw(0, len(lanes) - 1)]
            through = draw(0, heads[lane])
            home = draw(0, through)
            await journal.remember([Stored(lane, through, home, 0)])
        elif what == 8:
            journal = await open_journal(engine, "R1", SystemClock(), rng)
            lanes.append(journal.lane)
            heads[journal.lane] = 0
        if draw(0, 2):
            assert await journal.waiting() == await engine.read(counted)


async def test_only_what_is_more_than_before_is_an_acknowledgement(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "journal.db", SCHEMA)
    rng = random.Random(1)  # noqa: S311 - repeatable
    journal = await open_journal(engine, "R1", SystemClock(), rng)
    noted = Noted("COMPLETED", "x", 1.0, "", Money("EUR", 5))
    await engine.write(entry(journal, noted))
    nothing = Stored(journal.lane, 0, 0, 0)
    await journal.remember([nothing])
    assert journal.acknowledged_wall_s is None
    await journal.remember([replace(nothing, through=1)])
    first = journal.acknowledged_wall_s
    assert first is not None
    await journal.remember([replace(nothing, through=1)])
    assert journal.acknowledged_wall_s == first
    again = await open_journal(engine, "R1", SystemClock(), rng)
    assert again.acknowledged_wall_s == first


async def test_a_journal_of_the_first_step_is_taken_over_with_what_waits_in_it(
    open_engine: Opener, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    engine = await open_engine(path, Schema(SCHEMA.name, SCHEMA.steps[:1]))
    rng = random.Random(1)  # noqa: S311 - repeatable
    journal = await open_journal(engine, "R1", SystemClock(), rng)
    noted = Noted("COMPLETED", "x", 7.0, "", Money("EUR", 5))
    await engine.write(entry(journal, noted))
    await engine.close()
    engine = await open_engine(path, SCHEMA)
    journal = await open_journal(engine, "R1", SystemClock(), rng)
    assert await journal.waiting() == Waiting(1, 1, Money("EUR", 5), 7.0, Money("EUR", 5))
