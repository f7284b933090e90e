import base64
from dataclasses import replace

import pytest

from stillopen.core.errors import Misuse, Reason
from stillopen.core.money import Money
from stillopen.core.products import (
    BARCODES_MAX,
    Product,
    StaffMember,
    check_product,
    check_staff,
    hash_password,
    password_fits,
)

SALT = bytes(range(16))
KEY = base64.b64encode(bytes(32)).decode()
SALT_TEXT = base64.b64encode(SALT).decode()
APPLE = Product("APPLE", "Apple", Money("EUR", 50), ("4011",))


def test_a_password_fits_its_own_hash_only() -> None:
    hashed = hash_password("geheim é", SALT)
    assert password_fits("geheim é", hashed)
    assert not password_fits("geheim e", hashed)
    assert not password_fits("", hashed)


def test_the_hash_holds_neither_password_nor_a_shared_value() -> None:
    hashed = hash_password("correct horse", SALT)
    assert "correct horse" not in hashed
    assert hashed != hash_password("correct horse", bytes(16))
    assert hashed == hash_password("correct horse", SALT)


HOSTILE = [
    "",
    "password",
    "$$$$$",
    f"scrypt$16384$8$1${SALT_TEXT}",
    f"scrypt$16384$8$1${SALT_TEXT}${KEY}$",
    f"bcrypt$16384$8$1${SALT_TEXT}${KEY}",
    f"scrypt$many$8$1${SALT_TEXT}${KEY}",
    f"scrypt$1073741824$8$1${SALT_TEXT}${KEY}",
    f"scrypt$16384$8192$1${SALT_TEXT}${KEY}",
    f"scrypt$16384$8$8192${SALT_TEXT}${KEY}",
    f"scrypt$16385$8$1${SALT_TEXT}${KEY}",
    f"scrypt$2$8$1${SALT_TEXT}${KEY}",
    f"scrypt$0$8$1${SALT_TEXT}${KEY}",
    f"scrypt$-16384$8$1${SALT_TEXT}${KEY}",
    f"scrypt$16384$8$1$not base64${KEY}",
    f"scrypt$16384$8$1${SALT_TEXT}$",
    f"scrypt$16384$8$1${SALT_TEXT}${base64.b64encode(bytes(31)).decode()}",
    f"scrypt${'9' * 5000}$8$1${SALT_TEXT}${KEY}",
    f"scrypt$16384$0$1${SALT_TEXT}${KEY}",
    f"scrypt$16384$-1$1${SALT_TEXT}${KEY}",
    f"scrypt$16384$8$0${SALT_TEXT}${KEY}",
    f"scrypt$16384$8$-1${SALT_TEXT}${KEY}",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_hash_is_refused_before_it_costs_anything(hostile: str) -> None:
    with pytest.raises(Misuse) as refusal:
        password_fits("password", hostile)
    assert refusal.value.reason is Reason.INVALID_ARGUMENT
    assert refusal.value.field == "password_hash"


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_nobody_with_such_a_hash_is_imported(hostile: str) -> None:
    with pytest.raises(Misuse):
        check_staff(StaffMember("S1", "Sam", hostile))


def test_a_person_who_can_sign_in_passes() -> None:
    member = StaffMember("S1", "Sam", hash_password("1234", SALT))
    assert check_staff(member) is member
    for wrong in (replace(member, staff_id=""), replace(member, name="\n")):
        with pytest.raises(Misuse):
            check_staff(wrong)


@pytest.mark.parametrize(
    "product",
    [
        APPLE,
        replace(APPLE, price=Money("EUR", 0)),
        replace(APPLE, barcodes=()),
        replace(APPLE, barcodes=("1",) * BARCODES_MAX),
    ],
)
def test_a_product_that_can_be_sold_passes(product: Product) -> None:
    assert check_product(product) is product


@pytest.mark.parametrize(
    ("product", "field"),
    [
        (replace(APPLE, product_id=""), "product_id"),
        (replace(APPLE, name=""), "name"),
        (replace(APPLE, price=Money("EUR", -1)), "price"),
        (replace(APPLE, price=Money("", 1)), "price"),
        (replace(APPLE, barcodes=("1",) * (BARCODES_MAX + 1)), "barcodes"),
        (replace(APPLE, barcodes=("é",)), "barcodes"),
    ],
)
def test_one_that_cannot_is_refused(product: Product, field: str) -> None:
    with pytest.raises(Misuse) as refusal:
        check_product(product)
    assert refusal.value.field == field
