"""Headquarters lets entries go that it has held for long enough, and no others."""

from pathlib import Path

from tests.support.lanes import FIRST, SECOND, alarms, claims, entries, opened
from tests.support.notes import Opener

from stillopen.core.journal import Lane
from stillopen.headquarters.retention import MARKS_PER_RETENTION, Retention
from stillopen.replication.inbox import Inbox
from stillopen.replication.news import News

RETENTION_S = 1_000.0
ENTRIES = entries(FIRST, 6)
OTHERS = entries(SECOND, 3, after=(FIRST, 6))


class Held:
    """Retention whose clock a test moves."""

    def __init__(self, inbox: Inbox, retention_s: float = RETENTION_S) -> None:
        self.inbox = inbox
        self.served_s = 0.0
        self.retention_s = retention_s
        self.retention = Retention(inbox, lambda: self.served_s, lambda: self.retention_s, News())

    async def after(self, seconds: float) -> int:
        """How much of the first lane may go after so many more seconds, looked at all along."""
        end_s = self.served_s + seconds
        while self.served_s < end_s:
            self.served_s = min(end_s, self.served_s + RETENTION_S / MARKS_PER_RETENTION)
            await self.retention.round()
        return await self.of(FIRST)

    async def of(self, lane: Lane) -> int:
        """How much of a lane may go now."""
        [stored] = await self.inbox.stored([lane])
        return stored.purge_through


async def test_what_was_held_for_long_enough_may_go_and_what_came_later_not_yet(
    open_engine: Opener, tmp_path: Path
) -> None:
    held = Held(await opened(open_engine, tmp_path))
    await held.inbox.receive(ENTRIES[:2], [])
    assert await held.after(500) == 0
    await held.inbox.receive(ENTRIES[2:], [])
    assert await held.after(499) == 0
    assert await held.after(100) == 2
    assert await held.after(300) == 2
    assert await held.after(300) == 6


async def test_nothing_may_go_while_the_parameter_is_nothing(
    open_engine: Opener, tmp_path: Path
) -> None:
    held = Held(await opened(open_engine, tmp_path), retention_s=0.0)
    await held.inbox.receive(ENTRIES, [])
    assert await held.after(10 * RETENTION_S) == 0
    held.retention_s = RETENTION_S
    assert await held.after(RETENTION_S - 1) == 0
    assert await held.after(100) == 6


async def test_a_longer_retention_holds_back_what_has_not_gone_yet(
    open_engine: Opener, tmp_path: Path
) -> None:
    held = Held(await opened(open_engine, tmp_path))
    await held.inbox.receive(ENTRIES[:3], [])
    assert await held.after(RETENTION_S / 2) == 0
    held.retention_s = 3 * RETENTION_S
    assert await held.after(2 * RETENTION_S) == 0
    assert await held.after(RETENTION_S) == 3


async def test_what_lies_behind_a_gap_or_a_damaged_entry_may_not_go(
    open_engine: Opener, tmp_path: Path
) -> None:
    held = Held(await opened(open_engine, tmp_path))
    await held.inbox.receive([*ENTRIES[:2], *ENTRIES[3:]], [])
    assert await held.after(2 * RETENTION_S) == 2
    await held.inbox.receive([], [ENTRIES[2]])
    assert await held.after(2 * RETENTION_S) == 2
    await held.inbox.receive([ENTRIES[2]], [])
    assert await held.after(RETENTION_S / 2) == 2
    assert await held.after(RETENTION_S) == 6


async def test_what_fills_a_gap_is_held_from_then_on(open_engine: Opener, tmp_path: Path) -> None:
    held = Held(await opened(open_engine, tmp_path))
    await held.inbox.receive(ENTRIES[1:], [])
    await held.after(RETENTION_S - 10)
    await held.inbox.receive(ENTRIES[:1], [])
    assert await held.after(100) == 0
    assert await held.after(RETENTION_S) == 6


async def test_the_marks_are_few_however_long_it_goes_on(
    open_engine: Opener, tmp_path: Path
) -> None:
    held = Held(await opened(open_engine, tmp_path))
    more = entries(FIRST, 3 * MARKS_PER_RETENTION)
    for entry in more:
        await held.inbox.receive([entry], [])
        await held.after(RETENTION_S / MARKS_PER_RETENTION)
    [(marks,)] = await held.inbox.engine.read(
        lambda session: session.all("SELECT count(*) FROM retention_mark")
    )
    assert MARKS_PER_RETENTION <= marks <= MARKS_PER_RETENTION + 2


async def test_lanes_go_independently_and_the_streams_are_told(
    open_engine: Opener, tmp_path: Path
) -> None:
    held = Held(await opened(open_engine, tmp_path))
    await held.inbox.receive(ENTRIES, [])
    await held.after(500)
    await held.inbox.receive(OTHERS, [])
    known = held.inbox.news.version
    assert await held.after(600) == 6
    assert await held.of(SECOND) == 0
    assert held.inbox.changed(known) == [FIRST]
    known = held.inbox.news.version
    await held.after(600)
    assert await held.of(SECOND) == 3
    assert held.inbox.changed(known) == [SECOND]


async def test_a_hole_may_go_with_what_surrounds_it(open_engine: Opener, tmp_path: Path) -> None:
    held = Held(await opened(open_engine, tmp_path))
    await held.inbox.receive(ENTRIES[:2], [])
    await held.inbox.claim([claims(FIRST, 6, first=5)])
    await held.inbox.receive(ENTRIES[4:], [])
    assert await held.after(2 * RETENTION_S) == 6
    assert await alarms(held.inbox) == set()
