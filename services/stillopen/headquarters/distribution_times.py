"""Runs schedules by themselves: as soon as something changed, or as often as they say.

A schedule that fails is tried again after a while, longer after each failure; the others do not
wait for it.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from stillopen.core.errors import StillopenError
from stillopen.headquarters.distribution import Distribution
from stillopen.headquarters.distribution_runs import is_pending
from stillopen.headquarters.distribution_schedules import (
    Schedule,
    due_in_s,
    groups_of,
    list_schedules,
)
from stillopen.storage.engine import Session

LOG = logging.getLogger("stillopen.headquarters")
AGAIN_S = 5.0
"""How long after its first failure a schedule is tried again; twice as long after each other."""
AGAIN_MAX_S = 300.0


@dataclass(frozen=True, slots=True)
class _Failing:
    """A schedule that failed last time."""

    pause_s: float
    until_s: float
    """On the loop's clock."""


class Timetable:
    """Which schedule runs when. Time between runs is counted by the loop, not by the wall clock."""

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution
        self._ran_s: dict[str, float] = {}
        self._failing: dict[str, _Failing] = {}

    async def run(self) -> None:
        """Goes on for as long as the process runs; what cannot be done now, later."""
        while True:
            version = self._distribution.changed.version
            try:
                pause_s = await self.round()
            except Exception as error:  # noqa: BLE001 - selling and asking go on without it
                _log(error)
                pause_s = AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._distribution.changed.after(version)

    async def round(self) -> float | None:
        """Runs what is due; returns in how many seconds the next one is."""
        schedules = await self._distribution.engine.read(_schedules)
        waits: list[float] = []
        for schedule, pending in schedules:
            wait_s = due_in_s(schedule, self._ran_ago_s(schedule), pending=pending)
            if wait_s is None:
                self._failing.pop(schedule.name, None)  # somebody else ran it, or it is paused
            elif failing := self._failing.get(schedule.name):
                wait_s = max(wait_s, failing.until_s - asyncio.get_running_loop().time())
            if wait_s == 0:
                wait_s = await self._run(schedule)
            if wait_s is not None:
                waits.append(wait_s)
        self._forget_all_but({schedule.name for schedule, _ in schedules})
        return min(waits, default=None)

    async def _run(self, schedule: Schedule) -> float | None:
        """Runs a schedule that is due; returns in how many seconds it is again."""
        loop = asyncio.get_running_loop()
        try:
            await self._distribution.run_schedule(schedule.name)
        except Exception as error:  # noqa: BLE001 - another schedule may have nothing of it
            _log(error)
            failed = self._failing.get(schedule.name)
            pause_s = min(2 * failed.pause_s, AGAIN_MAX_S) if failed else AGAIN_S
            self._failing[schedule.name] = _Failing(pause_s, loop.time() + pause_s)
            return pause_s
        self._failing.pop(schedule.name, None)
        self._ran_s[schedule.name] = loop.time()
        return None if schedule.on_change else schedule.every_s

    def _forget_all_but(self, names: set[str]) -> None:
        for name in self._failing.keys() - names:
            del self._failing[name]

    def _ran_ago_s(self, schedule: Schedule) -> float | None:
        now_s = asyncio.get_running_loop().time()
        if schedule.name not in self._ran_s:
            if not schedule.last_run_wall_s:
                return None
            # Before this process began only the wall clock knows, and it may be wrong.
            ago_s = self._distribution.clock.wall_s() - schedule.last_run_wall_s
            self._ran_s[schedule.name] = now_s - min(max(ago_s, 0.0), schedule.every_s)
        return now_s - self._ran_s[schedule.name]


def _log(error: Exception) -> None:
    known = isinstance(error, StillopenError)
    LOG.error("distribution waits: %s", error, exc_info=None if known else error)


def _schedules(session: Session) -> list[tuple[Schedule, bool]]:
    return [
        (each, any(is_pending(session, group, each.jobs) for group in groups_of(session, each)))
        for each in list_schedules(session)
    ]
