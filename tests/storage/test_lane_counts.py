"""The counts on a lane's row are what a count of its entries finds, whatever happened."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.estate_messages import damaged
from tests.support.lanes import FIRST, SCHEMA, SECOND, Watch, claims, entries
from tests.support.notes import Opener

from stillopen.core.journal import Entry, append
from stillopen.replication.inbox import Inbox, mark, open_inbox
from stillopen.replication.lane_counts import STEP
from stillopen.replication.quarantine import (
    BEGINNING,
    EVERY,
    Arrived,
    in_quarantine,
    put_in,
)
from stillopen.storage.engine import Row, Session
from stillopen.storage.schema import Schema


def kept(session: Session) -> list[Row]:
    """The counts as they are kept."""
    return session.all(
        "SELECT epoch, entries, applied, quarantined, damaged, conflicts FROM lane ORDER BY epoch"
    )


def counted(session: Session) -> list[Row]:
    """The same, from every entry there is."""
    return session.all(
        "SELECT epoch, (SELECT count(*) FROM entry e WHERE e.epoch = lane.epoch), "  # noqa: S608
        + ", ".join(
            f"(SELECT count(*) FROM entry e WHERE e.epoch = lane.epoch AND state = '{state}')"  # noqa: S608
            for state in ("APPLIED", "QUARANTINED", "DAMAGED")
        )
        + ", (SELECT count(*) FROM entry_conflict c WHERE c.epoch = lane.epoch)"
        " FROM lane ORDER BY epoch"
    )


def listed(session: Session) -> list[Row]:
    """What is in no effect, as it is kept."""
    return session.all(
        "SELECT state, epoch, sequence, digest FROM quarantine"
        " ORDER BY state, epoch, sequence, digest"
    )


def in_no_effect(session: Session) -> list[Row]:
    """The same, from every entry there is."""
    return session.all(
        "SELECT state, epoch, sequence, digest FROM entry WHERE state IN ('QUARANTINED', 'DAMAGED')"
        " UNION ALL SELECT 'CONFLICT', epoch, sequence, digest FROM entry_conflict"
        " ORDER BY state, epoch, sequence, digest"
    )


def in_quarantine_now(session: Session) -> list[tuple[Arrived, str]]:
    """Everything that is in quarantine."""
    return in_quarantine(session, EVERY, BEGINNING, 1_000)


def other(entry: Entry) -> Entry:
    """Another entry under the same key."""
    return append(entry.lane, entry.sequence, entry.parent_digest, entry.payload + b"\x9a\x06\x00")


async def one_thing(inbox: Inbox, lanes: list[list[Entry]], rng: random.Random) -> None:
    """Something happens to the inbox."""
    some = rng.sample(rng.choice(lanes), rng.randint(1, 4))
    what = rng.randint(0, 5)
    if what <= 1:
        await inbox.receive(some, [])
    elif what == 2:
        await inbox.receive([], [damaged(entry) for entry in some])
    elif what == 3:
        await inbox.receive([other(entry) for entry in some], [])
    elif what == 4:
        arrived = await inbox.to_apply(0, rng.randint(1, 5))
        if rng.random() < 2 / 3:
            arrivals = [each.arrival for each in arrived]
            await inbox.engine.write(lambda session: mark(session, arrivals, "APPLIED"))
        else:
            wrong = [(each, "a test") for each in arrived]
            await inbox.engine.write(lambda session: put_in(session, wrong, 1.0))
    else:
        again = [e.arrival for e, _ in await inbox.engine.read(in_quarantine_now)]
        await inbox.engine.write(lambda session: mark(session, again, "STORED"))


@pytest.mark.parametrize("seed", range(6))
async def test_the_counts_agree_whatever_happens(
    open_engine: Opener, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - repeatable
    engine = await open_engine(tmp_path / "headquarters.db", SCHEMA)
    inbox = await open_inbox(engine, Watch(), last=True)
    lanes = [entries(FIRST, 12), entries(SECOND, 12)]
    for _ in range(60):
        await one_thing(inbox, lanes, rng)
        assert await engine.read(kept) == await engine.read(counted)
        assert await engine.read(listed) == await engine.read(in_no_effect)


@pytest.mark.parametrize("seed", range(3))
async def test_what_older_software_received_is_counted_once(
    open_engine: Opener, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - repeatable
    before, after = SCHEMA.steps[:-1], SCHEMA.steps[-1]
    older = tuple(statement for statement in after if statement not in STEP)
    path = tmp_path / "headquarters.db"
    engine = await open_engine(path, Schema(SCHEMA.name, (*before, older)))
    inbox = await open_inbox(engine, Watch(), last=True)
    lanes = [entries(FIRST, 12), entries(SECOND, 12)]
    await inbox.claim([claims(replace(FIRST, epoch=0xD), 3)])
    for _ in range(40):
        await one_thing(inbox, lanes, rng)
    await engine.close()
    engine = await open_engine(path, Schema(SCHEMA.name, (*before, older, STEP)))
    assert await engine.read(kept) == await engine.read(counted)
