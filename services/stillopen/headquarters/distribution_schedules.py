"""Distribution schedules: which jobs go to which channel groups, and when."""

from dataclasses import dataclass

from stillopen.core.errors import Misuse, Reason, Refused, invalid
from stillopen.core.ids import check_id
from stillopen.core.parameters import DAY_S
from stillopen.replication.tables import ALL_JOBS, JOBS
from stillopen.storage.engine import Row, Session

SCHEDULES_MAX = 1_000
GROUPS_MAX = 1_000

STEP: tuple[str, ...] = (
    """CREATE TABLE distribution_schedule (
         name TEXT PRIMARY KEY,
         jobs TEXT NOT NULL,
         group_ids TEXT NOT NULL,
         on_change INTEGER NOT NULL,
         every_s REAL NOT NULL,
         paused INTEGER NOT NULL,
         last_run_wall_s REAL NOT NULL) STRICT, WITHOUT ROWID""",
    f"INSERT INTO distribution_schedule VALUES ('default', '{ALL_JOBS}', '', 1, 0.0, 0, 0.0)",  # noqa: S608
)
"""The statements that make the table, with the schedule that a headquarters begins with."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is carried where, and when; no groups are all groups."""

    name: str
    jobs: tuple[int, ...]
    group_ids: tuple[str, ...] = ()
    on_change: bool = False
    every_s: float = 0.0
    """How often; with `on_change` the least time between two runs."""
    paused: bool = False
    last_run_wall_s: float = 0.0
    """When it ran last; 0 for never."""


def check_schedule(schedule: Schedule) -> Schedule:
    """Refuses jobs that nobody knows, and times that are none."""
    check_id(schedule.name, "name")
    if not schedule.jobs:
        raise invalid("jobs", "at least one; 9999 for all")
    for job in schedule.jobs:
        if job not in (*JOBS, ALL_JOBS):
            known = ", ".join(map(str, (*JOBS, ALL_JOBS)))
            raise invalid("jobs", f"no job {job}; there are {known}")
    if len(schedule.group_ids) > GROUPS_MAX:
        raise invalid("group_ids", f"at most {GROUPS_MAX}")
    for group_id in schedule.group_ids:
        check_id(group_id, "group_ids")
    if not 0 <= schedule.every_s <= 366 * DAY_S:
        raise invalid("every", "between nothing and a year")
    return schedule


def said_of(schedule: Schedule) -> str:
    """A schedule in a line, for the audit."""
    when = "on change" if schedule.on_change else ""
    every = f"every {schedule.every_s:g} s" if schedule.every_s else ""
    parts = (
        "jobs " + " ".join(map(str, schedule.jobs)),
        "groups " + (" ".join(schedule.group_ids) or "all"),
        when,
        every,
        "paused" if schedule.paused else "",
    )
    return "; ".join(filter(None, parts))


def due_in_s(schedule: Schedule, ran_ago_s: float | None, *, pending: bool) -> float | None:
    """In how many seconds a schedule is due by itself; nothing when it is not to be waited for.

    `ran_ago_s` is nothing when it never ran, `pending` whether something changed since it did.
    """
    by_itself = schedule.on_change or schedule.every_s > 0
    if schedule.paused or not by_itself or (schedule.on_change and not pending):
        return None
    return 0.0 if ran_ago_s is None else max(0.0, schedule.every_s - ran_ago_s)


def list_schedules(session: Session) -> list[Schedule]:
    """Every schedule by name."""
    rows = session.all(f"{_SELECT} ORDER BY name LIMIT ?", SCHEDULES_MAX)
    return [_schedule(row) for row in rows]


def find_schedule(session: Session, name: str) -> Schedule:
    """A schedule; Refused NAME_UNKNOWN."""
    row = session.one(f"{_SELECT} WHERE name = ?", name)
    if row is None:
        raise Refused(Reason.NAME_UNKNOWN, f"there is no schedule {name[:40]!r}", "name")
    return _schedule(row)


def put_schedule(session: Session, schedule: Schedule) -> Schedule:
    """Adds or changes a schedule; Refused NAME_UNKNOWN for a group that is not there."""
    known = set(all_groups(session))
    for group_id in schedule.group_ids:
        if group_id not in known:
            raise Refused(Reason.NAME_UNKNOWN, f"there is no channel group {group_id}", "group_ids")
    [(others,)] = session.all(
        "SELECT count(*) FROM distribution_schedule WHERE name <> ?", schedule.name
    )
    if others >= SCHEDULES_MAX:
        raise Misuse(Reason.INVALID_ARGUMENT, f"there are {SCHEDULES_MAX} schedules", "name")
    session.run(
        "INSERT INTO distribution_schedule VALUES (?1,?2,?3,?4,?5,?6,0) ON CONFLICT (name) DO"
        " UPDATE SET jobs = ?2, group_ids = ?3, on_change = ?4, every_s = ?5, paused = ?6",
        schedule.name,
        " ".join(map(str, sorted(set(schedule.jobs)))),
        "\n".join(sorted(set(schedule.group_ids))),
        int(schedule.on_change),
        schedule.every_s,
        int(schedule.paused),
    )
    return find_schedule(session, schedule.name)


def remove_schedule(session: Session, name: str) -> None:
    """Removes a schedule; Refused NAME_UNKNOWN."""
    find_schedule(session, name)
    session.run("DELETE FROM distribution_schedule WHERE name = ?", name)


def note_ran(session: Session, name: str, wall_s: float) -> None:
    """Keeps when a schedule ran."""
    session.run("UPDATE distribution_schedule SET last_run_wall_s = ? WHERE name = ?", wall_s, name)


def all_groups(session: Session) -> list[str]:
    """Every channel group by id."""
    return [row[0] for row in session.all("SELECT group_id FROM channel_group ORDER BY group_id")]


def groups_with_stores(session: Session) -> list[str]:
    """The channel groups that somebody gets packages of: a group without stores has no log yet."""
    return [row[0] for row in session.all("SELECT DISTINCT group_id FROM store ORDER BY group_id")]


def is_carried_to(session: Session, group_id: str) -> bool:
    """Whether a schedule is for a group, paused or not: without one it is only being prepared."""
    return any(not each.group_ids or group_id in each.group_ids for each in list_schedules(session))


def groups_of(session: Session, schedule: Schedule) -> list[str]:
    """The groups that a schedule carries to; one that was removed meanwhile is passed over."""
    groups = groups_with_stores(session)
    return [each for each in groups if not schedule.group_ids or each in schedule.group_ids]


_SELECT = (
    "SELECT name, jobs, group_ids, on_change, every_s, paused, last_run_wall_s"
    " FROM distribution_schedule"
)


def _schedule(row: Row) -> Schedule:
    return Schedule(
        row[0],
        tuple(map(int, row[1].split())),
        tuple(row[2].split("\n")) if row[2] else (),
        bool(row[3]),
        row[4],
        bool(row[5]),
        row[6],
    )
