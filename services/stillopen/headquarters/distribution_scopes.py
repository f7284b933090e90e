"""What offline profiles say of packages: which tables registers lack, how channels get them."""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from stillopen.core.parameters import DEFAULT_PROFILE, OfflineProfile
from stillopen.headquarters.set_up import DEFAULT_GROUP
from stillopen.replication.ports import Flow
from stillopen.replication.scope import left_out
from stillopen.rpc.wire import profile_from
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

Excluded = tuple[str, ...]
"""Tables that are left out, by name and in order."""


def group_of(session: Session, store_id: str) -> str:
    """The channel group of a store."""
    row = session.one("SELECT group_id FROM store WHERE store_id = ?", store_id)
    return str(row[0]) if row and row[0] else DEFAULT_GROUP


def profile_of(session: Session, name: str) -> OfflineProfile:
    """An offline profile by name, "Default" without one; as `core` has it when it is not there."""
    row = session.one("SELECT message FROM offline_profile WHERE name = ?", name or DEFAULT_PROFILE)
    try:
        found = types_pb2.OfflineProfile.FromString(row[0]) if row else None
    except DecodeError:
        found = None
    return OfflineProfile() if found is None else profile_from(found)


def excluded_of(profile: OfflineProfile) -> Excluded:
    """The tables that registers with a profile do without."""
    return left_out(profile.excluded_jobs, profile.excluded_tables)


def flow_to(session: Session, store_id: str) -> Flow:
    """How packages may go down to a store's channel."""
    row = session.one("SELECT offline_profile FROM store WHERE store_id = ?", store_id)
    profile = profile_of(session, row[0] if row else "")
    return Flow(profile.pause_channel_sync, profile.download_bytes_per_s_max)


def exclusions_of(session: Session, group_id: str) -> set[Excluded]:
    """What replicas of a group may do without: nothing, or what a profile of its stores says."""
    rows = session.all("SELECT DISTINCT offline_profile FROM store WHERE group_id = ?", group_id)
    return {(), *_of_profiles(session, (row[0] for row in rows))}


def _of_profiles(session: Session, names: Iterable[str]) -> set[Excluded]:
    return {excluded_of(profile_of(session, name)) for name in names}
