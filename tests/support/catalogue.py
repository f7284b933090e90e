"""Headquarters' master data in tests: what it is, rows to import, what an import said."""

from collections.abc import AsyncIterator, Iterable

from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.estate_parts import eur

from stillopen.cli.headquarters import Headquarters
from stillopen.v1 import types_pb2

JANUARY, FEBRUARY = 1_767_225_600, 1_769_904_000
Refused = list[tuple[int, str, str]]
Contents = dict[str, list[str]]


async def contents(people: Headquarters) -> Contents:
    """Everything that can be listed, as text."""
    return {
        "products": [str(each) async for each in people.products()],
        "barcodes": [str(each) async for each in people.barcodes()],
        "prices": [str(each) async for each in people.prices()],
        "tax groups": [str(each) async for each in people.tax_groups()],
        "customers": [str(each) async for each in people.customers()],
        "tender types": [str(each) async for each in people.tender_types()],
        "staff": [str(each) async for each in people.staff()],
    }


def plum(
    product_id: str = "PLUM",
    name: str = "Plum",
    minor: int = 50,
    barcodes: Iterable[str] = (),
    tax: tuple[str, int] = ("", 0),
) -> types_pb2.Product:
    """A plum, except for what is given."""
    return types_pb2.Product(
        product_id=product_id,
        name=name,
        price=eur(minor),
        barcodes=barcodes,
        tax_group=tax[0],
        tax_percent_milli=tax[1],
    )


def price(
    product_id: str = "APPLE", minor: int = 80, begins: int = JANUARY, ends: int | None = None
) -> types_pb2.Price:
    """What an apple costs from January on, except for what is given."""
    return types_pb2.Price(
        product_id=product_id,
        price=eur(minor),
        valid_from=Timestamp(seconds=begins),
        valid_to=None if ends is None else Timestamp(seconds=ends),
    )


def refusals(report: types_pb2.ImportReport) -> Refused:
    """Which rows were refused, by which field, and why."""
    return [(each.row, each.field, each.reason) for each in report.refusals]


async def products_of(people: Headquarters) -> dict[str, types_pb2.Product]:
    """Every product, by id."""
    return {each.product_id: each async for each in people.products()}


async def barcodes_of(people: Headquarters) -> dict[str, str]:
    """Every barcode, and its product."""
    return {each.barcode: each.product_id async for each in people.barcodes()}


async def listed(found: AsyncIterator[types_pb2.Price]) -> list[tuple[str, int]]:
    """Prices as product and minor units."""
    return [(each.product_id, each.price.minor_units) async for each in found]
