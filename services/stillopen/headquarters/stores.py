"""Stores: each has a channel, belongs to a group, and gives its registers an offline profile."""

from stillopen.core.ids import check_id, check_name
from stillopen.core.parameters import DEFAULT_PROFILE
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.headquarters.set_up import DEFAULT_GROUP, name_unknown
from stillopen.replication.tables import STORE
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2

_COLUMNS = (
    "SELECT store_id, name, group_id, offline_profile, activated_wall_s"
    " FROM store LEFT JOIN channel_credential USING (store_id)"
)
_HEARD = (
    "SELECT max((SELECT coalesce(max(heard_wall_s), 0) FROM channel_heard WHERE store_id = ?1),"
    " (SELECT coalesce(max(reported_wall_s), 0) FROM register JOIN register_report"
    " USING (register_id) WHERE store_id = ?1))"
)
_ALL = f"{_COLUMNS} WHERE store_id > ?1 ORDER BY store_id LIMIT ?2"
_ONE = f"{_COLUMNS} WHERE store_id = ?1 LIMIT ?2"


def _heard(session: Session, store_ids: list[str]) -> dict[str, float]:
    """When the channels of stores last said anything: of themselves, or of a register of theirs."""
    found: dict[str, float] = {}
    for store_id in store_ids:
        [(said,)] = session.all(_HEARD, store_id)
        if said:
            found[store_id] = said
    return found


def put_store(session: Session, wanted: headquarters_pb2.Store, doer: Doer) -> None:
    """Adds or changes a store; Refused NAME_UNKNOWN for its group or profile."""
    store_id = check_id(wanted.store_id, "store_id")
    check_name(wanted.name, "name", required=False)
    row = (
        store_id,
        wanted.name or store_id,
        wanted.group_id or DEFAULT_GROUP,
        wanted.offline_profile or DEFAULT_PROFILE,
    )
    _, name, group_id, profile = row
    if session.one("SELECT 1 FROM channel_group WHERE group_id = ?", group_id) is None:
        raise name_unknown("channel group", group_id, "group_id")
    if session.one("SELECT 1 FROM offline_profile WHERE name = ?", profile) is None:
        raise name_unknown("offline profile", profile, "offline_profile")
    if session.one("SELECT * FROM store WHERE store_id = ?", store_id) == row:
        return
    session.run("INSERT OR REPLACE INTO store VALUES (?,?,?,?)", *row)
    mark(session, STORE, [store_id])
    doer.note(
        session, "UPDATE_STORE", store_id, f"name {name}, group {group_id}, profile {profile}"
    )


def list_stores(
    session: Session, after: str, limit: int, only: str = ""
) -> headquarters_pb2.ListStoresResponse:
    """Stores by id, from the one after `after`; or only one."""
    rows = session.all(_ONE if only else _ALL, only or after, limit + 1)
    page = rows[:limit]
    heard = _heard(session, [row[0] for row in page])
    return headquarters_pb2.ListStoresResponse(
        stores=[_store(row, heard.get(row[0])) for row in page],
        next_page_token=page[-1][0] if len(rows) > limit else "",
    )


def _store(row: Row, heard_wall_s: float | None) -> headquarters_pb2.Store:
    return headquarters_pb2.Store(
        store_id=row[0],
        name=row[1],
        group_id=row[2],
        offline_profile=row[3],
        activated_time=None if row[4] is None else time_to(row[4]),
        last_contact_time=None if heard_wall_s is None else time_to(heard_wall_s),
    )
