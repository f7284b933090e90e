"""What changed in the replicated tables, so that a run of distribution reads that and nothing else.

Each changed row has one number, the newest; numbers rise in the order of commits, because one
connection commits. A row that is gone keeps its number: it is to be removed elsewhere too.
"""

from collections.abc import Iterable

from stillopen.replication.tables import TABLES, Table
from stillopen.storage.engine import Session, Value

STEP: tuple[str, ...] = (
    """CREATE TABLE change (
         number INTEGER PRIMARY KEY AUTOINCREMENT,
         table_name TEXT NOT NULL,
         key TEXT NOT NULL,
         UNIQUE (table_name, key)) STRICT""",
    # What was there before changes were counted counts as changed.
    *(
        f"INSERT INTO change (table_name, key) SELECT '{table.name}', {table.key}"  # noqa: S608
        f" FROM {table.name}"
        for table in TABLES
    ),
)


def mark(session: Session, table: Table, keys: Iterable[str]) -> None:
    """Notes that rows were put or removed, in the transaction that does so."""
    session.run_many(
        "INSERT OR REPLACE INTO change (table_name, key) VALUES (?, ?)",
        ((table.name, key) for key in keys),
    )


def mark_selected(session: Session, table: Table, select: str, *values: Value) -> None:
    """The same for the keys that a SELECT brings, without reading them here."""
    session.run(
        f"INSERT OR REPLACE INTO change (table_name, key) SELECT '{table.name}', * FROM ({select})",  # noqa: S608
        *values,
    )
