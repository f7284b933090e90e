"""Counting what SQLite does for a run: the steps of its virtual machine, not seconds."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stillopen.storage import draft

EVERY = 10
"""So many steps are counted at once."""


class Steps:
    """What was counted."""

    def __init__(self) -> None:
        self.count = 0

    def note(self) -> int:
        """Some more."""
        self.count += EVERY
        return 0

    def watch(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Counts on a connection from now on."""
        connection.set_progress_handler(self.note, EVERY)
        return connection


@contextmanager
def counted(connection: sqlite3.Connection) -> Generator[Steps]:
    """Counts on headquarters' connection, and on those that packages are built on."""
    steps, connect = Steps(), draft._connect  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def watched(path: Path | str) -> sqlite3.Connection:
        return steps.watch(connect(path))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(draft, "_connect", watched)
        steps.watch(connection)
        yield steps
        connection.set_progress_handler(None, 0)
