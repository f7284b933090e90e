"""When a register last had something to or from its channel, in the words cashiers know."""

from stillopen.core.parameters import DAY_S
from stillopen.v1 import register_pb2

RECENT_S = 7 * DAY_S
_UNITS = (("day", DAY_S), ("hour", 3_600.0), ("minute", 60.0), ("second", 1.0))


def sync_text(now: register_pb2.RegisterStatus, wall_s: float) -> str:
    """How the register is in step with its channel; `wall_s` is what this machine's clock shows."""
    if now.link_up and (now.waiting_entries or now.waiting_down_bytes):
        return "syncing"
    last_s = max(now.last_acknowledgement.seconds, now.last_package.seconds)
    if not last_s:
        return "never synced"
    ago_s = wall_s - last_s
    if ago_s < -1:  # a whole second: moments are rounded
        return "invalid: the clock shows a time before the last sync"
    if ago_s > RECENT_S:
        return "none within 7 days"
    unit, size = next(((u, s) for u, s in _UNITS if ago_s >= s), _UNITS[-1])
    count = int(max(0.0, ago_s) // size)
    return f"last updated {count} {unit}{'' if count == 1 else 's'} ago"
