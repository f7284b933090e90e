"""`stillopen parameters`: show and change what headquarters decides for its stores."""

from dataclasses import replace
from itertools import pairwise
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import invalid
from stillopen.core.money import Money, parse_money
from stillopen.core.parameters import DAY_S, CardParameters, differences
from stillopen.rpc.wire import duration_from
from stillopen.rpc.wire_parameters import parameters_from
from stillopen.v1 import headquarters_pb2, types_pb2

HOUR_S = 3_600.0

app = typer.Typer(no_args_is_help=True, help="Parameters of headquarters, group Posting.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def show(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """The parameters in force.

    Example: stillopen parameters show
    """

    async def work() -> types_pb2.Parameters:
        async with Headquarters(headquarters) as place:
            return await place.parameters_in_force()

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
    memo_offline: Annotated[
        bool | None,
        typer.Option(
            "--credit-memo-offline/--no-credit-memo-offline",
            help="Allow concluding credit memo transactions in offline mode.",
        ),
    ] = None,
    memo_within_h: Annotated[
        float | None,
        typer.Option(
            "--credit-memo-within-h", help="The same hours for credit memos.", min=0, max=8784
        ),
    ] = None,
    hold_amount_only: Annotated[
        bool | None,
        typer.Option(
            "--hold-amount-only/--hold-whole-card",
            help="Whether a gift card tender holds what it pays, or the whole card.",
        ),
    ] = None,
    cash_out_up_to: Annotated[
        str | None,
        typer.Option(help="Up to how much left on a gift card is given out in cash, e.g. 5.00."),
    ] = None,
    retention_days: Annotated[
        float | None,
        typer.Option(
            "--journal-retention-days",
            help="For how long headquarters holds journal entries before registers delete theirs;"
            " longer than your oldest backup is old. 0 never deletes.",
            min=0,
            max=36_600,
        ),
    ] = None,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Change parameters; in effect with the next card that is locked.

    Example: stillopen parameters set --gift-card-offline
    """
    gift_card = {
        "allow_concluding_offline": conclude_offline,
        "conclude_within_s": _seconds(conclude_within_h, HOUR_S),
        "hold_amount_only": hold_amount_only,
    }
    credit_memo = {
        "allow_concluding_offline": memo_offline,
        "conclude_within_s": _seconds(memo_within_h, HOUR_S),
    }
    retention_s = _seconds(retention_days, DAY_S)
    asked = (*gift_card.values(), *credit_memo.values(), cash_out_up_to, retention_s)
    if all(each is None for each in asked):
        terminal.fail(invalid("parameters", "nothing to change; see --help"))

    async def work() -> headquarters_pb2.UpdateParametersResponse:
        async with Headquarters(headquarters) as place:
            seen = await place.parameters()
            cards = _changed(seen.gift_card, gift_card)
            if cash_out_up_to is not None:
                most = parse_money(cash_out_up_to, seen.currency, "cash_out_up_to")
                cards = replace(cards, cash_out_up_to_minor=most.minor)
            wanted = replace(
                seen, gift_card=cards, credit_memo=_changed(seen.credit_memo, credit_memo)
            )
            if retention_s is not None:
                wanted = replace(wanted, journal_retention_s=retention_s)
            return await place.update_parameters(wanted)

    _say(terminal.run(work()), as_json=json)


@app.command()
def history(
    most: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=100_000)] = 20,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """The versions of the parameters: who made them when, and what they changed.

    Example: stillopen parameters history
    """

    async def work() -> list[types_pb2.Parameters]:
        found: list[types_pb2.Parameters] = []
        async with Headquarters(headquarters) as place:
            async for each in place.parameter_versions():
                found.append(each)
                if len(found) > most:  # one more, to say what the last one changed
                    break
        return found

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found[:most]])
        return
    values = [parameters_from(each) for each in found]
    changes = [", ".join(differences(before, after)) for after, before in pairwise(values)] + [
        "the first"
    ]
    terminal.show_table(
        [">version", "when (UTC)", "who", "changed"],
        [
            (
                each.version,
                terminal.time_text(each.changed_time) if each.HasField("changed_time") else "-",
                each.changed_by or "-",
                changed,
            )
            for each, changed in zip(found[:most], changes, strict=False)
        ],
    )


