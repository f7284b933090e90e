"""`stillopen register status`: how every register stands, as headquarters was last told."""

from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.rpc.wire import money_from
from stillopen.v1 import headquarters_pb2, sync_pb2

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
HERE = "127.0.0.1:7400"


def status(
    register: Annotated[str, typer.Argument(help="One register; none for all.")] = "",
    open_: Annotated[
        bool, typer.Option("--open", help="Only those of which something is not home.")
    ] = False,
    headquarters: Address = HERE,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How registers stand: offline or not and since when, what waits, what they lack.

    It is what each last said of itself, and when that was.

    Example: stillopen register status --open
    """

    async def work() -> headquarters_pb2.GetCompletenessResponse:
        async with Headquarters(headquarters) as place:
            return await place.completeness(register, only_open=open_)

    found = terminal.run(work())
    if json:
        registers = [terminal.as_json(each) for each in found.registers]
        terminal.show_json({"registers": registers, "complete": found.complete})
        return
    show_registers(list(found.registers))


def show_registers(registers: list[headquarters_pb2.RegisterCompleteness]) -> None:
    """A table of registers and what they last said of themselves."""
    terminal.show_table(
        [
            "register",
            "store",
            "stands",
            ">missing",
            ">waits",
            ">come to",
            "lacks",
            "said so",
            "last heard",
        ],
        [
            (
                each.register_id,
                each.store_id,
                stands_text(each),
                each.entries_missing,
                each.report.waiting_entries if each.HasField("report") else "?",
                _amount(each.report),
                lacks_text(each.report),
                _time(each.report.reported_time) if each.HasField("report") else "never",
                _time(each.last_contact_time),
            )
            for each in registers
        ],
    )


def stands_text(register: headquarters_pb2.RegisterCompleteness) -> str:
    """Whether a register is online, as it last said, and whether all of it is home."""
    report = register.report
    if register.retired:
        text = "retired"
    elif not register.HasField("report"):
        text = "never said"
    elif report.offline:
        since = _time(report.offline_since_time)
        text = f"[yellow]offline[/] since {since}: {escape(report.offline_reason)}"
    else:
        text = "online"
    return text if register.complete else f"{text}, [yellow]not complete[/]"


def lacks_text(report: sync_pb2.RegisterReport) -> str:
    """What a register lacks to sell offline, and why it refused its last package."""
    lacks = ", ".join(report.missing)
    if report.package_refusal:
        lacks += f"{'; ' if lacks else ''}refused a package: {report.package_refusal}"
    return escape(lacks)


def _amount(report: sync_pb2.RegisterReport) -> str:
    return str(money_from(report.waiting_amount)) if report.HasField("waiting_amount") else ""


def _time(moment: Timestamp) -> str:
    return terminal.time_text(moment) if moment.seconds else "never"
