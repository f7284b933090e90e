"""The disk of a simulated process: slow if it must be, and nothing is written after a crash."""

import asyncio
import os
import random
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from stillopen.rpc.shielded import to_its_end
from stillopen.storage.engine import Engine, Work

T = TypeVar("T")


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

    def __init__(self, die: Callable[[Moment], None]) -> None:
        self.count = 0
        self._die = die
        self._last: tuple[int, Moment] | None = None

    def die_at(self, commits: int, moment: Moment) -> None:
        """Dies before or after the commit that is so many commits away; 1 is the next."""
        self._last = (self.count + commits, moment)

    def live_on(self) -> None:
        """Takes it back."""
        self._last = None

    def begin(self) -> None:
        """A commit is about to be made."""
        self.count += 1
        self._reach(Moment.BEFORE)

    def end(self) -> None:
        """It is durable, and nobody has heard of it."""
        self._reach(Moment.AFTER)

    def _reach(self, moment: Moment) -> None:
        if self._last is not None and self._last == (self.count, moment):
            self._last = None
            self._die(moment)


class Disk:
    """An engine whose process can die; an `Engine` of `stillopen.storage`.

    A write goes on when its caller gave up, as on a thread of its own; writes keep their order.
    """

    def __init__(
        self, engine: Engine, commits: Commits, rng: random.Random, latency_s: tuple[float, float]
    ) -> None:
        self._engine = engine
        self._commits = commits
        self._rng = rng
        self._latency_s = latency_s
        self._one_at_a_time = asyncio.Lock()
        self._dead = False

    async def write(self, work: Work[T]) -> T:
        """Commits, or dies."""
        if self._latency_s[1] <= 0:
            return await self._write(work)
        return await to_its_end(self._write_late(work))

    async def write_with(self, database: Path, work: Work[T]) -> T:
        """Commits with another database at hand, or dies."""
        if self._latency_s[1] <= 0:
            return await self._write_with(database, work)
        async with self._one_at_a_time:
            await self._wait()
            return await self._write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        """Reads one committed state."""
        await self._wait()
        self._check()
        return await self._engine.read(work)

    async def close(self) -> None:
        """Lets the file go."""
        async with self._one_at_a_time:
            await self.die()

    async def die(self) -> None:
        """The process is no more: what was not committed is gone. Waits for nothing."""
        if not self._dead:
            self._dead = True
            await self._engine.close()

    async def _write_late(self, work: Work[T]) -> T:
        async with self._one_at_a_time:
            await self._wait()
            value = await self._write(work)
            await self._wait()
            return value

    async def _write(self, work: Work[T]) -> T:
        self._check()
        self._commits.begin()
        self._check()
        value = await self._engine.write(work)
        self._commits.end()
        self._check()
        return value

    async def _write_with(self, database: Path, work: Work[T]) -> T:
        self._check()
        self._commits.begin()
        self._check()
        value = await self._engine.write_with(database, work)
        self._commits.end()
        self._check()
        return value

    async def _wait(self) -> None:
        if self._latency_s[1] > 0:
            await asyncio.sleep(self._rng.uniform(*self._latency_s))

    def _check(self) -> None:
        if self._dead:
            raise asyncio.CancelledError  # a dead process does nothing more
