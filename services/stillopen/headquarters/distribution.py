"""Distribution: from headquarters' tables to the packages that channels get.

Packages are files on a shelf, built of the database's file while people and streams go on working
with it. Which there are, and where a replica stands with them, is kept in the database; a file that
is missing or damaged is forgotten and made again when somebody needs it.

A replica that is ahead of its log, because headquarters was restored from an old copy, makes
headquarters begin a new generation: a channel's when it asks, a register's by its report.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from stillopen.core.errors import StillopenError
from stillopen.core.ports import Clock
from stillopen.headquarters import distribution_logs, distribution_runs, distribution_schedules
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.distribution_heard import STEP as HEARD_STEP
from stillopen.headquarters.distribution_heard import Heard, forget_heard
from stillopen.headquarters.distribution_logs import drop_log, unneeded_logs
from stillopen.headquarters.distribution_overtaken import Overtaken, overtaken
from stillopen.headquarters.distribution_packages import (
    DELTA_ROWS_MIN,
    Made,
    Plan,
    append,
    plan,
)
from stillopen.headquarters.distribution_runs import Run, note_failure, note_run
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
from stillopen.headquarters.distribution_scopes import flow_to
from stillopen.headquarters.distribution_snapshots import (
    export_of,
    keep_planned,
    known_here,
    may_have,
    next_for,
    plan_snapshot,
)
from stillopen.headquarters.distribution_stock import Stock
from stillopen.replication import package_log
from stillopen.replication.fresh import Fresh
from stillopen.replication.news import News
from stillopen.replication.package_log import Needs
from stillopen.replication.packages import Built
from stillopen.replication.ports import Cursor, Flow, Package
from stillopen.replication.tables import JOBS
from stillopen.rpc.shielded import to_its_end
from stillopen.storage.engine import Engine, Session
from stillopen.storage.shelf import Shelf

STEP: tuple[str, ...] = (
    *package_log.STEP,
    *distribution_logs.STEP,
    *distribution_runs.STEP,
    *distribution_schedules.STEP,
    *HEARD_STEP,
    "DROP TABLE master",  # its generation and sequence are the logs' own now
)


class Distribution:
    """The packages of every group, and the runs that make them. Open: `open_distribution`."""

    def __init__(
        self,
        engine: Engine,
        database: Path,
        shelf: Shelf,
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
        self.stock = Stock(engine, database, shelf)
        self._fresh = Fresh()
        self._overtaken = Overtaken()
        self._rng = rng
        self._delta_rows_min = delta_rows_min
        self._one_at_a_time = asyncio.Lock()

    # Packages for channels

    async def newest(self, caller: str, cursor: Cursor) -> Package | None:
        """The package that a replica of a store's channel needs next; nothing when it has all.

        Where it stands is noted while packages are paused, too.
        """
        at = known_here(cursor)
        may, flow = await self.engine.read(
            lambda session: (may_have(session, caller, at.scope), flow_to(session, caller))
        )
        if not may:
            return None
        await self.heard.stands(caller, at)
        if flow.paused:
            self.heard.sends(caller, at.scope, None)
            return None
        found = await self._next(caller, at)
        if found is Needs.SNAPSHOT:
            # It is kept for the next who asks, also when this stream ends meanwhile.
            found = await to_its_end(self._make_snapshot(caller, at))
        package = found if isinstance(found, Package) else None
        self.heard.sends(caller, at.scope, package)
        return package

    async def registers_stand(self, caller: str, furthest: Mapping[int, int]) -> None:
        """How far registers behind a store's channel are in each generation, as they report."""
        found = await self.engine.read(partial(overtaken, store_id=caller, furthest=furthest))
        if self._overtaken.note(found):
            self.news.tell()  # the next who asks begins another generation

    async def block(self, package: Package, offset: int, size: int) -> bytes:
        """A part of a package's file; Refused NAME_UNKNOWN when it was removed meanwhile."""
        return await self.stock.block(package, offset, size)

    async def refused(self, caller: str, package: Cursor, message: str) -> None:
        """A replica of a store's channel kept what it had."""
        await self.stock.look_at(package)
        await self.heard.refused(
            caller, known_here(package).scope, f"package {package.sequence}: {message}"
        )

    def offer_interval_s(self) -> float:
        """Channels are offered what is new at once."""
        return 0.0

    async def flow(self, caller: str) -> Flow:
        """How packages may go down to a store's channel just now."""
        return await self.engine.read(lambda session: flow_to(session, caller))

    async def export(self, store_id: str) -> Package:
        """A snapshot with everything that a store's channel is to have; Refused NAME_UNKNOWN."""
        found = await self.engine.read(lambda session: export_of(session, store_id))
        while isinstance(found, Package):
            # A store without a line refuses nothing that came to it: its file is looked at here.
            await self.stock.look_at(found.cursor)
            if await self.stock.has(found):
                return found
            found = await self.engine.read(lambda session: export_of(session, store_id))
        async with self._one_at_a_time:
            return (await self._build_snapshot(store_id, Cursor(scope=found))).package

    async def _next(self, store_id: str, cursor: Cursor) -> Package | Needs:
        while True:
            find = partial(
                next_for,
                store_id=store_id,
                cursor=cursor,
                fresh=self._fresh.generations(),
                overtaken=self._overtaken.generations,
            )
            found = await self.engine.read(find)
            if not isinstance(found, Package) or await self.stock.has(found):
                return found

    async def _make_snapshot(self, store_id: str, cursor: Cursor) -> Package | Needs:
        async with self._one_at_a_time:
            found = await self._next(store_id, cursor)
            if found is not Needs.SNAPSHOT:
                return found  # somebody was first
            return (await self._build_snapshot(store_id, cursor)).package

    async def _build_snapshot(self, store_id: str, cursor: Cursor) -> Built:
        loop = asyncio.get_running_loop()
        begin_s, fresh = loop.time(), self._rng.getrandbits(64) or 1
        ended = self._overtaken.generations
        planned = await self.engine.read(
            lambda session: plan_snapshot(session, store_id, cursor, fresh, ended)
        )
        [(_, built)] = await self.stock.build([planned.wanted])
        run = Run("", JOBS, planned.wanted.log.group_id, self.clock.wall_s(), loop.time() - begin_s)

        def put(session: Session) -> None:
            keep_planned(session, planned, built)
            if planned.begins and not planned.wanted.at.scope.excluded:
                note_run(session, _with(run, [built]), [built.package.cursor])

        generations = {planned.wanted.log.end.generation, planned.wanted.at.generation}
        await self.stock.commit([built], generations, put)
        self._fresh.note(built.package.cursor.generation)
        if planned.begins:
            before = planned.wanted.log.end.generation
            self._overtaken.begun(built.package.cursor.generation, before)
            self.news.tell()  # who stands in the log before this one has not all that there is
        return built

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
        loop = asyncio.get_running_loop()
        await self._drop_unneeded()
        for group_id in groups:
            run, begin_s = Run(schedule, jobs, group_id, self.clock.wall_s()), loop.time()
            try:
                async with self._one_at_a_time:
                    made = await self._run_group(run)
            except StillopenError as error:
                duration_s = loop.time() - begin_s
                await self._note_failure(replace(run, duration_s=duration_s), error)
                failure = error  # the other groups do not wait for this one
                continue
            if made is not None:
                runs.append(made)
        if failure is not None:
            raise failure
        return runs

    async def _run_group(self, run: Run) -> Run | None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        planned = await self.engine.read(
            lambda s: plan(s, run.group_id, run.jobs, self._delta_rows_min)
        )
        if planned is None:
            return None
        made = await self.stock.build(planned.packages)
        found = replace(run, duration_s=loop.time() - begin_s)
        noted = await self._put(planned, made, found)
        if noted is not None:
            self.news.tell()
        return noted

    async def _put(self, planned: Plan, made: Made, run: Run) -> Run | None:
        packages = [built for _, built in made]

        def put(session: Session) -> Run | None:
            append(session, planned, made)
            if not packages:
                return None
            noted = _with(run, packages)
            cursors = [built.package.cursor for built in packages]
            return replace(noted, run_id=note_run(session, noted, cursors))

        generations = {built.package.cursor.generation for built in packages}
        return await self.stock.commit(packages, generations, put)

    async def _drop_unneeded(self) -> None:
        async with self._one_at_a_time:
            generations = {log.end.generation for log in await self.engine.read(unneeded_logs)}
            if not generations:
                return

            def drop(session: Session) -> None:
                for log in unneeded_logs(session):
                    if log.end.generation in generations:
                        drop_log(session, log)
                        forget_heard(session, log.end.generation)

            await self.stock.commit([], generations, drop)
            for generation in generations:
                self.heard.forget(generation)

    async def _note_failure(self, run: Run, error: StillopenError) -> None:
        failed = replace(run, failure=str(error))
        try:
            await self.engine.write(lambda session: note_failure(session, failed))
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
        self.news.tell()  # a group that had no schedule may get packages now
        return found

    async def remove_schedule(self, name: str, doer: Doer) -> None:
        """Removes a schedule; Refused NAME_UNKNOWN."""

        def remove(session: Session) -> None:
            remove_schedule(session, name)
            doer.note(session, "REMOVE_DISTRIBUTION_SCHEDULE", name)

        await self.engine.write(remove)


async def open_distribution(
    engine: Engine,
    database: Path,
    shelf: Shelf,
    clock: Clock,
    rng: random.Random,
    changed: News,
    delta_rows_min: int = DELTA_ROWS_MIN,
) -> Distribution:
    """Distribution of an open database; what its shelf has and lacks is put in order first."""
    distribution = Distribution(engine, database, shelf, clock, rng, changed, delta_rows_min)
    await distribution.stock.begin()
    return distribution


def _with(run: Run, packages: Sequence[Built]) -> Run:
    """A run with what it made: the package of all tables in the newest version is told of."""
    told = min(
        packages,
        key=lambda built: (
            built.package.cursor.scope.excluded,
            -built.package.cursor.scope.version,
        ),
    )
    return replace(
        run,
        sequence=told.package.cursor.sequence,
        changed=told.changed,
        removed=told.removed,
        size=told.package.size,
    )
