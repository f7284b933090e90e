"""`stillopen quarantine`: entries that came home and are in no effect, and what to do."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from stillopen.cli import quarantine_text, terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.lane import find
from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.journal import Lane as JournalLane
from stillopen.rpc.wire import position_to
from stillopen.v1 import headquarters_pb2, types_pb2

app = typer.Typer(
    no_args_is_help=True,
    help="Entries of journals that came home and are in no effect: in quarantine, damaged, or in"
    " conflict. Each is kept as it came and holds nothing else up.",
)

Register = Annotated[str, typer.Argument(help="The register.")]
Lane = Annotated[
    str, typer.Argument(help="The lane, as `quarantine list` shows it; first digits are enough.")
]
Number = Annotated[int, typer.Argument(help="The entry's number in its lane.", min=0)]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
LEFT_SHOWN = 20
HERE = "127.0.0.1:7400"


@app.command(name="list")
def list_(
    register: Annotated[str, typer.Argument(help="One register; none for all.")] = "",
    most: Annotated[int, typer.Option(help="How many at most.", min=1, max=1_000_000)] = 200,
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """Every entry that is in no effect: where it stands, since when, and why.

    Example: stillopen quarantine list R1
    """

    async def work() -> tuple[list[headquarters_pb2.QuarantinedEntry], bool]:
        found: list[headquarters_pb2.QuarantinedEntry] = []
        async with Headquarters(headquarters) as place:
            async for each in place.quarantine(register):
                if len(found) == most:
                    return found, True
                found.append(each)
            if register and not found and not (await place.completeness(register)).registers:
                raise Refused(Reason.NAME_UNKNOWN, f"headquarters knows no register {register}")
        return found, False

    found, more = terminal.run(work())
    if json:
        terminal.show_json({"entries": [terminal.as_json(each) for each in found], "more": more})
        return
    if not found:
        terminal.out.print("nothing: every entry that came home is in effect, or is about to be")
        return
    quarantine_text.show_entries(found)
    if more:
        terminal.out.print(f"[yellow]there are more than {most}[/]: give --most, or a register")
    quarantine_text.show_meanings(found)


@app.command()
def show(
    register: Register,
    lane: Lane,
    entry: Number,
    digest: Annotated[
        str, typer.Option(help="Which of two in one place, as JSON's list shows it, in hex.")
    ] = "",
    bytes_: Annotated[
        Path | None,
        typer.Option("--bytes", help="Write the entry's bytes, as they came, to this file."),
    ] = None,
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """One entry: what it says as far as it can be read, what its state means, what to do.

    Example: stillopen quarantine show R1 5eed0000 17 --bytes entry.bin
    """

    async def work() -> headquarters_pb2.GetQuarantinedResponse:
        wanted = _bytes_of(digest)
        async with Headquarters(headquarters) as place:
            found = await place.quarantined(await _position(place, register, lane, entry), wanted)
        if bytes_ is not None:
            bytes_.write_bytes(found.came.payload)
        return found

    found = terminal.run(work())
    if json:
        terminal.show_json(quarantine_text.as_json(found))
        return
    quarantine_text.show_one(found)
    if bytes_ is not None:
        terminal.out.print(f"{len(found.came.payload)} bytes written to {bytes_}", soft_wrap=True)


@app.command()
def retry(
    reason: Annotated[str, typer.Option(help="Why; kept with who and when.")],
    register: Annotated[str, typer.Argument(help="One register; none for all.")] = "",
    lane: Annotated[str, typer.Argument(help="The lane of one entry; none for all.")] = "",
    entry: Annotated[
        int, typer.Argument(help="Its number in the lane.", min=0, show_default=False)
    ] = 0,
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """Apply entries in quarantine again: one, those of a register, or all; nothing else waits.

    A newer version does it by itself when it starts.

    Example: stillopen quarantine retry R1 --reason "the tender type is back"
    """

    async def work() -> headquarters_pb2.RetryQuarantineResponse:
        if bool(lane) != bool(entry):
            raise invalid("entry", "give lane and number of one entry, or neither")
        async with Headquarters(headquarters) as place:
            position = await _position(place, register, lane, entry) if entry else None
            with Progress(console=terminal.err, transient=True, disable=json) as progress:
                progress.add_task("trying again", total=None)
                return await place.retry_quarantine(reason, register, position)

    result = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(result))
        return
    _show_result(result)


def _show_result(result: headquarters_pb2.RetryQuarantineResponse) -> None:
    if not result.tried:
        terminal.out.print("nothing was in quarantine")
        return
    stayed = result.tried - result.applied - result.waiting
    terminal.out.print(
        f"{result.tried} tried: [green]{result.applied} in effect now[/], {stayed} in quarantine"
        " still"
    )
    if result.waiting:
        terminal.out.print(
            f"[yellow]{result.waiting} are on their way[/]: what they need does not answer yet, or"
            " they are many; headquarters goes on by itself. See: stillopen quarantine list"
        )
    if left := list(result.left)[:LEFT_SHOWN]:
        quarantine_text.show_entries(left)
        if stayed > len(left):
            terminal.out.print(f"and {stayed - len(left)} more: stillopen quarantine list")
        quarantine_text.show_meanings(left)


async def _position(
    place: Headquarters, register: str, lane: str, entry: int
) -> types_pb2.JournalPosition:
    found = await find(place, register, lane)
    return position_to(JournalLane(register, found.epoch), entry)


def _bytes_of(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        raise invalid("digest", "hexadecimal digits") from None
