"""Numbers of credit memos: their form, what a slip of the finger does, how they are drawn."""

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.card_number import number_digest, read_number
from stillopen.core.errors import Misuse, Reason
from stillopen.core.memo_number import (
    LENGTH,
    PREFIX_LENGTH,
    RANDOM_BITS,
    is_memo_number,
    new_memo_number,
    prefix_of,
    printed,
    read_memo_number,
)
from stillopen.core.purpose import CardKind

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SEEDS = st.integers(0, 2**32)


def drawn(seed: int = 1, register_id: str = "R1") -> str:
    """A number, the same for the same seed."""
    return new_memo_number(register_id, random.Random(seed))  # noqa: S311 - no money


def found_wrong(number: str) -> bool:
    """Whether somebody who types this is told that it is mistyped."""
    try:
        read_memo_number(number)
    except Misuse as error:
        return (error.reason, error.field) == (Reason.INVALID_ARGUMENT, "number")
    return False


class Counting(random.Random):
    """Randomness that notes how much of it is asked for."""

    def __init__(self) -> None:
        super().__init__(1)
        self.bits: list[int] = []

    def getrandbits(self, k: int, /) -> int:
        self.bits.append(k)
        return super().getrandbits(k)


@given(SEEDS, st.sampled_from(["R1", "R2", "till-0815", "x" * 40]))
def test_a_number_has_its_letter_its_registers_prefix_and_its_check_character(
    seed: int, register_id: str
) -> None:
    number = drawn(seed, register_id)
    assert len(number) == LENGTH == 23
    assert number.startswith("M")
    assert number[:PREFIX_LENGTH] == prefix_of(register_id)
    assert set(number) <= set(ALPHABET)
    assert is_memo_number(number)
    assert read_memo_number(number) == number


def test_no_more_and_no_less_than_eighty_bits_are_drawn_and_all_are_in_the_number() -> None:
    rng = Counting()
    numbers = {new_memo_number("R1", rng) for _ in range(50)}
    assert rng.bits == [RANDOM_BITS] * 50
    assert RANDOM_BITS == 80
    assert len({number[PREFIX_LENGTH:-1] for number in numbers}) == 50
    low, high = Fixed(0), Fixed(2**RANDOM_BITS - 1)
    assert new_memo_number("R1", low)[PREFIX_LENGTH:-1] == "0" * 16
    assert new_memo_number("R1", high)[PREFIX_LENGTH:-1] == "Z" * 16


class Fixed(random.Random):
    """Always the same bits."""

    def __init__(self, value: int) -> None:
        super().__init__()
        self._value = value

    def getrandbits(self, k: int, /) -> int:
        assert self._value.bit_length() <= k
        return self._value


@given(st.integers(0, 79))
def test_every_bit_drawn_makes_another_number(bit: int) -> None:
    assert new_memo_number("R1", Fixed(0)) != new_memo_number("R1", Fixed(1 << bit))


@given(SEEDS)
def test_one_wrong_character_is_always_found(seed: int) -> None:
    number = drawn(seed)
    for place, character in product(range(1, LENGTH), ALPHABET):
        if character != number[place]:
            assert found_wrong(number[:place] + character + number[place + 1 :])


@given(SEEDS)
def test_two_neighbours_that_changed_places_are_found_unless_they_are_0_and_z(seed: int) -> None:
    """The one pair that Luhn's sum cannot tell apart is the first and the last of the alphabet."""
    number = drawn(seed)
    for place in range(1, LENGTH - 1):
        first, second = number[place], number[place + 1]
        swapped = number[:place] + second + first + number[place + 2 :]
        if first != second:
            assert found_wrong(swapped) is ({first, second} != {"0", "Z"})


@pytest.mark.parametrize("pair", ["01", "12", "9A", "YZ", "1Z", "0Y", "GH"])
def test_a_pair_is_found_in_every_place(pair: str) -> None:
    for place in range(6, LENGTH - 2):
        body = drawn()[:place] + pair + drawn()[place + 2 : -1]
        number = next(body + c for c in ALPHABET if not found_wrong(body + c))
        assert found_wrong(number[:place] + pair[::-1] + number[place + 2 :])


@given(SEEDS)
def test_o_i_and_l_are_read_as_people_mean_them_also_small_and_in_groups(seed: int) -> None:
    number = drawn(seed)
    zero, one = number.replace("0", "O"), number.replace("1", "I")
    for typed in (zero, one, number.replace("1", "L"), number.lower(), printed(number)):
        assert read_number(typed, CardKind.CREDIT_MEMO) == number
    assert read_number(printed(zero).lower(), CardKind.CREDIT_MEMO) == number


@pytest.mark.parametrize("character", ["U", "Ä", "-"])
def test_a_character_that_is_in_no_number_is_found(character: str) -> None:
    assert found_wrong(drawn()[:10] + character + drawn()[11:])


@pytest.mark.parametrize(
    "number", ["60010001", drawn()[:-1], drawn() + "0", "N" + drawn()[1:], "M", ""]
)
def test_what_is_no_memo_by_its_form_is_left_alone(number: str) -> None:
    """A memo that was imported from another system may have any number."""
    assert not is_memo_number(number)
    assert read_memo_number(number) == number


def test_a_gift_card_that_looks_like_a_memo_is_not_checked() -> None:
    number = drawn()[:-1] + ("0" if drawn()[-1] != "0" else "1")
    assert found_wrong(number)
    assert read_number(number, CardKind.GIFT_CARD) == number


def test_registers_begin_their_numbers_differently_and_always_alike() -> None:
    registers = [f"R{n}" for n in range(500)]
    prefixes = {prefix_of(each) for each in registers}
    assert len(prefixes) == 500
    assert all(len(each) == PREFIX_LENGTH and each[0] == "M" for each in prefixes)


def test_a_number_is_made_today_as_it_was_made_when_memos_were_printed() -> None:
    assert prefix_of("R1") == "MB53XR"
    assert new_memo_number("R1", Fixed(0x0123_4567_89AB_CDEF_0123)) == "MB53XR04HMASW9NF6YY093D"


@given(SEEDS)
def test_what_is_printed_in_groups_is_the_same_number(seed: int) -> None:
    text = printed(drawn(seed))
    assert [len(group) for group in text.split("-")] == [6, 4, 4, 4, 4, 1]
    assert text.replace("-", "") == drawn(seed)
    assert number_digest(text) == number_digest(drawn(seed))
