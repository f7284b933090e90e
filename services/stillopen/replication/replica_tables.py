"""The database of a replica: the replicated tables, and what its package said of itself.

A snapshot is such a database already; a replica that has nothing yet begins with empty tables.
"""

from stillopen.replication.tables import TABLES, tables_at
from stillopen.storage.engine import Session
from stillopen.storage.package import FACTS
from stillopen.storage.schema import Schema

SCHEMA = Schema(
    "replica",
    (
        (
            FACTS.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1),
            *(each for table in TABLES for each in table.create(unless_there=True)),
        ),
    ),
)


def complete(session: Session, version: int) -> None:
    """Adds what a version of the description has and the file, of an older one, lacks."""
    for table in tables_at(version):
        for statement in table.create(unless_there=True):
            session.run(statement)
        there = {row[1] for row in session.all(f"PRAGMA table_info({table.name})")}
        for name, column in zip(table.names, table.columns, strict=True):
            if name not in there:
                session.run(f"ALTER TABLE {table.name} ADD COLUMN {column}")
