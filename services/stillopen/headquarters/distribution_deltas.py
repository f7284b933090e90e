"""A delta: the rows that changed since jobs were distributed through a number, and no other read.

A key without a row, or with one that the group does not see, is a removal. Rows are read as they
are put into the package; none are held.
"""

from collections.abc import Iterator

from stillopen.replication import package_log
from stillopen.replication.packages import DELTA, Built, Scope, say_where
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import REGISTER, STORE, TABLES, Table
from stillopen.storage.engine import Row, Session
from stillopen.storage.package import Draft


def count_changes(
    session: Session, jobs: tuple[int, ...], through: dict[int, int], most: int
) -> int:
    """How many rows changed that jobs carry, counted up to `most`."""
    found = 0
    for job in jobs:
        names = ", ".join(f"'{table.name}'" for table in TABLES if table.job == job)
        # The plus keeps SQLite from reading every change of the table by the other index.
        [(count,)] = session.all(
            "SELECT count(*) FROM (SELECT 1 FROM change NOT INDEXED WHERE number > ?"  # noqa: S608
            f" AND +table_name IN ({names}) LIMIT ?)",
            through[job],
            most,
        )
        found += count
    return found


def build_delta(
    session: Session, scope: Scope, end: Cursor, jobs: tuple[int, ...], through: dict[int, int]
) -> Built | None:
    """The package that brings a scope's replicas one further; nothing when nothing changed."""
    at = Cursor(end.generation, end.sequence + 1)
    base = Cursor(end.generation, end.sequence, package_log.last_digest(session, end))
    since = min(through[job] for job in jobs)
    rows = session.all("SELECT DISTINCT table_name FROM change NOT INDEXED WHERE number > ?", since)
    names = {row[0] for row in rows}
    changed = removed = 0
    with Draft(DELTA) as draft:
        for table in TABLES:
            seen = {table.name} if table is not REGISTER else {REGISTER.name, STORE.name}
            if table.job not in jobs or not names & seen:
                continue
            after = through[table.job]
            columns = len(table.names)
            count = draft.put(table.name, columns, _there(session, scope, table, after))
            draft.fact(f"rows.{table.name}", str(count))
            changed += count
            removed += draft.put("removed", 2, _gone(session, scope, table, after))
        if not changed + removed:
            return None
        say_where(draft, at, base)
        return Built(draft.finish(), changed, removed)


def _there(session: Session, scope: Scope, table: Table, after: int) -> Iterator[Row]:
    condition, values = scope.of(table)
    columns = ", ".join(f"{table.name}.{name}" for name in table.names)
    return session.each(
        f"SELECT {columns} FROM ({_keys(table)}) AS k CROSS JOIN {table.name}"  # noqa: S608
        f" ON {table.name}.{table.key} = k.key WHERE {condition}",
        *[after] * _places(table),
        *values,
    )


def _gone(session: Session, scope: Scope, table: Table, after: int) -> Iterator[Row]:
    condition, values = scope.of(table)
    return session.each(
        f"SELECT '{table.name}', k.key FROM ({_keys(table)}) AS k WHERE NOT EXISTS"  # noqa: S608
        f" (SELECT 1 FROM {table.name} WHERE {table.name}.{table.key} = k.key AND {condition})",
        *[after] * _places(table),
        *values,
    )


def _keys(table: Table) -> str:
    """The keys that changed; a store that comes to the group or leaves it brings its registers."""
    keys = f"SELECT key FROM change NOT INDEXED WHERE number > ? AND +table_name = '{table.name}'"  # noqa: S608
    if table is not REGISTER:
        return keys
    return (
        f"{keys} UNION SELECT register_id FROM register WHERE store_id IN (SELECT key FROM change"  # noqa: S608
        f" NOT INDEXED WHERE number > ? AND +table_name = '{STORE.name}')"
    )


def _places(table: Table) -> int:
    return 2 if table is REGISTER else 1
