"""The day that a seed is played with: its estate, its people, its weather, all drawn from the seed.

Most days are brief, so that thousands can be played: a few tills, customers a moment apart, seconds
of dense trouble. Some are long, with the distances of real shops, and some estates are large.
"""

import random
from dataclasses import dataclass, replace

from tests.sim.calamities import NO_CALAMITY, Calamity, drawn_calamity
from tests.sim.habits import Habits
from tests.sim.history import Card
from tests.sim.weather import HOUR_S, Weather, drawn_weather
from tests.sim.world import Plan

from stillopen.core.parameters import CardParameters, OfflineProfile

LONG, LARGE, CALAMITOUS = 0.01, 0.02, 0.3
"""How many days are long, how many estates large, and on how many days calamities befall one."""
BY_HAND = 0.2
"""On how many days somebody at headquarters frees cards by hand."""
LENGTH = 0.5
"""Of a brief day: at 1 its storm lasts 8 to 30 seconds."""
_TERMS = CardParameters(conclude_within_s=12.0, lease_s=4.0, grace_s=30.0, settle_margin_s=20.0)
_SHAPES = ((2,), (3,), (1, 1), (2, 1), (2, 2))
_LARGE_SHAPES = ((4, 3, 3), (6, 6), (9, 6, 5))


@dataclass(frozen=True, slots=True, order=True)
class Seed:
    """Which day is played; each of its three makes it another."""

    number: int
    length: float = LENGTH
    """Of a brief day."""
    rates: float = 1.0
    """How often troubles come, to how often they are drawn."""

    def __str__(self) -> str:
        """As `read_seed` reads it: 7, 7x1 or 7x1x2."""
        if self.rates != 1:
            return f"{self.number}x{self.length:g}x{self.rates:g}"
        return f"{self.number}x{self.length:g}" if self.length != LENGTH else str(self.number)


def read_seed(text: str) -> Seed:
    """The seed that is written so; ValueError."""
    number, *others = text.split("x")
    return Seed(int(number), *map(float, others))


@dataclass(frozen=True, slots=True)
class Day:
    """What a seed is played with."""

    plan: Plan
    weather: Weather
    habits: Habits
    calamity: Calamity = NO_CALAMITY


def drawn_day(seed: Seed) -> Day:
    """The same seed draws the same day."""
    rng = random.Random(f"{seed.number}/day")  # noqa: S311 - repeatable
    is_long = rng.random() < LONG
    plan = _drawn_plan(rng, is_long=is_long)
    weather = drawn_weather(rng).times(seed.rates)
    if not is_long:
        weather = _brief(weather, rng, seed.length)
    fate = random.Random(f"{seed.number}/calamity")  # noqa: S311 - repeatable
    calamity = NO_CALAMITY
    if fate.random() < CALAMITOUS:
        calamity = drawn_calamity(fate, weather.duration_s)
    if fate.random() < BY_HAND:
        often = fate.choice([3, 15]) * HOUR_S / weather.duration_s
        calamity = replace(calamity, unlock=often)
    return Day(plan, weather, _drawn_habits(rng, is_long=is_long), calamity)


def _drawn_plan(rng: random.Random, *, is_long: bool) -> Plan:
    count = rng.choice([1, 1, 2, 4])
    cards = tuple(Card(f"7000000000{n:02}", rng.randint(0, 9_000)) for n in range(count))
    gift_card = replace(_TERMS, conclude_within_s=rng.choice([0.5, 2.0, 12.0]))
    if is_long and rng.random() < 0.8:
        gift_card = CardParameters(lease_s=rng.choice([10.0, 120.0]))
    return Plan(
        tills=rng.choice(_LARGE_SHAPES if rng.random() < LARGE else _SHAPES),
        cards=cards,
        gift_card=replace(
            gift_card, allow_concluding_offline=rng.random() < 0.6, cash_out_up_to_minor=400
        ),
        profile=_drawn_profile(rng, is_long=is_long),
        disk_latency_s=rng.choice([(0.0, 0.0), (0.0, 0.0), (0.0001, 0.002), (0.001, 0.05)]),
        wall_wrong_s=rng.choice([1.0, 100_000.0]),
    )


def _drawn_profile(rng: random.Random, *, is_long: bool) -> OfflineProfile:
    """When registers go offline; half of the time with all that may move one besides."""
    profile = OfflineProfile(
        timeout_s=rng.choice([0.5, 1.0, 3.0]),
        reconnect_interval_s=rng.choice([0.0, 5.0, 30.0] if is_long else [0.0, 0.0, 2.0]),
        retry_count_to_offline=rng.choice([1, 1, 2]),
        heartbeat_interval_s=rng.choice([1.0, 5.0]),
    )
    if rng.random() < 0.5:
        return profile
    return replace(
        profile,
        prompt_on_seamless_offline=rng.random() < 0.5,
        allow_manual_offline_before_sign_in=rng.random() < 0.5,
        enable_advanced_offline_switching=True,
        system_health_check_interval_s=rng.choice([1.0, 5.0]),
        minimum_dwell_s=rng.choice([2.0, 10.0]),
        offline_switch_api_performance_threshold_s=rng.choice([0.0, profile.timeout_s / 2]),
        reconnect_from_performance_induced_offline_interval_s=rng.choice([5.0, 30.0]),
    )


def _drawn_habits(rng: random.Random, *, is_long: bool) -> Habits:
    habits = Habits(
        by_card=rng.choice([0.4, 0.7, 0.95]),
        dawdles=rng.choice([0.0, 0.02, 0.05]),
        takes_back=rng.choice([0.05, 0.2]),
    )
    if is_long:
        return habits
    return replace(
        habits,
        pause_s=(0.005, 0.1),
        lines_max=2,
        customer_s=(0.02, 0.5),
        dawdles=habits.dawdles / 2,
        answer_s=4.0,
        dawdle_s=(0.5, 12.0),
        waits_s=(0.1, 3.0),
        office_s=(0.3, 5.0),
        suspends=0.12,
        recalls=0.3,
    )


def _brief(weather: Weather, rng: random.Random, length: float) -> Weather:
    """The same weather in a tenth of the time."""
    return replace(
        weather,
        duration_s=length * rng.uniform(8, 30),
        messages=replace(weather.messages, delay_s=(0.0, weather.messages.delay_s[1] / 5)),
        often=weather.often.times(10),
        cut_s=(0.3, 6.0),
        long_cut_s=(11.0, 20.0),
        down_s=(0.0, 3.0),
        stop_s=(0.3, 5.0),
        full_s=(0.3, 8.0),
        errors_s=(0.2, 4.0),
        slow_s=(0.5, 5.0),
        slow_write_s=rng.uniform(0.2, 1.5),
    )
