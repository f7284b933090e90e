"""Whatever happens in whatever order: a hand's word holds, and nothing flaps."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.parameters import OfflineProfile
from stillopen.register import connectivity
from stillopen.register.connectivity import Connectivity, Mode, Moment


@dataclass(frozen=True)
class Event:
    """What happens, after how long, and how it goes."""

    name: str
    pause_s: float
    well: bool
    amount: float
    """From 0 to 1: jitter, slowness."""


BY_ITSELF = ("failed", "answered", "begins", "checked", "checked again")
AMOUNTS = st.floats(0, 1)
PAUSES = st.sampled_from([0.0, 0.1, 1.0, 10.0, 100.0, 1000.0])


def events(names: tuple[str, ...]) -> st.SearchStrategy[list[Event]]:
    """A history."""
    each = st.builds(Event, st.sampled_from(names), PAUSES, st.booleans(), AMOUNTS)
    return st.lists(each, max_size=60)


PROFILES = st.builds(
    OfflineProfile,
    reconnect_interval_s=st.sampled_from([0.0, 5.0, 300.0]),
    retry_count_to_offline=st.integers(1, 3),
    prompt_on_seamless_offline=st.booleans(),
    enable_advanced_offline_switching=st.just(value=True),
    minimum_dwell_s=st.sampled_from([1.0, 30.0, 400.0]),
    offline_switch_api_performance_threshold_s=st.sampled_from([0.0, 0.5]),
    reconnect_from_performance_induced_offline_interval_s=st.sampled_from([0.0, 60.0]),
    failure_count=st.integers(1, 3),
)


def happen(state: Connectivity, profile: OfflineProfile, event: Event, now: Moment) -> Connectivity:
    """The state after an event."""
    match event.name:
        case "failed":
            began_s = now.loop_s - event.amount
            return connectivity.call_failed(
                state, profile, "UNREACHABLE", tries=3, began_s=began_s, jitter=0.0, now=now
            )
        case "answered":
            return connectivity.answered(state, profile, event.amount, jitter=event.amount, now=now)
        case "begins":
            return connectivity.sale_begins(state, profile, link_up=event.well, now=now)
        case "checked":
            return connectivity.health_checked(state, profile, well=event.well, now=now)
        case "switched":
            return connectivity.switched(state, connect=event.well, now=now)
        case _:
            return connectivity.checked_again(state, connectivity.LOCKS)


@given(PROFILES, events(BY_ITSELF))
def test_manual_offline_never_ends_by_itself(profile: OfflineProfile, history: list[Event]) -> None:
    now = Moment(0.0, 0.0)
    state = connectivity.started(manual=True, now=now)
    for event in history:
        now = Moment(now.wall_s + event.pause_s, now.loop_s + event.pause_s)
        state = happen(state, profile, event, now)
        assert state.mode is Mode.OFFLINE_MANUAL


@given(PROFILES, events((*BY_ITSELF, "switched")))
def test_only_a_hand_leads_to_manual_offline_and_from_it(
    profile: OfflineProfile, history: list[Event]
) -> None:
    now = Moment(0.0, 0.0)
    state = connectivity.started(manual=False, now=now)
    for event in history:
        now = Moment(now.wall_s + event.pause_s, now.loop_s + event.pause_s)
        after = happen(state, profile, event, now)
        changed = after.mode is not state.mode
        if changed and Mode.OFFLINE_MANUAL in {after.mode, state.mode}:
            assert event.name == "switched"
        assert not after.asks or after.mode is Mode.OFFLINE
        assert not after.check_again or after.online
        state = after


@given(PROFILES, events((*BY_ITSELF, "switched")))
def test_a_register_comes_back_by_itself_at_most_once_in_a_dwell(
    profile: OfflineProfile, history: list[Event]
) -> None:
    """So a window of any length holds at most two changes, and two for each whole dwell in it."""
    now = Moment(0.0, 0.0)
    state = connectivity.started(manual=False, now=now)
    by_itself: list[float] = []
    for event in history:
        now = Moment(now.wall_s + event.pause_s, now.loop_s + event.pause_s)
        after = happen(state, profile, event, now)
        if event.name == "switched":
            by_itself.clear()  # a hand may do as it likes; what follows is counted anew
        elif after.mode is not state.mode:
            by_itself.append(now.loop_s)
            if after.online:
                assert now.loop_s - state.since.loop_s >= profile.minimum_dwell_s
        state = after
        for number, first_s in enumerate(by_itself):
            window_s = by_itself[-1] - first_s
            changes = len(by_itself) - number
            assert changes <= 2 + 2 * (window_s // profile.minimum_dwell_s)
