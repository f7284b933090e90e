"""Importing products, with their barcodes and the tax groups that they name."""

from stillopen.core.errors import Reason
from stillopen.core.ids import fold_code
from stillopen.core.products import Product
from stillopen.headquarters.changes import mark_selected
from stillopen.headquarters.staging import (
    Check,
    Kind,
    Numbered,
    came_before,
    create,
    move_changed,
)
from stillopen.replication.tables import BARCODE, PRODUCT, TAX_GROUP
from stillopen.storage.engine import Session

_BARCODES = "staged_product_barcode"

STEP: tuple[str, ...] = (
    create(PRODUCT, "percent_milli INTEGER NOT NULL"),
    f"""CREATE TABLE {_BARCODES} (
         number INTEGER NOT NULL,
         folded TEXT NOT NULL,
         barcode TEXT NOT NULL,
         code TEXT NOT NULL,
         place INTEGER NOT NULL) STRICT""",
    # The rate that the first row of a group gives.
    """CREATE TABLE staged_product_tax (
         tax_group TEXT PRIMARY KEY,
         percent_milli INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    "CREATE TABLE staged_product_gone (folded TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
)


def _put(session: Session, rows: Numbered[Product]) -> None:
    codes = [fold_code(product.product_id) for _, product in rows]
    session.run_many(
        "INSERT INTO staged_product VALUES (?,?,?,?,?,?,?,?)",
        [
            (
                number,
                code,
                p.product_id,
                p.name,
                p.price.currency,
                p.price.minor,
                p.tax.group,
                p.tax.percent_milli,
            )
            for (number, p), code in zip(rows, codes, strict=True)
        ],
    )
    barcodes: list[tuple[int, str, str, str, int]] = []
    for (number, product), code in zip(rows, codes, strict=True):
        own = {fold_code(each): each for each in product.barcodes}
        barcodes += (
            (number, folded, barcode, code, place)
            for place, (folded, barcode) in enumerate(own.items())
        )
    session.run_many(f"INSERT INTO {_BARCODES} VALUES (?,?,?,?,?)", barcodes)  # noqa: S608
    rates: dict[str, int] = {}
    for _, product in rows:
        if product.tax.group:
            rates.setdefault(product.tax.group, product.tax.percent_milli)
    session.run_many("INSERT OR IGNORE INTO staged_product_tax VALUES (?,?)", rates.items())


def _move(session: Session) -> None:
    new = (
        "FROM staged_product_tax WHERE tax_group NOT IN (SELECT tax_group FROM tax_group)"
        " AND tax_group IN (SELECT tax_group FROM staged_product)"
    )
    mark_selected(session, TAX_GROUP, f"SELECT tax_group {new}")
    session.run(
        f"INSERT INTO tax_group (tax_group, name, percent_milli)"
        f" SELECT tax_group, tax_group, percent_milli {new}"
    )
    move_changed(session, PRODUCT, "staged_product")
    _let_go(session)
    move_changed(session, BARCODE, _BARCODES)


def _let_go(session: Session) -> None:
    """A product that names barcodes has these and no others; one that names none keeps its own."""
    # Sorted together, which is several times quicker than looking each one up.
    session.run(
        "INSERT INTO staged_product_gone SELECT folded FROM ("  # noqa: S608
        f"SELECT b.folded, 0 AS named FROM (SELECT code FROM {_BARCODES} GROUP BY code) s"
        " JOIN barcode b ON b.code = s.code"
        f" UNION ALL SELECT folded, 1 FROM {_BARCODES})"
        " GROUP BY folded HAVING sum(named) = 0"
    )
    mark_selected(session, BARCODE, "SELECT folded FROM staged_product_gone")
    session.run("DELETE FROM barcode WHERE folded IN (SELECT folded FROM staged_product_gone)")


PRODUCTS: Kind[Product] = Kind(
    "product",
    _put,
    (
        came_before("staged_product", "code", "product_id", "product {} came before"),
        Check(
            f"SELECT DISTINCT number, folded FROM (SELECT number, folded, row_number() OVER"  # noqa: S608
            f" (PARTITION BY folded ORDER BY number) AS nth FROM {_BARCODES}) WHERE nth > 1",
            Reason.ALREADY_EXISTS,
            "barcodes",
            "barcode {} stands for a product that came before",
            f"SELECT 1 FROM {_BARCODES} GROUP BY folded HAVING count(*) > 1 LIMIT 1",  # noqa: S608
        ),
        Check(
            f"SELECT number, max(b.code) FROM {_BARCODES} s JOIN barcode b USING (folded)"  # noqa: S608
            " WHERE b.code <> s.code GROUP BY number",
            Reason.ALREADY_EXISTS,
            "barcodes",
            "a barcode stands for product {}",
        ),
        Check(
            "SELECT number, s.tax_group || ' is '"
            " || printf('%g', coalesce(g.percent_milli, n.percent_milli) / 1000.0)"
            " FROM staged_product s"
            " JOIN staged_product_tax n ON n.tax_group = s.tax_group"
            " LEFT JOIN tax_group g ON g.tax_group = s.tax_group"
            " WHERE s.percent_milli <> coalesce(g.percent_milli, n.percent_milli)",
            Reason.INVALID_ARGUMENT,
            "tax_percent_milli",
            "tax group {} %; a product has the rate of its group",
        ),
    ),
    _move,
    (_BARCODES,),
    ("staged_product_tax", "staged_product_gone"),
)
