"""A register whose clock is wrong by years (H21)."""

import pytest

from stillopen.register.server_time import ServerTime

YEAR_S = 366 * 86_400.0
NOW_S = 1_790_000_000.0


class Clock:
    """A machine's clocks, moved by hand."""

    def __init__(self, wall_s: float) -> None:
        self.wall = wall_s
        self.elapsed = 50.0
        self.boot = "first"

    def wall_s(self) -> float:
        """What the wall shows."""
        return self.wall

    def elapsed_s(self) -> float:
        """Seconds of this boot."""
        return self.elapsed

    def boot_id(self) -> str:
        """The name of this boot."""
        return self.boot


@pytest.mark.parametrize(
    ("off_s", "suspect"),
    [(0.0, False), (86_399.0, False), (-86_399.0, False), (86_401.0, True), (-10 * YEAR_S, True)],
)
def test_a_clock_more_than_a_day_from_the_channels_is_suspect(
    off_s: float, *, suspect: bool
) -> None:
    time = ServerTime(Clock(NOW_S + off_s))
    time.heard(NOW_S)
    assert time.suspect is suspect


def test_nothing_is_suspected_before_the_channel_was_heard() -> None:
    time = ServerTime(Clock(0.0))
    assert (time.wall_s, time.suspect) == (None, False)


def test_the_channels_clock_is_carried_on_while_the_wall_jumps() -> None:
    clock = Clock(NOW_S)
    time = ServerTime(clock)
    time.heard(NOW_S)
    clock.elapsed += 60.0
    clock.wall = 0.0  # a battery that is empty
    assert (time.wall_s, time.suspect) == (NOW_S + 60.0, True)


def test_a_restart_of_the_machine_forgets_it() -> None:
    clock = Clock(NOW_S)
    time = ServerTime(clock)
    time.heard(NOW_S)
    clock.boot, clock.elapsed = "second", 1.0
    assert (time.wall_s, time.suspect) == (None, False)
