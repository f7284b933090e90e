"""What people do about lanes: acknowledge alarms, give up waiting, declare a lane lost.

Each is kept with who, why and when, and none of them refuses an entry that comes later.
"""

from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_name
from stillopen.core.journal import Lane
from stillopen.core.lanes import epoch_text
from stillopen.headquarters.processor import TIMEOUT_S
from stillopen.replication.inbox import Inbox
from stillopen.replication.lanes import lane_key, recovering
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2, realtime_pb2, realtime_pb2_grpc, types_pb2

STEP: tuple[str, ...] = (
    """CREATE TABLE lost_lane (
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         person TEXT NOT NULL,
         reason TEXT NOT NULL,
         wall_s REAL NOT NULL,
         claimed_head INTEGER NOT NULL,
         received_head INTEGER NOT NULL,
         locks BLOB NOT NULL,
         PRIMARY KEY (register_id, epoch)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE lane_action (
         action_id INTEGER PRIMARY KEY,
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         action TEXT NOT NULL,
         person TEXT NOT NULL,
         reason TEXT NOT NULL,
         wall_s REAL NOT NULL) STRICT""",
    "CREATE INDEX lane_action_of_register ON lane_action (register_id, epoch)",
)

ACTIONS_MAX = 1_000
_KIND = "LANE_ALARM_KIND_"
_ALARM = (
    "register_id, epoch, kind, detail, seen_wall_s, acknowledged_by, acknowledged_reason,"
    " acknowledged_wall_s"
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who does something, and why."""

    name: str
    reason: str

    def __post_init__(self) -> None:
        """A reason is part of it."""
        check_name(self.reason, "reason")


async def acknowledge(
    inbox: Inbox, lane: Lane, kind: types_pb2.LaneAlarmKind.ValueType, person: Person
) -> headquarters_pb2.LaneAlarm:
    """Notes that somebody has seen an alarm; Refused LANE_UNKNOWN when there is none."""
    wall_s = inbox.wall_s()
    known = kind in types_pb2.LaneAlarmKind.values()
    name = types_pb2.LaneAlarmKind.Name(kind).removeprefix(_KIND) if known else ""

    def put(session: Session) -> Row | None:
        values = (*lane_key(lane), name)
        if session.run(
            "UPDATE lane_alarm SET acknowledged_by = ?4, acknowledged_reason = ?5,"
            " acknowledged_wall_s = ?6 WHERE register_id = ?1 AND epoch = ?2 AND kind = ?3"
            " AND acknowledged_by = ''",
            *values,
            person.name,
            person.reason,
            wall_s,
        ):
            _note(session, lane, "ACKNOWLEDGE_ALARM", person, wall_s)
        return session.one(
            f"SELECT {_ALARM} FROM lane_alarm"  # noqa: S608 - constants
            " WHERE register_id = ? AND epoch = ? AND kind = ?",
            *values,
        )

    row = await inbox.engine.write(put)
    if row is None:
        raise Refused(Reason.LANE_UNKNOWN, "there is no such alarm")
    return _alarm(row)


async def end_recovery(inbox: Inbox, person: Person) -> list[types_pb2.JournalPosition]:
    """Waits no longer for what a restore lost; returns the lanes and how far they had been."""
    wall_s = inbox.wall_s()

    def put(session: Session) -> list[Row]:
        rows = recovering(session)
        for register_id, epoch, _, _ in rows:
            lane = Lane(register_id, int(epoch, 16))
            _give_up(session, lane)
            _note(session, lane, "END_RECOVERY", person, wall_s)
        return rows

    rows = await inbox.engine.write(put)
    await inbox.look_for_recovery()
    return [
        types_pb2.JournalPosition(register_id=r[0], epoch=int(r[1], 16), sequence=r[3])
        for r in rows
    ]


async def declare_lost(
    inbox: Inbox, lane: Lane, person: Person, locks: list[realtime_pb2.OpenLock]
) -> headquarters_pb2.LostLane:
    """Keeps that a lane is lost; the first record stays until something came back.

    Refused LANE_UNKNOWN. What comes later is taken all the same.
    """
    wall_s = inbox.wall_s()
    kept = realtime_pb2.ListLocksResponse(locks=locks).SerializeToString()

    def put(session: Session) -> None:
        row = session.one(
            "SELECT head, through FROM lane WHERE register_id = ? AND epoch = ?", *lane_key(lane)
        )
        if row is None:
            raise Refused(Reason.LANE_UNKNOWN, "headquarters knows no such lane")
        if session.run(
            "INSERT INTO lost_lane VALUES (?,?,?,?,?,?,?,?)"
            " ON CONFLICT (register_id, epoch) DO UPDATE SET person = excluded.person,"
            " reason = excluded.reason, wall_s = excluded.wall_s,"
            " claimed_head = excluded.claimed_head, received_head = excluded.received_head,"
            " locks = excluded.locks WHERE excluded.received_head > lost_lane.received_head",
            *lane_key(lane),
            person.name,
            person.reason,
            wall_s,
            row[0],
            row[1],
            kept,
        ):
            _give_up(session, lane)
            _note(session, lane, "DECLARE_LOST", person, wall_s)

    await inbox.engine.write(put)
    await inbox.look_for_recovery()
    return next(
        found for found in await lost_lanes(inbox, lane.register_id) if found.epoch == lane.epoch
    )


async def lost_lanes(inbox: Inbox, register_id: str) -> list[headquarters_pb2.LostLane]:
    """The lanes that were declared lost, of one register or of all, oldest first."""

    def read(session: Session) -> list[Row]:
        return session.all(
            "SELECT register_id, epoch, person, reason, wall_s, claimed_head, received_head, locks,"
            " through FROM lost_lane JOIN lane USING (register_id, epoch)"
            " WHERE ?1 = '' OR register_id = ?1 ORDER BY wall_s, register_id, epoch",
            register_id,
        )

    return [
        headquarters_pb2.LostLane(
            register_id=row[0],
            epoch=int(row[1], 16),
            person=row[2],
            reason=row[3],
            declared_time=time_to(row[4]),
            claimed_head=row[5],
            received_head=row[6],
            locks=realtime_pb2.ListLocksResponse.FromString(row[7]).locks,
            came_back=row[8] > row[6],
            stored_through=row[8],
        )
        for row in await inbox.engine.read(read)
    ]


async def open_locks(
    realtime: realtime_pb2_grpc.RealtimeServiceStub, register_id: str, house: Caller
) -> list[realtime_pb2.OpenLock]:
    """Every card lock that a register holds now."""
    found: list[realtime_pb2.OpenLock] = []
    request = realtime_pb2.ListLocksRequest()
    while True:
        page = await call(realtime.ListLocks, request, house, TIMEOUT_S)
        found += [each for each in page.locks if each.register_id == register_id]
        if not page.next_page_token:
            return found
        request = realtime_pb2.ListLocksRequest(page_token=page.next_page_token)


def alarms(session: Session, register_id: str) -> list[headquarters_pb2.LaneAlarm]:
    """The alarms of one register, or of all, oldest first."""
    rows = session.all(
        f"SELECT {_ALARM} FROM lane_alarm"  # noqa: S608 - constants
        " WHERE ?1 = '' OR register_id = ?1 ORDER BY seen_wall_s, register_id, epoch, kind",
        register_id,
    )
    return [_alarm(row) for row in rows]


def actions(session: Session, register_id: str) -> dict[str, list[headquarters_pb2.LaneAction]]:
    """What people did about the lanes of a register, by epoch, oldest first."""
    rows = session.all(
        "SELECT epoch, action, person, reason, wall_s FROM lane_action WHERE register_id = ?"
        " ORDER BY action_id LIMIT ?",
        register_id,
        ACTIONS_MAX,
    )
    found: dict[str, list[headquarters_pb2.LaneAction]] = {}
    for epoch, action, person, reason, wall_s in rows:
        found.setdefault(epoch, []).append(
            headquarters_pb2.LaneAction(
                action=action, person=person, reason=reason, time=time_to(wall_s)
            )
        )
    return found


def _alarm(row: Row) -> headquarters_pb2.LaneAlarm:
    return headquarters_pb2.LaneAlarm(
        register_id=row[0],
        epoch=int(row[1], 16),
        kind=types_pb2.LaneAlarmKind.Value(f"{_KIND}{row[2]}"),
        detail=row[3],
        first_seen_time=time_to(row[4]),
        acknowledged_by=row[5],
        acknowledged_reason=row[6],
        acknowledged_time=time_to(row[7]) if row[5] else None,
    )


def _give_up(session: Session, lane: Lane) -> None:
    """What the lane once was is not waited for again."""
    session.run(
        "UPDATE lane SET recover_waived = max(recover_waived, recover_to), recover_to = 0"
        " WHERE register_id = ? AND epoch = ?",
        *lane_key(lane),
    )


def _note(session: Session, lane: Lane, action: str, person: Person, wall_s: float) -> None:
    session.run(
        "INSERT INTO lane_action (register_id, epoch, action, person, reason, wall_s)"
        " VALUES (?,?,?,?,?,?)",
        lane.register_id,
        epoch_text(lane.epoch),
        action,
        person.name,
        person.reason,
        wall_s,
    )
