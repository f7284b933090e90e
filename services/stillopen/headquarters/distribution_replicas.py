"""What each channel and register has of its packages, and lacks.

Nothing is kept for each replica and package: sessions are told from where a replica stands, and
from the runs. A channel says where it stands on its stream, a register in its report. A channel is
measured against the log of all tables of its group, a register against that of the tables which its
store's profile leaves it; a run that put nothing into that log is canceled for it: what it needs
of the run, if anything, comes with another package.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, partial

from stillopen.core.errors import invalid
from stillopen.core.parameters import OfflineProfile
from stillopen.headquarters.distribution_heard import heard_of
from stillopen.headquarters.distribution_logs import Log, log_for, logs_of
from stillopen.headquarters.distribution_runs import Run, list_runs, sequences_of
from stillopen.headquarters.distribution_scopes import Excluded, excluded_of, profile_of
from stillopen.replication import package_log, reports
from stillopen.replication.ports import Cursor
from stillopen.rpc.wire import time_from, time_to
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2

APPLIED = headquarters_pb2.DOWNLOAD_STATE_APPLIED
AVAILABLE = headquarters_pb2.DOWNLOAD_STATE_AVAILABLE
APPLY_FAILED = headquarters_pb2.DOWNLOAD_STATE_APPLY_FAILED
CANCELED = headquarters_pb2.DOWNLOAD_STATE_CANCELED
CREATE_FAILED = headquarters_pb2.DOWNLOAD_STATE_CREATE_FAILED
REQUESTED = headquarters_pb2.DOWNLOAD_STATE_REQUESTED
SUSPENDED = headquarters_pb2.DOWNLOAD_STATE_SUSPENDED

Place = tuple[str, str]
"""A store, and a register of it; without one, its channel."""


@dataclass(frozen=True, slots=True)
class _Store:
    store_id: str
    group_id: str
    profile: OfflineProfile
    excluded: Excluded
    """What its registers do without."""
    logs: list[Log]


def replicas(
    session: Session, after: Place, group_id: str, sending: Collection[str]
) -> Iterator[headquarters_pb2.Replica]:
    """The replicas after one, by store and register; of one group, or of all."""
    return (replica for replica, _ in _followed(session, after, group_id, sending))


def sessions(
    session: Session, after: tuple[int, Place], store_id: str, sending: Collection[str]
) -> Iterator[tuple[Run, headquarters_pb2.Replica, headquarters_pb2.DownloadState.ValueType]]:
    """Each run and replica of its group, the newest run first."""
    begun, place = after
    before = begun + 1 if begun else 0  # a page that ended within a run goes on in it
    while found := list_runs(session, "", before, 1):
        [run] = found
        place = place if run.run_id == begun else ("", "")
        led = sequences_of(session, run.run_id)
        comes: dict[int, tuple[int, int]] = {}
        for replica, end in _followed(session, place, run.group_id, sending):
            if store_id and replica.store_id != store_id:
                continue
            if end.generation not in comes:
                oldest = package_log.kept_from(session, end.generation)
                comes[end.generation] = oldest, package_log.snapshot_at(session, end)
            sequence = led.get(end.generation, 0)
            yield run, replica, _state(run, sequence, replica, *comes[end.generation])
        before = run.run_id


def _state(
    run: Run, sequence: int, replica: headquarters_pb2.Replica, oldest: int, snapshot: int
) -> headquarters_pb2.DownloadState.ValueType:
    """Where the package that a run put into a replica's log stands for it."""
    if run.failure:
        return CREATE_FAILED
    if not sequence:
        return CANCELED
    if replica.sequence >= sequence:
        return APPLIED
    follows = bool(replica.sequence and oldest) and replica.sequence + 1 >= oldest
    comes = replica.sequence + 1 if follows else snapshot
    if sequence < comes:
        return CANCELED  # what comes holds it
    if sequence == comes or replica.state == SUSPENDED:
        return replica.state
    return AVAILABLE


def place_token(place: Place) -> str:
    """Where a page ended, as a token."""
    return "\n".join(place)


