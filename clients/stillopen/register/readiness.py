"""Whether a register has what it needs to sell offline, known before it is needed."""

from stillopen.core.parameters import DAY_S
from stillopen.replication.replica import Replica

RECENT_S = 7 * DAY_S
"""Data older than that is not recent: the incumbent's "none within seven days"."""


def missing_offline(replica: Replica, *, supported: bool) -> tuple[str, ...]:
    """Without which no sale begins offline; nothing when it could."""
    if not supported:
        return ("OFFLINE_SUPPORT",)
    if not replica.at.generation:
        return ("MASTER_DATA",)
    return () if replica.has_staff else ("STAFF",)


def recent(store_id: str, data_age_s: float | None) -> tuple[str, ...]:
    """What a register that could sell should not be without: its store, and data of this week."""
    missing = () if store_id else ("STORE",)
    return missing if data_age_s is None or data_age_s <= RECENT_S else (*missing, "RECENT_DATA")
