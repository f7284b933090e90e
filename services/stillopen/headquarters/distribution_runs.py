"""Runs of distribution: how far each job is for each channel group, and what was made of it.

A run makes one package for each log of a group, all at once; it is listed with the sequence and the
size of that of all tables. That such a log begins counts as a run of no schedule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillopen.headquarters.distribution_deltas import Through
from stillopen.replication.package_log import generation_text
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import ALL_JOBS, JOBS
from stillopen.storage.engine import Row, Session, Value

RUNS_MAX = 10_000

STEP: tuple[str, ...] = (
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
         begin_wall_s REAL NOT NULL,
         duration_s REAL NOT NULL,
         sequence INTEGER NOT NULL,
         changed INTEGER NOT NULL,
         removed INTEGER NOT NULL,
         size INTEGER NOT NULL,
         failure TEXT NOT NULL) STRICT""",
    "CREATE INDEX distribution_run_by_group ON distribution_run (group_id, run_id)",
    """CREATE TABLE run_package (
         run_id INTEGER NOT NULL,
         generation TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         through INTEGER NOT NULL,
         PRIMARY KEY (run_id, generation)) STRICT, WITHOUT ROWID""",
)
"""The statements that make the tables: how far jobs are, the runs, where their packages lead."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that made packages, or failed to."""

    schedule: str
    jobs: tuple[int, ...]
    group_id: str
    begin_wall_s: float
    duration_s: float = 0.0
    sequence: int = 0
    changed: int = 0
    removed: int = 0
    size: int = 0
    failure: str = ""
    run_id: int = 0


def every_job(jobs: Sequence[int]) -> tuple[int, ...]:
    """The jobs of a schedule, one by one."""
    return JOBS if ALL_JOBS in jobs else tuple(sorted(set(jobs)))


def newest_change(session: Session) -> int:
    """The number of the newest change."""
    row = session.one("SELECT max(number) FROM change")
    return int(row[0] or 0) if row else 0


def through_of(session: Session, group_id: str) -> Through:
    """How far each job is for a group."""
    rows = session.all("SELECT job, through FROM distributed WHERE group_id = ?", group_id)
    return {**dict.fromkeys(JOBS, 0), **dict(rows)}


def through_at(session: Session, group_id: str, at: Cursor, job: int) -> int:
    """How far a job is at a place within a log of a group, as runs that are still kept say.

    1. As the newest run says that carried the job on the way to the place, in this log.
    2. Without one, as a run of the group says before the first that leads on from there: it had
       nothing for this log, or the log began after it.
    3. Those are not kept any more: as far as the first run says that carried the job later. So a
       row is rather said to be wrong than on its way, or one that is wrong would be passed over
       for as long as the replica stands there.
    """
    there = generation_text(at.generation), at.sequence
    led = "generation = ?1 AND run_package.sequence <= ?2"
    through = _through(session, "max(through)", led, job, *there)
    if through is not None:
        return through
    row = session.one(
        "SELECT min(run_id) FROM run_package WHERE generation = ? AND sequence > ?", *there
    )
    leads_on = row[0] if row and row[0] is not None else 0
    of_group = "group_id = ?1 AND run_id"
    before = _through(session, "max(through)", f"{of_group} < ?2", job, group_id, leads_on)
    if before is not None:
        return before
    later = _through(session, "min(through)", f"{of_group} >= ?2", job, group_id, leads_on)
    return through_of(session, group_id)[job] if later is None else later


def note_distributed(session: Session, group_id: str, jobs: Sequence[int], through: int) -> None:
    """Keeps how far jobs are for a group."""
    session.run_many(
        "INSERT OR REPLACE INTO distributed VALUES (?,?,?)",
        [(group_id, job, through) for job in jobs],
    )


def is_pending(session: Session, group_id: str, jobs: Sequence[int]) -> bool:
    """Whether something changed since jobs were distributed to a group that gets packages."""
    if session.one("SELECT 1 FROM group_log WHERE group_id = ? LIMIT 1", group_id) is None:
        return False
    through = through_of(session, group_id)
    return min(through[job] for job in every_job(jobs)) < newest_change(session)


def note_run(session: Session, run: Run, packages: Sequence[Cursor] = ()) -> int:
    """Keeps a run and where its packages lead, and no more than the newest; returns its number."""
    run_id = session.insert(
        "INSERT INTO distribution_run (schedule, jobs, group_id, begin_wall_s, duration_s,"
        " sequence, changed, removed, size, failure) VALUES (?,?,?,?,?,?,?,?,?,?)",
        run.schedule,
        _jobs_text(run),
        run.group_id,
        run.begin_wall_s,
        run.duration_s,
        run.sequence,
        run.changed,
        run.removed,
        run.size,
        run.failure,
    )
    far = through_of(session, run.group_id)
    through = max((far[job] for job in every_job(run.jobs)), default=0)
    session.run_many(
        "INSERT INTO run_package VALUES (?,?,?,?)",
        [(run_id, generation_text(each.generation), each.sequence, through) for each in packages],
    )
    for table in ("distribution_run", "run_package"):
        session.run(f"DELETE FROM {table} WHERE run_id <= ?", run_id - RUNS_MAX)  # noqa: S608
    return run_id


def note_failure(session: Session, run: Run) -> None:
    """Keeps that a run failed; as often as it fails in a row for the same reason, once."""
    row = session.one(
        "SELECT run_id, jobs, failure FROM distribution_run WHERE group_id = ? AND schedule = ?"
        " ORDER BY run_id DESC LIMIT 1",
        run.group_id,
        run.schedule,
    )
    if row is None or (row[1], row[2]) != (_jobs_text(run), run.failure):
        note_run(session, run)
        return
    session.run(
        "UPDATE distribution_run SET begin_wall_s = ?, duration_s = ? WHERE run_id = ?",
        run.begin_wall_s,
        run.duration_s,
        row[0],
    )


def list_runs(session: Session, group_id: str, before: int, limit: int) -> list[Run]:
    """The runs before one, the newest first; 0 begins with the newest, no group means all."""
    rows = session.all(
        "SELECT schedule, jobs, group_id, begin_wall_s, duration_s, sequence, changed,"
        " removed, size, failure, run_id FROM distribution_run"
        " WHERE (?1 = '' OR group_id = ?1) AND (?2 = 0 OR run_id < ?2)"
        " ORDER BY run_id DESC LIMIT ?3",
        group_id,
        before,
        limit,
    )
    return [_run(row) for row in rows]


def sequences_of(session: Session, run_id: int) -> Mapping[int, int]:
    """Where the packages of a run lead, by the generation of their log."""
    rows = session.all("SELECT generation, sequence FROM run_package WHERE run_id = ?", run_id)
    return {int(generation, 16): sequence for generation, sequence in rows}


def _through(session: Session, through: str, runs: str, job: int, *values: Value) -> int | None:
    """How far some runs say that a job is; nothing when none of them carried it."""
    row = session.one(
        f"SELECT {through} FROM run_package JOIN distribution_run USING (run_id)"  # noqa: S608
        f" WHERE {runs} AND (' ' || jobs || ' ' LIKE ?3 OR ' ' || jobs || ' ' LIKE ?4)",
        *values,
        f"% {job} %",
        f"% {ALL_JOBS} %",
    )
    return None if row is None or row[0] is None else int(row[0])


def _jobs_text(run: Run) -> str:
    return " ".join(map(str, run.jobs))


def _run(row: Row) -> Run:
    schedule, jobs, *rest = row
    return Run(schedule, tuple(map(int, jobs.split())), *rest)
