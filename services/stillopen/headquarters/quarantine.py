"""What people see and do of entries that are at headquarters and in no effect."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_id
from stillopen.core.journal import Entry, Lane
from stillopen.core.lanes import epoch_text
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.lanes import Person
from stillopen.replication.inbox import Inbox, entry_of
from stillopen.replication.lanes import lane_key
from stillopen.replication.quarantine import Which, bounded, count
from stillopen.replication.received import ReceivedSales
from stillopen.rpc.wire import entry_to, time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2, types_pb2
from stillopen.v1.headquarters_pb2 import QuarantinedEntry

TEXT_MAX = 40
"""Of an id that nobody has checked no more is shown."""

_FOUND = (
    "SELECT q.register_id, q.epoch, q.sequence, q.digest, q.state, q.why, q.since_wall_s,"
    " coalesce(c.payload, e.payload, x''), coalesce(c.parent_digest, e.parent_digest, x''),"
    " coalesce(e.digest, x'') FROM quarantine q LEFT JOIN entry e ON e.register_id = q.register_id"
    " AND e.epoch = q.epoch AND e.sequence = q.sequence LEFT JOIN entry_conflict c"
    " ON q.state = 'CONFLICT' AND c.register_id = q.register_id AND c.epoch = q.epoch"
    " AND c.sequence = q.sequence AND c.digest = q.digest"
)
_PAGE = (
    f"{_FOUND} WHERE (q.register_id, q.epoch, q.sequence, q.digest) > (?1, ?2, ?3, ?4)"
    " AND (?5 = '' OR q.register_id = ?5)"
    " ORDER BY q.register_id, q.epoch, q.sequence, q.digest LIMIT ?6"
)
_ONE = (
    f"{_FOUND} WHERE q.register_id = ?1 AND q.epoch = ?2 AND q.sequence = ?3"
    " AND (?4 = x'' OR q.digest = ?4) ORDER BY q.state = 'CONFLICT', q.digest LIMIT 1"
)
_STATES = {
    "QUARANTINED": headquarters_pb2.QUARANTINE_STATE_QUARANTINED,
    "DAMAGED": headquarters_pb2.QUARANTINE_STATE_DAMAGED,
    "CONFLICT": headquarters_pb2.QUARANTINE_STATE_CONFLICT,
}
_EPOCH_DIGITS = 16
_NUMBER_DIGITS = 20

Key = tuple[str, str, int, bytes]
"""Register, epoch as the database has it, sequence, digest."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What a person wants tried again, and why."""

    which: Which
    person: Person

    @property
    def subject(self) -> str:
        """What it is about, for the audit."""
        lane = self.which.lane
        if lane is None:
            return self.which.register_id or "every register"
        return f"{lane.register_id}/{epoch_text(lane.epoch)}/{self.which.sequence}"


async def list_quarantine(
    inbox: Inbox, register_id: str, token: str, limit: int
) -> headquarters_pb2.ListQuarantineResponse:
    """A page of them by register and position, cut by count and by the bytes that are read."""
    if register_id:
        check_id(register_id, "register_id")
    after = _after(token)

    def read(session: Session) -> list[Row]:
        begins = max(after, (register_id, "", 0, b""))
        return bounded(session.each(_PAGE, *begins, register_id, limit + 1), 7)

    rows = await inbox.engine.read(read)
    page = rows[:limit]
    # A row that was read shows that there is more; else a page may have been cut by its bytes.
    more = len(rows) > limit or (page and await _is_more(inbox, page[-1], register_id))
    return headquarters_pb2.ListQuarantineResponse(
        entries=[_entry(row) for row in page],
        next_page_token=_token(page[-1]) if more else "",
    )


async def get_quarantined(
    inbox: Inbox, position: types_pb2.JournalPosition, digest: bytes
) -> headquarters_pb2.GetQuarantinedResponse:
    """One of them with its bytes; Refused ENTRY_UNKNOWN."""
    lane = _lane(position)
    row = await inbox.engine.read(
        lambda session: session.one(_ONE, *lane_key(lane), position.sequence, digest)
    )
    if row is None:
        raise Refused(
            Reason.ENTRY_UNKNOWN,
            f"nothing is in quarantine, damaged or in conflict at entry {position.sequence} of"
            f" register {lane.register_id}, lane {epoch_text(lane.epoch)}",
            "position",
        )
    return headquarters_pb2.GetQuarantinedResponse(
        entry=_entry(row),
        came=entry_to(entry_of((*row[:3], row[8], row[3], row[7]))),
        record=_record(row[7]),
        first_digest=row[9] if row[4] == "CONFLICT" else b"",
    )


