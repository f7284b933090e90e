"""Completeness: register by register and lane by lane, what came home and what is missing.

It reads rows of lanes and registers, never entries: the counts are on the lanes.
"""

from stillopen.core.errors import Misuse, Reason
from stillopen.core.lanes import epoch_text
from stillopen.headquarters.homes import LOST, Home, homes
from stillopen.headquarters.lanes import actions, alarms
from stillopen.replication import reports
from stillopen.replication.inbox import Inbox
from stillopen.replication.lane_counts import OPEN
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2
from stillopen.v1.headquarters_pb2 import LaneAlarm

Key = tuple[str, str]
"""A lane: its register, and its epoch as the database has it."""

ANSWER_BYTES_MAX = 3_500_000
"""What fits a message, with room to spare."""
LANES_MAX = 50_000
"""More than these never fit."""

_LANE = (
    "SELECT register_id, epoch, head, through, contact_wall_s, entries, applied, quarantined,"  # noqa: S608
    f" damaged, conflicts, purge_through, recover_to, parent_epoch, {LOST} FROM lane"
)


async def completeness(
    inbox: Inbox, request: headquarters_pb2.GetCompletenessRequest, recovering: str
) -> headquarters_pb2.GetCompletenessResponse:
    """Every register and lane of one register or of all, or those that are not complete.

    Misuse MESSAGE_TOO_LARGE when that is more than an answer holds.
    """

    def read(session: Session) -> headquarters_pb2.GetCompletenessResponse:
        return _answer(session, request.register_id, only_open=request.only_open)

    answer = await inbox.engine.read(read)
    answer.recovering = recovering
    if answer.ByteSize() > ANSWER_BYTES_MAX:
        raise _too_large(f"{len(answer.lanes)} lanes of {len(answer.registers)} registers")
    return answer


def _answer(
    session: Session, register_id: str, *, only_open: bool
) -> headquarters_pb2.GetCompletenessResponse:
    found = homes(session, register_id)
    complete = all(home.complete for home in found.values())
    raised = alarms(session, register_id)
    if only_open:
        raised = [alarm for alarm in raised if not alarm.acknowledged_by]
        alarmed = {alarm.register_id for alarm in raised}
        found = {n: home for n, home in found.items() if not home.complete or n in alarmed}
        rows = _open_lanes(session, register_id, raised)
    else:
        rows = _lanes(session, register_id)
    of_lane: dict[Key, list[LaneAlarm]] = {(row[0], row[1]): [] for row in rows}
    others: list[LaneAlarm] = []
    for alarm in raised:
        of_lane.get(_key(alarm), others).append(alarm)
    done = actions(session, register_id) if register_id else {}
    some = bool(register_id) or only_open
    said = reports.of(session, found) if some else reports.every(session)
    return headquarters_pb2.GetCompletenessResponse(
        lanes=[_lane(row, of_lane[row[0], row[1]], done.get(row[1], [])) for row in rows],
        complete=complete,
        other_alarms=others,
        registers=[_register(home, said.get(home.register_id)) for home in found.values()],
    )


def _lanes(session: Session, register_id: str) -> list[Row]:
    """Every lane of one register, or of all."""
    one, values = _only(register_id)
    rows = session.all(
        f"{_LANE} WHERE true{one} ORDER BY register_id, epoch LIMIT ?", *values, LANES_MAX + 1
    )
    return _bounded(rows)


def _bounded(rows: list[Row]) -> list[Row]:
    """The same; Misuse MESSAGE_TOO_LARGE before so many are made into messages."""
    if len(rows) > LANES_MAX:
        raise _too_large(f"more than {LANES_MAX} lanes")
    return rows


def _too_large(what: str) -> Misuse:
    return Misuse(
        Reason.MESSAGE_TOO_LARGE,
        f"{what} are more than one answer holds; ask for one register, or for what is open only",
        "only_open",
    )


def _only(register_id: str) -> tuple[str, tuple[str, ...]]:
    """The condition that leaves one register, and its value."""
    return (" AND register_id = ?", (register_id,)) if register_id else ("", ())


def _open_lanes(session: Session, register_id: str, raised: list[LaneAlarm]) -> list[Row]:
    """Lanes that are not complete, and those that have an alarm."""
    one, values = _only(register_id)
    found = session.all(
        f"{_LANE} INDEXED BY lane_open WHERE {OPEN} AND NOT {LOST}{one} LIMIT ?",
        *values,
        LANES_MAX + 1,
    )
    rows: dict[Key, Row] = {(row[0], row[1]): row for row in _bounded(found)}
    for key in (_key(alarm) for alarm in raised):
        if key not in rows and (
            row := session.one(f"{_LANE} WHERE register_id = ? AND epoch = ?", *key)
        ):
            rows[key] = row
    return [rows[key] for key in sorted(rows)]


def _key(alarm: LaneAlarm) -> Key:
    return alarm.register_id, epoch_text(alarm.epoch)


def _register(home: Home, said: reports.Report | None) -> headquarters_pb2.RegisterCompleteness:
    heard = home.contact_wall_s
    return headquarters_pb2.RegisterCompleteness(
        register_id=home.register_id,
        store_id=home.store_id,
        complete=home.complete,
        last_contact_time=None if heard is None else time_to(heard),
        report=said,
        entries_missing=home.missing,
        retired=home.retired,
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
        stored=row[5],
        applied=row[6],
        quarantined=row[7],
        damaged=row[8],
        conflicts=row[9],
        purge_through=row[10],
        recover_to=row[11] if row[11] > row[3] else 0,
        parent_epoch=int(row[12] or "0", 16),
        declared_lost=bool(row[13]),
        alarms=raised,
        actions=done,
    )
