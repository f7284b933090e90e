"""The whole table of `connectivity.py`: every state, every event."""

from dataclasses import dataclass, replace

import pytest

from stillopen.core.parameters import OfflineProfile
from stillopen.register import connectivity
from stillopen.register.connectivity import (
    DOUBLINGS_MAX,
    HEALTHY,
    LOCKS,
    RECONNECTED,
    SLOW,
    STARTED,
    SWITCHED_BY_HAND,
    Connectivity,
    Mode,
    Moment,
)

WHY = "TIMED_OUT"
SINCE = Moment(1_000.0, 100.0)
PROFILE = OfflineProfile(
    reconnect_interval_s=300,
    retry_count_to_offline=2,
    enable_advanced_offline_switching=True,
    minimum_dwell_s=30,
    offline_switch_api_performance_threshold_s=1,
    reconnect_from_performance_induced_offline_interval_s=600,
    failure_count=2,
    failure_window_s=60,
)
BASIC = replace(PROFILE, enable_advanced_offline_switching=False)
ASKING = replace(PROFILE, prompt_on_seamless_offline=True)


def at(loop_s: float) -> Moment:
    """That long after the state began."""
    return Moment(SINCE.wall_s + loop_s, SINCE.loop_s + loop_s)


ONLINE = Connectivity(Mode.ONLINE, STARTED, SINCE, SINCE.loop_s)
RETURNED = Connectivity(Mode.ONLINE, HEALTHY, SINCE, SINCE.loop_s, check_again=(LOCKS,))
OFFLINE = Connectivity(Mode.OFFLINE, WHY, SINCE, SINCE.loop_s)
ASKED = replace(OFFLINE, asks=True)
SLUGGISH = replace(OFFLINE, reason=SLOW)
MANUAL = Connectivity(Mode.OFFLINE_MANUAL, SWITCHED_BY_HAND, SINCE, SINCE.loop_s)
STATES = {
    "online": ONLINE,
    "returned": RETURNED,
    "offline": OFFLINE,
    "asked": ASKED,
    "slow": SLUGGISH,
    "manual": MANUAL,
}


@dataclass(frozen=True)
class Event:
    """Something that happens at a moment."""

    name: str
    after_s: float = 1.0
    profile: OfflineProfile = PROFILE
    tries: int = 2
    began_s: float = 0.0
    took_s: float = 0.1
    yes: bool = True

    def on(self, state: Connectivity) -> Connectivity:
        """The state afterwards."""
        now = at(self.after_s)
        match self.name:
            case "call failed":
                return connectivity.call_failed(
                    state,
                    self.profile,
                    WHY,
                    tries=self.tries,
                    began_s=SINCE.loop_s + self.began_s,
                    jitter=0.5,
                    now=now,
                )
            case "answered":
                return connectivity.answered(state, self.profile, self.took_s, jitter=0.5, now=now)
            case "sale begins":
                return connectivity.sale_begins(state, self.profile, link_up=self.yes, now=now)
            case "health checked":
                return connectivity.health_checked(state, self.profile, well=self.yes, now=now)
            case "switched":
                return connectivity.switched(state, connect=self.yes, now=now)
            case _:
                return connectivity.checked_again(state, LOCKS)


SAME = "as it was"
TO_MANUAL = (Mode.OFFLINE_MANUAL, SWITCHED_BY_HAND)
BY_HAND = (Mode.ONLINE, SWITCHED_BY_HAND)
OFF = (Mode.OFFLINE, WHY)
Outcome = tuple[Mode, str] | str
TABLE: list[tuple[Event, dict[str, Outcome]]] = [
    (Event("call failed"), {"online": OFF, "returned": OFF}),
    (Event("call failed", tries=1), {}),
    (Event("call failed", began_s=-0.1), {}),
    (Event("answered"), {}),
    (Event("answered", took_s=1.1), {}),
    (Event("sale begins", after_s=299), {}),
    (Event("sale begins", after_s=300), {"offline": (Mode.ONLINE, RECONNECTED),
                                         "asked": (Mode.ONLINE, RECONNECTED)}),
    (Event("sale begins", after_s=600), {"offline": (Mode.ONLINE, RECONNECTED),
                                         "asked": (Mode.ONLINE, RECONNECTED),
                                         "slow": (Mode.ONLINE, RECONNECTED)}),
    (Event("sale begins", after_s=600, yes=False), {}),
    (Event("health checked", after_s=600), {}),
    (Event("health checked", after_s=600, yes=False), {}),
    (Event("health checked", after_s=600, profile=BASIC), {}),
    (Event("switched"), {"offline": BY_HAND, "asked": BY_HAND, "slow": BY_HAND,
                         "manual": BY_HAND}),
    (Event("switched", yes=False), {"online": TO_MANUAL, "returned": TO_MANUAL,
                                    "offline": TO_MANUAL, "slow": TO_MANUAL}),
    (Event("checked again"), {}),
]  # fmt: skip


@pytest.mark.parametrize("name", list(STATES))
@pytest.mark.parametrize(("event", "changes"), TABLE)
def test_every_event_in_every_state_does_what_the_table_says(
    name: str, event: Event, changes: dict[str, Outcome]
) -> None:
    state = STATES[name]
    after = event.on(state)
    expected = changes.get(name, SAME)
    if expected == SAME:
        assert (after.mode, after.reason, after.since) == (state.mode, state.reason, state.since)
    else:
        assert (after.mode, after.reason) == expected
        assert after.since == at(event.after_s)


