"""Upload sessions: the journal of each start of a register on its way, in the incumbent's words.

Nothing is kept of them: where a session stands follows from its lane.
"""

from stillopen.core.errors import invalid
from stillopen.headquarters.homes import LOST
from stillopen.replication.lane_counts import OPEN
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2
from stillopen.v1.headquarters_pb2 import UploadState

_EPOCH_DIGITS = 16
_SESSION = (
    "SELECT lane.register_id, epoch, head, entries, applied, quarantined + conflicts, damaged,"
    f" contact_wall_s, through, coalesce(store_id, ''), {LOST} AS lost"
)
_STORE = "LEFT JOIN register ON register.register_id = lane.register_id"


def uploads(
    session: Session, register_id: str, token: str, limit: int, *, only_open: bool
) -> headquarters_pb2.ListUploadSessionsResponse:
    """Sessions by register, of one register or of all."""
    after = _after(token)
    lanes = f"lane INDEXED BY lane_open {_STORE} WHERE {OPEN}" if only_open else f"lane {_STORE}"
    rows = session.all(
        f"{_SESSION} FROM {lanes} {'AND' if only_open else 'WHERE'}"
        " (lane.register_id, epoch) > (?1, ?2) AND (?3 = '' OR lane.register_id = ?3)"
        " ORDER BY lane.register_id, epoch LIMIT ?4",
        *after,
        register_id,
        limit,
    )
    return headquarters_pb2.ListUploadSessionsResponse(
        sessions=[_session(row) for row in rows],
        next_page_token=f"{rows[-1][1]}{rows[-1][0]}" if len(rows) == limit else "",
    )


def state_of(
    *, claimed: int, stored: int, through: int, applied: int, failed: int, damaged: int, lost: bool
) -> UploadState.ValueType:
    """Where a session stands; what needs a person comes before what goes on by itself."""
    if lost:
        return headquarters_pb2.UPLOAD_STATE_CANCELED
    if damaged:
        return headquarters_pb2.UPLOAD_STATE_READ_FAILED
    if failed:
        return headquarters_pb2.UPLOAD_STATE_APPLY_FAILED
    if claimed > through or stored < through:
        return headquarters_pb2.UPLOAD_STATE_AVAILABLE
    if applied < stored:
        return headquarters_pb2.UPLOAD_STATE_UPLOADED
    return headquarters_pb2.UPLOAD_STATE_APPLIED


def _session(row: Row) -> headquarters_pb2.UploadSession:
    return headquarters_pb2.UploadSession(
        register_id=row[0],
        store_id=row[9],
        epoch=int(row[1], 16),
        state=state_of(
            claimed=row[2],
            stored=row[3],
            through=row[8],
            applied=row[4],
            failed=row[5],
            damaged=row[6],
            lost=bool(row[10]),
        ),
        claimed=row[2],
        stored=row[3],
        applied=row[4],
        last_contact_time=time_to(row[7]),
    )


def _after(token: str) -> tuple[str, str]:
    if not token:
        return "", ""
    epoch, register_id = token[:_EPOCH_DIGITS], token[_EPOCH_DIGITS:]
    if not register_id or set(epoch) - set("0123456789abcdef"):
        raise invalid("page_token", "not a token of this list")
    return register_id, epoch
