"""The drive that a machine's databases lie on: slow, full, or failing at some reads and writes.

It is filled by `PRAGMA max_page_count`: what fits into the pages that a database has still goes in,
unless the write-ahead log finds no room either. Errors are raised inside a transaction of the
engine that ships, so that they take the ways that SQLite's own would take. Files that are no
databases feel nothing of either.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from typing import TypeVar, cast

from stillopen.core.errors import Reason, StillopenError
from stillopen.storage.engine import Session, Work
from stillopen.storage.reserve import RESERVE_BYTES

T = TypeVar("T")
_PAGES_MAX = 2**30
_PAGE_BYTES = 4096
SIMULATED = "disk I/O error (simulated)"
_READING = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)
_WRITING = (
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_FSYNC,
)


class DriveError(sqlite3.OperationalError):
    """What the drive cannot do, as SQLite says it."""

    def __init__(self, code: int) -> None:
        is_full = code == sqlite3.SQLITE_FULL
        super().__init__("database or disk is full" if is_full else SIMULATED)
        self.sqlite_errorcode = code


class Drive:
    """The drive of one machine; it outlives the processes there."""

    def __init__(
        self, rng: random.Random, latency_s: tuple[float, float], count: Callable[[str], None]
    ) -> None:
        self.latency_s = latency_s
        """How long it takes for a read, and for each half of a write."""
        self.errors = 0.0
        """How many reads and writes fail, from 0 to 1."""
        self.write_codes: tuple[int, ...] = _WRITING
        """As what errors of a write are said."""
        self.rng = rng
        self._usual_s = latency_s
        self._is_slowed = False
        """Whether it was made slow, and nobody has waited for it yet."""
        self._count = count
        self._full = self._is_log_full = False
        self._reserved = True
        self._room_pages = 0
        self._mounted: list[sqlite3.Connection] = []

    @property
    def is_full(self) -> bool:
        """Whether nothing fits onto it that needs room."""
        return self._full

    @property
    def is_sound(self) -> bool:
        """Whether it has room and fails at nothing."""
        return not self._full and not self.errors

    def mount(self, connection: sqlite3.Connection) -> None:
        """A database is open for writing."""
        self._mounted.append(connection)
        if self._full:
            self._limit(connection)

    def unmount(self, connection: sqlite3.Connection) -> None:
        """It is not any more."""
        if connection in self._mounted:
            self._mounted.remove(connection)

    def fill(self, *, log: bool = False) -> None:
        """No database grows from now on, nor with `log` any database's log: nothing is written."""
        self._full, self._is_log_full, self._room_pages = True, log, 0
        self._limit_all()

    def empty(self) -> None:
        """There is room again."""
        self._full = self._is_log_full = False
        self._limit_all()

    def slow_down(self, latency_s: tuple[float, float]) -> None:
        """It takes longer from now on."""
        self.latency_s, self._is_slowed = latency_s, True

    def hurry(self) -> None:
        """It is as fast as it was at first."""
        self.latency_s, self._is_slowed = self._usual_s, False

    async def wait(self) -> None:
        """Takes the time of a read, or of half a write."""
        if self.latency_s[1] > 0:
            if self._is_slowed:
                self._count("slow disk")
                self._is_slowed = False
            await asyncio.sleep(self.rng.uniform(*self.latency_s))

    def heal(self) -> None:
        """It is as it was at first."""
        self.hurry()
        self.errors = 0.0
        if self._full:
            self.empty()

    def hold(self) -> bool:
        """Keeps the reserve while there is room for it; a `Reserve` of `stillopen.storage`."""
        self._reserved = self._reserved or not self._full
        if not self._reserved:
            self._count("disk low")
        return self._reserved

    def give_up(self) -> bool:
        """The reserve becomes room."""
        there, self._reserved = self._reserved, False
        if there and self._full:
            self._count("reserve given up")
            self._is_log_full = False
            self._room_pages += RESERVE_BYTES // _PAGE_BYTES
            self._limit_all()
        return there

    def note(self, error: BaseException) -> None:
        """A write was refused; counts what the full drive refused."""
        if self._full and isinstance(error, StillopenError) and error.reason is Reason.DISK_FULL:
            self._count("disk full")

    def check_opening(self) -> None:
        """Raises when it fails at opening a file."""
        if self.errors and self.rng.random() < self.errors:
            raise self._error(_READING)

    def tried(self, work: Work[T], *, reading: bool = False) -> Work[T]:
        """The work, or one that meets an error of the drive before it or at its end."""
        if self.errors and self.rng.random() < self.errors:
            error = self._error(_READING if reading else self.write_codes)
            return _failing(work, error, at_end=self.rng.random() < 0.5)
        if self._is_log_full and not reading:
            return _failing(work, DriveError(sqlite3.SQLITE_FULL), at_end=True)
        return work

    def _error(self, codes: tuple[int, ...]) -> DriveError:
        error = DriveError(self.rng.choice(codes))
        self._count("disk error")
        return error

    def _limit_all(self) -> None:
        for connection in self._mounted:
            self._limit(connection)

    def _limit(self, connection: sqlite3.Connection) -> None:
        pages = _PAGES_MAX
        if self._full:
            [(there,)] = connection.execute("PRAGMA page_count")
            pages = there + self._room_pages
        connection.execute(f"PRAGMA max_page_count={pages}")


_TOLD = (Reason.DISK_FULL, Reason.DISK_LOW, Reason.INTERNAL)
"""What a drive is to blame for; of an internal error the log of whoever failed says more."""


def _failing(work: Work[T], error: DriveError, *, at_end: bool) -> Work[T]:
    def fails(session: Session) -> T:
        if at_end:
            work(session)
        raise error

    return fails


def is_of_a_drive(error: BaseException | None) -> bool:
    """Whether a drive is to blame, which failed or was full, however far away it is."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(map(is_of_a_drive, group.exceptions))
    if error is None:
        return False
    if isinstance(error, StillopenError) and error.reason in _TOLD:
        return True
    return SIMULATED in str(error) or is_of_a_drive(error.__cause__ or error.__context__)
