"""Channel groups, and the removal of set-up that nothing stands on.

A group is the stores that get the same packages. Stores and registers have files of their own.
"""

from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_id, check_name
from stillopen.core.parameters import DEFAULT_PROFILE
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.replication.tables import OFFLINE_PROFILE, REGISTER, STORE, Table
from stillopen.storage.engine import Engine, Row, Session
from stillopen.v1 import headquarters_pb2

DEFAULT_GROUP = "Default"
"""The group of stores which name no other; always there."""
STEP: tuple[str, ...] = (
    """CREATE TABLE channel_group (
         group_id TEXT PRIMARY KEY,
         name TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    f"INSERT INTO channel_group VALUES ('{DEFAULT_GROUP}', '{DEFAULT_GROUP}')",  # noqa: S608
)

_KINDS = {
    headquarters_pb2.SET_UP_KIND_CHANNEL_GROUP: "channel group",
    headquarters_pb2.SET_UP_KIND_STORE: "store",
    headquarters_pb2.SET_UP_KIND_REGISTER: "register",
    headquarters_pb2.SET_UP_KIND_OFFLINE_PROFILE: "offline profile",
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """How rows of a kind are found and removed."""

    table: str
    key: str
    stands_on: tuple[tuple[str, str], ...]
    """What may stand on one: a query that finds it by `?`, and what it is for people."""
    always: str = ""
    """The one that is always there."""
    replicated: Table | None = None


_NAMING_GROUP = (
    "SELECT name FROM distribution_schedule WHERE instr(char(10) || group_ids || char(10),"
    " char(10) || ? || char(10)) LIMIT 1"
)
_REMOVED = {
    headquarters_pb2.SET_UP_KIND_CHANNEL_GROUP: _Kind(
        "channel_group",
        "group_id",
        (
            ("SELECT store_id FROM store WHERE group_id = ? LIMIT 1", "store"),
            (_NAMING_GROUP, "schedule"),
        ),
        DEFAULT_GROUP,
    ),
    headquarters_pb2.SET_UP_KIND_STORE: _Kind(
        "store",
        "store_id",
        (
            ("SELECT register_id FROM register WHERE store_id = ? LIMIT 1", "register"),
            ("SELECT store_id FROM channel_credential WHERE store_id = ?", "the channel of"),
        ),
        replicated=STORE,
    ),
    headquarters_pb2.SET_UP_KIND_REGISTER: _Kind(
        "register",
        "register_id",
        (
            (
                "SELECT register_id FROM register WHERE register_id = ? AND secret_sha256 <> x''",
                "the activation of",
            ),
            ("SELECT register_id FROM lane WHERE register_id = ? LIMIT 1", "the journal of"),
        ),
        replicated=REGISTER,
    ),
    headquarters_pb2.SET_UP_KIND_OFFLINE_PROFILE: _Kind(
        "offline_profile",
        "name",
        (("SELECT store_id FROM store WHERE offline_profile = ? LIMIT 1", "store"),),
        DEFAULT_PROFILE,
        replicated=OFFLINE_PROFILE,
    ),
}


def put_group(session: Session, group_id: str, name: str, doer: Doer) -> None:
    """Adds or changes a channel group."""
    check_id(group_id, "group_id")
    check_name(name, "name", required=False)
    session.run(
        "INSERT INTO channel_group VALUES (?1,?2)"
        " ON CONFLICT (group_id) DO UPDATE SET name = excluded.name",
        group_id,
        name or group_id,
    )
    doer.note(session, "UPDATE_CHANNEL_GROUP", group_id, f"name {name or group_id}")


async def list_groups(
    engine: Engine, after: str, limit: int, only: str = ""
) -> headquarters_pb2.ListChannelGroupsResponse:
    """Channel groups by id, with their stores."""

    def read(session: Session) -> tuple[list[Row], dict[str, list[str]]]:
        rows = session.all(
            "SELECT group_id, name FROM channel_group WHERE group_id > ?1"
            " AND (?2 = '' OR group_id = ?2) ORDER BY group_id LIMIT ?3",
            after,
            only,
            limit + 1,
        )
        stores = {
            group_id: [
                store_id
                for (store_id,) in session.all(
                    "SELECT store_id FROM store WHERE group_id = ? ORDER BY store_id", group_id
                )
            ]
            for group_id, _ in rows[:limit]
        }
        return rows, stores

    rows, stores = await engine.read(read)
    return headquarters_pb2.ListChannelGroupsResponse(
        groups=[
            headquarters_pb2.ChannelGroup(group_id=row[0], name=row[1], store_ids=stores[row[0]])
            for row in rows[:limit]
        ],
        next_page_token=rows[limit - 1][0] if len(rows) > limit else "",
    )


def remove(
    session: Session, kind: headquarters_pb2.SetUpKind.ValueType, key: str, doer: Doer
) -> None:
    """Removes a row; Refused NAME_UNKNOWN, or IN_USE while something stands on it."""
    what, name = _REMOVED[kind], _KINDS[kind]
    if session.one(f"SELECT 1 FROM {what.table} WHERE {what.key} = ?", key) is None:  # noqa: S608
        raise name_unknown(name, key, "id")
    if what.always and key == what.always:
        raise Refused(Reason.IN_USE, f"{name} {key} is always there", "id")
    for query, standing in what.stands_on:
        if row := session.one(query, key):
            raise Refused(Reason.IN_USE, f"{standing} {row[0]} stands on {name} {key}", "id")
    session.run(f"DELETE FROM {what.table} WHERE {what.key} = ?", key)  # noqa: S608 - constants
    session.run("DELETE FROM activation_code WHERE kind = ? AND subject = ?", what.table, key)
    if what.replicated is not None:
        mark(session, what.replicated, [key])
    doer.note(session, f"REMOVE_{name.replace(' ', '_').upper()}", key)


def removable(kind: headquarters_pb2.SetUpKind.ValueType) -> bool:
    """Whether it is a kind of set-up."""
    return kind in _REMOVED


def name_unknown(what: str, name: str, field: str) -> Refused:
    """There is none of that name."""
    return Refused(Reason.NAME_UNKNOWN, f"there is no {what} {name}", field)
