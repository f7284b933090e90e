"""A small database that tests of the engines write to."""

import sqlite3
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from stillopen.storage.engine import Engine, Session, Work
from stillopen.storage.schema import Schema

STEP_1 = ("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT",)
STEP_2 = (
    "ALTER TABLE note ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'",
    "UPDATE note SET colour = 'yellow'",
)
SCHEMA = Schema("notes", (STEP_1,))


class Opener(Protocol):
    """What opens an engine."""

    def __call__(self, path: Path, schema: Schema, *, durable: bool = True) -> Awaitable[Engine]:
        """Opens or creates the database."""
        ...


def add(text: str) -> Work[int]:
    """Writes a note and returns its number."""
    return lambda session: session.insert("INSERT INTO note (text) VALUES (?)", text)


def texts(session: Session) -> list[str]:
    """All notes, in the order they were written."""
    return [str(text) for (text,) in session.all("SELECT text FROM note ORDER BY id")]


def texts_in(path: Path) -> list[str]:
    """All notes that another process would see."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)  # noqa: TID251 - from outside
    try:
        return texts(Session(connection))
    finally:
        connection.close()
