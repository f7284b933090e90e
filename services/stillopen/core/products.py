"""Products and staff as a store knows them."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from stillopen.core.errors import invalid
from stillopen.core.ids import check_id, check_name
from stillopen.core.money import Money, check_money
from stillopen.core.permissions import CASHIER, NOTHING, Permissions
from stillopen.core.tax import NO_TAX, Tax, check_tax

BARCODES_MAX = 20
SALT_BYTES = 16
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 8, 200
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
_SCRYPT_MEMORY = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Product:
    """A product: what a line is rung up from."""

    product_id: str
    name: str
    price: Money
    barcodes: tuple[str, ...] = ()
    tax: Tax = NO_TAX


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A person who may sign in."""

    staff_id: str
    name: str
    password_hash: str = ""
    role_id: str = CASHIER.role_id
    blocked: bool = False
    """Whether the person may not sign in any more."""
    permissions: Permissions = NOTHING
    """What the role allows, where somebody looked it up."""


def check_product(product: Product) -> Product:
    """Refuses a product that could not be sold."""
    check_id(product.product_id, "product_id")
    check_name(product.name, "name")
    check_money(product.price, "price")
    if product.price.minor < 0:
        raise invalid("price", "must not be negative")
    check_tax(product.tax)
    if len(product.barcodes) > BARCODES_MAX:
        raise invalid("barcodes", f"at most {BARCODES_MAX}")
    for barcode in product.barcodes:
        check_id(barcode, "barcodes")
    return product


def check_staff(member: StaffMember) -> StaffMember:
    """Refuses a person who could not sign in."""
    check_member(member)
    _parts(member.password_hash)
    return member


def check_member(member: StaffMember) -> StaffMember:
    """The same, whatever the password: for somebody who has one already."""
    check_id(member.staff_id, "staff_id")
    check_name(member.name, "name")
    check_id(member.role_id, "role_id")
    return member


def check_password(password: str) -> str:
    """Returns a new password that is long enough to be kept."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX or "\0" in password:
        raise invalid(
            "password", f"{PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters, no NUL"
        )
    return password


def hash_password(password: str, salt: bytes) -> str:
    """A scrypt hash as text; `salt` is 16 random bytes. Slow by design: not on the loop."""
    key = _scrypt(password, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)
    encoded = (base64.b64encode(part).decode() for part in (salt, key))
    return "$".join(["scrypt", str(SCRYPT_N), str(SCRYPT_R), str(SCRYPT_P), *encoded])


def password_fits(password: str, password_hash: str) -> bool:
    """Whether the password is the one that was hashed. Slow by design: not on the loop."""
    n, r, p, salt, key = _parts(password_hash)
    return hmac.compare_digest(_scrypt(password, salt, n, r, p), key)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MEMORY, dklen=32
    )


def _parts(password_hash: str) -> tuple[int, int, int, bytes, bytes]:
    try:
        scheme, n, r, p, salt, key = password_hash.split("$")
        parts = (int(n), int(r), int(p), base64.b64decode(salt, validate=True))
        decoded = base64.b64decode(key, validate=True)
    except ValueError:
        raise invalid("password_hash", "not a scrypt hash") from None
    within = 2**10 <= parts[0] <= 2**15 and 1 <= parts[1] <= 8 and 1 <= parts[2] <= 4  # noqa: PLR2004
    if scheme != "scrypt" or not within or parts[0] & (parts[0] - 1) or len(decoded) != 32:  # noqa: PLR2004
        raise invalid("password_hash", "not a scrypt hash this version accepts")
    return (*parts, decoded)
