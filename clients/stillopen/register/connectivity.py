"""Where requests are answered, and when that changes. Pure: events in, a new state out.

mode            event                                          new mode         reason
ONLINE          call_failed(why)                               OFFLINE          why
ONLINE          disconnected by hand (operation 917)           OFFLINE_MANUAL   SWITCHED_BY_HAND
OFFLINE         sale_begins, interval passed, link up          ONLINE           RECONNECTED
OFFLINE         sale_begins, interval passed, link down        OFFLINE          counts anew
OFFLINE         connected by hand                              ONLINE           SWITCHED_BY_HAND
OFFLINE         disconnected by hand                           OFFLINE_MANUAL   SWITCHED_BY_HAND
OFFLINE_MANUAL  connected by hand                              ONLINE           SWITCHED_BY_HAND
any             anything else                                  as it was

1. OFFLINE_MANUAL ends by hand only, also after a restart.
2. Reconnecting waits for nothing: whether the link is up is known from the stream.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Mode(StrEnum):
    """Where requests are answered."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    OFFLINE_MANUAL = "OFFLINE_MANUAL"


STARTED = "STARTED"
SWITCHED_BY_HAND = "SWITCHED_BY_HAND"
RECONNECTED = "RECONNECTED"


@dataclass(frozen=True, slots=True)
class Connectivity:
    """The mode, why, since when for people (wall) and for the reconnect interval (loop time)."""

    mode: Mode
    reason: str
    since_wall_s: float
    counted_from_s: float

    @property
    def online(self) -> bool:
        """Whether requests go to the channel."""
        return self.mode is Mode.ONLINE


def started(*, manual: bool, wall_s: float, now_s: float) -> Connectivity:
    """The state at the start of the process."""
    mode = Mode.OFFLINE_MANUAL if manual else Mode.ONLINE
    return Connectivity(mode, SWITCHED_BY_HAND if manual else STARTED, wall_s, now_s)


def call_failed(state: Connectivity, why: str, wall_s: float, now_s: float) -> Connectivity:
    """A call to the channel was unreachable, or silent past its deadline."""
    if state.mode is not Mode.ONLINE:
        return state
    return Connectivity(Mode.OFFLINE, why, wall_s, now_s)


def sale_begins(
    state: Connectivity, reconnect_interval_s: float, *, link_up: bool, wall_s: float, now_s: float
) -> Connectivity:
    """A transaction begins: the only moment at which a register comes back by itself."""
    due = now_s - state.counted_from_s >= reconnect_interval_s
    if state.mode is not Mode.OFFLINE or not due:
        return state
    if not link_up:
        return replace(state, counted_from_s=now_s)
    return Connectivity(Mode.ONLINE, RECONNECTED, wall_s, now_s)


def switched(state: Connectivity, *, connect: bool, wall_s: float, now_s: float) -> Connectivity:
    """A person connected or disconnected the register."""
    mode = Mode.ONLINE if connect else Mode.OFFLINE_MANUAL
    if state.mode is mode:
        return state
    return Connectivity(mode, SWITCHED_BY_HAND, wall_s, now_s)
