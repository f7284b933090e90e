"""`stillopen import`: master data and cards from CSV, through headquarters."""

import hashlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated

import typer

from stillopen.cli import import_kinds, terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.import_run import bring, only_counted, report
from stillopen.core.products import hash_password
from stillopen.rpc.machine import system_random
from stillopen.v1 import headquarters_pb2, types_pb2

app = typer.Typer(
    no_args_is_help=True,
    help="Bring master data and cards to headquarters. The right rows of a file are taken, each"
    " wrong one is refused with its line; a file that is no table changes nothing.",
)
SALT_BYTES = 16

File = Annotated[
    Path,
    typer.Argument(help="A CSV file; columns by name, in any order, apart by comma, ; or tab."),
]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Check = Annotated[bool, typer.Option("--check", help="Only check the rows; change nothing.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print the report as one JSON object; row is the line.")
]
HERE = "127.0.0.1:7400"
Work = Callable[[Headquarters], Coroutine[object, object, types_pb2.ImportReport]]


@app.command()
def products(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Products: columns product_id, name, price.

    Optional: barcodes, apart by spaces, which replace the product's others (none leaves them);
    tax_group, and tax_percent, which the price includes, for a group that is not there yet.

    Example: stillopen import products catalogue.csv --check
    """

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        rates = {each.tax_group: each.percent_milli async for each in place.tax_groups()}
        kind = import_kinds.products((await place.parameters()).currency, rates)
        request = headquarters_pb2.ImportProductsRequest
        return await bring(
            file,
            kind,
            lambda batches: place.import_products(
                request(rows=batch, check_only=check) async for batch in batches
            ),
        )

    _run("products", headquarters, work, check=check, json=json)


@app.command()
def barcodes(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Barcodes of products that are there: columns barcode, product_id.

    Example: stillopen import barcodes barcodes.csv
    """

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        request = headquarters_pb2.ImportBarcodesRequest
        return await bring(
            file,
            import_kinds.BARCODES,
            lambda batches: place.import_barcodes(
                request(rows=batch, check_only=check) async for batch in batches
            ),
        )

    _run("barcodes", headquarters, work, check=check, json=json)


@app.command()
def prices(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Prices that hold for a time: columns product_id, price, valid_from, and valid_to if any.

    Moments are ISO 8601: a bare date (2026-01-31) is midnight UTC, a time without a zone is UTC.
    A price holds from valid_from on, until before valid_to; of several the one that began last.

    Example: stillopen import prices january.csv
    """

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        request = headquarters_pb2.ImportPricesRequest
        return await bring(
            file,
            import_kinds.prices((await place.parameters()).currency),
            lambda batches: place.import_prices(
                request(rows=batch, check_only=check) async for batch in batches
            ),
        )

    _run("prices", headquarters, work, check=check, json=json)


@app.command(name="tax-groups")
def tax_groups(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Tax groups: columns tax_group, percent, and name where wanted.

    Example: stillopen import tax-groups taxes.csv
    """

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        request = headquarters_pb2.ImportTaxGroupsRequest
        return await bring(
            file,
            import_kinds.TAX_GROUPS,
            lambda batches: place.import_tax_groups(
                request(rows=batch, check_only=check) async for batch in batches
            ),
        )

    _run("tax groups", headquarters, work, check=check, json=json)


@app.command()
def customers(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Customers: columns customer_id, name, and email, phone where wanted.

    Example: stillopen import customers customers.csv
    """

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        request = headquarters_pb2.ImportCustomersRequest
        return await bring(
            file,
            import_kinds.CUSTOMERS,
            lambda batches: place.import_customers(
                request(rows=batch, check_only=check) async for batch in batches
            ),
        )

    _run("customers", headquarters, work, check=check, json=json)


@app.command(name="tender-types")
def tender_types(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Tender types: columns tender_type_id, name, kind (cash, gift card or credit memo).

    Optional: closed (yes or no).

    Example: stillopen import tender-types tenders.csv
    """

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        request = headquarters_pb2.ImportTenderTypesRequest
        return await bring(
            file,
            import_kinds.TENDER_TYPES,
            lambda batches: place.import_tender_types(
                request(rows=batch, check_only=check) async for batch in batches
            ),
        )

    _run("tender types", headquarters, work, check=check, json=json)


@app.command()
def staff(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Staff: columns staff_id, name, and password, role, blocked (yes or no) where wanted.

    Passwords are hashed here and never sent. Who is there already keeps password, role and whether
    blocked where a file does not say; somebody new needs a password and is a cashier.

    Example: stillopen import staff staff.csv
    """
    rng = system_random()
    nobodys = hash_password("nobody's", rng.randbytes(SALT_BYTES))

    def hashed(password: str) -> str:
        return nobodys if check else hash_password(password, rng.randbytes(SALT_BYTES))

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        request = headquarters_pb2.ImportStaffRequest
        blocked = frozenset([each.staff_id async for each in place.staff() if each.blocked])
        return await bring(
            file,
            import_kinds.staff(hashed, blocked),
            lambda batches: place.import_staff(
                request(rows=batch, check_only=check) async for batch in batches
            ),
        )

    _run("staff", headquarters, work, check=check, json=json)


@app.command()
def cards(
    file: File, headquarters: Address = HERE, check: Check = False, json: Json = False
) -> None:
    """Cards: columns number, balance, and kind (gift card or credit memo) where wanted.

    Creates cards, never changes one. The same file sent again changes nothing. --check reads the
    file and does not ask which cards there are.

    Example: stillopen import cards cards.csv
    """

    async def work(place: Headquarters) -> types_pb2.ImportReport:
        kind = import_kinds.cards((await place.parameters()).currency)
        if check:
            return await bring(file, kind, only_counted)
        request = headquarters_pb2.HeadquartersServiceImportCardsRequest
        name = _name_of(file)
        return await bring(
            file,
            kind,
            lambda batches: place.import_cards(
                request(import_id=name, rows=batch) async for batch in batches
            ),
        )

    _run("cards", headquarters, work, check=check, json=json)


def _name_of(file: Path) -> str:
    """What the import of a file is called: the same for the same file."""
    with file.open("rb") as data:
        return "file-" + hashlib.file_digest(data, "sha256").hexdigest()[:24]


def _run(what: str, address: str, work: Work, *, check: bool, json: bool) -> None:
    async def whole() -> types_pb2.ImportReport:
        async with Headquarters(address) as place:
            return await work(place)

    report(what, terminal.run(whole()), as_json=json, check=check)
