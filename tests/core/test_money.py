import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.money import (
    AMOUNT_MINOR_MAX,
    QUANTITY_MILLI_MAX,
    Money,
    check_money,
    check_quantity,
    exponent,
    line_total,
    parse_money,
)

PRICES = st.integers(-AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX)
QUANTITIES = st.integers(-QUANTITY_MILLI_MAX, QUANTITY_MILLI_MAX)


@pytest.mark.parametrize(
    ("price", "quantity_milli", "total"),
    [
        (100, 1000, 100),
        (100, 2000, 200),
        (1, 499, 0),
        (1, 500, 1),
        (1, 1499, 1),
        (1, 1500, 2),
        (333, 1500, 500),
        (199, 125, 25),
        (-1, 500, -1),
        (0, 7777, 0),
    ],
)
def test_a_line_is_rounded_once_and_half_up(price: int, quantity_milli: int, total: int) -> None:
    assert line_total(Money("EUR", price), quantity_milli) == Money("EUR", total)
    assert line_total(Money("EUR", price), -quantity_milli) == Money("EUR", -total)


@given(PRICES, QUANTITIES)
def test_a_return_mirrors_its_sale(price: int, quantity_milli: int) -> None:
    sold = line_total(Money("EUR", price), quantity_milli)
    assert line_total(Money("EUR", price), -quantity_milli) == -sold


@given(PRICES, QUANTITIES)
def test_a_line_is_never_more_than_half_a_cent_off(price: int, quantity_milli: int) -> None:
    total = line_total(Money("EUR", price), quantity_milli).minor
    assert abs(total * 1000 - price * quantity_milli) * 2 <= 1000


@pytest.mark.parametrize(
    ("currency", "places"), [("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3)]
)
def test_currencies_have_their_decimals(currency: str, places: int) -> None:
    assert exponent(currency) == places


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.34", "EUR", 1234),
        (" 12.34 ", "EUR", 1234),
        ("12.3", "EUR", 1230),
        ("12", "EUR", 1200),
        ("-0.05", "EUR", -5),
        ("0", "EUR", 0),
        ("12.340", "EUR", 1234),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, currency: str, minor: int) -> None:
    assert parse_money(text, currency, "amount") == Money(currency, minor)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "EUR"),
        ("twelve", "EUR"),
        ("1,50", "EUR"),
        ("NaN", "EUR"),
        ("sNaN", "EUR"),
        ("Infinity", "EUR"),
        ("-Infinity", "EUR"),
        ("1e999999", "EUR"),
        ("1e-999999", "EUR"),
        ("12.345", "EUR"),
        ("1.5", "JPY"),
        ("1.2345", "KWD"),
        ("99999999999999.99", "EUR"),
        ("1.00", "eur"),
        ("1.00", "EURO"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(Misuse) as refusal:
        parse_money(text, currency, "price")
    assert refusal.value.reason is Reason.INVALID_ARGUMENT
    assert refusal.value.field == "price"


@pytest.mark.parametrize("text", ["0." + "0" * 40 + "1", "1." + "0" * 40 + "1", "0." + "9" * 40])
def test_decimals_beyond_the_precision_of_the_machine_are_refused_too(text: str) -> None:
    with pytest.raises(Misuse):
        parse_money(text, "EUR", "price")


@given(PRICES, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_what_is_printed_can_be_read_back(minor: int, currency: str) -> None:
    money = Money(currency, minor)
    number, code = str(money).split()
    assert code == currency
    assert parse_money(number.replace(",", ""), currency, "amount") == money


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money("EUR", 1234), "12.34 EUR"),
        (Money("EUR", -5), "-0.05 EUR"),
        (Money("EUR", 123456789), "1,234,567.89 EUR"),
        (Money("JPY", 500), "500 JPY"),
        (Money("KWD", 1), "0.001 KWD"),
    ],
)
def test_money_is_printed_with_the_decimals_of_its_currency(money: Money, text: str) -> None:
    assert str(money) == text


def test_currencies_are_never_mixed() -> None:
    for mixed in (Money.__add__, Money.__sub__):
        with pytest.raises(Refused) as refusal:
            mixed(Money("EUR", 1), Money("USD", 1))
        assert refusal.value.reason is Reason.CURRENCY_MISMATCH


def test_money_adds_subtracts_and_turns() -> None:
    assert Money("EUR", 5) + Money("EUR", 3) == Money("EUR", 8)
    assert Money("EUR", 5) - Money("EUR", 8) == Money("EUR", -3)
    assert -Money("EUR", 5) == Money("EUR", -5)


@pytest.mark.parametrize("minor", [AMOUNT_MINOR_MAX, -AMOUNT_MINOR_MAX, 0])
def test_amounts_up_to_the_limit_pass(minor: int) -> None:
    assert check_money(Money("EUR", minor), "price").minor == minor


@pytest.mark.parametrize(
    "money",
    [
        Money("EUR", AMOUNT_MINOR_MAX + 1),
        Money("EUR", -AMOUNT_MINOR_MAX - 1),
        Money("", 1),
        Money("eur", 1),
        Money("EU", 1),
        Money("EUR\n", 1),
        Money("ÄÖÜ", 1),
    ],
)
def test_amounts_beyond_it_and_codes_that_are_none_are_refused(money: Money) -> None:
    with pytest.raises(Misuse) as refusal:
        check_money(money, "price")
    assert refusal.value.field == "price"


@pytest.mark.parametrize("quantity", [1, -1, QUANTITY_MILLI_MAX, -QUANTITY_MILLI_MAX])
def test_quantities_up_to_a_million_units_pass(quantity: int) -> None:
    assert check_quantity(quantity) == quantity


@pytest.mark.parametrize("quantity", [0, QUANTITY_MILLI_MAX + 1, -QUANTITY_MILLI_MAX - 1])
def test_no_quantity_and_too_much_of_it_are_refused(quantity: int) -> None:
    with pytest.raises(Misuse) as refusal:
        check_quantity(quantity)
    assert refusal.value.field == "quantity_milli"
