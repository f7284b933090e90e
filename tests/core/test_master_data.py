"""The rules of customers, tender types, tax groups and names, as tables of cases."""

import unicodedata
from dataclasses import replace

import pytest

from stillopen.core.customers import Customer, check_customer
from stillopen.core.errors import Misuse
from stillopen.core.ids import check_name
from stillopen.core.sale import TenderKind
from stillopen.core.tax import TaxGroup, check_tax_group
from stillopen.core.tender_types import TenderType, check_tender_type

ANNE = Customer("C1", "Anne O'Hara, née “Bö”", "anne@example.org", "+31 20 555 0100")
CASH = TenderType("1", "Cash", TenderKind.CASH)
HIGH = TaxGroup("HIGH", "High", 21_000)


@pytest.mark.parametrize(
    "customer", [ANNE, replace(ANNE, email="", phone=""), replace(ANNE, email="a@b")]
)
def test_a_customer_with_a_name_passes(customer: Customer) -> None:
    assert check_customer(customer) is customer


@pytest.mark.parametrize(
    ("customer", "field"),
    [
        (replace(ANNE, customer_id=""), "customer_id"),
        (replace(ANNE, name=" "), "name"),
        (replace(ANNE, name="a\tb"), "name"),
        (replace(ANNE, phone="\x00"), "phone"),
        (replace(ANNE, phone="1" * 201), "phone"),
        *((replace(ANNE, email=wrong), "email") for wrong in ("anne", "@", "a@", "@b", "a@b@c")),
        (replace(ANNE, email="anne hara@b"), "email"),
    ],
)
def test_a_customer_nobody_could_find_or_write_to_is_refused(
    customer: Customer, field: str
) -> None:
    with pytest.raises(Misuse) as refused:
        check_customer(customer)
    assert refused.value.field == field


def test_tender_types_and_tax_groups_need_id_and_name_and_a_rate_that_can_be() -> None:
    assert check_tender_type(CASH) is CASH
    assert check_tax_group(HIGH) is HIGH
    for wrong in (replace(CASH, tender_type_id=""), replace(CASH, name="")):
        with pytest.raises(Misuse):
            check_tender_type(wrong)
    for group in (
        replace(HIGH, tax_group=""),
        replace(HIGH, name=""),
        replace(HIGH, percent_milli=-1),
        replace(HIGH, percent_milli=100_001),
    ):
        with pytest.raises(Misuse):
            check_tax_group(group)


def test_every_character_is_judged_by_what_it_is() -> None:
    for number in range(0x11000):
        character = chr(number)
        allowed = unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        try:
            check_name(f"a{character}b", "name")
        except Misuse:
            assert not allowed, hex(number)
        else:
            assert allowed, hex(number)
