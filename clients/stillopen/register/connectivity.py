"""Where requests are answered, and when that changes. Pure: events in, a new state out.

mode            event                                          new mode         reason
ONLINE          call_failed, it was the last try               OFFLINE          why; may ask
ONLINE          call_failed, tries left or an earlier call     ONLINE           as it was
ONLINE          answered, slow and so were those before        OFFLINE          SLOW; may ask
ONLINE          answered otherwise                             ONLINE           as it was
ONLINE          switched, disconnect                           OFFLINE_MANUAL   SWITCHED_BY_HAND
ONLINE          checked_again                                  ONLINE           as it was
OFFLINE         sale_begins, due, link up                      ONLINE           RECONNECTED
OFFLINE         sale_begins, due, link down                    OFFLINE          counts anew
OFFLINE         health_checked, well often enough, dwelt       ONLINE           HEALTHY
OFFLINE         health_checked otherwise                       OFFLINE          counts
OFFLINE         switched, connect                              ONLINE           SWITCHED_BY_HAND
OFFLINE, asks   switched, disconnect                           OFFLINE          asks no more
OFFLINE         switched, disconnect                           OFFLINE_MANUAL   SWITCHED_BY_HAND
OFFLINE_MANUAL  switched, connect                              ONLINE           SWITCHED_BY_HAND
any             anything else                                  as it was

1. OFFLINE_MANUAL ends by hand only, also after a restart.
2. Reconnecting waits for nothing: whether the link is up is known from the stream.
3. Going offline is never put off, so a sale waits one deadline at most for each change. What keeps
   a till from flapping is how long it stays offline: its reconnect interval, and with advanced
   switching the dwell, which doubles each time the register fails soon after it came back alone.
4. Asking the cashier holds nobody up: requests are answered, and coming back by itself goes on.
5. A return, also in the middle of a sale, re-prices nothing. What must be checked again is said in
   `check_again`: the locks of the open sale are renewed before that is empty.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from stillopen.core.parameters import OfflineProfile


class Mode(StrEnum):
    """Where requests are answered."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    OFFLINE_MANUAL = "OFFLINE_MANUAL"


STARTED = "STARTED"
SWITCHED_BY_HAND = "SWITCHED_BY_HAND"
RECONNECTED = "RECONNECTED"
HEALTHY = "HEALTHY"
SLOW = "SLOW"

LOCKS = "LOCKS"
"""The open sale's cards are to be kept by headquarters again."""

HEALTHY_CHECKS = 2
"""In a row: one may fall into the good half of a link that flaps."""
DOUBLINGS_MAX = 4
"""The dwell grows to sixteen times itself: from half a minute to eight, the incumbent's order."""
JITTER = 0.25
"""Up to so much of the dwell is added, so that a store's tills do not come back at one moment."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, for people (wall) and for intervals (loop time)."""

    wall_s: float
    loop_s: float


@dataclass(frozen=True, slots=True)
class Connectivity:
    """The mode, why, since when, and what decides on the next change."""

    mode: Mode
    reason: str
    since: Moment
    counted_from_s: float
    """What the reconnect interval is counted from: going offline, or the last vain try."""
    asks: bool = False
    """Whether the cashier is asked to reconnect or work offline."""
    slow_s: tuple[float, ...] = ()
    """When answers were slow, in a row."""
    healthy_checks: int = 0
    """How many health checks in a row went well."""
    flaps: int = 0
    """How many times in a row the register failed soon after it came back by itself."""
    jitter: float = 0.0
    """From 0 to 1, drawn when the register went offline."""
    check_again: tuple[str, ...] = ()
    """What is still to be checked after a return."""

    @property
    def online(self) -> bool:
        """Whether requests go to the channel."""
        return self.mode is Mode.ONLINE


def started(*, manual: bool, now: Moment) -> Connectivity:
    """The state at the start of the process."""
    mode = Mode.OFFLINE_MANUAL if manual else Mode.ONLINE
    return Connectivity(mode, SWITCHED_BY_HAND if manual else STARTED, now, now.loop_s)


def call_failed(
    state: Connectivity,
    profile: OfflineProfile,
    why: str,
    *,
    tries: int,
    began_s: float,
    jitter: float,
    now: Moment,
) -> Connectivity:
    """The `tries`-th try of a call, begun at `began_s`, was unreachable or silent."""
    earlier = began_s < state.since.loop_s
    if not state.online or earlier or tries < profile.retry_count_to_offline:
        return state
    return _offline(state, profile, why, jitter, now)


