"""What a replica knows of products: found by id or barcode, with the price and tax of a moment."""

from stillopen.core.ids import fold_code
from stillopen.core.money import Money
from stillopen.core.prices import Price, price_at
from stillopen.core.products import Product
from stillopen.core.tax import Tax
from stillopen.storage.engine import Row, Session

_PRODUCT = (
    "SELECT code, product_id, product.name, currency, price_minor, product.tax_group,"
    " coalesce(percent_milli, 0) FROM product LEFT JOIN tax_group USING (tax_group)"
)


def find_product(session: Session, code: str, wall_s: float) -> Product | None:
    """The product of an id or a barcode, as it is sold at that moment."""
    folded = fold_code(code)
    row = session.one(f"{_PRODUCT} WHERE code = ?", folded)
    if row is None:
        row = session.one(
            f"{_PRODUCT} WHERE code = (SELECT code FROM barcode WHERE folded = ?)",  # noqa: S608
            folded,
        )
    return _product(session, row, wall_s) if row else None


def search_products(
    session: Session, query: str, after: str, limit: int, wall_s: float
) -> list[Product]:
    """Products by the beginning of id or barcode, or a part of the name, in order of id."""
    rows = session.all(
        f"{_PRODUCT} WHERE code > ?1 AND (?2 = ''"  # noqa: S608 - a constant
        " OR substr(code, 1, length(?2)) = ?2 OR instr(upper(product.name), ?2) OR code IN"
        " (SELECT code FROM barcode WHERE folded >= ?2 AND folded < ?2 || '~'))"
        " ORDER BY code LIMIT ?3",
        fold_code(after),
        fold_code(query),
        limit,
    )
    return [_product(session, row, wall_s) for row in rows]


def _product(session: Session, row: Row, wall_s: float) -> Product:
    code, product_id, name, currency, minor, tax_group, percent_milli = row
    barcodes = session.all("SELECT barcode FROM barcode WHERE code = ? ORDER BY place", code)
    prices = session.all(
        "SELECT currency, price_minor, valid_from_s, valid_to_s FROM price WHERE code = ?", code
    )
    price = price_at(
        Money(currency, minor),
        (Price(product_id, Money(each[0], each[1]), each[2], each[3]) for each in prices),
        wall_s,
    )
    return Product(
        product_id, name, price, tuple(each[0] for each in barcodes), Tax(tax_group, percent_milli)
    )
