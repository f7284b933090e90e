"""`stillopen period`: closing periods, and the sales that came too late for them."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import invalid
from stillopen.core.lanes import epoch_text
from stillopen.rpc.wire import money_from
from stillopen.v1 import headquarters_pb2

app = typer.Typer(no_args_is_help=True, help="Periods: what was sold until when, closed.")

Period = Annotated[str, typer.Argument(help="The period: 2026-11, say.")]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
HERE = "127.0.0.1:7400"
SHORT = 8
NAMES_SHOWN = 5


@app.command()
def close(
    period: Period,
    end: Annotated[
        str,
        typer.Option(help="Its end, as 2026-12-01 or 2026-12-01T00:00:00+01:00; UTC without zone."),
    ],
    reason: Annotated[
        str, typer.Option(help="Why it is closed although registers are not complete.")
    ] = "",
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """Close a period: sales before its end are counted, what comes later is listed as late.

    Refused while a register may have sales of it that are not here, unless you say why.

    Example: stillopen period close 2026-11 --end 2026-12-01
    """

    async def work() -> headquarters_pb2.Period:
        end_wall_s = moment_of(end)
        async with Headquarters(headquarters) as place:
            return await place.close_period(period, end_wall_s, reason)

    closed = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(closed))
        return
    terminal.out.print(
        f"period {closed.period_id} is closed: {closed.sales} sales, {money_from(closed.total)}"
    )
    if closed.incomplete_register_ids:
        why = escape(closed.override_reason)
        terminal.out.print(f"[yellow]without[/] {_names(closed)}: {why}")


@app.command(name="list")
def list_(headquarters: Address = HERE, json: Json = False) -> None:
    """Closed periods, the newest first: sums, who closed them, and what came late.

    Example: stillopen period list
    """

    async def work() -> list[headquarters_pb2.Period]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.periods()]

    found = terminal.run(work())
    if json:
        terminal.show_json({"periods": [terminal.as_json(each) for each in found]})
        return
    terminal.show_table(
        ["period", "from", "to", ">sales", ">total", ">late", ">came to", "closed by", "without"],
        [
            (
                each.period_id,
                terminal.time_text(each.begin_time) if each.HasField("begin_time") else "",
                terminal.time_text(each.end_time),
                each.sales,
                money_from(each.total),
                each.late_sales,
                money_from(each.late_total) if each.late_sales else "",
                each.closed_by,
                _names(each),
            )
            for each in found
        ],
    )


@app.command()
def late(
    period: Annotated[str, typer.Argument(help="One period; none for all.")] = "",
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """Sales that came after their period was closed, in the order they came.

    Example: stillopen period late 2026-11
    """

    async def work() -> list[headquarters_pb2.ReceivedTransaction]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.late_transactions(period)]

    found = terminal.run(work())
    if json:
        terminal.show_json({"transactions": [terminal.as_json(each) for each in found]})
        return
    terminal.show_table(
        ["register", "lane", ">entry", "sale", "begun", ">total"],
        [
            (
                each.position.register_id,
                epoch_text(each.position.epoch)[:SHORT],
                each.position.sequence,
                each.sale.transaction_id,
                terminal.time_text(each.sale.begin_time),
                money_from(each.sale.total),
            )
            for each in found
        ],
    )


def moment_of(text: str) -> float:
    """A moment that a person wrote, in seconds since 1970; UTC when it names no zone."""
    try:
        written = datetime.fromisoformat(text.strip())
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise invalid("end", f"{text[:40]!r} is not a date or a time") from None


def _names(period: headquarters_pb2.Period) -> str:
    names = period.incomplete_register_ids
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
