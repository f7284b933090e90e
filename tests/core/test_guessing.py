"""Guessing card numbers is slow, mistyping one is not, and what is remembered is bounded."""

import pytest

from stillopen.core.errors import Reason, Refused
from stillopen.core.guessing import CALLERS_MAX, PER_UNKNOWN_S, UNKNOWN_MAX, Guesses


def guess(guesses: Guesses, caller: str, times: int, now_s: float = 0.0) -> None:
    """So many unknown numbers at one moment."""
    for _ in range(times):
        guesses.check(caller, now_s)
        guesses.unknown(caller, now_s)


def test_a_few_mistakes_are_allowed_and_the_next_is_refused() -> None:
    guesses = Guesses()
    guess(guesses, "R1", UNKNOWN_MAX)
    with pytest.raises(Refused) as refused:
        guesses.check("R1", 0.0)
    assert refused.value.reason is Reason.TOO_MANY_UNKNOWN
    guesses.check("R2", 0.0)


def test_waiting_forgives_one_mistake_after_another() -> None:
    guesses = Guesses()
    guess(guesses, "R1", UNKNOWN_MAX)
    guess(guesses, "R1", 1, PER_UNKNOWN_S)
    with pytest.raises(Refused):
        guesses.check("R1", PER_UNKNOWN_S)
    guess(guesses, "R1", UNKNOWN_MAX, 1e6)


def test_only_so_many_callers_are_remembered() -> None:
    guesses = Guesses()
    guess(guesses, "R1", UNKNOWN_MAX)
    for number in range(CALLERS_MAX):
        guesses.unknown(f"other {number}", 0.0)
    guesses.check("R1", 0.0)
