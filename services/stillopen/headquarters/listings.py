"""How master data is listed for people: page by page, in the order of the keys."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from stillopen.core.customers import Customer
from stillopen.core.errors import invalid
from stillopen.core.money import Money
from stillopen.core.prices import Price
from stillopen.core.products import Product, StaffMember
from stillopen.core.sale import TenderKind
from stillopen.core.tax import Tax, TaxGroup
from stillopen.core.tender_types import TenderType
from stillopen.headquarters.catalogue_codes import Barcode
from stillopen.storage.engine import Engine, Row, Session

V = TypeVar("V")
TOKEN_MAX = 100


class PageRequest(Protocol):
    """What asks for a page."""

    @property
    def page_size(self) -> int:
        """How many rows; 0 leaves it to the server."""
        ...

    @property
    def page_token(self) -> str:
        """Where the last page ended."""
        ...


@dataclass(frozen=True, slots=True)
class Listing(Generic[V]):
    """How a kind of master data is listed; the first column that is selected is its key."""

    select: str
    key: str
    read: Callable[[Row], V]

    async def page(self, engine: Engine, after: str, limit: int) -> tuple[list[V], str]:
        """Those after a key, and the key to go on with; empty at the end."""
        if len(after) > TOKEN_MAX:
            raise invalid("page_token", "not a token of this list")

        def found(session: Session) -> list[Row]:
            return session.all(
                f"{self.select} WHERE {self.key} > ? ORDER BY {self.key} LIMIT ?", after, limit + 1
            )

        rows = await engine.read(found)
        token = str(rows[limit - 1][0]) if len(rows) > limit else ""
        return [self.read(row) for row in rows[:limit]], token


def _product(row: Row) -> Product:
    barcodes = tuple(row[7].split("\n")) if row[7] else ()
    return Product(row[1], row[2], Money(row[3], row[4]), barcodes, Tax(row[5], row[6]))


PRODUCTS = Listing(
    "SELECT code, product_id, p.name, currency, price_minor, p.tax_group,"
    " coalesce(percent_milli, 0), (SELECT group_concat(barcode, char(10)) FROM"
    " (SELECT barcode FROM barcode b WHERE b.code = p.code ORDER BY place))"
    " FROM product p LEFT JOIN tax_group t ON t.tax_group = p.tax_group",
    "p.code",
    _product,
)
BARCODES = Listing(
    "SELECT folded, barcode, coalesce(product_id, code) FROM barcode"
    " LEFT JOIN product USING (code)",
    "folded",
    lambda row: Barcode(row[1], row[2]),
)
PRICES = Listing(
    "SELECT price_key, coalesce(product_id, code), r.currency, r.price_minor, valid_from_s,"
    " valid_to_s FROM price r LEFT JOIN product USING (code)",
    "price_key",
    lambda row: Price(row[1], Money(row[2], row[3]), row[4], row[5]),
)
TAX_GROUPS = Listing(
    "SELECT tax_group, name, percent_milli FROM tax_group",
    "tax_group",
    lambda row: TaxGroup(row[0], row[1], row[2]),
)
CUSTOMERS = Listing(
    "SELECT customer_id, name, email, phone FROM customer",
    "customer_id",
    lambda row: Customer(row[0], row[1], row[2], row[3]),
)
TENDER_TYPES = Listing(
    "SELECT tender_type_id, name, kind, closed FROM tender_type",
    "tender_type_id",
    lambda row: TenderType(row[0], row[1], TenderKind(row[2]), bool(row[3])),
)
STAFF = Listing(
    "SELECT staff_id, name, role_id, blocked FROM staff",
    "staff_id",
    lambda row: StaffMember(row[0], row[1], "", row[2], bool(row[3])),
)
