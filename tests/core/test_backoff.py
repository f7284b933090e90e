"""How long a client waits before it connects again."""

import random

import pytest

from stillopen.replication.backoff import (
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    NOBODY_MAX_S,
    RETURN_WITHIN_MAX_S,
    Backoff,
)


class Drawn(random.Random):
    """Always draws the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        """That."""
        return self.value


LOWEST, HIGHEST = 0.0, 1 - 2**-53


def test_pauses_double_up_to_a_bound_and_begin_anew_after_a_stream_that_lasted() -> None:
    backoff = Backoff(Drawn(HIGHEST))
    pauses = [backoff.pause_s(failed=True) for _ in range(8)]
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0])
    assert backoff.pause_s(failed=False) == pytest.approx(BACKOFF_FIRST_S)
    assert backoff.pause_s(failed=True) == pytest.approx(2 * BACKOFF_FIRST_S)


def test_who_found_nobody_asks_again_sooner_than_who_was_told_no() -> None:
    backoff = Backoff(Drawn(HIGHEST))
    pauses = [backoff.pause_s(failed=True, nobody=True) for _ in range(4)]
    assert pauses == pytest.approx([0.2, 0.4, NOBODY_MAX_S, NOBODY_MAX_S])
    told_no = [backoff.pause_s(failed=True) for _ in range(2)]
    assert told_no == pytest.approx([2 * NOBODY_MAX_S, 4 * NOBODY_MAX_S])
    assert backoff.pause_s(failed=True, nobody=True) == pytest.approx(NOBODY_MAX_S)


def test_at_least_half_of_a_pause_is_waited() -> None:
    backoff = Backoff(Drawn(LOWEST))
    pauses = [backoff.pause_s(failed=True) for _ in range(10)]
    assert pauses[-1] == pytest.approx(BACKOFF_MAX_S / 2)


@pytest.mark.parametrize("failed", [True, False])
def test_who_was_asked_to_stay_away_does_so_until_the_server_says_otherwise(failed: bool) -> None:  # noqa: FBT001
    backoff = Backoff(Drawn(HIGHEST))
    backoff.asked(5.0)
    for _ in range(3):
        assert 5.0 < backoff.pause_s(failed=failed) < 5.0 + BACKOFF_MAX_S
    backoff.asked(0.0)
    assert backoff.pause_s(failed=failed) <= BACKOFF_MAX_S


@pytest.mark.parametrize(
    ("asked", "most"),
    [(1e9, RETURN_WITHIN_MAX_S), (float("inf"), RETURN_WITHIN_MAX_S), (-1e9, 0.0)],
)
def test_no_server_keeps_its_clients_away_for_long(asked: float, most: float) -> None:
    backoff = Backoff(Drawn(HIGHEST))
    backoff.asked(asked)
    assert 0 < backoff.pause_s(failed=False) < most + BACKOFF_FIRST_S + 0.01


def test_clients_that_broke_at_once_come_back_spread_out() -> None:
    within_s, clients = 5.0, 5_000
    returns: list[float] = []
    for number in range(clients):
        backoff = Backoff(random.Random(number))  # noqa: S311 - repeatable
        backoff.asked(within_s)
        returns.append(backoff.pause_s(failed=False))
    tenths = [int(each * 10) for each in returns]
    busiest = max(tenths.count(tenth) for tenth in set(tenths))
    assert busiest < 1.3 * clients / (within_s * 10), "no tenth of a second has many more"
