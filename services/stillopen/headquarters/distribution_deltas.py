"""A delta: the rows that changed since jobs were distributed through a number, and no other read.

A key without a row, or with one that the group does not see, is a removal. SQLite copies the rows;
none passes through here.
"""

from collections.abc import Sequence

from stillopen.replication.packages import Filled, Selection, copy_rows, say, say_where
from stillopen.replication.ports import Cursor
from stillopen.replication.scope import Scope
from stillopen.replication.tables import REGISTER, STORE, Table, tables_at
from stillopen.storage.engine import Session

Through = dict[int, int]
"""The number of the last change that was distributed, by job."""


def carried(
    session: Session, scope: Scope, jobs: Sequence[int], through: Through
) -> list[tuple[Table, int]]:
    """The tables that a delta has rows of, each with the number after which it changed."""
    since = min(through[job] for job in jobs)
    rows = session.all(
        "SELECT table_name, max(number) FROM change NOT INDEXED WHERE number > ? GROUP BY 1", since
    )
    newest: dict[str, int] = dict(rows)
    newest[REGISTER.name] = max(newest.get(each.name, 0) for each in (REGISTER, STORE))
    return [
        (table, through[table.job])
        for table in tables_at(scope.version)
        if table.job in jobs
        and table.name not in scope.excluded
        and newest.get(table.name, 0) > through[table.job]
    ]


def count_changes(session: Session, tables: list[tuple[Table, int]], most: int) -> int:
    """How many rows of tables changed, counted up to `most` of each."""
    found = 0
    for table, after in tables:
        # The plus keeps SQLite from reading every change of the table by the other index.
        [(count,)] = session.all(
            "SELECT count(*) FROM (SELECT 1 FROM change NOT INDEXED WHERE number > ?"
            " AND +table_name = ? LIMIT ?)",
            after,
            table.name,
            most,
        )
        found += count
    return found


def fill_delta(
    session: Session,
    selection: Selection,
    base: Cursor,
    at: Cursor,
    jobs: Sequence[int],
    through: Through,
) -> Filled | None:
    """What brings a scope's replicas one further; nothing when nothing changed for them."""
    changed = removed = 0
    for table, after in carried(session, at.scope, jobs, through):
        count = _copy_there(session, selection, table, after)
        say(session, f"rows.{table.name}", str(count))
        changed += count
        removed += _copy_gone(session, selection, table, after)
    if not changed + removed:
        return None
    say_where(session, at, base)
    return Filled(at, base, changed, removed)


def _copy_there(session: Session, selection: Selection, table: Table, after: int) -> int:
    condition, values = selection.of(table)
    columns = ", ".join(f"{table.name}.{name}" for name in table.names)
    return copy_rows(
        session,
        table,
        f"SELECT {columns} FROM ({_keys(table)}) AS k CROSS JOIN {table.name}"  # noqa: S608
        f" ON {table.name}.{table.key} = k.key WHERE {condition}",
        *[after] * _places(table),
        *values,
    )


def _copy_gone(session: Session, selection: Selection, table: Table, after: int) -> int:
    condition, values = selection.of(table)
    return session.run(
        f"INSERT INTO draft.removed SELECT '{table.name}', k.key FROM ({_keys(table)}) AS k"  # noqa: S608
        f" WHERE NOT EXISTS (SELECT 1 FROM {table.name}"
        f" WHERE {table.name}.{table.key} = k.key AND {condition})",
        *[after] * _places(table),
        *values,
    )


def _keys(table: Table) -> str:
    """The keys that changed; a store that comes to the group or leaves it brings its registers."""
    keys = f"SELECT key FROM change NOT INDEXED WHERE number > ? AND +table_name = '{table.name}'"  # noqa: S608
    if table.name != REGISTER.name:
        return keys
    return (
        f"{keys} UNION SELECT register_id FROM register WHERE store_id IN (SELECT key FROM change"  # noqa: S608
        f" NOT INDEXED WHERE number > ? AND +table_name = '{STORE.name}')"
    )


def _places(table: Table) -> int:
    return 2 if table.name == REGISTER.name else 1