@app.command()
def reload(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Carry the parameters to every store now, and not with the next schedule.

    Cards need no such thing: what is saved holds for the next lock.
    Example: stillopen parameters reload
    """

    async def work() -> headquarters_pb2.ReloadParametersResponse:
        async with Headquarters(headquarters) as place:
            return await place.reload_parameters()

    answer = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(answer))
        return
    groups = ", ".join(run.group_id for run in answer.runs)
    how = f"is on its way to {groups}" if groups else "is in every group's packages already"
    terminal.out.print(f"version {answer.version} {how}")


def _seconds(value: float | None, each_s: float) -> float | None:
    return None if value is None else value * each_s


def _changed(cards: CardParameters, asked: dict[str, bool | float | None]) -> CardParameters:
    given = {name: value for name, value in asked.items() if value is not None}
    if (offline := given.get("allow_concluding_offline")) is not None:
        cards = replace(cards, allow_concluding_offline=bool(offline))
    if (within_s := given.get("conclude_within_s")) is not None:
        cards = replace(cards, conclude_within_s=float(within_s))
    if (amount_only := given.get("hold_amount_only")) is not None:
        cards = replace(cards, hold_amount_only=bool(amount_only))
    return cards


def _say(answer: headquarters_pb2.UpdateParametersResponse, *, as_json: bool) -> None:
    if as_json:
        shown = terminal.as_json(answer.parameters)
        shown["locks_with_older_terms"] = answer.locks_with_older_terms
        if answer.HasField("older_terms_end_within"):
            shown["older_terms_end_within_s"] = duration_from(answer.older_terms_end_within)
        terminal.show_json(shown)
        return
    _print(answer.parameters, as_json=False)
    if not answer.HasField("older_terms_end_within"):
        terminal.out.print("[yellow]cards did not say in time which locks keep older terms[/]")
    elif answer.locks_with_older_terms:
        hours = duration_from(answer.older_terms_end_within) / HOUR_S
        terminal.out.print(
            f"[yellow]{answer.locks_with_older_terms} cards stay locked under older terms[/]: their"
            f" sales may be concluded offline for {hours:.1f} h more at most",
            soft_wrap=True,
        )


def _print(message: types_pb2.Parameters, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(message))
        return
    parameters = parameters_from(message)
    gift_card, memo = parameters.gift_card, parameters.credit_memo
    cash_out = Money(parameters.currency, gift_card.cash_out_up_to_minor)
    retention = f"{parameters.journal_retention_s / DAY_S:g} days"
    terminal.show_table(
        ["parameter", "gift card", "credit memo"],
        [
            ("allow concluding in offline mode", *(_yes(c) for c in (gift_card, memo))),
            ("  within", *(f"{c.conclude_within_s / HOUR_S:g} h" for c in (gift_card, memo))),
            (
                "a tender holds",
                "its amount" if gift_card.hold_amount_only else "the whole card",
                "the whole memo",
            ),
            ("lease of a lock", *(f"{c.lease_s:g} s" for c in (gift_card, memo))),
            ("grace", *(f"{c.grace_s / HOUR_S:g} h" for c in (gift_card, memo))),
            (
                "margin to come home",
                *(f"{c.settle_margin_s / HOUR_S:g} h" for c in (gift_card, memo)),
            ),
            ("cash-out up to", cash_out if cash_out.minor else "none", ""),
        ],
    )
    kept = retention if parameters.journal_retention_s else "for ever"
    terminal.out.print(
        f"version {parameters.version}, {parameters.currency}; registers keep journal entries"
        f" {kept} after headquarters has them"
    )
    if message.changed_by:
        when = terminal.time_text(message.changed_time)
        terminal.out.print(f"changed by {message.changed_by}, {when} UTC")


def _yes(cards: CardParameters) -> str:
    return "yes" if cards.allow_concluding_offline else "no"