def place_from(token: str) -> Place:
    """The same from a token."""
    if not token:
        return "", ""
    store_id, line, register_id = token.partition("\n")
    if not line or "\n" in register_id:
        raise invalid("page_token", "not a token of this list")
    return store_id, register_id


def _followed(
    session: Session, after: Place, group_id: str, sending: Collection[str]
) -> Iterator[tuple[headquarters_pb2.Replica, Cursor]]:
    """The replicas after one, each with the end of the log that it follows."""
    for store in _stores(session, after[0], group_id):
        if after < (store.store_id, ""):
            yield _channel(session, store, sending)
        found = session.all(
            "SELECT register_id FROM register WHERE store_id = ? AND register_id > ?"
            " AND support_offline AND state <> 'RETIRED' ORDER BY register_id",
            store.store_id,
            after[1] if store.store_id == after[0] else "",
        )
        told = reports.of(session, [row[0] for row in found])
        for (register_id,) in found:
            yield _register(store, register_id, told.get(register_id))


def _stores(session: Session, since: str, group_id: str) -> Iterator[_Store]:
    rows = session.all(
        "SELECT store_id, group_id, offline_profile FROM store WHERE store_id >= ?1"
        " AND (?2 = '' OR group_id = ?2) ORDER BY store_id",
        since,
        group_id,
    )
    profile = cache(partial(profile_of, session))
    logs = cache(partial(logs_of, session))
    for store_id, group, name in rows:
        has = profile(name)
        yield _Store(store_id, group, has, excluded_of(has), logs(group))


def _channel(
    session: Session, store: _Store, sending: Collection[str]
) -> tuple[headquarters_pb2.Replica, Cursor]:
    heard = heard_of(session, store.store_id)
    at = Cursor(int(heard.generation or "0", 16), heard.sequence)
    end = _end(store, (), at)
    found = _replica(store, end, at, "", heard.refusal)
    if found.state == AVAILABLE and store.store_id in sending:
        found.state = REQUESTED
    if store.profile.pause_channel_sync:
        _suspend(found)
    if heard.heard_wall_s:
        found.last_contact_time.CopyFrom(time_to(heard.heard_wall_s))
    return found, end


def _register(
    store: _Store, register_id: str, report: reports.Report | None
) -> tuple[headquarters_pb2.Replica, Cursor]:
    said = report or reports.Report()
    at = Cursor(said.cursor.generation, said.cursor.sequence)
    end = _end(store, store.excluded, at)
    found = _replica(store, end, at, register_id, said.package_refusal)
    found.excluded_tables.extend(store.excluded)
    if store.profile.pause_offline_sync:
        _suspend(found)
    elif store.profile.pause_channel_sync:
        _suspend(found, " for the channel of its store")
    if said.HasField("reported_time"):
        found.last_contact_time.CopyFrom(time_to(time_from(said.reported_time)))
    return found, end


def _suspend(found: headquarters_pb2.Replica, whose: str = "") -> None:
    """What it lacks does not come; a refusal is worth more to a person."""
    if found.behind and not found.message:
        found.state = SUSPENDED
        found.message = f"the offline profile pauses packages{whose}"


def _end(store: _Store, excluded: Excluded, at: Cursor) -> Cursor:
    """The end of the log that a replica follows, or is to follow; nowhere before there is one."""
    log = log_for(store.logs, excluded, at.generation)
    return log.end if log else Cursor()


def _replica(
    store: _Store, end: Cursor, at: Cursor, register_id: str, refusal: str
) -> headquarters_pb2.Replica:
    newest = end.sequence
    has = min(at.sequence, newest) if at.generation == end.generation else 0
    # Whoever has nothing of this log needs one package, a snapshot, whatever the log is long.
    behind = newest - has if has else min(newest, 1)
    state = APPLY_FAILED if refusal and behind else AVAILABLE if behind or not newest else APPLIED
    return headquarters_pb2.Replica(
        store_id=store.store_id,
        register_id=register_id,
        group_id=store.group_id,
        sequence=has,
        newest_sequence=newest,
        behind=behind,
        state=state,
        message=refusal if behind else "",
    )