def answered(
    state: Connectivity, profile: OfflineProfile, took_s: float, *, jitter: float, now: Moment
) -> Connectivity:
    """The channel answered a call; several slow answers in a row move the register offline."""
    if not state.online:
        return state
    if not is_slow(profile, took_s):
        return replace(state, slow_s=()) if state.slow_s else state
    first_s = now.loop_s - profile.failure_window_s
    slow_s = (*(at_s for at_s in state.slow_s if at_s >= first_s), now.loop_s)
    if len(slow_s) < profile.failure_count:
        return replace(state, slow_s=slow_s)
    return _offline(state, profile, SLOW, jitter, now)


def sale_begins(
    state: Connectivity, profile: OfflineProfile, *, link_up: bool, now: Moment
) -> Connectivity:
    """A transaction begins: the one moment to come back by itself without advanced switching."""
    if state.mode is not Mode.OFFLINE or now.loop_s < sale_due_s(state, profile):
        return state
    if not link_up:
        return replace(state, counted_from_s=now.loop_s)
    return _online(state, RECONNECTED, now)


def health_checked(
    state: Connectivity, profile: OfflineProfile, *, well: bool, now: Moment
) -> Connectivity:
    """The health check was answered in good time, or not."""
    if state.mode is not Mode.OFFLINE or not profile.enable_advanced_offline_switching:
        return state
    count = min(state.healthy_checks + 1, HEALTHY_CHECKS) if well else 0
    if count < HEALTHY_CHECKS or now.loop_s < health_due_s(state, profile):
        return replace(state, healthy_checks=count)
    return _online(state, HEALTHY, now)


def switched(state: Connectivity, *, connect: bool, now: Moment) -> Connectivity:
    """A person connected or disconnected the register, or answered what was asked."""
    if connect:
        return state if state.online else replace(_online(state, SWITCHED_BY_HAND, now), flaps=0)
    if state.asks:
        return replace(state, asks=False)
    if state.mode is Mode.OFFLINE_MANUAL:
        return state
    return Connectivity(Mode.OFFLINE_MANUAL, SWITCHED_BY_HAND, now, now.loop_s)


def checked_again(state: Connectivity, what: str) -> Connectivity:
    """Something was checked after a return."""
    return replace(state, check_again=tuple(each for each in state.check_again if each != what))


def is_slow(profile: OfflineProfile, took_s: float) -> bool:
    """Whether an answer took longer than the threshold, if there is one."""
    return 0 < profile.offline_switch_api_performance_threshold_s < took_s


def dwell_s(state: Connectivity, profile: OfflineProfile) -> float:
    """How long the register stays offline at least before it comes back by itself."""
    if not profile.enable_advanced_offline_switching:
        return 0.0
    doublings = min(state.flaps, DOUBLINGS_MAX)
    return profile.minimum_dwell_s * 2.0**doublings * (1 + JITTER * state.jitter)


def sale_due_s(state: Connectivity, profile: OfflineProfile) -> float:
    """From when on the beginning of a sale may bring the register back."""
    interval_s = (
        profile.reconnect_from_performance_induced_offline_interval_s
        if state.reason == SLOW
        else profile.reconnect_interval_s
    )
    return max(state.counted_from_s + interval_s, state.since.loop_s + dwell_s(state, profile))


def health_due_s(state: Connectivity, profile: OfflineProfile) -> float:
    """From when on a health check may; a register that fled slow answers keeps to its interval."""
    dwelt_s = state.since.loop_s + dwell_s(state, profile)
    return sale_due_s(state, profile) if state.reason == SLOW else dwelt_s


def next_reconnect_s(state: Connectivity, profile: OfflineProfile, now: Moment) -> float | None:
    """In how many seconds the register may come back by itself; nothing when it will not."""
    if state.mode is not Mode.OFFLINE:
        return None
    due_s = sale_due_s(state, profile)
    if profile.enable_advanced_offline_switching:
        due_s = min(due_s, health_due_s(state, profile))
    return max(0.0, due_s - now.loop_s)


def _offline(
    state: Connectivity, profile: OfflineProfile, why: str, jitter: float, now: Moment
) -> Connectivity:
    by_itself = state.reason in {RECONNECTED, HEALTHY}
    soon = by_itself and now.loop_s - state.since.loop_s <= profile.failure_window_s
    return Connectivity(
        Mode.OFFLINE,
        why,
        now,
        now.loop_s,
        asks=profile.prompt_on_seamless_offline,
        flaps=min(state.flaps + 1, DOUBLINGS_MAX) if soon else 0,
        jitter=jitter,
    )


def _online(state: Connectivity, why: str, now: Moment) -> Connectivity:
    return Connectivity(Mode.ONLINE, why, now, now.loop_s, flaps=state.flaps, check_again=(LOCKS,))
