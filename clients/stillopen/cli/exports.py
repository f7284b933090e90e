"""`stillopen export`: master data as CSV, in the form in which `stillopen import` reads it."""

import csv
import sys
from collections.abc import Generator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, TextIO

import typer

from stillopen.cli import export_kinds, terminal
from stillopen.cli.export_kinds import ExportKind
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import invalid

app = typer.Typer(
    no_args_is_help=True,
    help="Write headquarters' master data as CSV; importing it again changes nothing.",
)
File = Annotated[Path | None, typer.Argument(help="Where to; standard output when not given.")]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Say how many rows, as one JSON object.")]
HERE = "127.0.0.1:7400"


@app.command()
def products(file: File = None, headquarters: Address = HERE, json: Json = False) -> None:
    """Products, with their barcodes and taxes.

    Example: stillopen export products catalogue.csv
    """
    _export(file, headquarters, export_kinds.PRODUCTS, json=json)


@app.command()
def barcodes(file: File = None, headquarters: Address = HERE, json: Json = False) -> None:
    """Barcodes and their products.

    Example: stillopen export barcodes barcodes.csv
    """
    _export(file, headquarters, export_kinds.BARCODES, json=json)


@app.command()
def prices(file: File = None, headquarters: Address = HERE, json: Json = False) -> None:
    """Prices that hold for a time; moments in UTC.

    Example: stillopen export prices prices.csv
    """
    _export(file, headquarters, export_kinds.PRICES, json=json)


@app.command(name="tax-groups")
def tax_groups(file: File = None, headquarters: Address = HERE, json: Json = False) -> None:
    """Tax groups and their rates.

    Example: stillopen export tax-groups taxes.csv
    """
    _export(file, headquarters, export_kinds.TAX_GROUPS, json=json)


@app.command()
def customers(file: File = None, headquarters: Address = HERE, json: Json = False) -> None:
    """Customers.

    Example: stillopen export customers customers.csv
    """
    _export(file, headquarters, export_kinds.CUSTOMERS, json=json)


@app.command(name="tender-types")
def tender_types(file: File = None, headquarters: Address = HERE, json: Json = False) -> None:
    """Tender types.

    Example: stillopen export tender-types tenders.csv
    """
    _export(file, headquarters, export_kinds.TENDER_TYPES, json=json)


@app.command()
def staff(file: File = None, headquarters: Address = HERE, json: Json = False) -> None:
    """Staff, without passwords: who is there keeps theirs when this is imported.

    Example: stillopen export staff staff.csv
    """
    _export(file, headquarters, export_kinds.STAFF, json=json)


async def write(place: Headquarters, kind: ExportKind, file: Path | None) -> int:
    """Writes a kind of master data to a file, or to standard output; how many rows."""
    count = 0
    with _writing(file) as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(kind.columns)
        async for row in kind.rows(place):
            rows.writerow(row)
            count += 1
    return count


def _export(file: Path | None, address: str, kind: ExportKind, *, json: bool) -> None:
    async def work() -> int:
        if json and file is None:
            raise invalid("json", "it needs a file: standard output is where the rows go")
        async with Headquarters(address) as place:
            return await write(place, kind, file)

    count = terminal.run(work())
    if json:
        terminal.show_json({"rows": count, "file": str(file)})
    elif file is not None:
        terminal.out.print(f"{count} rows written to {file}", soft_wrap=True)


@contextmanager
def _writing(file: Path | None) -> Generator[TextIO]:
    """Where the rows go; an export that breaks off leaves the file as it was."""
    if file is None:
        text = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        try:
            yield text
            text.flush()
        finally:
            text.detach()
        return
    new = file.with_name(file.name + ".new")
    try:
        with new.open("w", encoding="utf-8", newline="") as text:
            yield text
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
