"""Runs schedules by themselves: as soon as something changed, or as often as they say."""

import asyncio
import contextlib
import logging

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
"""How long after a run that failed it is tried again."""


class Timetable:
    """Which schedule runs when. Time between runs is counted by the loop, not by the wall clock."""

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution
        self._ran_s: dict[str, float] = {}

    async def run(self) -> None:
        """Goes on for as long as the process runs; what cannot be done now, later."""
        while True:
            version = self._distribution.changed.version
            try:
                pause_s = await self.round()
            except StillopenError as error:
                LOG.error("distribution waits: %s", error)  # noqa: TRY400 - said in the message
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
            if wait_s == 0:
                await self._distribution.run_schedule(schedule.name)
                self._ran_s[schedule.name] = asyncio.get_running_loop().time()
                wait_s = None if schedule.on_change else schedule.every_s
            if wait_s is not None:
                waits.append(wait_s)
        return min(waits, default=None)

    def _ran_ago_s(self, schedule: Schedule) -> float | None:
        now_s = asyncio.get_running_loop().time()
        if schedule.name not in self._ran_s:
            if not schedule.last_run_wall_s:
                return None
            # Before this process began only the wall clock knows, and it may be wrong.
            ago_s = self._distribution.clock.wall_s() - schedule.last_run_wall_s
            self._ran_s[schedule.name] = now_s - min(max(ago_s, 0.0), schedule.every_s)
        return now_s - self._ran_s[schedule.name]


def _schedules(session: Session) -> list[tuple[Schedule, bool]]:
    return [
        (each, any(is_pending(session, group, each.jobs) for group in groups_of(session, each)))
        for each in list_schedules(session)
    ]
