"""Products and staff as a store knows them."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_id, check_name, fold_code
from stillopen.core.money import Money, check_money
from stillopen.core.tax import NO_TAX, Tax, check_tax

BARCODES_MAX = 20
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
    manager: bool = False
    """Whether the person may end locks and claims of others at a register."""


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


class Codes:
    """The ids and barcodes of an import and of what was there: none may stand for two products."""

    def __init__(self, barcodes: dict[str, str]) -> None:
        self._barcodes = barcodes
        self._seen: set[str] = set()

    def check(self, product: Product) -> Product:
        """Refused ALREADY_EXISTS for an id that came twice or a barcode of another product."""
        code = fold_code(product.product_id)
        if code in self._seen:
            raise Refused(Reason.ALREADY_EXISTS, "this product came before", "product_id")
        for barcode in map(fold_code, product.barcodes):
            owner = self._barcodes.get(barcode, code)
            if owner != code:
                raise Refused(
                    Reason.ALREADY_EXISTS, f"a barcode stands for product {owner}", "barcodes"
                )
        self._seen.add(code)
        self._barcodes.update(dict.fromkeys(map(fold_code, product.barcodes), code))
        return product


def check_staff(member: StaffMember) -> StaffMember:
    """Refuses a person who could not sign in."""
    check_id(member.staff_id, "staff_id")
    check_name(member.name, "name")
    _parts(member.password_hash)
    return member


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
