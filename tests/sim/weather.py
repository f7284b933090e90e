"""What goes wrong in the simulated estate, how often, and for how long; drawn from one seed."""

import random
from dataclasses import astuple, dataclass, field, replace

from tests.sim.network import Faults

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Often:
    """How often something happens in an hour."""

    cut: float = 0.0
    """A link fails for up to a minute."""
    long_cut: float = 0.0
    """A link fails for longer than a lease."""
    crash: float = 0.0
    """A process is killed."""
    crash_at_commit: float = 0.0
    """A process is killed before or after one of its next commits."""
    shutdown: float = 0.0
    """A process is ended as a person ends it."""
    stop: float = 0.0
    """A process hears and says nothing for a while."""
    jump: float = 0.0
    """A machine's wall clock is set."""
    sleep: float = 0.0
    """A till was suspended: its clocks went on, its timers did not."""
    spoil: float = 0.0
    """The file of a replica is damaged, or goes."""
    power: float = 0.0
    """A machine loses its power, between two commits or in one."""
    crash_at_step: float = 0.0
    """A process is killed some steps of the loop after one of its next commits, calls or frames."""
    full: float = 0.0
    """A drive is full for a while."""
    errors: float = 0.0
    """A drive fails at some reads and writes for a while."""
    slow: float = 0.0
    """A drive is slow for a while."""
    half_open: float = 0.0
    """One end of a connection is gone, and the other is not told."""

    def times(self, factor: float) -> "Often":
        """Everything so many times as often."""
        return Often(*(factor * each for each in astuple(self)))


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it gets."""

    duration_s: float = 300.0
    messages: Faults = field(default_factory=Faults)
    often: Often = Often()
    cut_s: tuple[float, float] = (0.3, 60.0)
    long_cut_s: tuple[float, float] = (130.0, 300.0)
    down_s: tuple[float, float] = (0.0, 30.0)
    stop_s: tuple[float, float] = (0.5, 40.0)
    jump_s: float = 100_000.0
    full_s: tuple[float, float] = (1.0, 60.0)
    errors_s: tuple[float, float] = (0.5, 20.0)
    error_rate: tuple[float, float] = (0.02, 0.5)
    """How many reads and writes fail then."""
    slow_s: tuple[float, float] = (1.0, 30.0)
    slow_write_s: float = 3.0
    """How long a write takes then, at most."""

    def times(self, factor: float) -> "Weather":
        """Every trouble so many times as often; half of all messages at most."""
        each = self.messages
        messages = replace(
            each,
            drop_request=min(0.5, factor * each.drop_request),
            drop_response=min(0.5, factor * each.drop_response),
            duplicate=min(0.5, factor * each.duplicate),
            break_stream=min(0.5, factor * each.break_stream),
        )
        return replace(self, messages=messages, often=self.often.times(factor))


_WORST = Often(
    cut=240,
    long_cut=30,
    crash=120,
    crash_at_commit=300,
    shutdown=30,
    stop=80,
    jump=40,
    sleep=20,
    spoil=40,
    power=80,
    crash_at_step=200,
    full=40,
    errors=40,
    slow=30,
    half_open=80,
)


def drawn_weather(rng: random.Random) -> Weather:
    """Weather for a seed: each kind of trouble is there or not, and more or less of it."""

    def some(worst: float) -> float:
        return worst * severity * rng.random() if rng.random() < 0.7 else 0.0

    severity = rng.choice([0.1, 0.3, 0.6, 1.0])
    messages = Faults(
        drop_request=some(0.05),
        drop_response=some(0.05),
        duplicate=some(0.1),
        break_stream=some(0.02),
        delay_s=(0.0, rng.choice([0.0, 0.02, 0.3, 1.5])),
    )
    often = Often(*map(some, astuple(_WORST)))
    return Weather(rng.uniform(90, 300), messages, often)
