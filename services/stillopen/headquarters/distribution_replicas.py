"""What each channel and register has of its group's packages, and lacks.

Nothing is kept for each replica and package: sessions are told from where a replica stands, and
from the runs. A channel says where it stands on its stream, a register in its report.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from stillopen.core.errors import invalid
from stillopen.core.parameters import DEFAULT_PROFILE
from stillopen.headquarters.distribution_heard import heard_of
from stillopen.headquarters.distribution_runs import Run, end_of, list_runs
from stillopen.replication import package_log, reports
from stillopen.replication.package_log import generation_text
from stillopen.replication.ports import Cursor
from stillopen.rpc.wire import time_from, time_to
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2, types_pb2

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
    paused: bool


def replicas(
    session: Session, after: Place, group_id: str, sending: Mapping[str, int]
) -> Iterator[headquarters_pb2.Replica]:
    """The replicas after one, by store and register; of one group, or of all."""
    for store in _stores(session, after[0], group_id):
        end = end_of(session, store.group_id)
        if after < (store.store_id, ""):
            yield _channel(session, store, end, sending)
        found = session.all(
            "SELECT register_id FROM register WHERE store_id = ? AND register_id > ?"
            " AND support_offline AND state <> 'RETIRED' ORDER BY register_id",
            store.store_id,
            after[1] if store.store_id == after[0] else "",
        )
        told = reports.of(session, [row[0] for row in found])
        for (register_id,) in found:
            yield _register(store, end, register_id, told.get(register_id))


def sessions(
    session: Session, after: tuple[int, Place], store_id: str, sending: Mapping[str, int]
) -> Iterator[tuple[Run, headquarters_pb2.Replica, headquarters_pb2.DownloadState.ValueType]]:
    """Each package and replica of its group, the newest package first."""
    begun, place = after
    before = begun + 1 if begun else 0  # a page that ended within a run goes on in it
    while found := list_runs(session, "", before, 1):
        [run] = found
        place = place if run.run_id == begun else ("", "")
        end = end_of(session, run.group_id)
        oldest = package_log.kept_from(session, end.generation) if end else 0
        snapshot = package_log.snapshot_at(session, end) if end else 0
        for replica in replicas(session, place, run.group_id, sending):
            if not store_id or replica.store_id == store_id:
                yield run, replica, state_of(run, replica, end, oldest, snapshot)
        before = run.run_id


def state_of(
    run: Run,
    replica: headquarters_pb2.Replica,
    end: Cursor | None,
    oldest: int,
    snapshot: int,
) -> headquarters_pb2.DownloadState.ValueType:
    """Where the package of a run stands for a replica of its group."""
    if run.failure:
        return CREATE_FAILED
    if end is None or run.generation != generation_text(end.generation):
        return CANCELED
    if replica.sequence >= run.sequence:
        return APPLIED
    follows = bool(replica.sequence and oldest) and replica.sequence + 1 >= oldest
    comes = replica.sequence + 1 if follows else snapshot
    if run.sequence < comes:
        return CANCELED  # what comes holds it
    if run.sequence == comes or replica.state == SUSPENDED:
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


def _stores(session: Session, since: str, group_id: str) -> Iterator[_Store]:
    rows = session.all(
        "SELECT store_id, group_id, offline_profile FROM store WHERE store_id >= ?1"
        " AND (?2 = '' OR group_id = ?2) ORDER BY store_id",
        since,
        group_id,
    )
    for row in rows:
        yield _Store(row[0], row[1], _paused(session, row[2] or DEFAULT_PROFILE))


def _paused(session: Session, profile: str) -> bool:
    row = session.one("SELECT message FROM offline_profile WHERE name = ?", profile)
    try:
        return bool(row and types_pb2.OfflineProfile.FromString(row[0]).pause_offline_sync)
    except DecodeError:
        return False


def _channel(
    session: Session, store: _Store, end: Cursor | None, sending: Mapping[str, int]
) -> headquarters_pb2.Replica:
    heard = heard_of(session, store.store_id)
    generation = int(heard.generation or "0", 16)
    found = _replica(store, end, Cursor(generation, heard.sequence), "", heard.refusal)
    if found.state == AVAILABLE and store.store_id in sending:
        found.state = REQUESTED
    if heard.heard_wall_s:
        found.last_contact_time.CopyFrom(time_to(heard.heard_wall_s))
    return found


def _register(
    store: _Store, end: Cursor | None, register_id: str, report: reports.Report | None
) -> headquarters_pb2.Replica:
    said = report or reports.Report()
    cursor = Cursor(said.cursor.generation, said.cursor.sequence)
    found = _replica(store, end, cursor, register_id, said.package_refusal)
    if store.paused and found.behind and not said.package_refusal:
        found.state, found.message = SUSPENDED, "the offline profile pauses packages"
    if said.HasField("reported_time"):
        found.last_contact_time.CopyFrom(time_to(time_from(said.reported_time)))
    return found


def _replica(
    store: _Store, end: Cursor | None, at: Cursor, register_id: str, refusal: str
) -> headquarters_pb2.Replica:
    newest = end.sequence if end else 0
    has = min(at.sequence, newest) if end and at.generation == end.generation else 0
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
