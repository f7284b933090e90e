"""The disk of a simulated process: slow if it must be, and nothing is written after a crash."""

import asyncio
import os
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.sim.drive import Drive
from tests.sim.power import Left, Log, log_of, lose_log

from stillopen.core.errors import Refused
from stillopen.rpc.shielded import to_its_end
from stillopen.storage.engine import Database, Work
from stillopen.storage.group import SyncFailedError
from stillopen.storage.inline import InlineEngine

T = TypeVar("T")
_FULL = 2


class Moment(StrEnum):
    """When a process dies at a commit."""

    BEFORE = "before"
    AFTER = "after"


def deaths(commits: int, moment: Moment) -> range:
    """At which of so many commits to die: every second, the others at the other moment.

    With STILLOPEN_EVERY_POINT at each.
    """
    if os.environ.get("STILLOPEN_EVERY_POINT"):
        return range(1, commits + 1)
    return range(1 + list(Moment).index(moment), commits + 1, 2)


class Commits:
    """What a process has committed in all its databases, and at which commit it is to die."""

    def __init__(
        self,
        die: Callable[[Moment, int], None],
        tear: Callable[[], object],
        flush_failed: Callable[[], None],
    ) -> None:
        self.count = 0
        self.tear_now = tear
        """The power fails in the middle of a commit."""
        self.flush_failed = flush_failed
        """A flush failed: nobody knows what the disk holds."""
        self._die = die
        self._last: tuple[int, Moment] | None = None
        self._steps = 0
        self._torn = 0

    def die_at(self, commits: int, moment: Moment, steps: int = 0) -> None:
        """Dies before or after the commit that is so many commits away; 1 is the next.

        With `steps` so many steps of the loop later.
        """
        self._last, self._steps = (self.count + commits, moment), steps

    def tear(self, commits: int) -> None:
        """The power fails in the middle of the commit that is so many commits away."""
        self._torn = self.count + commits

    def live_on(self) -> None:
        """Takes it back."""
        self._last, self._torn = None, 0

    def begin(self) -> None:
        """A commit is about to be made."""
        self.count += 1
        self._reach(Moment.BEFORE)

    def end(self) -> None:
        """It is durable, and nobody has heard of it."""
        self._reach(Moment.AFTER)

    @property
    def is_torn(self) -> bool:
        """Whether the power fails in the middle of this commit."""
        return self._torn > 0 and self._torn == self.count

    def _reach(self, moment: Moment) -> None:
        if self._last is not None and self._last == (self.count, moment):
            self._last = None
            self._die(moment, self._steps)


class Disk:
    """An engine whose process can die; an `Engine` of `stillopen.storage`.

    A write goes on when its caller gave up, as on a thread of its own; writes keep their order.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, commits: Commits, drive: Drive
    ) -> None:
        self._connection = connection
        self._path = path
        self._engine = InlineEngine(connection)
        self._commits = commits
        self._drive = drive
        self._late = 0
        """How many writes are on their way: what comes now waits behind them."""
        self._one_at_a_time = asyncio.Lock()
        self._dead = False
        self._open_commit: Log | None = None
        """The log before a commit that did not return."""
        drive.mount(connection)

    async def write(self, work: Work[T]) -> T:
        """Commits, or dies."""
        return await self._in_turn(partial(self._write, work))

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Commits with another database at hand, or dies."""
        return await self._in_turn(partial(self._write, work, database))

    async def read(self, work: Work[T]) -> T:
        """Reads one committed state."""
        await self._drive.wait()
        self._check()
        return await self._engine.read(self._drive.tried(work, reading=True))

    async def close(self) -> None:
        """Lets the file go."""
        async with self._one_at_a_time:
            if not self._dead:
                self._dead = True
                self._drive.unmount(self._connection)
                await self._engine.close()

    def die(self, power: random.Random | None = None) -> bool:
        """The process is no more: what was not committed is gone.

        With `power` that has failed too; whether anything that was written is gone for it.
        """
        if self._dead:
            return False
        self._dead = True
        self._drive.unmount(self._connection)
        log, left, flushes = log_of(self._path), Left.of(self._path), self._flushes()
        self._connection.close()
        left.put_back()
        if power is None or log is None:
            return False
        return lose_log(self._path, log, log.certain(self._open_commit, flushes=flushes), power)

    def _flushes(self) -> bool:
        """Whether each commit is flushed: as the connection is now, not as it was asked for."""
        with suppress(sqlite3.DatabaseError):
            [(level,)] = self._connection.execute("PRAGMA synchronous")
            return int(level) >= _FULL
        return False

    async def _in_turn(self, write: Callable[[], Awaitable[T]]) -> T:
        if self._drive.latency_s[1] <= 0 and not self._late:
            return await write()
        return await to_its_end(self._write_late(write))

    async def _write_late(self, write: Callable[[], Awaitable[T]]) -> T:
        self._late += 1
        try:
            async with self._one_at_a_time:
                await self._drive.wait()
                value = await write()
                await self._drive.wait()
                return value
        finally:
            self._late -= 1

    async def _write(self, work: Work[T], database: Database | None = None) -> T:
        self._check()
        self._commits.begin()
        self._check()
        if self._commits.is_torn:
            await self._leave_open(work, database)
            self._commits.tear_now()
            self._check()
        try:
            value = await self._commit(self._drive.tried(work), database)
        except SyncFailedError:
            await self._leave_open(work, database)
            self.die(self._drive.rng)
            self._commits.flush_failed()
            raise asyncio.CancelledError from None
        except Refused as error:
            self._drive.note(error)
            raise
        self._commits.end()
        self._check()
        return value

    async def _leave_open(self, work: Work[T], database: Database | None) -> None:
        """Writes what a commit writes, and takes none of it for certain."""
        self._open_commit = log_of(self._path)
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        with suppress(Exception):
            await self._commit(work, database)

    async def _commit(self, work: Work[T], database: Database | None) -> T:
        if database is None:
            return await self._engine.write(work)
        return await self._engine.write_with(database, work)

    def _check(self) -> None:
        if self._dead:
            raise asyncio.CancelledError  # a dead process does nothing more
