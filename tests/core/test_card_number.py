import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.card_number import card_id, last_four, look_up_value, normalise
from stillopen.core.errors import Misuse, Reason

KEY = b"k" * 32
NUMBERS = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=40)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1234 5678", "12345678"),
        ("1234-5678", "12345678"),
        ("gift-000-1", "GIFT0001"),
        ("  12 34", "1234"),
        ("9" * 40, "9" * 40),
    ],
)
def test_spaces_hyphens_and_case_do_not_matter(written: str, number: str) -> None:
    assert normalise(written) == number
    assert look_up_value(KEY, written) == look_up_value(KEY, number)


@pytest.mark.parametrize(
    "number", ["", "123", "9" * 41, "12.34", "1234\n", "12_34", "\uff11\uff12\uff13\uff14"]
)
def test_what_is_no_card_number_is_refused_without_being_repeated(number: str) -> None:
    with pytest.raises(Misuse) as refusal:
        normalise(number)
    assert refusal.value.reason is Reason.INVALID_ARGUMENT
    assert refusal.value.field == "number"
    assert not number or number not in str(refusal.value)


@pytest.mark.parametrize("number", ["\u00df123", "\u017f123", "\ufb01123", "\u0131123"])
def test_letters_that_become_others_as_capitals_are_refused(number: str) -> None:
    with pytest.raises(Misuse):
        normalise(number)


def test_the_last_four_are_those_of_the_bare_number() -> None:
    assert last_four("1234 56-78 9") == "6789"


@given(NUMBERS)
def test_a_card_is_found_by_the_keyed_hash_of_its_hash(number: str) -> None:
    expected = hmac.new(KEY, hashlib.sha256(number.encode()).digest(), hashlib.sha256).digest()
    assert look_up_value(KEY, number) == expected


@given(NUMBERS, NUMBERS)
def test_two_numbers_are_two_cards(one: str, other: str) -> None:
    ids = {card_id(look_up_value(KEY, number)) for number in (one, other)}
    assert len(ids) == len({one, other})


@given(NUMBERS)
def test_a_card_id_is_stable_and_does_not_hold_the_number(number: str) -> None:
    found = look_up_value(KEY, number)
    assert card_id(found) == card_id(look_up_value(KEY, number))
    assert card_id(found) == hashlib.sha256(b"stillopen.card.v1\0" + found).hexdigest()[:32]
    assert found != look_up_value(b"other key", number)
