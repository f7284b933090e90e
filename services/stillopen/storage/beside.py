"""Reading a database beside the engine that has it open, for work that takes long."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import TypeVar

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.engine import Work
from stillopen.storage.files import open_reader
from stillopen.storage.group import run_read
from stillopen.storage.off_loop import OffLoop

T = TypeVar("T")


def read_beside(path: Path, work: Work[T]) -> T:
    """Runs `work` on one committed state, on a connection of its own; for a thread of its own."""
    try:
        connection = open_reader(path)
    except sqlite3.OperationalError as error:
        raise Misuse(Reason.DATABASE_DAMAGED, f"{path.name} cannot be read: {error}") from None
    try:
        result: T = run_read(connection, work)
        return result
    finally:
        connection.close()


class Beside:
    """A database that an engine has open, and that may be read for long beside it."""

    def __init__(self, path: Path, off_loop: OffLoop) -> None:
        self._path = path
        self._off_loop = off_loop

    async def read(self, work: Work[T]) -> T:
        """Runs `work` on one committed state, off the loop."""
        return await self._off_loop(partial(read_beside, self._path, work))
