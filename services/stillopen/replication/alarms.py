"""Alarms of lanes, kept by whoever receives them: seen once, for people, never a refusal."""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from stillopen.core.journal import Entry, Lane
from stillopen.core.lanes import (
    TOLD_ON,
    Alarm,
    AlarmKind,
    Parent,
    epoch_text,
    goes_on,
    same_parent,
)
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

STEP: tuple[str, ...] = (
    """CREATE TABLE lane_alarm (
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         kind TEXT NOT NULL,
         detail TEXT NOT NULL,
         seen_wall_s REAL NOT NULL,
         acknowledged_by TEXT NOT NULL DEFAULT '',
         acknowledged_reason TEXT NOT NULL DEFAULT '',
         acknowledged_wall_s REAL NOT NULL DEFAULT 0,
         PRIMARY KEY (register_id, epoch, kind)) STRICT, WITHOUT ROWID""",
    "ALTER TABLE lane ADD COLUMN parent_epoch TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE lane ADD COLUMN parent_sequence INTEGER NOT NULL DEFAULT 0",
    """CREATE INDEX lane_by_parent ON lane (register_id, parent_epoch, parent_sequence)
         WHERE parent_epoch <> ''""",
)
"""The statements that make the tables; `parent_epoch` is empty until the first entry is here."""

SEQUENCE_MAX = 2**63 - 1
"""What a database holds; `check_shape` refuses an entry beyond it."""


def raise_alarm(session: Session, alarm: Alarm | None, wall_s: float) -> bool:
    """Keeps an alarm, unless it is there already; returns whether it is new."""
    if alarm is None:
        return False
    return (
        session.run(
            "INSERT INTO lane_alarm (register_id, epoch, kind, detail, seen_wall_s)"
            " VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
            alarm.lane.register_id,
            epoch_text(alarm.lane.epoch),
            str(alarm.kind),
            alarm.detail,
            wall_s,
        )
        > 0
    )


def note_parent(session: Session, first: Entry, wall_s: float) -> None:
    """Keeps where a lane goes on from, and compares it with the register's other lanes. Once."""
    parent = parent_of(first)
    if parent is None:
        return
    lane, epoch = first.lane, epoch_text(parent.epoch)
    noted = session.run(
        "UPDATE lane SET parent_epoch = ?, parent_sequence = ? WHERE register_id = ? AND epoch = ?"
        " AND parent_epoch = ''",
        epoch,
        parent.sequence,
        lane.register_id,
        epoch_text(lane.epoch),
    )
    if not noted:
        return
    other = session.one(
        "SELECT epoch FROM lane WHERE register_id = ? AND parent_epoch = ? AND parent_sequence = ?"
        " AND epoch <> ? AND parent_epoch <> '' LIMIT 1",
        lane.register_id,
        epoch,
        parent.sequence,
        epoch_text(lane.epoch),
    )
    if other is not None:
        raise_alarm(session, same_parent(lane, parent, int(other[0], 16)), wall_s)
    before = session.one(
        "SELECT head FROM lane WHERE register_id = ? AND epoch = ?", lane.register_id, epoch
    )
    if before is not None:
        longer = Lane(lane.register_id, parent.epoch)
        raise_alarm(session, goes_on(longer, before[0], lane.epoch, parent.sequence), wall_s)


def note_growth(session: Session, lane: Lane, head: int, wall_s: float) -> None:
    """Compares a lane that became longer with the one that follows it."""
    child = session.one(
        "SELECT epoch, parent_sequence FROM lane WHERE register_id = ? AND parent_epoch = ?"
        " AND parent_epoch <> '' ORDER BY parent_sequence LIMIT 1",
        lane.register_id,
        epoch_text(lane.epoch),
    )
    if child is not None:
        raise_alarm(session, goes_on(lane, head, int(child[0], 16), child[1]), wall_s)


def note_conflicts(session: Session, lanes: Iterable[Lane], wall_s: float) -> None:
    """Raises an alarm for lanes that have two entries under one key."""
    for lane in lanes:
        row = session.one(
            "SELECT sequence FROM entry_conflict WHERE register_id = ? AND epoch = ? LIMIT 1",
            lane.register_id,
            epoch_text(lane.epoch),
        )
        if row is not None:
            detail = f"entry {row[0]} came twice with different contents; both are kept"
            raise_alarm(session, Alarm(lane, AlarmKind.CONFLICT, detail), wall_s)


def told_on(session: Session, register_id: str, epoch: str) -> tuple[str, ...]:
    """What a lane's register must be told on for."""
    rows = session.all(
        "SELECT kind FROM lane_alarm WHERE register_id = ? AND epoch = ?", register_id, epoch
    )
    return tuple(row[0] for row in rows if row[0] in TOLD_ON)


def parent_of(first: Entry) -> Parent | None:
    """Where a lane goes on from, by its first entry; nothing when that cannot be read."""
    try:
        record = types_pb2.JournalRecord.FromString(first.payload)
    except DecodeError:
        return None
    if record.parent.sequence > SEQUENCE_MAX:
        return None  # no lane is so long: whoever wrote it says nothing of its parent
    return Parent(record.parent.epoch, record.parent.sequence)
