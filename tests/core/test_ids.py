import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.errors import Misuse, Reason
from stillopen.core.ids import (
    check_id,
    check_lock_key,
    check_name,
    check_transaction_id,
    fold_code,
    new_epoch,
    new_lock_key,
    new_transaction_id,
)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same draws each time


class ZeroRandom(random.Random):
    """Draws nothing but zeros."""

    def getrandbits(self, k: int, /) -> int:
        return 0 * k


@pytest.mark.parametrize("value", ["a", "R-0001", "a b", "~!@#", "x" * 40])
def test_printable_ascii_up_to_forty_characters_is_an_id(value: str) -> None:
    assert check_id(value, "store_id") == value


@pytest.mark.parametrize(
    "value", ["", " a", "a ", "x" * 41, "a\n", "a\0b", "é", "\uff11\uff12", "\x7f"]
)
def test_everything_else_is_no_id(value: str) -> None:
    with pytest.raises(Misuse) as refusal:
        check_id(value, "store_id")
    assert refusal.value.reason is Reason.INVALID_ARGUMENT
    assert refusal.value.field == "store_id"


@pytest.mark.parametrize("value", ["Café au lait", "x" * 200, "日本語", "🍎"])
def test_names_are_text_in_any_language(value: str) -> None:
    assert check_name(value, "name") == value


@pytest.mark.parametrize(
    "value", ["", "  ", "x" * 201, "a\nb", "a\0", "\x1b[31m", "\u2028", "\ud800"]
)
def test_names_hold_no_control_characters(value: str) -> None:
    with pytest.raises(Misuse):
        check_name(value, "name")


def test_a_name_may_be_missing_where_it_is_not_required() -> None:
    assert check_name("", "name", required=False) == ""
    with pytest.raises(Misuse):
        check_name("\n", "name", required=False)


@pytest.mark.parametrize(
    "value", ["", "0" * 31, "0" * 33, "0" * 31 + "G", "A" * 32, "0" * 32 + "\n"]
)
def test_a_transaction_id_is_32_small_hexadecimal_digits(value: str) -> None:
    check_transaction_id("0123456789abcdef" * 2)
    with pytest.raises(Misuse):
        check_transaction_id(value)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_a_lock_key_is_16_bytes(length: int) -> None:
    check_lock_key(bytes(16))
    with pytest.raises(Misuse):
        check_lock_key(bytes(length))


@given(st.floats(-1e12, 1e15), st.integers(0, 2**32))
def test_new_ids_are_what_the_checks_accept(wall_s: float, seed: int) -> None:
    rng = seeded(seed)
    check_transaction_id(new_transaction_id(wall_s, rng))
    check_lock_key(new_lock_key(rng))
    assert 0 < new_epoch(rng) < 2**64


@given(st.integers(0, 2**47), st.integers(1, 2**40), st.integers(0, 2**32))
def test_transaction_ids_sort_by_time(earlier_ms: int, apart_ms: int, seed: int) -> None:
    rng = seeded(seed)
    earlier = new_transaction_id(earlier_ms / 1000, rng)
    later = new_transaction_id((earlier_ms + apart_ms + 1) / 1000, rng)
    assert earlier < later


def test_ids_of_one_moment_differ() -> None:
    rng = seeded(7)
    assert len({new_transaction_id(1.0, rng) for _ in range(1000)}) == 1000
    assert len({new_lock_key(rng) for _ in range(1000)}) == 1000


def test_no_lane_has_the_epoch_zero() -> None:
    assert new_epoch(ZeroRandom()) != 0


def test_codes_are_compared_without_case_and_outer_spaces() -> None:
    assert fold_code(" ab-1 ") == fold_code("AB-1") == "AB-1"
