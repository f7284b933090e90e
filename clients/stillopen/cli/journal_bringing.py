"""Bringing a journal file to headquarters, and saying what became of it."""

from collections.abc import AsyncIterator
from pathlib import Path

from rich.progress import Progress

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.journal_files import (
    Answer,
    InFile,
    Part,
    answer_path,
    look_through,
    read_journal,
    write_answer,
)
from stillopen.core.journal import Lane
from stillopen.core.lanes import epoch_text
from stillopen.v1 import sync_pb2

SHORT = 8


async def bring_journal(file: Path, place: Headquarters) -> tuple[InFile, Answer]:
    """Sends a file that was found to be right as a whole, and keeps the answer beside it."""
    found = look_through(file)
    with Progress(console=terminal.err) as progress:
        bar = progress.add_task(f"Bringing {file.name}", total=found.entries)

        async def parts() -> AsyncIterator[Part]:
            for part in read_journal(file):
                yield part
                progress.update(bar, advance=len(part.entries))

        answer = await place.import_journal(parts())
    write_answer(file, found.store_id, answer)
    return found, answer


def show_answer(file: Path, found: InFile | None, answer: Answer) -> None:
    """Says what headquarters has now, lane by lane."""
    rows = [_row(state, found) for state in answer.lanes]
    terminal.show_table(["register", "lane", ">in file", ">is home", ">missing", ">may go"], rows)
    if found is None:
        terminal.out.print(f"{len(answer.lanes)} lanes: headquarters' word was taken")
        return
    there = found.entries - answer.entries_new - answer.entries_damaged
    terminal.out.print(
        f"{answer.entries_new} entries new, {there} there before, {answer.entries_damaged} damaged"
    )
    path = answer_path(file)
    terminal.out.print(
        f"the answer is {path}; at the store: [bold]stillopen journal import {path} --data"
        " FOLDER[/]",
        soft_wrap=True,
    )


def _row(state: sync_pb2.LaneState, found: InFile | None) -> tuple[object, ...]:
    lane = found.lanes.get(Lane(state.register_id, state.epoch)) if found else None
    return (
        state.register_id,
        epoch_text(state.epoch)[:SHORT],
        lane.entries if lane else "",
        state.stored_through,
        max(0, lane.claimed - state.stored_through) if lane else "",
        state.purge_through,
    )
