"""What a replica needs next, and the snapshots that are made for those who need one.

A store that comes to a group gets a snapshot that was made after it came, so that its channel
always knows its registers. A snapshot holds what headquarters has now, also what a schedule would
carry later only.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from stillopen.core.errors import Reason, Refused
from stillopen.headquarters.distribution_heard import heard_of
from stillopen.headquarters.distribution_logs import (
    Log,
    find_log,
    keep_snapshot,
    lacks_store,
    log_for,
    logs_of,
)
from stillopen.headquarters.distribution_packages import Wanted
from stillopen.headquarters.distribution_runs import newest_change, note_distributed
from stillopen.headquarters.distribution_schedules import is_carried_to
from stillopen.headquarters.distribution_scopes import exclusions_of, group_of
from stillopen.replication import package_log
from stillopen.replication.package_log import Needs
from stillopen.replication.packages import Built
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import Scope
from stillopen.replication.tables import JOBS, SCHEMA_VERSION
from stillopen.storage.engine import Session


@dataclass(frozen=True, slots=True)
class Planned:
    """A snapshot that is to be made."""

    wanted: Wanted
    newest: int
    """The number of the last change that was there."""

    @property
    def begins(self) -> bool:
        """Whether a generation begins with it."""
        return self.wanted.at.generation != self.wanted.log.end.generation


def known_here(cursor: Cursor) -> Cursor:
    """A cursor with the newest version of its tables that both sides know."""
    scope = replace(cursor.scope, version=min(cursor.scope.version, SCHEMA_VERSION))
    return replace(cursor, scope=scope)


def may_have(session: Session, store_id: str, scope: Scope) -> bool:
    """Whether a store's channel gets packages of a scope: all, or what a profile there says."""
    group_id = group_of(session, store_id)
    if not is_carried_to(session, group_id):
        return False
    return not scope.excluded or scope.excluded in exclusions_of(session, group_id)


def next_for(
    session: Session,
    store_id: str,
    cursor: Cursor,
    fresh: Collection[int],
    overtaken: Collection[int],
) -> Package | Needs:
    """What a replica of a store's channel needs next; `fresh` as `package_log` takes it.

    `overtaken` are the generations that somebody else is ahead of (`distribution_overtaken.py`).
    """
    if not may_have(session, store_id, cursor.scope):
        return Needs.NOTHING
    log = find_log(session, group_of(session, store_id), cursor.scope)
    if log is None or _is_behind(log.end, cursor, overtaken):
        return Needs.SNAPSHOT
    comes = cursor.generation != log.end.generation
    if comes and lacks_store(session, log, store_id):
        return Needs.SNAPSHOT
    return package_log.next_package(session, log.end, cursor, fresh)


def plan_snapshot(
    session: Session, store_id: str, cursor: Cursor, fresh: int, overtaken: Collection[int]
) -> Planned:
    """The snapshot for a replica; `fresh` is the generation of a log that begins."""
    group_id, scope = group_of(session, store_id), cursor.scope
    log = find_log(session, group_id, scope) or Log(group_id, Cursor(scope=scope))
    if not log.end.generation:
        at = Cursor(fresh, 1, b"", scope)
    elif _is_behind(log.end, cursor, overtaken):
        at = Cursor(fresh, log.end.sequence + 1, b"", scope)
    else:
        at = replace(log.end, digest=b"")
    return Planned(Wanted(log, at), newest_change(session))


def export_of(session: Session, store_id: str) -> Package | Scope:
    """The snapshot with everything for a store's channel, or the scope to make it of.

    Refused NAME_UNKNOWN for a store that is not there.
    """
    if session.one("SELECT 1 FROM store WHERE store_id = ?", store_id) is None:
        raise Refused(Reason.NAME_UNKNOWN, f"there is no store {store_id[:40]!r}", "store_id")
    generation = int(heard_of(session, store_id).generation or "0", 16)
    log = log_for(logs_of(session, group_of(session, store_id)), (), generation)
    if log is None:
        return Scope()
    found = package_log.snapshot_of(session, log.end)
    newest = log.snapshot_through >= newest_change(session)
    return found if found and newest and _ends(log, found) else log.end.scope


def keep_planned(session: Session, planned: Planned, built: Built) -> None:
    """Keeps a snapshot that was made; the first log of a group begins with everything carried."""
    log = planned.wanted.log
    if not logs_of(session, log.group_id):
        note_distributed(session, log.group_id, JOBS, planned.newest)
    keep_snapshot(session, log, built, planned.newest)


def _is_behind(end: Cursor, cursor: Cursor, overtaken: Collection[int]) -> bool:
    """Whether a log ends before who asks, or before somebody else."""
    is_ahead = cursor.generation == end.generation and cursor.sequence > end.sequence
    return is_ahead or end.generation in overtaken


def _ends(log: Log, package: Package) -> bool:
    return package.cursor.sequence == log.end.sequence
