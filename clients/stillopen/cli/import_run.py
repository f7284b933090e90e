"""Running an import: a file's rows as messages, what is wrong with them, how far it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

import typer
from rich.progress import Progress

from stillopen.cli import terminal
from stillopen.cli.csv_rows import Record, records
from stillopen.cli.import_kinds import ImportKind
from stillopen.cli.import_lines import Lines
from stillopen.core.errors import StillopenError, invalid
from stillopen.v1 import types_pb2

M = TypeVar("M")
Send = Callable[[AsyncIterator[list[M]]], Awaitable[types_pb2.ImportReport]]


async def bring(file: Path, kind: ImportKind[M], send: Send[M]) -> types_pb2.ImportReport:
    """Sends a file's rows, and reports by its lines; a file that is no table changes nothing."""
    lines = Lines()
    # Everything about the file as a whole is found here, before anything is sent, where it can be.
    found = records(file, kind.required, kind.optional)
    size = file.stat().st_size  # noqa: ASYNC240 - a command has nothing else to do
    first = next(found, None)
    if first is None:
        raise invalid("file", f"{file} has no rows")
    with Progress(console=terminal.err) as progress:
        bar = progress.add_task(f"Importing {file.name}", total=size)

        converted = _batches(first, found, kind, lines)
        begins = await anext(converted, None)
        if begins is None:  # no row is worth sending
            return lines.report(types_pb2.ImportReport())

        async def batches() -> AsyncIterator[list[M]]:
            yield begins[0]
            async for batch, position in converted:
                progress.update(bar, completed=position)
                yield batch

        return lines.report(await send(batches()))


async def _batches(
    first: Record, found: Iterator[Record], kind: ImportKind[M], lines: Lines
) -> AsyncIterator[tuple[list[M], int]]:
    waiting = [first]
    while waiting:
        batch = await asyncio.to_thread(_converted, waiting, kind, lines)
        if batch:
            yield batch, waiting[-1].position
        waiting = list(islice(found, kind.batch))


def _converted(batch: list[Record], kind: ImportKind[M], lines: Lines) -> list[M]:
    converted: list[M] = []
    for record in batch:
        try:
            if record.beyond:
                raise invalid("", "more values than columns")
            converted.append(kind.convert(record.values))
        except StillopenError as error:
            lines.refuse(record.line, error)
        else:
            lines.note(record.line)
    return converted


async def only_counted(batches: AsyncIterator[list[M]]) -> types_pb2.ImportReport:
    """A report of rows that go nowhere."""
    return types_pb2.ImportReport(accepted=sum([len(batch) async for batch in batches]))


def report(what: str, done: types_pb2.ImportReport, *, as_json: bool, check: bool = False) -> None:
    """Says what an import did; exits with 1 when rows were refused."""
    if as_json:
        terminal.show_json(terminal.as_json(done))
    else:
        taken = "would be taken" if check else "taken"
        terminal.out.print(f"{done.accepted} {what} {taken}, {done.refused} refused")
        if done.refused:
            terminal.show_table(
                [">line", "field", "reason", "message"],
                [(r.row, r.field, r.reason, r.message) for r in done.refusals],
            )
        if done.refused > len(done.refusals):
            terminal.out.print(f"[dim] the first {len(done.refusals)} of {done.refused}[/]")
    if done.refused:
        raise typer.Exit(terminal.EXIT_REFUSED)
