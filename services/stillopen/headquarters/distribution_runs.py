"""A run of distribution for one channel group: what changed since the last, made into one package.

1. A run reads the rows of `change` that are newer than what its jobs were distributed through,
   and the rows they name; nothing else. A key without a row, or with one that the group does not
   see, is a removal.
2. Nothing changed: no package and no run.
3. When a run would carry more than a snapshot is worth it makes one, and the older deltas go.
4. A snapshot holds what headquarters has now, also what a schedule would carry later only; that
   comes again with the next delta, and puts the same rows once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stillopen.headquarters.distribution_deltas import build_delta, count_changes
from stillopen.replication import package_log
from stillopen.replication.package_log import generation_text
from stillopen.replication.packages import Built, Scope, build_snapshot
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import ALL_JOBS, JOBS, STORE
from stillopen.storage.engine import Row, Session

DELTA_ROWS_MIN = 10_000
"""A run of fewer rows is a delta, however few rows there are in all."""
RUNS_MAX = 10_000

STEP: tuple[str, ...] = (
    """CREATE TABLE group_log (
         group_id TEXT PRIMARY KEY,
         generation TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         row_count INTEGER NOT NULL,
         snapshot_through INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE distributed (
         group_id TEXT NOT NULL,
         job INTEGER NOT NULL,
         through INTEGER NOT NULL,
         PRIMARY KEY (group_id, job)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE distribution_run (
         run_id INTEGER PRIMARY KEY AUTOINCREMENT,
         schedule TEXT NOT NULL,
         jobs TEXT NOT NULL,
         group_id TEXT NOT NULL,
         generation TEXT NOT NULL,
         begin_wall_s REAL NOT NULL,
         duration_s REAL NOT NULL,
         sequence INTEGER NOT NULL,
         changed INTEGER NOT NULL,
         removed INTEGER NOT NULL,
         size INTEGER NOT NULL,
         failure TEXT NOT NULL) STRICT""",
    "CREATE INDEX distribution_run_by_group ON distribution_run (group_id, run_id)",
)
"""The statements that make the tables: each group's log, how far its jobs are, and the runs."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that made a package, or failed to."""

    schedule: str
    jobs: tuple[int, ...]
    group_id: str
    begin_wall_s: float
    duration_s: float = 0.0
    generation: str = ""
    sequence: int = 0
    changed: int = 0
    removed: int = 0
    size: int = 0
    failure: str = ""
    run_id: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A package that a run made and that is not in its log yet; none when nothing changed."""

    group_id: str
    jobs: tuple[int, ...]
    through: int
    at: Cursor
    snapshot: bool
    built: Built | None = None


def every_job(jobs: Sequence[int]) -> tuple[int, ...]:
    """The jobs of a schedule, one by one."""
    return JOBS if ALL_JOBS in jobs else tuple(sorted(set(jobs)))


def end_of(session: Session, group_id: str) -> Cursor | None:
    """Where a group's log ends; nothing before its first package."""
    row = session.one("SELECT generation, sequence FROM group_log WHERE group_id = ?", group_id)
    return Cursor(int(row[0], 16), row[1]) if row else None


def newest_change(session: Session) -> int:
    """The number of the newest change."""
    row = session.one("SELECT max(number) FROM change")
    return int(row[0] or 0) if row else 0


def is_pending(session: Session, group_id: str, jobs: Sequence[int]) -> bool:
    """Whether something changed since jobs were distributed to a group."""
    through = _through(session, group_id)
    return min(through[job] for job in every_job(jobs)) < newest_change(session)


def prepare(
    session: Session, group_id: str, wanted: Sequence[int], fresh: int, rows_min: int
) -> Prepared | None:
    """Reads what changed and makes the package; `fresh` is the generation of a log that begins."""
    newest, jobs = newest_change(session), every_job(wanted)
    if not newest:
        return None
    end = end_of(session, group_id)
    if end is None:
        return _snapshot(session, group_id, newest, Cursor(fresh, 1))
    through = _through(session, group_id)
    worth = max(rows_min, _row_count(session, group_id) // 4)
    if count_changes(session, jobs, through, worth + 1) > worth:
        return _snapshot(session, group_id, newest, Cursor(end.generation, end.sequence + 1))
    built = build_delta(session, Scope(group_id), end, jobs, through)
    at = Cursor(end.generation, end.sequence + (1 if built else 0))
    return Prepared(group_id, jobs, newest, at, snapshot=False, built=built)


def append(session: Session, prepared: Prepared) -> None:
    """Puts the package at the end of its group's log."""
    group_id, at, built = prepared.group_id, prepared.at, prepared.built
    session.run_many(
        "INSERT OR REPLACE INTO distributed VALUES (?,?,?)",
        [(group_id, job, prepared.through) for job in prepared.jobs],
    )
    if built is None:
        return
    if prepared.snapshot:
        package_log.forget_deltas(session, at.generation)
        keep_snapshot(session, group_id, at, built, prepared.through)
        return
    package_log.keep_delta(session, at, built)
    rows = max(0, _row_count(session, group_id) + built.changed - built.removed)
    session.run(
        "UPDATE group_log SET sequence = ?, row_count = ? WHERE group_id = ?",
        at.sequence,
        rows,
        group_id,
    )


def keep_snapshot(session: Session, group_id: str, at: Cursor, built: Built, through: int) -> None:
    """Keeps a group's snapshot, that holds every change through a number."""
    package_log.keep_snapshot(session, at, built)
    session.run(
        "INSERT OR REPLACE INTO group_log VALUES (?,?,?,?,?)",
        group_id,
        generation_text(at.generation),
        at.sequence,
        built.changed,
        through,
    )


def snapshot_lacks(session: Session, group_id: str, store_id: str) -> bool:
    """Whether a group's snapshot was made before a store was put as it is.

    Where that is so the store's registers would not be known to its channel.
    """
    row = session.one(
        "SELECT 1 FROM change, group_log WHERE table_name = ? AND key = ? AND group_id = ?"
        " AND number > snapshot_through",
        STORE.name,
        store_id,
        group_id,
    )
    return row is not None


def note_run(session: Session, run: Run) -> int:
    """Keeps a run, and no more than the newest; returns its number."""
    run_id = session.insert(
        "INSERT INTO distribution_run (schedule, jobs, group_id, generation, begin_wall_s,"
        " duration_s, sequence, changed, removed, size, failure) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        run.schedule,
        " ".join(map(str, run.jobs)),
        run.group_id,
        run.generation,
        run.begin_wall_s,
        run.duration_s,
        run.sequence,
        run.changed,
        run.removed,
        run.size,
        run.failure,
    )
    session.run("DELETE FROM distribution_run WHERE run_id <= ?", run_id - RUNS_MAX)
    return run_id


def list_runs(session: Session, group_id: str, before: int, limit: int) -> list[Run]:
    """The runs before one, the newest first; 0 begins with the newest, no group means all."""
    rows = session.all(
        "SELECT schedule, jobs, group_id, begin_wall_s, duration_s, generation, sequence, changed,"
        " removed, size, failure, run_id FROM distribution_run"
        " WHERE (?1 = '' OR group_id = ?1) AND (?2 = 0 OR run_id < ?2)"
        " ORDER BY run_id DESC LIMIT ?3",
        group_id,
        before,
        limit,
    )
    return [_run(row) for row in rows]


def _run(row: Row) -> Run:
    schedule, jobs, *rest = row
    return Run(schedule, tuple(map(int, jobs.split())), *rest)


def _through(session: Session, group_id: str) -> dict[int, int]:
    rows = session.all("SELECT job, through FROM distributed WHERE group_id = ?", group_id)
    return {**dict.fromkeys(JOBS, 0), **dict(rows)}


def _row_count(session: Session, group_id: str) -> int:
    row = session.one("SELECT row_count FROM group_log WHERE group_id = ?", group_id)
    return int(row[0]) if row else 0


def _snapshot(session: Session, group_id: str, newest: int, at: Cursor) -> Prepared:
    built = build_snapshot(session, Scope(group_id), at)
    return Prepared(group_id, JOBS, newest, at, snapshot=True, built=built)
