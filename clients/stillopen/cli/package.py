"""`stillopen package`: packages as files that a person can list, open, check, and carry."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.machine import Machine
from stillopen.cli.package_files import (
    FOLDER,
    LookedInto,
    Named,
    Verdict,
    find,
    look_into,
    named,
    names_in,
    open_to,
)
from stillopen.cli.package_files import verify as verdict_on
from stillopen.cli.package_ways import Taken, export_package, import_package

app = typer.Typer(
    no_args_is_help=True,
    help="Packages: the master data of a channel group, as files. Each is a SQLite database under"
    " zstandard; those of a place are in FOLDER/packages.",
)
SHORT = 12

File = Annotated[str, typer.Argument(help="A package file, or with --data the begin of its name.")]
Data = Annotated[Path, typer.Option(help="The folder of headquarters, a channel or a register.")]
MaybeData = Annotated[Path | None, typer.Option(help="Look for the file in that place's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command(name="list")
def list_(data: Data, json: Json = False) -> None:
    """The packages that a place keeps; it may run.

    Example: stillopen package list --data var/headquarters
    """

    async def work() -> list[tuple[Path, Named]]:
        found = [(data / FOLDER / each, named(each)) for each in names_in(data)]
        return [(path, said) for path, said in found if said is not None]

    found = [(p, said, p.stat().st_size) for p, said in terminal.run(work()) if p.exists()]
    if json:
        said_of_all = [
            {
                "file": path.name,
                "sequence": said.sequence,
                "kind": said.kind,
                "size": size,
                "digest": said.digest.hex(),
            }
            for path, said, size in found
        ]
        terminal.show_json({"packages": said_of_all})
        return
    terminal.show_table(
        [">sequence", "kind", ">bytes", "digest"],
        [(said.sequence, said.kind, size, said.digest.hex()[:SHORT]) for _, said, size in found],
    )


@app.command()
def show(file: File, data: MaybeData = None, json: Json = False) -> None:
    """What a package says of itself and how many rows are in it; it is checked first.

    Example: stillopen package show 00000004 --data var/S1
    """

    async def work() -> LookedInto:
        return look_into(find(file, data))

    found = terminal.run(work())
    if json:
        terminal.show_json(
            {
                "name": found.package.name,
                "size": found.package.size,
                "facts": found.facts,
                "rows": found.rows,
                "removed": found.removed,
            }
        )
        return
    terminal.out.print(f"[bold]{found.package.name}[/] {found.package.size} bytes", soft_wrap=True)
    facts = sorted((k, v) for k, v in found.facts.items() if not k.startswith("rows."))
    terminal.show_table(["it says", ""], facts)
    terminal.show_table(["table", ">rows"], list(found.rows.items()))
    if found.package.base is not None:
        terminal.out.print(f"{found.removed} rows are removed by it")


@app.command(name="open")
def open_(
    file: File,
    to: Annotated[Path, typer.Option(help="The database to make; there may be none so called.")],
    data: MaybeData = None,
    json: Json = False,
) -> None:
    """Check a package and unpack it into a database that sqlite3 opens.

    Example: stillopen package open 00000004 --data var/S1 --to look.db
    """

    async def work() -> None:
        open_to(find(file, data), to)

    terminal.run(work())
    if json:
        terminal.show_json({"database": str(to)})
    else:
        terminal.out.print(f'unpacked; look into it: [bold]sqlite3 {to} ".tables"[/]')


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="Package files, under whatever name.")],
    json: Json = False,
) -> None:
    """Check packages: digest against name, tables, rows, and every page.

    Example: stillopen package verify var/headquarters/packages/*
    """

    async def work() -> list[Verdict]:
        with Progress(console=terminal.err, transient=True) as progress:
            return [verdict_on(each) for each in progress.track(files, description="Checking")]

    found = terminal.run(work())
    if json:
        terminal.show_json(
            {
                "files": [
                    {
                        "file": str(each.file),
                        "sound": each.sound,
                        "name": each.package.name if each.package else "",
                        "remark": each.remark,
                    }
                    for each in found
                ]
            }
        )
    else:
        for each in found:
            word = "[green]sound[/]" if each.sound else "[red]not sound[/]"
            remark = f": {each.remark}" if each.remark else ""
            terminal.out.print(f"{word} {each.file}{remark}", soft_wrap=True)
    if not all(each.sound for each in found):
        raise typer.Exit(terminal.EXIT_REFUSED)


@app.command()
def export(
    store: Annotated[str, typer.Option(help="The store that it is for.")],
    to: Annotated[Path, typer.Option(help="A folder, on a stick say; made when missing.")],
    headquarters: Annotated[
        str, typer.Option("--headquarters", help="Address of headquarters.")
    ] = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Fetch everything that a store shows from headquarters, for a store without a line.

    Example: stillopen package export --store S1 --to stick
    """

    async def work() -> Path:
        async with Headquarters(headquarters) as place:
            return await export_package(place, store, to)

    path = terminal.run(work())
    if json:
        terminal.show_json({"file": str(path)})
    else:
        terminal.out.print(
            f"{path} is there; at the store: [bold]stillopen package import {path.name} --data"
            " FOLDER[/]",
            soft_wrap=True,
        )


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file of `package export`.")],
    data: Annotated[
        Path, typer.Option(help="The folder of a channel or register that does not run.")
    ],
    json: Json = False,
) -> None:
    """Show a package at a store without a line. End its place first, and start it afterwards.

    A channel gives it on to its registers when it runs again.

    Example: stillopen package import stick/00000004-snapshot-...sqlite.zst --data var/S1
    """

    async def work() -> Taken:
        return await import_package(file, data, Machine(warn=_warn))

    taken = terminal.run(work())
    sequence = taken.looked.package.cursor.sequence
    if json:
        said = {"kind": taken.place.kind, "id": taken.place.name, "store_id": taken.place.store_id}
        terminal.show_json({**said, "sequence": sequence})
    else:
        terminal.out.print(
            f"{taken.place.kind} {taken.place.name} shows {sequence} now; start it with"
            f" [bold]stillopen serve {taken.place.kind} --data {data}[/]",
            soft_wrap=True,
        )


def _warn(text: str) -> None:
    terminal.err.print(f"[yellow]warning[/] {text}", soft_wrap=True)
