"""Room on the disk that is kept for the open sale: given up when the disk is full.

While it cannot be kept no sale begins, so that one that has begun can be completed (protocol rule
30).
"""

import os
from pathlib import Path
from typing import Protocol, TypeVar

from stillopen.core.errors import Reason, Refused
from stillopen.storage.engine import Database, Engine, Work

T = TypeVar("T")
RESERVE_BYTES = 8 * 2**20
"""Several times the largest journal entry, with its indexes and the write-ahead log."""


class Reserve(Protocol):
    """Room that is kept."""

    def hold(self) -> bool:
        """Keeps the room; False when there is not enough."""
        ...

    def give_up(self) -> bool:
        """Lets it go; False when it was gone already."""
        ...


class FileReserve:
    """A file that takes the room."""

    def __init__(self, path: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def hold(self) -> bool:
        """Makes the file unless it is there."""
        try:
            if self._path.stat().st_size == self._size_bytes:
                return True
        except FileNotFoundError:
            pass
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size_bytes)
            finally:
                os.close(handle)
        except OSError:
            self._path.unlink(missing_ok=True)  # a part of it would only take room
            return False
        return True

    def give_up(self) -> bool:
        """Deletes the file."""
        there = self._path.exists()
        self._path.unlink(missing_ok=True)
        return there


class ReservedEngine:
    """An engine whose writes may use the reserve once the disk is full."""

    def __init__(self, inner: Engine, reserve: Reserve) -> None:
        self._inner = inner
        self._reserve = reserve

    async def write(self, work: Work[T]) -> T:
        """Writes; on a full disk once more, without the reserve."""
        try:
            return await self._inner.write(work)
        except Refused as error:
            if error.reason is not Reason.DISK_FULL:
                raise
            self._reserve.give_up()  # another write may have done so, and there is room now
        return await self._inner.write(work)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Writes with another database at hand; the reserve is not for that."""
        return await self._inner.write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        """Reads."""
        return await self._inner.read(work)

    async def close(self) -> None:
        """Closes."""
        await self._inner.close()