def test_a_second_slow_answer_in_a_row_moves_a_register_offline() -> None:
    slow = Event("answered", took_s=1.1)
    after = replace(slow, after_s=2).on(slow.on(ONLINE))
    assert (after.mode, after.reason) == (Mode.OFFLINE, SLOW)


def test_a_quick_answer_between_two_slow_ones_forgets_the_first() -> None:
    slow = Event("answered", took_s=1.1)
    state = replace(slow, after_s=3).on(Event("answered", after_s=2).on(slow.on(ONLINE)))
    assert state.online


def test_slow_answers_a_window_apart_do_not_count_together() -> None:
    slow = Event("answered", took_s=1.1)
    assert replace(slow, after_s=62).on(slow.on(ONLINE)).online


def test_without_a_threshold_no_answer_is_slow() -> None:
    profile = replace(PROFILE, offline_switch_api_performance_threshold_s=0, failure_count=1)
    assert Event("answered", took_s=100, profile=profile).on(ONLINE) == ONLINE


def test_two_good_checks_in_a_row_bring_a_register_back_once_it_has_dwelt() -> None:
    well = Event("health checked", after_s=10)
    state = replace(well, after_s=20).on(well.on(OFFLINE))
    assert state.mode is Mode.OFFLINE
    state = replace(well, after_s=30).on(state)
    assert (state.mode, state.reason) == (Mode.ONLINE, HEALTHY)
    assert state.check_again == (LOCKS,)
    assert connectivity.checked_again(state, LOCKS).check_again == ()


def test_a_bad_check_begins_the_count_anew() -> None:
    well = Event("health checked", after_s=40)
    state = replace(well, yes=False).on(well.on(OFFLINE))
    assert well.on(state).mode is Mode.OFFLINE
    assert well.on(well.on(state)).mode is Mode.ONLINE


def test_a_register_that_fled_slow_answers_keeps_to_its_own_interval() -> None:
    well = Event("health checked", after_s=599)
    state = well.on(well.on(SLUGGISH))
    assert state.mode is Mode.OFFLINE
    assert replace(well, after_s=600).on(state).mode is Mode.ONLINE
    assert connectivity.next_reconnect_s(SLUGGISH, PROFILE, at(0)) == 600


def test_a_vain_try_counts_the_interval_anew() -> None:
    state = Event("sale begins", after_s=300, yes=False).on(OFFLINE)
    assert Event("sale begins", after_s=599).on(state).mode is Mode.OFFLINE
    assert Event("sale begins", after_s=600).on(state).mode is Mode.ONLINE


def test_with_advanced_switching_a_sale_too_waits_for_the_dwell() -> None:
    eager = replace(PROFILE, reconnect_interval_s=0)
    begins = Event("sale begins", after_s=29, profile=eager)
    assert begins.on(OFFLINE).mode is Mode.OFFLINE
    assert replace(begins, after_s=30).on(OFFLINE).mode is Mode.ONLINE
    basic = replace(eager, enable_advanced_offline_switching=False)
    assert replace(begins, after_s=0, profile=basic).on(OFFLINE).mode is Mode.ONLINE


def test_each_failure_soon_after_a_return_doubles_the_dwell_until_it_is_long_enough() -> None:
    state, dwells = RETURNED, list[float]()
    for _ in range(DOUBLINGS_MAX + 2):
        state = replace(Event("call failed").on(state), jitter=0.0)
        dwells.append(connectivity.dwell_s(state, PROFILE))
        state = replace(RETURNED, flaps=state.flaps)
    assert dwells == [60, 120, 240, 480, 480, 480]


def test_a_failure_long_after_a_return_or_after_a_hand_is_no_flapping() -> None:
    late = Event("call failed", after_s=61).on(replace(RETURNED, flaps=3))
    assert late.flaps == 0
    by_hand = Event("switched").on(replace(OFFLINE, flaps=3))
    assert Event("call failed", after_s=2, began_s=1.5).on(by_hand).flaps == 0


def test_jitter_only_lengthens_the_dwell() -> None:
    assert connectivity.dwell_s(replace(OFFLINE, jitter=0.0), PROFILE) == 30
    assert connectivity.dwell_s(replace(OFFLINE, jitter=1.0), PROFILE) == 37.5


def test_the_cashier_is_asked_and_answers_with_work_offline() -> None:
    asked = Event("call failed", profile=ASKING).on(ONLINE)
    assert asked.asks
    answered = Event("switched", yes=False, after_s=5).on(asked)
    assert answered == replace(asked, asks=False)
    assert Event("switched", yes=False).on(answered).mode is Mode.OFFLINE_MANUAL


def test_the_next_return_is_known_and_there_is_none_by_itself_from_manual_offline() -> None:
    assert connectivity.next_reconnect_s(OFFLINE, BASIC, at(100)) == 200
    assert connectivity.next_reconnect_s(OFFLINE, BASIC, at(400)) == 0
    assert connectivity.next_reconnect_s(OFFLINE, PROFILE, at(10)) == 20
    for state in (ONLINE, MANUAL):
        assert connectivity.next_reconnect_s(state, PROFILE, at(1)) is None


@pytest.mark.parametrize("manual", [True, False])
def test_a_register_starts_online_unless_it_was_disconnected(manual: bool) -> None:  # noqa: FBT001
    state = connectivity.started(manual=manual, now=SINCE)
    assert (state.mode is Mode.OFFLINE_MANUAL, state.online) == (manual, not manual)
