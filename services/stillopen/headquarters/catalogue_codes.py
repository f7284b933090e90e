"""Importing barcodes and prices of products that are there."""

from dataclasses import dataclass

from stillopen.core.errors import Reason
from stillopen.core.ids import check_id, fold_code
from stillopen.core.prices import Price
from stillopen.core.products import BARCODES_MAX
from stillopen.headquarters.price_keys import price_key
from stillopen.headquarters.staging import (
    Check,
    Kind,
    Numbered,
    came_before,
    create,
    move_changed,
    unknown_product,
)
from stillopen.replication.tables import BARCODE, PRICE
from stillopen.storage.engine import Session

STEP: tuple[str, ...] = (create(BARCODE), create(PRICE))

# Those that are new to their product, in the order in which they came.
_NEW = """SELECT number, barcode, row_number() OVER (PARTITION BY code ORDER BY number) AS nth, code
  FROM staged_barcode WHERE folded NOT IN (SELECT folded FROM barcode)"""


@dataclass(frozen=True, slots=True)
class Barcode:
    """A barcode and the product that it stands for."""

    barcode: str
    product_id: str


def check_barcode(row: Barcode) -> Barcode:
    """Refuses what is no barcode, or stands for nothing."""
    check_id(row.barcode, "barcode")
    check_id(row.product_id, "product_id")
    return row


def _put_barcodes(session: Session, rows: Numbered[Barcode]) -> None:
    session.run_many(
        "INSERT INTO staged_barcode VALUES (?,?,?,?,0)",
        [
            (number, fold_code(row.barcode), row.barcode, fold_code(row.product_id))
            for number, row in rows
        ],
    )


def _move_barcodes(session: Session) -> None:
    session.run(
        "UPDATE staged_barcode SET place = b.place FROM barcode b"
        " WHERE b.folded = staged_barcode.folded"
    )
    session.run(
        "UPDATE staged_barcode SET place = new.nth"  # noqa: S608
        " + coalesce((SELECT max(place) FROM barcode b WHERE b.code = new.code), -1)"
        f" FROM ({_NEW}) AS new WHERE new.number = staged_barcode.number"
    )
    move_changed(session, BARCODE, "staged_barcode")


BARCODES: Kind[Barcode] = Kind(
    "barcode",
    _put_barcodes,
    (
        came_before("staged_barcode", "folded", "barcode", "barcode {} came before"),
        unknown_product("staged_barcode"),
        Check(
            "SELECT number, b.code FROM staged_barcode s JOIN barcode b USING (folded)"
            " WHERE b.code <> s.code",
            Reason.ALREADY_EXISTS,
            "barcode",
            "it stands for product {}",
        ),
        Check(
            f"SELECT number, code FROM ({_NEW}) AS new WHERE nth"  # noqa: S608
            f" + (SELECT count(*) FROM barcode b WHERE b.code = new.code) > {BARCODES_MAX}",
            Reason.INVALID_ARGUMENT,
            "barcode",
            f"product {{}} has {BARCODES_MAX} barcodes, the most",
        ),
    ),
    _move_barcodes,
)


def _put_prices(session: Session, rows: Numbered[Price]) -> None:
    session.run_many(
        "INSERT INTO staged_price VALUES (?,?,?,?,?,?,?)",
        [
            (
                number,
                price_key(row.product_id, row.valid_from_s),
                fold_code(row.product_id),
                row.price.currency,
                row.price.minor,
                row.valid_from_s,
                row.valid_to_s,
            )
            for number, row in rows
        ],
    )


PRICES: Kind[Price] = Kind(
    "price",
    _put_prices,
    (
        came_before("staged_price", "price_key", "valid_from", "price {} came before"),
        unknown_product("staged_price"),
    ),
    lambda session: move_changed(session, PRICE, "staged_price"),
)
