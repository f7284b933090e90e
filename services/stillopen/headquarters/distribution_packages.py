"""What a run puts into the logs of a channel group: for each a delta, a snapshot, or nothing.

1. A run reads the rows of `change` that are newer than what its jobs were distributed through,
   and the rows they name; nothing else.
2. Nothing changed: no package. What changed in tables that a log leaves out makes none for it.
3. When a log's delta would carry more than a snapshot is worth it is one, and the older deltas go.
4. The packages of a run come into their logs in one transaction, with how far its jobs are.
5. A package is built of a state that is at least as new as what the run looked at. What it holds of
   later changes, or a snapshot of other jobs, comes again with the next delta.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stillopen.headquarters.distribution_deltas import Through, carried, count_changes, fill_delta
from stillopen.headquarters.distribution_logs import Log, keep_delta, keep_snapshot, logs_of
from stillopen.headquarters.distribution_runs import (
    every_job,
    newest_change,
    note_distributed,
    through_of,
)
from stillopen.replication import package_log
from stillopen.replication.packages import (
    Built,
    Selection,
    build,
    delta_statements,
    fill_snapshot,
    snapshot_statements,
)
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import JOBS
from stillopen.storage.engine import Session
from stillopen.storage.shelf import Shelf

DELTA_ROWS_MIN = 10_000
"""A run of fewer rows is a delta, however few rows there are in all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package that is to be built, for the end of a log."""

    log: Log
    at: Cursor
    """Where it leads, without a digest."""
    jobs: tuple[int, ...] = ()
    """What a delta carries; a snapshot has none and carries everything."""
    through: Through | None = None

    def build(self, shelf: Shelf, database: Path) -> Built | None:
        """Builds it, off the loop; nothing when nothing changed for the log."""
        selection, version = Selection(self.log.group_id), self.at.scope.version
        through = self.through
        if through is None:
            return build(
                shelf,
                database,
                snapshot_statements(version),
                lambda session: fill_snapshot(session, selection, self.at),
            )
        return build(
            shelf,
            database,
            delta_statements(version),
            lambda session: fill_delta(
                session, selection, self.log.end, self.at, self.jobs, through
            ),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do for a group; without packages it only notes that it looked."""

    group_id: str
    jobs: tuple[int, ...]
    newest: int
    """The number of the last change that was there."""
    packages: tuple[Wanted, ...]


Made = list[tuple[Wanted, Built]]
"""Packages that were built, and are in no log yet."""


def plan(session: Session, group_id: str, wanted: Sequence[int], rows_min: int) -> Plan | None:
    """What a run of jobs is to do; nothing when nothing changed, or nobody asked for packages."""
    newest, jobs, through = newest_change(session), every_job(wanted), through_of(session, group_id)
    if min(through[job] for job in jobs) >= newest:
        return None
    logs = logs_of(session, group_id)
    found = (_wanted(session, log, jobs, through, rows_min) for log in logs)
    return Plan(group_id, jobs, newest, tuple(filter(None, found))) if logs else None


def append(session: Session, planned: Plan, made: Made) -> None:
    """Puts what a run made at the ends of the logs."""
    for wanted, built in made:
        if wanted.through is None:
            package_log.forget_deltas(session, wanted.at.generation)
            keep_snapshot(session, wanted.log, built, planned.newest)
        else:
            keep_delta(session, wanted.log, built)
    everything = bool(made) and all(wanted.through is None for wanted, _ in made)
    whole = everything and len(made) == len(logs_of(session, planned.group_id))
    note_distributed(session, planned.group_id, JOBS if whole else planned.jobs, planned.newest)


def _wanted(
    session: Session, log: Log, jobs: tuple[int, ...], through: Through, rows_min: int
) -> Wanted | None:
    at = replace(log.end, sequence=log.end.sequence + 1, digest=b"")
    tables = carried(session, at.scope, jobs, through)
    if not tables:
        return None
    worth = max(rows_min, log.row_count // 4)
    if count_changes(session, tables, worth + 1) > worth:
        return Wanted(log, at)
    return Wanted(log, at, jobs, through)
