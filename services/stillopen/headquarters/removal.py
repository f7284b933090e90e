"""Removing master data: all that was named or none, with what belongs to it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_id, fold_code
from stillopen.headquarters.changes import mark_selected
from stillopen.headquarters.price_keys import folded_key
from stillopen.replication.tables import (
    BARCODE,
    CUSTOMER,
    PRICE,
    PRODUCT,
    ROLE,
    STAFF_MEMBER,
    TAX_GROUP,
    TENDER_TYPE,
    Table,
)
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2

REMOVED_MAX = 5_000


def _as_it_is(name: str) -> str:
    return name


@dataclass(frozen=True, slots=True)
class Removable:
    """A kind that can be removed."""

    table: Table
    folded: Callable[[str], str] = _as_it_is
    belongs: tuple[Table, ...] = ()
    """Tables whose rows go with it, by the column that is its key."""
    used_by: Table | None = None
    """The table whose rows keep it, by the same."""


_PRODUCT = Removable(PRODUCT, fold_code, belongs=(BARCODE, PRICE))
_ROLE = Removable(ROLE, used_by=STAFF_MEMBER)
_STAFF = Removable(STAFF_MEMBER)
ABOUT_PEOPLE = (_STAFF, _ROLE)
_KINDS = {
    headquarters_pb2.MASTER_DATA_KIND_PRODUCT: _PRODUCT,
    headquarters_pb2.MASTER_DATA_KIND_BARCODE: Removable(BARCODE, fold_code),
    headquarters_pb2.MASTER_DATA_KIND_PRICE: Removable(PRICE, folded_key),
    headquarters_pb2.MASTER_DATA_KIND_TAX_GROUP: Removable(TAX_GROUP, used_by=PRODUCT),
    headquarters_pb2.MASTER_DATA_KIND_CUSTOMER: Removable(CUSTOMER),
    headquarters_pb2.MASTER_DATA_KIND_TENDER_TYPE: Removable(TENDER_TYPE),
    headquarters_pb2.MASTER_DATA_KIND_STAFF: _STAFF,
    headquarters_pb2.MASTER_DATA_KIND_ROLE: _ROLE,
}


def removable(kind: headquarters_pb2.MasterDataKind.ValueType) -> Removable:
    """What is to be removed; Misuse when it is no kind."""
    found = _KINDS.get(kind)
    if found is None:
        raise invalid("kind", "missing, or not known here")
    return found


def keys_of(kind: Removable, ids: Iterable[str]) -> list[str]:
    """The keys that people named, each once; Misuse when there are none, or too many."""
    keys = list(dict.fromkeys(map(kind.folded, ids)))
    if not keys:
        raise invalid("ids", "missing")
    if len(keys) > REMOVED_MAX:
        raise invalid("ids", f"at most {REMOVED_MAX}")
    if kind.folded is not folded_key:
        for key in keys:
            check_id(key, "ids")
    return keys


def remove(session: Session, kind: Removable, keys: list[str]) -> int:
    """Removes rows and marks them; Refused NAME_UNKNOWN or IN_USE, and nothing is changed."""
    table, named = kind.table, json.dumps(keys)
    wanted = "SELECT value FROM json_each(?)"
    unknown = session.one(
        f"{wanted} WHERE value NOT IN (SELECT {table.key} FROM {table.name}) LIMIT 1",  # noqa: S608
        named,
    )
    if unknown is not None:
        raise Refused(Reason.NAME_UNKNOWN, f"no {_word(table)} {unknown[0]}", "ids")
    if kind.used_by is not None:
        # A table of products may be long and has no index for this: one reading of it, at most.
        used = session.one(
            f"SELECT {table.key}, {kind.used_by.key} FROM {kind.used_by.name}"  # noqa: S608
            f" WHERE {table.key} IN ({wanted}) LIMIT 1",
            named,
        )
        if used is not None:
            by = f"{_word(kind.used_by)} {used[1]}"
            raise Refused(Reason.IN_USE, f"{_word(table)} {used[0]} is used by {by}", "ids")
    for each in (*kind.belongs, table):
        _remove(session, each, table.key, named)
    return len(keys)


def _remove(session: Session, table: Table, column: str, named: str) -> None:
    gone = f"{table.name} WHERE {column} IN (SELECT value FROM json_each(?))"  # noqa: S608
    mark_selected(session, table, f"SELECT {table.key} FROM {gone}", named)  # noqa: S608
    session.run(f"DELETE FROM {gone}", named)  # noqa: S608


def _word(table: Table) -> str:
    return table.name.replace("_", " ")
