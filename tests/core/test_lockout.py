"""Too many failed sign-ins lock a name out for a while, whatever the clock does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.errors import Reason, Refused
from stillopen.core.lockout import (
    FAILURES_MAX,
    LOCKED_S,
    NONE,
    WITHIN_S,
    Failures,
    check,
    failed,
    left_s,
    seen,
)

T = 1_800_000_000.0


def after(*walls_s: float) -> Failures:
    """What is kept after failures at these times."""
    failures = NONE
    for wall_s in walls_s:
        failures = failed(failures, wall_s)
    return failures


FULL = after(*(T + n for n in range(FAILURES_MAX)))
LAST = T + FAILURES_MAX - 1


def test_nobody_is_locked_out_who_did_not_fail() -> None:
    assert left_s(NONE, T) == 0
    check(NONE, T)


@pytest.mark.parametrize("count", range(1, FAILURES_MAX))
def test_a_few_failures_lock_nobody_out(count: int) -> None:
    check(after(*[T] * count), T)


def test_the_fifth_failure_locks_out_and_the_message_says_for_how_long() -> None:
    with pytest.raises(Refused) as refused:
        check(FULL, LAST)
    assert refused.value.reason is Reason.LOCKED_OUT
    assert "15 minutes" in refused.value.message
    with pytest.raises(Refused, match=r"for 1 minute$"):
        check(FULL, LAST + LOCKED_S - 30)


def test_it_ends_by_itself_and_failures_count_anew() -> None:
    end_s = LAST + LOCKED_S
    assert left_s(FULL, end_s - 1) == 1
    assert left_s(FULL, end_s) == 0
    assert seen(FULL, end_s) == NONE
    assert failed(FULL, end_s) == Failures((end_s,))


def test_failures_that_are_far_apart_do_not_count_together() -> None:
    apart_s = WITHIN_S / (FAILURES_MAX - 1) + 1
    slow = after(*(T + n * apart_s for n in range(3 * FAILURES_MAX)))
    assert not slow.locked
    assert len(slow.walls_s) < FAILURES_MAX


def test_five_within_the_time_count_also_when_earlier_ones_are_forgotten() -> None:
    late = T + WITHIN_S - 1
    failures = after(T, late, late, late, late + 2, late + 3)
    assert failures.locked


@pytest.mark.parametrize("back_s", [1.0, LOCKED_S, 400 * 86_400.0])
def test_a_clock_that_goes_back_unlocks_nobody_and_locks_for_one_period_more(
    back_s: float,
) -> None:
    now_s = LAST - back_s
    assert left_s(FULL, now_s) == LOCKED_S
    moved = seen(FULL, now_s)
    assert left_s(moved, now_s + LOCKED_S - 1) == 1
    assert left_s(moved, now_s + LOCKED_S) == 0


def test_failures_before_a_clock_went_back_count_on() -> None:
    failures = after(T, T, T, T)
    assert failed(failures, T - 86_400).locked


@given(st.lists(st.floats(-3 * LOCKED_S, 3 * LOCKED_S), max_size=30), st.floats(0, LOCKED_S))
def test_nobody_is_locked_out_longer_than_the_period_and_little_is_kept(
    steps_s: list[float], later_s: float
) -> None:
    failures, now_s = NONE, T
    for step_s in steps_s:
        now_s += step_s
        failures = failed(seen(failures, now_s), now_s)
        assert len(failures.walls_s) <= FAILURES_MAX
        assert 0 <= left_s(failures, now_s) <= LOCKED_S
        assert left_s(failures, now_s + later_s) <= left_s(failures, now_s)
