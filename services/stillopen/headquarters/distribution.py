"""Distribution: from headquarters' tables to the packages that channels get.

Each channel group has one log of packages under a random generation. A store that comes to another
group meets another generation, and so gets a snapshot. A replica that is ahead of its log, because
headquarters was restored from an old copy, makes headquarters begin a new generation.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

from stillopen.core.errors import StillopenError
from stillopen.core.ports import Clock
from stillopen.headquarters import distribution_runs, distribution_schedules
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.distribution_heard import STEP as HEARD_STEP
from stillopen.headquarters.distribution_heard import Heard
from stillopen.headquarters.distribution_runs import (
    DELTA_ROWS_MIN,
    Run,
    append,
    end_of,
    keep_snapshot,
    newest_change,
    prepare,
    snapshot_lacks,
)
from stillopen.headquarters.distribution_schedules import (
    Schedule,
    find_schedule,
    groups_of,
    groups_with_stores,
    note_ran,
    put_schedule,
    remove_schedule,
    said_of,
)
from stillopen.headquarters.set_up import DEFAULT_GROUP
from stillopen.replication import package_log
from stillopen.replication.news import News
from stillopen.replication.package_log import Needs
from stillopen.replication.packages import Scope, build_snapshot
from stillopen.replication.ports import Cursor, Package
from stillopen.storage.engine import Engine, Session

STEP: tuple[str, ...] = (
    *package_log.STEP,
    *distribution_runs.STEP,
    *distribution_schedules.STEP,
    *HEARD_STEP,
    "DROP TABLE master",  # its generation and sequence are the groups' own now
)


class Distribution:
    """The packages of every channel group, and the runs that make them."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        rng: random.Random,
        changed: News,
        delta_rows_min: int = DELTA_ROWS_MIN,
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.changed = changed
        """Told when something that schedules look at is another."""
        self.news = News()
        """Told when there is a package that was not there before."""
        self.heard = Heard(engine, clock)
        self._rng = rng
        self._delta_rows_min = delta_rows_min
        self._one_at_a_time = asyncio.Lock()

    # Packages for channels

    async def newest(self, caller: str, cursor: Cursor) -> Package | None:
        """The package that a store's channel needs next; nothing when it has everything."""
        await self.heard.stands(caller, cursor)
        found = await self._next(caller, cursor)
        if found is Needs.SNAPSHOT:
            await self._make_snapshot(caller, cursor)
            found = await self._next(caller, cursor)
        package = found if isinstance(found, Package) else None
        self.heard.sends(caller, package)
        return package

    async def refused(self, caller: str, package: Cursor, message: str) -> None:
        """A store's channel kept what it had."""
        await self.heard.refused(caller, f"package {package.sequence}: {message}")

    def offer_interval_s(self) -> float:
        """Channels are offered what is new at once."""
        return 0.0

    async def _next(self, store_id: str, cursor: Cursor) -> Package | Needs:
        return await self.engine.read(lambda session: _next(session, store_id, cursor))

    async def _make_snapshot(self, store_id: str, cursor: Cursor) -> None:
        fresh = self._rng.getrandbits(64) or 1
        async with self._one_at_a_time:
            if await self._next(store_id, cursor) is not Needs.SNAPSHOT:
                return  # somebody else was here first

            def begin_again(session: Session) -> tuple[str, Cursor]:
                group_id = group_of(session, store_id)
                end = end_of(session, group_id) or Cursor()
                if not _is_ahead(cursor, end):
                    return group_id, end
                package_log.forget(session, end.generation)
                session.run(
                    "UPDATE group_log SET generation = ?, sequence = sequence + 1"
                    " WHERE group_id = ?",
                    package_log.generation_text(fresh),
                    group_id,
                )
                return group_id, Cursor(fresh, end.sequence + 1)

            group_id, end = await self.engine.write(begin_again)
            through, built = await self.engine.read(
                lambda s: (newest_change(s), build_snapshot(s, Scope(group_id), end))
            )
            await self.engine.write(lambda s: keep_snapshot(s, group_id, end, built, through))

    # Runs

    async def run_schedule(self, name: str) -> list[Run]:
        """Runs a schedule now, also one that is paused; Refused NAME_UNKNOWN."""

        def read(session: Session) -> tuple[Schedule, list[str]]:
            schedule = find_schedule(session, name)
            return schedule, groups_of(session, schedule)

        schedule, groups = await self.engine.read(read)
        runs = await self._run(schedule.jobs, groups, name)
        wall_s = self.clock.wall_s()
        await self.engine.write(lambda session: note_ran(session, name, wall_s))
        return runs

    async def run_jobs(self, jobs: Sequence[int]) -> list[Run]:
        """Runs jobs for every channel group now."""
        return await self._run(tuple(jobs), await self.engine.read(groups_with_stores), "")

    async def _run(self, jobs: tuple[int, ...], groups: list[str], schedule: str) -> list[Run]:
        runs: list[Run] = []
        failure: StillopenError | None = None
        for group_id in groups:
            run = Run(schedule, jobs, group_id, self.clock.wall_s())
            try:
                async with self._one_at_a_time:
                    made = await self._run_group(run)
            except StillopenError as error:
                await self._note_failure(run, error)
                failure = error  # the other groups do not wait for this one
                continue
            if made is not None:
                runs.append(made)
        if failure is not None:
            raise failure
        return runs

    async def _run_group(self, run: Run) -> Run | None:
        loop = asyncio.get_running_loop()
        begin_s, fresh = loop.time(), self._rng.getrandbits(64) or 1
        prepared = await self.engine.read(
            lambda s: prepare(s, run.group_id, run.jobs, fresh, self._delta_rows_min)
        )
        if prepared is None:
            return None
        built = prepared.built
        made = replace(
            run,
            duration_s=loop.time() - begin_s,
            generation=package_log.generation_text(prepared.at.generation),
            sequence=prepared.at.sequence,
            changed=built.changed if built else 0,
            removed=built.removed if built else 0,
            size=len(built.data) if built else 0,
        )

        def put(session: Session) -> int:
            append(session, prepared)
            return distribution_runs.note_run(session, made) if built else 0

        run_id = await self.engine.write(put)
        if built is None:
            return None
        self.news.tell()
        return replace(made, run_id=run_id)

    async def _note_failure(self, run: Run, error: StillopenError) -> None:
        failed = replace(run, failure=str(error))
        try:
            await self.engine.write(lambda session: distribution_runs.note_run(session, failed))
        except StillopenError:
            return  # nor can that be written; the one who asked is told

    # Schedules

    async def put_schedule(self, schedule: Schedule, doer: Doer) -> Schedule:
        """Adds or changes a schedule; Refused NAME_UNKNOWN for its groups."""

        def put(session: Session) -> Schedule:
            found = put_schedule(session, schedule)
            doer.note(session, "UPDATE_DISTRIBUTION_SCHEDULE", found.name, said_of(found))
            return found

        found = await self.engine.write(put)
        self.changed.tell()
        return found

    async def remove_schedule(self, name: str, doer: Doer) -> None:
        """Removes a schedule; Refused NAME_UNKNOWN."""

        def remove(session: Session) -> None:
            remove_schedule(session, name)
            doer.note(session, "REMOVE_DISTRIBUTION_SCHEDULE", name)

        await self.engine.write(remove)


def group_of(session: Session, store_id: str) -> str:
    """The channel group of a store."""
    row = session.one("SELECT group_id FROM store WHERE store_id = ?", store_id)
    return str(row[0]) if row and row[0] else DEFAULT_GROUP


def _is_ahead(cursor: Cursor, end: Cursor) -> bool:
    return cursor.generation == end.generation and cursor.sequence > end.sequence


def _next(session: Session, store_id: str, cursor: Cursor) -> Package | Needs:
    group_id = group_of(session, store_id)
    end = end_of(session, group_id)
    if end is None:
        return Needs.NOTHING
    comes = cursor.generation != end.generation
    if _is_ahead(cursor, end) or (comes and snapshot_lacks(session, group_id, store_id)):
        return Needs.SNAPSHOT
    return package_log.next_package(session, end, cursor)
