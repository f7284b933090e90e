"""Activation codes: long enough that nobody guesses one, and hard to mistype."""

import random

import pytest

from stillopen.core.activation_code import (
    LENGTH,
    RANDOM_BITS,
    code_digest,
    new_activation_code,
)
from stillopen.core.base32 import ALPHABET
from stillopen.core.errors import Reason, Refused

RNG = random.Random(7)  # noqa: S311 - repeatable
CODE = new_activation_code(RNG)


def test_a_code_has_more_than_sixty_random_bits_in_groups_of_four() -> None:
    assert RANDOM_BITS > 60
    assert [len(group) for group in CODE.split("-")] == [4, 4, 4, 4]
    assert set(CODE) <= {*ALPHABET, "-"}


def test_two_codes_are_never_the_same() -> None:
    assert len({new_activation_code(RNG) for _ in range(1_000)}) == 1_000


def test_the_randomness_reaches_every_place() -> None:
    codes = [new_activation_code(RNG).replace("-", "") for _ in range(500)]
    for place in range(LENGTH):
        assert len({code[place] for code in codes}) > 20


@pytest.mark.parametrize(
    "typed",
    [
        CODE.lower(),
        CODE.replace("-", ""),
        CODE.replace("-", " "),
        f"  {CODE}\n",
        CODE.replace("0", "O").replace("1", "l"),
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert code_digest(typed) == code_digest(CODE)


def test_what_is_kept_does_not_hold_the_code() -> None:
    kept = code_digest(CODE)
    assert len(kept) == 32
    assert CODE.replace("-", "").encode() not in kept


def test_one_wrong_character_anywhere_is_told() -> None:
    plain = CODE.replace("-", "")
    for place, right in enumerate(plain):
        for wrong in ALPHABET:
            if wrong == right:
                continue
            with pytest.raises(Refused) as caught:
                code_digest(plain[:place] + wrong + plain[place + 1 :])
            assert caught.value.reason is Reason.CODE_UNKNOWN


@pytest.mark.parametrize("typed", ["", "-", "ABCD", CODE + CODE, "ü" * 16, "U" * 16, "\0" * 16])
def test_what_is_no_code_is_refused(typed: str) -> None:
    with pytest.raises(Refused) as caught:
        code_digest(typed)
    assert caught.value.reason is Reason.CODE_UNKNOWN


def test_a_refusal_does_not_repeat_what_was_typed() -> None:
    with pytest.raises(Refused) as caught:
        code_digest(CODE[:-1] + ("0" if CODE[-1] != "0" else "1"))
    assert CODE[:4] not in caught.value.message
