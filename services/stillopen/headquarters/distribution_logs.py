"""The logs of packages: one for each channel group, set of excluded tables and version of them.

1. A log comes to be when a channel first asks for it, by a snapshot: nothing is built for nobody.
2. Its generation is drawn at random, so that whoever comes from another log gets a snapshot.
3. A log goes, with its packages, when nobody can need it any more: no profile of the group's stores
   leaves its tables out, its version is an old one on which no channel stands, or the group has no
   stores.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

from stillopen.headquarters.distribution_scopes import Excluded, exclusions_of
from stillopen.replication import package_log
from stillopen.replication.package_log import generation_text
from stillopen.replication.packages import Built
from stillopen.replication.ports import Cursor
from stillopen.replication.scope import Scope, scope_of
from stillopen.replication.tables import SCHEMA_VERSION, STORE
from stillopen.storage.engine import Row, Session

STEP: tuple[str, ...] = (
    """CREATE TABLE group_log (
         group_id TEXT NOT NULL,
         excluded TEXT NOT NULL,
         schema_version INTEGER NOT NULL,
         generation TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         row_count INTEGER NOT NULL,
         snapshot_through INTEGER NOT NULL,
         PRIMARY KEY (group_id, excluded, schema_version)) STRICT, WITHOUT ROWID""",
)
"""The statements that make the table."""

_SELECT = (
    "SELECT group_id, excluded, schema_version, generation, sequence, row_count, snapshot_through"
    " FROM group_log"
)


@dataclass(frozen=True, slots=True)
class Log:
    """A log of packages: whose it is, and where it ends."""

    group_id: str
    end: Cursor
    """Its scope is that of the log, its digest that of a package that leads there."""
    row_count: int = 0
    """About how many rows its replicas have."""
    snapshot_through: int = 0
    """The number of the last change that its snapshot holds for certain."""


def find_log(session: Session, group_id: str, scope: Scope) -> Log | None:
    """The log of a group and scope; nothing before anybody asked for it."""
    row = session.one(
        f"{_SELECT} WHERE group_id = ? AND excluded = ? AND schema_version = ?",
        group_id,
        scope.text,
        scope.version,
    )
    return _log(session, row) if row else None


def logs_of(session: Session, group_id: str) -> list[Log]:
    """Every log of a group: that of all tables first, in the newest version."""
    order = "ORDER BY excluded, schema_version DESC"
    rows = session.all(f"{_SELECT} WHERE group_id = ? {order}", group_id)
    return [_log(session, row) for row in rows]


def log_for(logs: list[Log], excluded: Excluded, generation: int) -> Log | None:
    """Of a group's logs the one that a replica follows: where it stands, else the newest."""
    found = [log for log in logs if log.end.scope.excluded == excluded]
    follows = (log for log in found if log.end.generation == generation)
    return next(follows, found[0] if found else None)


def keep_snapshot(session: Session, log: Log, built: Built, through: int) -> None:
    """Keeps a snapshot at the end of a log, that holds every change through a number."""
    at = built.package.cursor
    if log.end.generation not in (0, at.generation):
        package_log.forget(session, log.end.generation)
    package_log.keep_snapshot(session, built.package)
    session.run(
        "INSERT OR REPLACE INTO group_log VALUES (?,?,?,?,?,?,?)",
        log.group_id,
        at.scope.text,
        at.scope.version,
        generation_text(at.generation),
        at.sequence,
        built.changed,
        through,
    )


def keep_delta(session: Session, log: Log, built: Built) -> None:
    """Puts a delta at the end of a log."""
    at = built.package.cursor
    package_log.keep_delta(session, built.package)
    session.run(
        "UPDATE group_log SET sequence = ?, row_count = ?"
        " WHERE group_id = ? AND excluded = ? AND schema_version = ?",
        at.sequence,
        max(0, log.row_count + built.changed - built.removed),
        log.group_id,
        at.scope.text,
        at.scope.version,
    )


def lacks_store(session: Session, log: Log, store_id: str) -> bool:
    """Whether a log's snapshot was made before a store was put as it is.

    Where that is so the store's registers would not be known to its channel.
    """
    row = session.one(
        "SELECT 1 FROM change WHERE table_name = ? AND key = ? AND number > ?",
        STORE.name,
        store_id,
        log.snapshot_through,
    )
    return row is not None


def unneeded_logs(session: Session) -> list[Log]:
    """The logs that nobody can need any more."""
    of_group: defaultdict[str, list[Log]] = defaultdict(list)
    for row in session.all(_SELECT):
        of_group[row[0]].append(_log(session, row))
    return [
        log for group_id in of_group for log in _unneeded(session, group_id, of_group[group_id])
    ]


def drop_log(session: Session, log: Log) -> None:
    """Forgets a log and its packages."""
    package_log.forget(session, log.end.generation)
    session.run(
        "DELETE FROM group_log WHERE group_id = ? AND excluded = ? AND schema_version = ?",
        log.group_id,
        log.end.scope.text,
        log.end.scope.version,
    )


def _unneeded(session: Session, group_id: str, logs: list[Log]) -> list[Log]:
    if session.one("SELECT 1 FROM store WHERE group_id = ? LIMIT 1", group_id) is None:
        return logs
    exclusions = exclusions_of(session, group_id)
    return [
        log
        for log in logs
        if log.end.scope.excluded not in exclusions
        or (log.end.scope.version < SCHEMA_VERSION - 1 and not _is_stood_on(session, log))
    ]


def _is_stood_on(session: Session, log: Log) -> bool:
    found = session.one(
        "SELECT 1 FROM channel_heard WHERE generation = ?", generation_text(log.end.generation)
    )
    return found is not None


def _log(session: Session, row: Row) -> Log:
    group_id, excluded, version, generation, sequence, row_count, through = row
    end = Cursor(int(generation, 16), sequence, b"", scope_of(excluded, version))
    end = replace(end, digest=package_log.last_digest(session, end))
    return Log(group_id, end, row_count, through)
