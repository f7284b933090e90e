"""Calamities: each on a day of its own, checked by all checkers."""

import random
from functools import cache

import pytest
from tests.sim.calamities import (
    ADJUST,
    HOUR_S,
    UNLOCK,
    Calamity,
    calamity_of,
    drawn_calamity,
)
from tests.sim.checkers import violations
from tests.sim.habits import Habits
from tests.sim.losses import Fate
from tests.sim.play import Played, play_with
from tests.sim.scene import SHORT, small
from tests.sim.weather import Often, Weather

DAY_S = 30.0


# Each once, on a day on which links fail and processes die


@cache
def day(kind: str, seed: int = 1) -> Played:
    """A short day on which that happens, some eight times; only two disks go."""
    often = HOUR_S / DAY_S * 8
    weather = Weather(DAY_S, often=Often(cut=1_500, crash=500), cut_s=(0.5, 6.0), down_s=(0.0, 2.0))
    habits = Habits(pause_s=(0.01, 0.2), customer_s=(0.02, 0.5), by_card=0.8, switches=0)
    calamity = calamity_of({kind: often}, (0.5, 5.0))
    return play_with(seed, small(SHORT, tills=(2, 1)), weather, habits, calamity)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("reinstall", Fate.REINSTALLED),
        ("restore_register", Fate.RESTORED),
        ("clone", Fate.CLONED),
        ("restore_channel", Fate.CHANNEL_RESTORED),
        ("restore_headquarters", Fate.HEADQUARTERS_RESTORED),
        ("unlock", UNLOCK),
        ("adjust", ADJUST),
    ],
)
def test_a_calamity_breaks_no_promise(kind: str, fault: str) -> None:
    played = day(kind)
    assert played.faults[str(fault)] > 0
    assert violations(played.record) == []


def test_a_day_with_a_calamity_is_the_same_when_it_is_played_again() -> None:
    again = day.__wrapped__("clone")
    assert again.record.history.digest == day("clone").record.history.digest


def test_no_more_disks_go_than_are_to() -> None:
    losses = day("reinstall").record.history.losses
    assert len(losses) == Calamity().at_most


def test_a_drawn_calamity_is_one_or_two_of_them() -> None:
    for seed in range(50):
        drawn = drawn_calamity(random.Random(seed), DAY_S)  # noqa: S311 - repeatable
        rates = [
            drawn.reinstall, drawn.restore_register, drawn.clone, drawn.restore_channel,
            drawn.restore_headquarters, drawn.unlock, drawn.adjust,
        ]  # fmt: skip
        assert 1 <= sum(rate > 0 for rate in rates) <= 2
