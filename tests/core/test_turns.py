"""Two processes under one name: only one that comes back after another is strange."""

import pytest

from stillopen.core.turns import KEPT_MAX, WINDOW_S, Turns

A, B, C = 0xA, 0xB, 0xC


def told(*met: tuple[int, float], name: str = "R1") -> list[bool]:
    """What each meeting says."""
    turns = Turns()
    return [turns.met(name, instance, now_s) for instance, now_s in met]


@pytest.mark.parametrize(
    "met",
    [
        [(A, 0.0), (A, 1.0), (A, 2.0)],
        [(A, 0.0), (B, 1.0), (C, 2.0)],
        [(A, 0.0), (B, 1.0), (B, 2.0)],
        [(A, 0.0), (B, 1.0), (A, 1.0 + WINDOW_S + 0.1)],
        [(0, 0.0), (A, 1.0), (0, 2.0)],
    ],
    ids=["one connects again", "each is started anew", "the second stays", "long ago", "unknown"],
)
def test_what_is_no_alarm(met: list[tuple[int, float]]) -> None:
    assert not any(told(*met))


def test_one_that_comes_back_after_another_is_an_alarm() -> None:
    assert told((A, 0.0), (B, 1.0), (A, 2.0), (B, 3.0)) == [False, False, True, True]


def test_the_window_begins_when_the_other_took_over() -> None:
    assert told((A, 0.0), (B, 10 * WINDOW_S), (A, 10 * WINDOW_S + 1))[-1]


def test_names_have_nothing_to_do_with_each_other() -> None:
    turns = Turns()
    for name, instance in (("R1", A), ("R2", B), ("R1", A), ("R2", B)):
        assert not turns.met(name, instance, 0.0)


def test_what_is_remembered_is_bounded() -> None:
    turns = Turns()
    for instance in range(1, KEPT_MAX + 2):
        assert not turns.met("R1", instance, 0.0)
    assert not turns.met("R1", 1, 0.0)
    assert turns.met("R1", KEPT_MAX, 0.0)
