"""How fast something goes: never faster than its rate, in whatever pieces, and no slower either."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.replication.frames import BLOCK_BYTES
from stillopen.replication.pace import SHARE_S, SOON_S, Pace, share

RATES = st.floats(1_024, 100_000 * 1_024)
IDLE_S = st.floats(0, 20)
SIZES = st.integers(1, BLOCK_BYTES)
Went = list[tuple[float, int]]
"""When how much went."""


def sent(steps: list[tuple[float, int, float]], at_s: float = 0.0) -> Went:
    """What goes of a sender that is idle for so long, and then has so much, at such a rate."""
    pace, found = Pace(), Went()
    for idle_s, wanted, rate in steps:
        at_s += idle_s
        while (wait_s := pace.wait_s(at_s, 0, rate)) > 0:
            at_s += wait_s
        size = share(wanted, rate)
        pace.wait_s(at_s, size, rate)
        found.append((at_s, size))
    return found


@given(st.lists(st.tuples(IDLE_S, SIZES), max_size=40), RATES)
def test_in_no_window_more_goes_than_the_rate_and_a_share(
    steps: list[tuple[float, int]], rate: float
) -> None:
    went = sent([(idle_s, size, rate) for idle_s, size in steps], 1_000.0)
    for first, (from_s, _) in enumerate(went):
        total = 0
        for at_s, size in went[first:]:
            total += size
            assert total <= rate * (at_s - from_s + SOON_S) + size + 1


@given(st.lists(st.tuples(IDLE_S, SIZES, RATES), max_size=40))
def test_a_rate_that_changes_is_kept_to_as_it_is_then(
    steps: list[tuple[float, int, float]],
) -> None:
    went = sent(steps)
    for (at_s, size), (next_s, _), (_, _, rate) in zip(went, went[1:], steps[1:], strict=False):
        assert next_s - at_s >= size / rate - SOON_S - 1e-6


@given(st.lists(SIZES, min_size=1, max_size=40), RATES)
def test_who_always_has_something_goes_at_the_rate(sizes: list[int], rate: float) -> None:
    went = sent([(0.0, size, rate) for size in sizes])
    before_last = sum(size for _, size in went[:-1])
    assert went[-1][0] == pytest.approx(before_last / rate, abs=2 * SOON_S)


@given(st.lists(st.tuples(IDLE_S, SIZES), max_size=10))
def test_without_a_bound_nothing_waits(steps: list[tuple[float, int]]) -> None:
    pace = Pace()
    assert not any(pace.wait_s(at_s, size, 0) for at_s, size in steps)


def test_a_bound_that_is_taken_away_is_forgotten() -> None:
    pace = Pace()
    assert pace.wait_s(5.0, 4_096, 1_024) == 4.0
    assert pace.wait_s(6.0, 0, 1_024) == 3.0
    assert pace.wait_s(6.0, 0, 2_048) == 1.5
    assert pace.wait_s(6.0, 0, 0) == 0
    assert pace.wait_s(6.0, 0, 1_024) == 0


def test_what_was_not_used_is_not_kept() -> None:
    pace = Pace()
    assert pace.wait_s(1.0, 1_024, 1_024) == 1.0
    assert pace.wait_s(100.0, 2_048, 1_024) == 2.0


@given(SIZES, RATES)
def test_a_share_is_what_goes_in_a_second(size: int, rate: float) -> None:
    assert 0 < share(size, rate) <= min(size, rate * SHARE_S)


def test_without_a_bound_a_share_is_everything() -> None:
    assert share(BLOCK_BYTES, 0) == BLOCK_BYTES
