"""`stillopen remove`: takes master data away, all that is named or none."""

from enum import StrEnum
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.v1 import headquarters_pb2


class Kind(StrEnum):
    """What can be removed."""

    PRODUCTS = "products"
    BARCODES = "barcodes"
    PRICES = "prices"
    TAX_GROUPS = "tax-groups"
    CUSTOMERS = "customers"
    TENDER_TYPES = "tender-types"
    STAFF = "staff"
    ROLES = "roles"


_KINDS = {
    Kind.PRODUCTS: headquarters_pb2.MASTER_DATA_KIND_PRODUCT,
    Kind.BARCODES: headquarters_pb2.MASTER_DATA_KIND_BARCODE,
    Kind.PRICES: headquarters_pb2.MASTER_DATA_KIND_PRICE,
    Kind.TAX_GROUPS: headquarters_pb2.MASTER_DATA_KIND_TAX_GROUP,
    Kind.CUSTOMERS: headquarters_pb2.MASTER_DATA_KIND_CUSTOMER,
    Kind.TENDER_TYPES: headquarters_pb2.MASTER_DATA_KIND_TENDER_TYPE,
    Kind.STAFF: headquarters_pb2.MASTER_DATA_KIND_STAFF,
    Kind.ROLES: headquarters_pb2.MASTER_DATA_KIND_ROLE,
}


def remove(
    kind: Annotated[Kind, typer.Argument(help="What they are.")],
    ids: Annotated[
        list[str],
        typer.Argument(help='Which; a price is named "MUG 2026-01-31T00:00:00Z", in quotes.'),
    ],
    headquarters: Annotated[
        str, typer.Option("--headquarters", help="Address of headquarters.")
    ] = "127.0.0.1:7400",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Remove master data: products go with their barcodes and prices.

    Refused, and nothing removed, when one is not there, or is in use: a tax group that a product
    has, a role that somebody has.

    Example: stillopen remove products MUG CUP
    """

    async def work() -> int:
        async with Headquarters(headquarters) as place:
            return await place.remove(_KINDS[kind], ids)

    removed = terminal.run(work())
    if json:
        terminal.show_json({"removed": removed})
    else:
        terminal.out.print(f"{removed} {kind} removed")
