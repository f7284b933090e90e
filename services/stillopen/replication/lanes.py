"""Lanes as a server knows them: how far each is here, what was claimed of it, what is missing.

1. `through` is the last entry before the first gap that may still be filled; it never goes back.
2. What its sender can no longer send is a hole: recorded, and the lane goes on behind it.
3. At headquarters a lane with `through` below `recover_to` is waited for since a restore.
"""

from stillopen.core.journal import Head, Lane, Stored
from stillopen.core.lanes import HOLES_MAX, Alarm, AlarmKind, epoch_text, recover_to, shorter
from stillopen.replication.alarms import STEP as ALARMS_STEP
from stillopen.replication.alarms import note_growth, raise_alarm, told_on
from stillopen.storage.engine import Row, Session

STEP: tuple[str, ...] = (
    *ALARMS_STEP,
    "ALTER TABLE lane ADD COLUMN believed INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE lane ADD COLUMN recover_to INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE lane ADD COLUMN recover_waived INTEGER NOT NULL DEFAULT 0",
    """CREATE INDEX lane_unfinished ON lane (register_id, epoch)
         WHERE headquarters_through < head""",
    "CREATE INDEX lane_recovering ON lane (register_id, epoch) WHERE through < recover_to",
    """CREATE TABLE lane_hole (
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         first INTEGER NOT NULL,
         last INTEGER NOT NULL,
         PRIMARY KEY (register_id, epoch, first)) STRICT, WITHOUT ROWID""",
)
"""The statements that make the tables, after those of the inbox and in a step of their own."""

_STORED = "through, headquarters_through, purge_through, headquarters_knows"
_HEADS = (
    "SELECT lane.register_id, lane.epoch, lane.first, lane.through, coalesce(entry.digest, x''),"
    " max(lane.headquarters_through, lane.believed), lane.head FROM lane LEFT JOIN entry ON"
    " entry.register_id = lane.register_id AND entry.epoch = lane.epoch"
    " AND entry.sequence = lane.through"
)
_NEEDED = f"{_HEADS} WHERE lane.purge_through < lane.head"
_UNFINISHED = f"{_HEADS} WHERE lane.headquarters_through < lane.head"
_ONE = f"{_HEADS} WHERE lane.register_id = ? AND lane.epoch = ?"


def lane_key(lane: Lane) -> tuple[str, str]:
    """A lane's key in the database."""
    return lane.register_id, epoch_text(lane.epoch)


def is_new(session: Session, lanes: list[Lane]) -> bool:
    """Whether one of them was never heard of: a register's process says its first word."""
    query = "SELECT 1 FROM lane WHERE register_id = ? AND epoch = ?"
    return any(not session.one(query, *lane_key(lane)) for lane in lanes)


def claim(
    session: Session, head: Head, wall_s: float, *, last: bool, compares: bool = False
) -> bool:
    """Notes a claim; returns whether more is known of the lane's entries than before.

    `compares` says that a claim of less is an alarm.
    """
    key = lane_key(head.lane)
    row = session.one(
        "SELECT through, head, recover_waived FROM lane WHERE register_id = ? AND epoch = ?", *key
    )
    if row is None:
        session.run(
            "INSERT INTO lane (register_id, epoch, first, head, head_digest, through,"
            " headquarters_through, headquarters_knows, purge_through, contact_wall_s)"
            " VALUES (?,?,?,0,x'',0,0,?,0,?)",
            *key,
            max(1, head.first),
            int(last),
            wall_s,
        )
    through, before, waived = row or (0, 0, 0)
    session.run(
        "UPDATE lane SET contact_wall_s = iif(?3, ?4, contact_wall_s),"
        " believed = max(believed, ?5),"  # a register may take down what it was told, not we
        " head_digest = iif(?6 > head, ?7, head_digest), head = max(head, ?6)"
        " WHERE register_id = ?1 AND epoch = ?2",
        *key,
        int(head.heard),
        wall_s,
        head.believed,
        head.length,
        head.digest if head.length == head.last else b"",
    )
    if last:
        if target := recover_to(head, through, waived):
            session.run(
                "UPDATE lane SET recover_to = max(recover_to, ?3)"
                " WHERE register_id = ?1 AND epoch = ?2",
                *key,
                target,
            )
        for kind in head.alarms:
            detail = "seen by the channel of the register"
            raise_alarm(session, Alarm(head.lane, AlarmKind(kind), detail), wall_s)
    elif compares:
        raise_alarm(session, shorter(head, before, through), wall_s)
    if head.length > before:
        note_growth(session, head.lane, head.length, wall_s)
    moved = _note_holes(session, head, through, last=last)
    return row is None or moved


