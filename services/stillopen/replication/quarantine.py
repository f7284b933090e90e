"""Entries that are here and in no effect: in quarantine, damaged, or in conflict; why, since when.

1. The database itself keeps the list, beside the counts of lanes: an entry is on it for as long as
   it has such a state, and a conflict for ever.
2. What is tried again and fails again for the same reason writes nothing.
3. What is kept of another's error has nothing in it that may be a card's number (`plain`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stillopen.core.journal import Entry, Lane
from stillopen.core.lanes import epoch_text
from stillopen.storage.engine import Row, Session

_KEY = "register_id = new.register_id AND epoch = new.epoch AND sequence = new.sequence"

STEP: tuple[str, ...] = (
    """CREATE TABLE quarantine (
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         digest BLOB NOT NULL,
         state TEXT NOT NULL,
         why TEXT NOT NULL DEFAULT '',
         since_wall_s REAL,
         PRIMARY KEY (register_id, epoch, sequence, digest)) STRICT, WITHOUT ROWID""",
    # By the index of what is not applied: of an old database nothing else is read.
    """INSERT OR IGNORE INTO quarantine (register_id, epoch, sequence, digest, state)
         SELECT register_id, epoch, sequence, digest, state FROM entry
           WHERE state IN ('QUARANTINED', 'DAMAGED')
         UNION ALL SELECT register_id, epoch, sequence, digest, 'CONFLICT' FROM entry_conflict""",
    """CREATE TRIGGER quarantine_came_damaged AFTER INSERT ON entry WHEN new.state = 'DAMAGED' BEGIN
         INSERT OR REPLACE INTO quarantine (register_id, epoch, sequence, digest, state)
           VALUES (new.register_id, new.epoch, new.sequence, new.digest, new.state);
       END""",
    f"""CREATE TRIGGER quarantine_ended AFTER UPDATE OF state ON entry
         WHEN old.state IN ('QUARANTINED', 'DAMAGED') AND new.state <> old.state BEGIN
         DELETE FROM quarantine WHERE {_KEY} AND digest = old.digest AND state = old.state;
       END""",  # noqa: S608 - constants
    """CREATE TRIGGER quarantine_began AFTER UPDATE OF state ON entry
         WHEN new.state = 'QUARANTINED' AND old.state <> 'QUARANTINED' BEGIN
         INSERT OR REPLACE INTO quarantine (register_id, epoch, sequence, digest, state)
           VALUES (new.register_id, new.epoch, new.sequence, new.digest, new.state);
       END""",
    """CREATE TRIGGER quarantine_conflict AFTER INSERT ON entry_conflict BEGIN
         INSERT OR REPLACE INTO quarantine (register_id, epoch, sequence, digest, state)
           VALUES (new.register_id, new.epoch, new.sequence, new.digest, 'CONFLICT');
       END""",
)
"""The statements that make the table; a schema has them in a step behind that of the inbox."""

BYTES_MAX = 8 * 2**20
"""At most so much is read of entries at once, or one entry."""
WHY_MAX = 300
"""No more is kept of what an error says."""
DAMAGED = "its bytes do not fit their digest"
CONFLICT = "another entry has its place in the journal"

_WHICH = (
    "q.state = 'QUARANTINED' AND (q.register_id, q.epoch, q.sequence) > (?1, ?2, ?3)"
    " AND (?4 = '' OR q.register_id = ?4)"
    " AND (?5 = '' OR (q.register_id = ?5 AND q.epoch = ?6 AND q.sequence = ?7))"
)
_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9]){7,}")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A stored entry and the order in which it came."""

    arrival: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Which:
    """Entries in quarantine: one, those of a register, or all."""

    register_id: str = ""
    lane: Lane | None = None
    sequence: int = 0


EVERY = Which()

Place = tuple[str, str, int]
"""Where an entry stands: its register, its epoch as the database has it, its sequence."""
BEGINNING: Place = ("", "", 0)


def place_of(entry: Entry) -> Place:
    """Where an entry stands."""
    return entry.lane.register_id, epoch_text(entry.lane.epoch), entry.sequence


def plain(said: str) -> str:
    """What an error said, as a reason: one short line without anything like a card's number."""
    return _NUMBER.sub("...", " ".join(said.split()))[:WHY_MAX]


def put_in(session: Session, wrong: Iterable[tuple[Arrived, str]], wall_s: float) -> None:
    """Puts entries into quarantine, each with its reason, or has those there say another reason."""
    for arrived, why in wrong:
        began = session.run(
            "UPDATE entry SET state = 'QUARANTINED' WHERE arrival = ? AND state = 'STORED'",
            arrived.arrival,
        )
        session.run(
            "UPDATE quarantine SET why = ?5, since_wall_s = iif(?6, ?7, since_wall_s)"
            " WHERE register_id = ?1 AND epoch = ?2 AND sequence = ?3 AND digest = ?4"
            " AND state = 'QUARANTINED' AND (why <> ?5 OR ?6)",
            *place_of(arrived.entry),
            arrived.entry.digest,
            why,
            began,
            wall_s,
        )


def explain(session: Session, entries: Iterable[Entry], state: str, wall_s: float) -> None:
    """Says since when entries that just came are damaged or in conflict, where they are."""
    why = DAMAGED if state == "DAMAGED" else CONFLICT
    session.run_many(
        "UPDATE quarantine SET why = ?6, since_wall_s = ?7 WHERE register_id = ?1 AND epoch = ?2"
        " AND sequence = ?3 AND digest = ?4 AND state = ?5 AND why = ''",
        [(*place_of(each), each.digest, state, why, wall_s) for each in entries],
    )


def in_quarantine(
    session: Session, which: Which, after: Place, limit: int
) -> list[tuple[Arrived, str]]:
    """Entries in quarantine by their places, behind `after`, each with its reason."""
    rows = session.each(
        "SELECT e.arrival, e.register_id, e.epoch, e.sequence, e.parent_digest, e.digest,"  # noqa: S608
        " e.payload, q.why FROM quarantine q CROSS JOIN entry e ON e.register_id = q.register_id"
        f" AND e.epoch = q.epoch AND e.sequence = q.sequence WHERE {_WHICH}"
        " ORDER BY q.register_id, q.epoch, q.sequence LIMIT ?8",
        *_values(which, after),
        limit,
    )
    return [(arrived_of(row), row[7]) for row in bounded(rows, 6)]


def count(session: Session, which: Which, after: Place = BEGINNING) -> int:
    """How many entries are in quarantine behind a place."""
    [(found,)] = session.all(
        f"SELECT count(*) FROM quarantine q WHERE {_WHICH}",  # noqa: S608 - constants
        *_values(which, after),
    )
    return int(found)


def _values(which: Which, after: Place) -> tuple[str | int, ...]:
    lane = (which.lane.register_id, epoch_text(which.lane.epoch)) if which.lane else ("", "")
    begins = max(after, (which.register_id, "", 0), (*lane, which.sequence - 1))
    return *begins, which.register_id, *lane, which.sequence


def bounded(rows: Iterable[Row], large: int) -> list[Row]:
    """As many rows as have their large column within what is read at once, at least one."""
    found: list[Row] = []
    size = 0
    for row in rows:
        size += len(row[large])
        if found and size > BYTES_MAX:
            break
        found.append(row)
    return found


def arrived_of(row: Row) -> Arrived:
    """An entry and its arrival, from their columns."""
    lane = Lane(row[1], int(row[2], 16))
    return Arrived(row[0], Entry(lane, row[3], row[4], row[5], row[6]))
