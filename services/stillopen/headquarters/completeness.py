"""Completeness: lane by lane, what came home and what is missing."""

from stillopen.replication.inbox import Inbox
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2


async def completeness(inbox: Inbox, register_id: str) -> headquarters_pb2.GetCompletenessResponse:
    """Every lane of one register, or of all."""

    def read(session: Session) -> list[Row]:
        return session.all(
            """SELECT register_id, epoch, head, through, contact_wall_s, first,
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch),
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch AND e.state = 'APPLIED'),
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch AND e.state = 'QUARANTINED'),
                 (SELECT count(*) FROM entry e WHERE e.register_id = lane.register_id
                    AND e.epoch = lane.epoch AND e.state = 'DAMAGED'),
                 (SELECT count(*) FROM entry_conflict c WHERE c.register_id = lane.register_id
                    AND c.epoch = lane.epoch)
               FROM lane WHERE ?1 = '' OR register_id = ?1 ORDER BY register_id, epoch""",
            register_id,
        )

    rows = await inbox.engine.read(read)
    return headquarters_pb2.GetCompletenessResponse(
        lanes=[_lane(row) for row in rows], complete=all(map(_is_complete, rows))
    )


def _lane(row: Row) -> headquarters_pb2.LaneCompleteness:
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
    )


def _is_complete(row: Row) -> bool:
    head, through, first, stored, applied, conflicts = (row[i] for i in (2, 3, 5, 6, 7, 10))
    return bool(first == 1 and head == through == stored == applied and conflicts == 0)
