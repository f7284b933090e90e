"""How long headquarters has held entries, and so which of them registers may delete.

1. Time is counted in seconds served: down-time and jumps of the wall clock make nothing older.
2. A mark says what had arrived at a moment; the marks are few, however many entries there are.
3. `purge_through` never passes an entry that arrived after the newest mark that is old enough, one
   that came damaged, or a gap. It never goes back.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from stillopen.core.errors import StillopenError
from stillopen.core.journal import Lane
from stillopen.replication.inbox import Inbox
from stillopen.replication.news import News
from stillopen.replication.served import ServedClock
from stillopen.storage.engine import Session

LOG = logging.getLogger("stillopen.headquarters")
MARKS_PER_RETENTION = 48
MARKS_MAX = 200
ROUND_MAX_S = 60.0
ROUND_MIN_S = 0.05
AT_ONCE = 2_000
"""Entries looked at in one transaction; others wait no longer than that takes."""

STEP: tuple[str, ...] = (
    """CREATE TABLE retention (
         id INTEGER PRIMARY KEY CHECK (id = 1),
         served_s REAL NOT NULL,
         looked_through INTEGER NOT NULL) STRICT""",
    "INSERT INTO retention VALUES (1, 0.0, 0)",
    """CREATE TABLE retention_mark (
         arrival INTEGER PRIMARY KEY,
         served_s REAL NOT NULL) STRICT""",
)
"""The statements that make the tables: the clock and how far was looked, and the marks."""


class Retention:
    """Moves `purge_through` on. Open with `open_retention`."""

    def __init__(
        self,
        inbox: Inbox,
        served_s: Callable[[], float],
        retention_s: Callable[[], float],
        news: News,
    ) -> None:
        self._inbox = inbox
        self._served_s = served_s
        self._retention_s = retention_s
        self._news = news
        """Told when the parameter may be another."""

    async def run(self) -> None:
        """Goes on for as long as the process runs; what cannot be done now, later."""
        while True:
            version = self._news.version
            try:
                await self.round()
            except StillopenError as error:
                LOG.error("retention waits: %s", error)  # noqa: TRY400 - said in the message
            pause_s = min(ROUND_MAX_S, max(ROUND_MIN_S, _between_marks_s(self._retention_s())))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._news.after(version)

    async def round(self) -> None:
        """Saves the clock, and moves `purge_through` of every lane as far as it may go."""
        now_s, retention_s = self._served_s(), self._retention_s()
        engine = self._inbox.engine
        old = await engine.write(lambda session: _mark(session, now_s, retention_s))
        while old is not None:
            moved = await engine.write(partial(_move, old=old))
            if moved is None:
                return
            if moved:
                self._inbox.changes.tell(moved)


async def open_retention(inbox: Inbox, retention_s: Callable[[], float], news: News) -> Retention:
    """The retention of an open database, its clock resumed from the saved value."""
    [(served_s,)] = await inbox.engine.read(
        lambda session: session.all("SELECT served_s FROM retention")
    )
    return Retention(inbox, ServedClock(served_s).now_s, retention_s, news)


def _between_marks_s(retention_s: float) -> float:
    return retention_s / MARKS_PER_RETENTION if retention_s else ROUND_MAX_S


def _mark(session: Session, now_s: float, retention_s: float) -> int | None:
    """Marks this moment when it is time to; returns the last arrival that is old enough."""
    session.run("UPDATE retention SET served_s = max(served_s, ?)", now_s)
    if not retention_s:
        return None
    [(newest,)] = session.all("SELECT max(served_s) FROM retention_mark")
    if newest is None or now_s - newest >= _between_marks_s(retention_s):
        session.run(
            "INSERT INTO retention_mark SELECT arrival, ?1 FROM entry WHERE true"
            " ORDER BY arrival DESC LIMIT 1 ON CONFLICT DO NOTHING",
            now_s,
        )
    [(old,)] = session.all(
        "SELECT max(arrival) FROM retention_mark WHERE served_s <= ?", now_s - retention_s
    )
    session.run(
        "DELETE FROM retention_mark WHERE arrival < ?1 OR arrival NOT IN"
        " (SELECT arrival FROM retention_mark ORDER BY arrival DESC LIMIT ?2)",
        old or 0,
        MARKS_MAX,
    )
    return int(old) if old is not None else None


def _move(session: Session, old: int) -> list[Lane] | None:
    """Moves the lanes of the next entries; nothing when all that are old enough were looked at."""
    [(after,)] = session.all("SELECT looked_through FROM retention")
    if after >= old:
        return None
    upto = min(old, after + AT_ONCE)
    keys = session.all(
        "SELECT DISTINCT register_id, epoch FROM entry WHERE arrival > ? AND arrival <= ?",
        after,
        upto,
    )
    moved = [
        Lane(register_id, int(epoch, 16))
        for register_id, epoch in keys
        if _move_lane(session, register_id, epoch, old)
    ]
    session.run("UPDATE retention SET looked_through = ?", upto)
    return moved


def _move_lane(session: Session, register_id: str, epoch: str, old: int) -> bool:
    [(through, purge_through)] = session.all(
        "SELECT through, purge_through FROM lane WHERE register_id = ? AND epoch = ?",
        register_id,
        epoch,
    )
    stop = session.one(
        "SELECT sequence FROM entry WHERE register_id = ? AND epoch = ? AND sequence > ?"
        " AND (arrival > ? OR state = 'DAMAGED') ORDER BY sequence LIMIT 1",
        register_id,
        epoch,
        purge_through,
        old,
    )
    may_go = min(through, stop[0] - 1) if stop else through
    return may_go > purge_through and bool(
        session.run(
            "UPDATE lane SET purge_through = ? WHERE register_id = ? AND epoch = ?",
            may_go,
            register_id,
            epoch,
        )
    )
