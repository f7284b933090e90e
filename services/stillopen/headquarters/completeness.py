"""Completeness: lane by lane, what came home and what is missing."""

from stillopen.headquarters.lanes import actions, alarms
from stillopen.replication.inbox import Inbox
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2
from stillopen.v1.headquarters_pb2 import LaneAlarm

Actions = dict[str, list[headquarters_pb2.LaneAction]]


async def completeness(
    inbox: Inbox, register_id: str, recovering: str
) -> headquarters_pb2.GetCompletenessResponse:
    """Every lane of one register, or of all."""

    def read(session: Session) -> tuple[list[Row], list[LaneAlarm], Actions]:
        rows = session.all(
            """SELECT lane.register_id, epoch, head, through, contact_wall_s, first,
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch),
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch AND e.state = 'APPLIED'),
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch AND e.state = 'QUARANTINED'),
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch AND e.state = 'DAMAGED'),
                 (SELECT count(*) FROM entry_conflict c WHERE c.register_id = lane.register_id
                    AND c.epoch = lane.epoch),
                 purge_through, recover_to, parent_epoch,
                 coalesce((SELECT l.received_head >= lane.through FROM lost_lane l
                    WHERE l.register_id = lane.register_id AND l.epoch = lane.epoch), 0)
               FROM lane WHERE ?1 = '' OR register_id = ?1 ORDER BY register_id, epoch""",
            register_id,
        )
        done = actions(session, register_id) if register_id else {}
        return rows, alarms(session, register_id), done

    rows, raised, done = await inbox.engine.read(read)
    of_lane: dict[tuple[str, int], list[LaneAlarm]] = {
        (row[0], int(row[1], 16)): [] for row in rows
    }
    others: list[LaneAlarm] = []
    for alarm in raised:
        of_lane.get((alarm.register_id, alarm.epoch), others).append(alarm)
    return headquarters_pb2.GetCompletenessResponse(
        lanes=[_lane(row, of_lane[row[0], int(row[1], 16)], done.get(row[1], [])) for row in rows],
        complete=all(map(_is_complete, rows)),
        recovering=recovering,
        other_alarms=others,
    )


def _lane(
    row: Row, raised: list[LaneAlarm], done: list[headquarters_pb2.LaneAction]
) -> headquarters_pb2.LaneCompleteness:
    return headquarters_pb2.LaneCompleteness(
        register_id=row[0],
        epoch=int(row[1], 16),
        claimed_head=row[2],
        stored_through=row[3],
        last_contact_time=time_to(row[4]),
        stored=row[6],
        applied=row[7],
        quarantined=row[8],
        damaged=row[9],
        conflicts=row[10],
        purge_through=row[11],
        recover_to=row[12] if row[12] > row[3] else 0,
        parent_epoch=int(row[13] or "0", 16),
        declared_lost=bool(row[14]),
        alarms=raised,
        actions=done,
    )


def _is_complete(row: Row) -> bool:
    head, through, stored, applied, conflicts = (row[i] for i in (2, 3, 6, 7, 10))
    declared_lost = bool(row[14])
    return declared_lost or (head == through == stored == applied and conflicts == 0)