def _note_holes(session: Session, head: Head, through: int, *, last: bool) -> bool:
    """Records what will never come, and goes on behind it."""
    missing = [(through + 1, head.first - 1), *head.missing]
    holes = [(*lane_key(head.lane), a, b) for a, b in missing if max(a - 1, through) < b]
    if not holes:
        return False
    session.run_many("INSERT INTO lane_hole VALUES (?,?,?,?) ON CONFLICT DO NOTHING", holes)
    return advance(session, head.lane, last=last) > through


def advance(session: Session, lane: Lane, *, last: bool) -> int:
    """Moves `through` on to the first gap, and returns it."""
    key = lane_key(lane)
    [(before,)] = session.all("SELECT through FROM lane WHERE register_id = ? AND epoch = ?", *key)
    through, start = before, -1
    while through != start:
        start = through
        [(run,)] = session.all(
            "WITH RECURSIVE run(n) AS (SELECT ?3 UNION ALL SELECT n + 1 FROM run WHERE EXISTS"
            " (SELECT 1 FROM entry WHERE register_id = ?1 AND epoch = ?2 AND sequence = n + 1))"
            " SELECT max(n) FROM run",
            *key,
            start,
        )
        [(hole,)] = session.all(
            "SELECT coalesce(max(last), 0) FROM lane_hole WHERE register_id = ? AND epoch = ?"
            " AND first <= ?",
            *key,
            run + 1,
        )
        through = max(run, hole)
        if through == run:
            break
    session.run(
        "UPDATE lane SET through = ?3, head = max(head, ?3),"
        " headquarters_through = iif(?4, ?3, headquarters_through)"
        " WHERE register_id = ?1 AND epoch = ?2",
        *key,
        through,
        int(last),
    )
    return int(through)


def begin(session: Session, lane: Lane, wall_s: float, *, last: bool) -> None:
    """Makes a lane known whose entries come before any claim of it."""
    if not session.one("SELECT 1 FROM lane WHERE register_id = ? AND epoch = ?", *lane_key(lane)):
        claim(session, Head(lane, 1, 0), wall_s, last=last)


def arrived(
    session: Session, lane: Lane, wall_s: float, *, last: bool, heard_s: float | None = None
) -> Stored:
    """Takes note of entries that were stored in a lane that is known; what is here now.

    Its register was heard now, or at `heard_s` when it was not heard later.
    """
    key = lane_key(lane)
    [(head,)] = session.all("SELECT head FROM lane WHERE register_id = ? AND epoch = ?", *key)
    through = advance(session, lane, last=last)
    session.run(
        "UPDATE lane SET contact_wall_s = coalesce(max(contact_wall_s, ?4), ?3)"
        " WHERE register_id = ?1 AND epoch = ?2",
        *key,
        wall_s,
        heard_s,
    )
    if through > head:
        note_growth(session, lane, through, wall_s)
    return stored(session, lane)


def stored(session: Session, lane: Lane) -> Stored:
    """What is here of a lane."""
    row = session.one(
        f"SELECT {_STORED} FROM lane WHERE register_id = ? AND epoch = ?",  # noqa: S608 - constants
        *lane_key(lane),
    )
    if row is None:
        return Stored(lane, 0, 0)
    return Stored(lane, row[0], row[1], row[2], bool(row[3]))


def heads(session: Session, also: list[Lane]) -> list[Head]:
    """Every lane that headquarters may lack something of, restored or not, and some others."""
    return _with(session, session.all(_NEEDED), also)


def unfinished(session: Session, also: list[Lane]) -> list[Head]:
    """The lanes that headquarters lacks something of, and some others."""
    return _with(session, session.all(_UNFINISHED), also)


def _with(session: Session, found: list[Row], also: list[Lane]) -> list[Head]:
    rows = {row[:2]: row for row in found}
    for key in (lane_key(lane) for lane in also):
        if key not in rows and (row := session.one(_ONE, *key)):
            rows[key] = row
    return [_head(session, row) for row in rows.values()]


def _head(session: Session, row: Row) -> Head:
    register_id, epoch, first, through, digest, believed, claimed = row
    missing = session.all(
        "SELECT first, last FROM lane_hole WHERE register_id = ? AND epoch = ? AND last >= ?"
        " AND last <= ? ORDER BY first DESC LIMIT ?",
        register_id,
        epoch,
        first,
        through,
        HOLES_MAX,
    )
    return Head(
        Lane(register_id, int(epoch, 16)),
        first,
        through,
        digest,
        believed,
        claimed if claimed > through else 0,
        heard=False,
        missing=tuple((a, b) for a, b in reversed(missing)),
        alarms=told_on(session, register_id, epoch),
    )


def recovering(session: Session) -> list[Row]:
    """Lanes that headquarters waits for: register, epoch, what is here, what was."""
    return session.all(
        "SELECT register_id, epoch, through, recover_to FROM lane INDEXED BY lane_recovering"
        " WHERE through < recover_to ORDER BY register_id, epoch"
    )
