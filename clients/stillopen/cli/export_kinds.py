"""What can be exported: its columns, and how a row is written so that an import reads the same."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.cli.headquarters import Headquarters
from stillopen.cli.import_values import TENDER_KINDS
from stillopen.core.money import exponent
from stillopen.v1 import types_pb2

_KIND_WORDS = {kind: word for word, kind in TENDER_KINDS.items()}


@dataclass(frozen=True, slots=True)
class ExportKind:
    """A file of one kind of master data."""

    columns: list[str]
    rows: Callable[[Headquarters], AsyncIterator[list[str]]]


async def _products(place: Headquarters) -> AsyncIterator[list[str]]:
    async for p in place.products():
        percent = _decimal(p.tax_percent_milli, 3) if p.tax_group else ""
        barcodes = " ".join(map(_quoted, p.barcodes))
        yield [p.product_id, p.name, _amount(p.price), barcodes, p.tax_group, percent]


async def _barcodes(place: Headquarters) -> AsyncIterator[list[str]]:
    async for each in place.barcodes():
        yield [each.barcode, each.product_id]


async def _prices(place: Headquarters) -> AsyncIterator[list[str]]:
    async for each in place.prices():
        until = _moment(each.valid_to) if each.HasField("valid_to") else ""
        yield [each.product_id, _amount(each.price), _moment(each.valid_from), until]


async def _tax_groups(place: Headquarters) -> AsyncIterator[list[str]]:
    async for each in place.tax_groups():
        yield [each.tax_group, each.name, _decimal(each.percent_milli, 3)]


async def _customers(place: Headquarters) -> AsyncIterator[list[str]]:
    async for each in place.customers():
        yield [each.customer_id, each.name, each.email, each.phone]


async def _tender_types(place: Headquarters) -> AsyncIterator[list[str]]:
    async for each in place.tender_types():
        yield [each.tender_type_id, each.name, _KIND_WORDS[each.kind], _yes_no(each.closed)]


async def _staff(place: Headquarters) -> AsyncIterator[list[str]]:
    async for each in place.staff():
        yield [each.staff_id, each.name, each.role_id, _yes_no(each.blocked)]


PRODUCTS = ExportKind(
    ["product_id", "name", "price", "barcodes", "tax_group", "tax_percent"], _products
)
BARCODES = ExportKind(["barcode", "product_id"], _barcodes)
PRICES = ExportKind(["product_id", "price", "valid_from", "valid_to"], _prices)
TAX_GROUPS = ExportKind(["tax_group", "name", "percent"], _tax_groups)
CUSTOMERS = ExportKind(["customer_id", "name", "email", "phone"], _customers)
TENDER_TYPES = ExportKind(["tender_type_id", "name", "kind", "closed"], _tender_types)
STAFF = ExportKind(["staff_id", "name", "role", "blocked"], _staff)


def _amount(money: types_pb2.Money) -> str:
    return _decimal(money.minor_units, exponent(money.currency_code))


def _decimal(whole: int, places: int) -> str:
    return f"{Decimal(whole).scaleb(-places):.{places}f}"


def _moment(time: Timestamp) -> str:
    return time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")


def _quoted(barcode: str) -> str:
    """A barcode among others that are apart by spaces."""
    if " " not in barcode and '"' not in barcode:
        return barcode
    return '"' + barcode.replace('"', '""') + '"'


def _yes_no(said: bool) -> str:  # noqa: FBT001 - it is the word for it
    return "yes" if said else "no"
