"""`stillopen card`: what is on a card and who holds it."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.rpc.wire import money_from
from stillopen.v1 import realtime_pb2

app = typer.Typer(no_args_is_help=True, help="Gift cards at headquarters.")


@app.callback()
def card() -> None:
    """Gift cards at headquarters."""


@app.command()
def balance(
    number: Annotated[str, typer.Argument(help="The number on the card.")],
    headquarters: Annotated[str, typer.Option(help="Address of headquarters.")] = "127.0.0.1:7400",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What is on a card, how much of it is free, and which register holds it.

    Example: stillopen card balance 6001000000000001
    """

    async def work() -> realtime_pb2.GetCardBalanceResponse:
        async with Headquarters(headquarters) as place:
            return await place.card(number)

    found = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(found))
        return
    held = f"held by register {found.locked_by}" if found.locked_by else "free"
    terminal.out.print(f"card ...{found.last_four}: {money_from(found.balance)}, {held}")
