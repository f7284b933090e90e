"""`stillopen import`: products, staff and cards from CSV, through headquarters."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import Progress

from stillopen.cli import terminal
from stillopen.cli.csv_rows import rows
from stillopen.cli.headquarters import Headquarters
from stillopen.core.card_number import read_number
from stillopen.core.errors import StillopenError, invalid
from stillopen.core.money import parse_money
from stillopen.core.products import hash_password
from stillopen.core.tax import PERCENT_MILLI_MAX
from stillopen.rpc.machine import system_random
from stillopen.rpc.wire import money_to
from stillopen.rpc.wire_parameters import kind_from
from stillopen.v1 import headquarters_pb2, realtime_pb2, types_pb2

app = typer.Typer(no_args_is_help=True, help="Bring master data and cards to headquarters.")
BATCH = 1_000
TIMEOUT_S = 300.0
SALT_BYTES = 16

File = Annotated[Path, typer.Argument(help="A CSV file; columns by name, in any order.")]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]

Row = TypeVar("Row")
Word = TypeVar("Word")

_KINDS: dict[str, types_pb2.CardKind.ValueType] = {
    "": types_pb2.CARD_KIND_GIFT_CARD,
    "gift card": types_pb2.CARD_KIND_GIFT_CARD,
    "credit memo": types_pb2.CARD_KIND_CREDIT_MEMO,
}


@app.command()
def products(file: File, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Products: columns product_id, name, price.

    Optional: barcodes, separated by spaces; tax_group and tax_percent, which the price includes.

    Example: stillopen import products catalogue.csv
    """

    async def work() -> types_pb2.ImportReport:
        async with Headquarters(headquarters) as place:
            currency = (await place.parameters()).currency

            def product(values: dict[str, str]) -> types_pb2.Product:
                return types_pb2.Product(
                    product_id=values["product_id"],
                    name=values["name"],
                    price=money_to(parse_money(values["price"], currency, "price")),
                    barcodes=values.get("barcodes", "").split(),
                    tax_group=values.get("tax_group", "").strip(),
                    tax_percent_milli=_percent_milli(values.get("tax_percent", "")),
                )

            found = list(
                rows(
                    file, ["product_id", "name", "price"], ["barcodes", "tax_group", "tax_percent"]
                )
            )
            with Progress(console=terminal.err) as progress:
                batches = in_batches(file, found, product, progress)
                return await place.import_products(
                    headquarters_pb2.ImportProductsRequest(rows=batch) async for batch in batches
                )

    report("products", terminal.run(work()), as_json=json)


@app.command()
def staff(file: File, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Staff: columns staff_id, name, password, and manager (yes or no) where wanted.

    Passwords are hashed here and never sent.

    Example: stillopen import staff staff.csv
    """
    rng = system_random()

    def member(values: dict[str, str]) -> types_pb2.StaffMember:
        if not values["password"]:
            raise invalid("password", "missing")
        return types_pb2.StaffMember(
            staff_id=values["staff_id"],
            name=values["name"],
            password_hash=hash_password(values["password"], rng.randbytes(SALT_BYTES)),
            manager=_word(values, "manager", {"": False, "no": False, "yes": True}),
        )

    async def work() -> types_pb2.ImportReport:
        async with Headquarters(headquarters) as place:
            found = list(rows(file, ["staff_id", "name", "password"], ["manager"]))
            with Progress(console=terminal.err) as progress:
                batches = in_batches(file, found, member, progress)
                return await place.import_staff(
                    headquarters_pb2.ImportStaffRequest(rows=batch) async for batch in batches
                )

    report("staff", terminal.run(work()), as_json=json)


@app.command()
def cards(file: File, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Cards: columns number, balance, and kind (gift card or credit memo) where wanted.

    Creates cards, never changes one.
    The same file sent again changes nothing. Example: stillopen import cards cards.csv
    """

    async def work() -> types_pb2.ImportReport:
        async with Headquarters(headquarters) as place:
            currency = (await place.parameters()).currency

            def card(values: dict[str, str]) -> realtime_pb2.CardRow:
                kind = _word(values, "kind", _KINDS)
                return realtime_pb2.CardRow(
                    number=read_number(values["number"], kind_from(kind)),
                    kind=kind,
                    balance=money_to(parse_money(values["balance"], currency, "balance")),
                )

            found = list(rows(file, ["number", "balance"], ["kind"]))
            name = "file-" + hashlib.sha256(file.read_bytes()).hexdigest()[:24]
            with Progress(console=terminal.err) as progress:
                batches = in_batches(file, found, card, progress)
                return await place.import_cards(
                    headquarters_pb2.HeadquartersServiceImportCardsRequest(
                        import_id=name, rows=batch
                    )
                    async for batch in batches
                )

    report("cards", terminal.run(work()), as_json=json)


def _percent_milli(text: str) -> int:
    try:
        milli = Decimal(text.strip() or "0") * 1000
    except InvalidOperation:
        raise invalid("tax_percent", "not a number") from None
    if not 0 <= milli <= PERCENT_MILLI_MAX or milli != milli.to_integral_value():
        raise invalid("tax_percent", "between 0 and 100, with at most three decimals")
    return int(milli)


def _word(values: dict[str, str], column: str, words: dict[str, Word]) -> Word:
    word = values.get(column, "").strip().lower()
    if word not in words:
        raise invalid(column, "one of " + ", ".join(filter(None, words)))
    return words[word]


async def in_batches(
    file: Path,
    found: list[tuple[int, dict[str, str]]],
    convert: Callable[[dict[str, str]], Row],
    progress: Progress,
) -> AsyncIterator[list[Row]]:
    """The file's rows as messages; an error names the file's line and ends the import."""
    task = progress.add_task(f"Importing {file.name}", total=len(found))
    for batch in _cut(found):
        converted: list[Row] = []
        for line, values in batch:
            try:
                converted.append(convert(values))
            except StillopenError as error:
                raise invalid("file", f"{file} line {line}: {error.message}") from None
        yield converted
        progress.advance(task, len(batch))
    if not found:
        raise invalid("file", f"{file} has no rows")


def _cut(found: list[tuple[int, dict[str, str]]]) -> Iterator[list[tuple[int, dict[str, str]]]]:
    for start in range(0, len(found), BATCH):
        yield found[start : start + BATCH]


def report(what: str, done: types_pb2.ImportReport, *, as_json: bool) -> None:
    """Says what an import did; exits with 1 when rows were refused."""
    if as_json:
        terminal.show_json(terminal.as_json(done))
    else:
        terminal.out.print(f"{done.accepted} {what} taken, {done.refused} refused")
        if done.refused:
            terminal.show_table(
                [">row", "field", "reason", "message"],
                [(r.row, r.field, r.reason, r.message) for r in done.refusals],
            )
    if done.refused:
        raise typer.Exit(terminal.EXIT_REFUSED)
