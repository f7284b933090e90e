"""`stillopen journal`: what a register's journal holds, and whether it is whole."""

from pathlib import Path
from typing import Annotated

import grpc.aio
import typer

from stillopen.cli import terminal
from stillopen.core.errors import Misuse, Reason
from stillopen.register.journal import Verified, verify
from stillopen.rpc.channel import open_channel
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import money_from
from stillopen.storage.files import open_reader
from stillopen.storage.group import run_read
from stillopen.v1 import register_pb2, register_pb2_grpc

app = typer.Typer(no_args_is_help=True, help="A register's journal.")
TIMEOUT_S = 5.0


@app.command(name="list")
def list_(
    register: Annotated[
        str, typer.Option(help="Address of the register agent.")
    ] = "127.0.0.1:7420",
    most: Annotated[int, typer.Option(help="How many entries, newest first.", min=1, max=500)] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The newest entries and how far they have come.

    Example: stillopen journal list --most 5
    """

    async def work() -> register_pb2.ListJournalResponse:
        async with open_channel(register) as channel:
            stub = register_pb2_grpc.RegisterServiceStub(channel)
            request = register_pb2.ListJournalRequest(page_size=most)
            try:
                return await stub.ListJournal(request, timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                raise error_of(error) from None

    found = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(found))
        return
    terminal.show_table(
        ["time", "kind", "receipt", ">total", "lane", ">number", "is at"],
        [
            (
                line.time.ToDatetime().strftime("%H:%M:%S"),
                line.kind.lower(),
                line.receipt_number,
                money_from(line.total) if line.HasField("total") else "",
                f"{line.position.epoch:016x}"[:8],
                line.position.sequence,
                "headquarters"
                if line.at_headquarters
                else "channel"
                if line.at_channel
                else "register",
            )
            for line in found.lines
        ],
    )


@app.command(name="verify")
def verify_(
    data: Annotated[Path, typer.Argument(help="The register's folder, or its journal.db.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every digest, parent and sequence; the register may be running.

    Example: stillopen journal verify var/register
    """
    path = data / "journal.db" if data.is_dir() else data

    async def work() -> Verified:
        if not path.exists():
            raise Misuse(Reason.INVALID_ARGUMENT, f"there is no journal at {path}")
        connection = open_reader(path)
        try:
            found: Verified = run_read(connection, verify)
        finally:
            connection.close()
        return found

    found = terminal.run(work())
    if json:
        terminal.show_json({"entries": found.entries, "faults": list(found.faults)})
    else:
        terminal.out.print(f"{found.entries} entries, {len(found.faults)} faults")
        for fault in found.faults:
            terminal.out.print(f"[red]{fault}[/]")
    if found.faults:
        raise typer.Exit(terminal.EXIT_REFUSED)
