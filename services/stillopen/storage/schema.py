"""Schemas as numbered steps, each recorded in the transaction that makes it."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from stillopen.core.errors import Misuse, Reason


@dataclass(frozen=True, slots=True)
class Schema:
    """A database's tables: `steps[n]` are the statements that lead from version n to n + 1."""

    name: str
    steps: tuple[tuple[str, ...], ...]


def migrate(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    """Brings the database to the schema's last version.

    Refuses a database of another kind, and one that newer software wrote. The connection must leave
    transactions to us (`isolation_level=None`).
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration (schema TEXT NOT NULL, step INTEGER NOT NULL,"
        " PRIMARY KEY (schema, step)) STRICT, WITHOUT ROWID"
    )
    rows: list[tuple[str, int]] = connection.execute(
        "SELECT schema, step FROM migration"
    ).fetchall()
    if any(name != schema.name for name, _ in rows):
        raise Misuse(
            Reason.DATABASE_DAMAGED, f"{path} is a {rows[0][0]} database, not {schema.name}"
        )
    done = max((step for _, step in rows), default=0)
    if done > len(schema.steps):
        raise Misuse(
            Reason.DATABASE_NEWER,
            f"{path} was written by newer software (step {done}); upgrade first",
        )
    for number, statements in enumerate(schema.steps[done:], done + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute("INSERT INTO migration VALUES (?, ?)", (schema.name, number))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
