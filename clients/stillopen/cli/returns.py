"""`stillopen returns`: lines of which more was returned than sold."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.v1 import headquarters_pb2

app = typer.Typer(no_args_is_help=True, help="Returns that headquarters has received.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def returns() -> None:
    """Returns that headquarters has received."""


@app.command("list")
def over_returns(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Lines of which more was returned than sold, and by which sales.

    The same receipt may come back to two registers that are offline; nothing was refused.

    Example: stillopen returns list
    """

    async def work() -> list[headquarters_pb2.OverReturn]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.over_returns()]

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        ["receipt", "line", ">sold", ">returned", "by sale"],
        [
            (
                each.receipt_number or each.transaction_id,
                each.line.line_id,
                _units(each.sold_milli),
                _units(each.line.returned_milli),
                "\n".join(
                    f"{by.transaction_id} {_units(by.quantity_milli)}" for by in each.line.returns
                ),
            )
            for each in found
        ],
    )


def _units(milli: int) -> str:
    return f"{milli / 1000:g}"