def wanted(request: headquarters_pb2.RetryQuarantineRequest, name: str) -> Retry:
    """What a request wants tried again; a reason is part of it."""
    person = Person(name, request.reason)
    if request.register_id:
        check_id(request.register_id, "register_id")
    if not request.HasField("position"):
        return Retry(Which(request.register_id), person)
    lane = _lane(request.position)
    if request.register_id not in {"", lane.register_id}:
        raise invalid("register_id", "another than that of the entry")
    return Retry(Which(lane.register_id, lane, request.position.sequence), person)


async def retry(
    received: ReceivedSales, asked: Retry, doer: Doer, within_s: float
) -> headquarters_pb2.RetryQuarantineResponse:
    """Tries again and says what became of it; Refused ENTRY_UNKNOWN for one that is not there."""
    inbox = received.inbox

    def put(session: Session) -> None:
        found = count(session, asked.which)
        if asked.which.lane and not found:
            raise Refused(Reason.ENTRY_UNKNOWN, _not_there(session, asked.which), "position")
        detail = f"{found} entries: {asked.person.reason}"
        doer.note(session, "RETRY_QUARANTINE", asked.subject, detail)

    await inbox.engine.write(put)
    result = await received.try_again(asked.which, within_s)
    return headquarters_pb2.RetryQuarantineResponse(
        tried=result.tried,
        applied=result.applied,
        left=await _still_there(inbox, result.left),
        waiting=result.waiting,
    )


async def _still_there(inbox: Inbox, entries: list[Entry]) -> list[QuarantinedEntry]:
    """Those of some entries that are in no effect."""

    def read(session: Session) -> list[Row]:
        found = (
            session.one(_ONE, *lane_key(each.lane), each.sequence, each.digest) for each in entries
        )
        return bounded((row for row in found if row is not None), 7)

    return [_entry(row) for row in await inbox.engine.read(read)]


def _not_there(session: Session, which: Which) -> str:
    """Why an entry cannot be tried again, for people."""
    lane = which.lane or Lane(which.register_id, 0)
    row = session.one(_ONE, *lane_key(lane), which.sequence, b"")
    if row is None:
        return "no such entry is in quarantine; what is in effect is not tried again"
    if row[4] == "DAMAGED":
        return "its bytes are damaged: it is applied by itself when intact ones come"
    return "another entry has its place, and is in effect: this one is never applied"


async def _is_more(inbox: Inbox, last: Row, register_id: str) -> bool:
    return await inbox.engine.read(
        lambda session: (
            session.one(
                "SELECT 1 FROM quarantine WHERE (register_id, epoch, sequence, digest)"
                " > (?1, ?2, ?3, ?4) AND (?5 = '' OR register_id = ?5) LIMIT 1",
                *last[:4],
                register_id,
            )
            is not None
        )
    )


def _entry(row: Row) -> QuarantinedEntry:
    record = _record(row[7])
    return QuarantinedEntry(
        position=types_pb2.JournalPosition(
            register_id=row[0], epoch=int(row[1], 16), sequence=row[2]
        ),
        digest=row[3],
        state=_STATES[row[4]],
        reason=row[5],
        since_time=None if row[6] is None else time_to(row[6]),
        size=len(row[7]),
        transaction_id=_sale_id(record)[:TEXT_MAX] if record else "",
        receipt_number=record.receipt_number[:TEXT_MAX] if record else "",
    )


def _sale_id(record: types_pb2.JournalRecord) -> str:
    if record.HasField("unlock"):
        return record.unlock.transaction_id
    return record.sale.transaction_id


def _record(payload: bytes) -> types_pb2.JournalRecord | None:
    try:
        return types_pb2.JournalRecord.FromString(payload)
    except DecodeError:
        return None


def _lane(position: types_pb2.JournalPosition) -> Lane:
    check_id(position.register_id, "position.register_id")
    if not position.epoch or not 0 < position.sequence < 2**63:
        raise invalid("position", "a lane, and a sequence from 1")
    return Lane(position.register_id, position.epoch)


def _token(row: Row) -> str:
    return f"{row[1]}{row[2]:0{_NUMBER_DIGITS}}{row[3].hex()}.{row[0]}"


def _after(token: str) -> Key:
    if not token:
        return "", "", 0, b""
    place, _, register_id = token.partition(".")
    epoch, rest = place[:_EPOCH_DIGITS], place[_EPOCH_DIGITS:]
    try:
        digest = bytes.fromhex(rest[_NUMBER_DIGITS:])
        sequence = int(rest[:_NUMBER_DIGITS])
        if not 0 < sequence < 2**63 or epoch != epoch_text(int(epoch, 16)):
            raise ValueError(token)
    except ValueError:
        raise invalid("page_token", "not a token of this list") from None
    return check_id(register_id, "page_token"), epoch, sequence, digest
