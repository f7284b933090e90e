"""`stillopen parameters`: show and change what headquarters decides for its stores."""

from dataclasses import replace
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import invalid
from stillopen.core.parameters import Parameters
from stillopen.rpc.wire import parameters_to

app = typer.Typer(no_args_is_help=True, help="Parameters of headquarters, group Posting.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def show(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """The parameters in force.

    Example: stillopen parameters show
    """

    async def work() -> Parameters:
        async with Headquarters(headquarters) as place:
            return await place.parameters()

    _print(terminal.run(work()), as_json=json)


@app.command(name="set")
def set_(
    conclude_offline: Annotated[
        bool | None,
        typer.Option(
            "--gift-card-offline/--no-gift-card-offline",
            help="Allow concluding gift card transactions in offline mode.",
        ),
    ] = None,
    conclude_within_h: Annotated[
        float | None,
        typer.Option(help="For how many hours after the card was locked.", min=0, max=8784),
    ] = None,
    hold_amount_only: Annotated[
        bool | None,
        typer.Option(
            "--hold-amount-only/--hold-whole-card",
            help="Whether a tender holds what it pays, or the whole card.",
        ),
    ] = None,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Change parameters; in effect with the next card that is locked.

    Example: stillopen parameters set --gift-card-offline
    """
    if conclude_offline is None and conclude_within_h is None and hold_amount_only is None:
        terminal.fail(invalid("parameters", "nothing to change; see --help"))

    async def work() -> Parameters:
        async with Headquarters(headquarters) as place:
            card = (await place.parameters()).gift_card
            if conclude_offline is not None:
                card = replace(card, allow_concluding_offline=conclude_offline)
            if conclude_within_h is not None:
                card = replace(card, conclude_within_s=conclude_within_h * 3600)
            if hold_amount_only is not None:
                card = replace(card, hold_amount_only=hold_amount_only)
            return await place.set_gift_card(card)

    _print(terminal.run(work()), as_json=json)


def _print(parameters: Parameters, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(parameters_to(parameters)))
        return
    card = parameters.gift_card
    hour = 3600
    terminal.show_table(
        ["parameter", "value"],
        [
            ("version", parameters.version),
            ("currency", parameters.currency),
            (
                "allow concluding gift card transactions in offline mode",
                "yes" if card.allow_concluding_offline else "no",
            ),
            ("  within", f"{card.conclude_within_s / hour:g} h"),
            ("a tender holds", "its amount" if card.hold_amount_only else "the whole card"),
            ("lease of a lock", f"{card.lease_s:g} s"),
            ("grace", f"{card.grace_s / hour:g} h"),
            ("margin to come home", f"{card.settle_margin_s / hour:g} h"),
        ],
    )
