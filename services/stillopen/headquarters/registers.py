"""Registers: each belongs to a store, and is NEW, ACTIVE or RETIRED."""

from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_id, check_name
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.headquarters.set_up import name_unknown
from stillopen.replication import reports
from stillopen.replication.tables import REGISTER
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2
from stillopen.v1.sync_pb2 import RegisterReport

_STATES = {
    "NEW": headquarters_pb2.REGISTER_STATE_NEW,
    "ACTIVE": headquarters_pb2.REGISTER_STATE_ACTIVE,
    "RETIRED": headquarters_pb2.REGISTER_STATE_RETIRED,
}
_COLUMNS = (
    "SELECT register_id, store_id, name, support_offline, state, activated_wall_s"
    " FROM register LEFT JOIN register_activation USING (register_id)"
)
ALL = f"{_COLUMNS} WHERE register_id > ?1 ORDER BY register_id LIMIT ?2"
"""A page of all registers: after which, and how many."""
OF_STORE = f"{_COLUMNS} WHERE store_id = ?3 AND register_id > ?1 ORDER BY register_id LIMIT ?2"
"""The same of one store, the third value."""


def put_register(session: Session, wanted: headquarters_pb2.RegisterRow, doer: Doer) -> None:
    """Adds or changes a register.

    Refused NAME_UNKNOWN for its store, RETIRED, and IN_USE when one that was activated would move:
    its sales and cards are its store's.
    """
    register_id = check_id(wanted.register_id, "register_id")
    store_id = check_id(wanted.store_id, "store_id")
    name = check_name(wanted.name, "name", required=False) or register_id
    values = (store_id, name, int(wanted.support_offline))
    if session.one("SELECT 1 FROM store WHERE store_id = ?", store_id) is None:
        raise name_unknown("store", store_id, "store_id")
    known = session.one(
        "SELECT store_id, name, support_offline, state, secret_sha256 <> x''"
        " FROM register WHERE register_id = ?",
        register_id,
    )
    if known is None:
        session.run("INSERT INTO register VALUES (?,?,?,?,'NEW',0,x'')", register_id, *values)
    else:
        _check_change(register_id, known, store_id)
        if known[:3] == values:
            return
        session.run(
            "UPDATE register SET store_id = ?, name = ?, support_offline = ? WHERE register_id = ?",
            *values,
            register_id,
        )
    mark(session, REGISTER, [register_id])
    offline = "supports offline" if wanted.support_offline else "does not support offline"
    doer.note(session, "UPDATE_REGISTER", register_id, f"store {store_id}, name {name}, {offline}")


def _check_change(register_id: str, known: Row, store_id: str) -> None:
    before, _, _, state, activated = known
    if state == "RETIRED":
        raise Refused(Reason.RETIRED, f"register {register_id} was retired", "register_id")
    if activated and before != store_id:
        raise Refused(
            Reason.IN_USE,
            f"register {register_id} was activated in store {before} and stays there; retire it and"
            " set up another",
            "store_id",
        )


def find_register(session: Session, register_id: str) -> headquarters_pb2.RegisterRow:
    """A register; Refused NAME_UNKNOWN."""
    row = session.one(f"{_COLUMNS} WHERE register_id = ?", register_id)
    if row is None:
        raise name_unknown("register", register_id, "register_id")
    return _register(row, reports.of(session, [register_id]))


def list_registers(
    session: Session, after: str, limit: int, store_id: str
) -> headquarters_pb2.ListRegistersResponse:
    """Registers by id, from the one after `after`; of one store, or of all."""
    if store_id:
        rows = session.all(OF_STORE, after, limit + 1, store_id)
    else:
        rows = session.all(ALL, after, limit + 1)
    page = rows[:limit]
    said = reports.of(session, [row[0] for row in page])
    return headquarters_pb2.ListRegistersResponse(
        registers=[_register(row, said) for row in page],
        next_page_token=page[-1][0] if len(rows) > limit else "",
    )


def _register(row: Row, said: dict[str, RegisterReport]) -> headquarters_pb2.RegisterRow:
    return headquarters_pb2.RegisterRow(
        register_id=row[0],
        store_id=row[1],
        name=row[2],
        support_offline=bool(row[3]),
        state=_STATES.get(row[4], headquarters_pb2.REGISTER_STATE_UNSPECIFIED),
        activated_time=None if row[5] is None else time_to(row[5]),
        report=said.get(row[0]),
    )
