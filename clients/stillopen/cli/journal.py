"""`stillopen journal`: what a journal holds, whether it is whole, and its way by file."""

from pathlib import Path
from typing import Annotated

import grpc.aio
import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.journal_bringing import bring_journal, show_answer
from stillopen.cli.journal_files import ANSWER, Answer, InFile, answer_path
from stillopen.cli.journal_places import export_journal, take_answer
from stillopen.core.errors import Misuse, Reason, invalid
from stillopen.register.journal import Verified, verify
from stillopen.rpc.channel import open_channel
from stillopen.rpc.machine import SystemClock
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import money_from
from stillopen.storage.files import open_reader
from stillopen.storage.group import run_read
from stillopen.storage.parts_file import kind_of
from stillopen.v1 import register_pb2, register_pb2_grpc

app = typer.Typer(no_args_is_help=True, help="A register's journal, and a store's by file.")
TIMEOUT_S = 5.0


@app.command(name="list")
def list_(
    register: Annotated[
        str, typer.Option(help="Address of the register agent, not its id.")
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


@app.command(name="export")
def export(
    data: Annotated[Path, typer.Option(help="The folder of a channel, or of a register.")],
    to: Annotated[Path, typer.Option(help="The file to write; there may be none of that name.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write what headquarters lacks of a store's journals to a file, for a store without a line.

    Of a channel the journals of all its registers, of a register its own. The place may run.

    Example: stillopen journal export --data var/S1 --to s1.journal
    """
    found = terminal.run(export_journal(data, to, SystemClock()))
    if json:
        said = {"file": str(to), "entries": found.entries, "lanes": len(found.lanes)}
        terminal.show_json({**said, "store_id": found.store_id})
        return
    terminal.out.print(
        f"{found.entries} entries of {len(found.lanes)} lanes written to {to}; at headquarters:"
        f" [bold]stillopen journal import {to}[/]",
        soft_wrap=True,
    )


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file of `journal export`, or its answer.")],
    data: Annotated[
        Path | None,
        typer.Option(help="For an answer: the folder of the channel or register, not running."),
    ] = None,
    headquarters: Annotated[
        str, typer.Option("--headquarters", help="For a journal: address of headquarters.")
    ] = "127.0.0.1:7400",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Bring a store's journal to headquarters, or headquarters' answer to the store.

    A journal may be brought twice. The answer, FILE.answer, tells the store what it need not keep;
    take it there with --data.

    Example: stillopen journal import s1.journal
    Example: stillopen journal import s1.journal.answer --data var/S1
    """

    async def work() -> tuple[InFile | None, Answer]:
        if kind_of(file) == ANSWER:
            if data is None:
                raise invalid("data", f"{file} is an answer: say whose folder with --data")
            return None, await take_answer(file, data, SystemClock())
        if data is not None:
            raise invalid("data", f"{file} is no answer: it goes to headquarters, not to {data}")
        async with Headquarters(headquarters) as place:
            return await bring_journal(file, place)

    found, answer = terminal.run(work())
    if json:
        said = terminal.as_json(answer)
        if found is not None:
            said |= {"entries": found.entries, "answer": str(answer_path(file))}
        terminal.show_json(said)
    else:
        show_answer(file, found, answer)
