"""`stillopen compare`: whether channels and registers have what headquarters has, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.v1 import headquarters_pb2

_KIND = "DIFFERENCE_KIND_"


@dataclass(frozen=True, slots=True)
class Replica:
    """A place that is compared: a store's channel, or a register of it."""

    store_id: str
    register_id: str = ""

    @property
    def text(self) -> str:
        """The place as people read it."""
        if self.register_id:
            return f"register {self.register_id} of store {self.store_id}"
        return f"the channel of store {self.store_id}"


@dataclass(slots=True)
class Outcome:
    """What came of comparing a place: a summary and rows, or why there is none."""

    replica: Replica
    differences: list[headquarters_pb2.RowDifference] = field(
        default_factory=list[headquarters_pb2.RowDifference]
    )
    summary: headquarters_pb2.CompareSummary = field(
        default_factory=headquarters_pb2.CompareSummary
    )
    error: StillopenError | None = None

    @property
    def behind(self) -> bool:
        """Whether there are packages that it does not have yet."""
        return self.summary.sequence < self.summary.newest_sequence


def compare(
    store: Annotated[str, typer.Option(help="One store: its channel and its registers.")] = "",
    register: Annotated[str, typer.Option(help="One register only.")] = "",
    table: Annotated[
        list[str] | None, typer.Option(help="One table only; may be given again.")
    ] = None,
    most: Annotated[int, typer.Option(help="The most rows named for a place.", min=0)] = 1_000,
    headquarters: Annotated[
        str, typer.Option("--headquarters", help="Address of headquarters.")
    ] = "127.0.0.1:7400",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare what channels and registers have with headquarters, and name the rows that differ.

    Rows that headquarters changed and that no package of the place could hold yet are on their way.
    Ends with 1 when other rows differ, with 3 when a place did not answer.

    Example: stillopen compare --store S1 --table product
    """

    async def work() -> list[Outcome]:
        async with Headquarters(headquarters) as place:
            found = await _replicas(place, store, register)
            shown = terminal.err.is_terminal
            with Progress(console=terminal.err, transient=True, disable=not shown) as progress:
                return [await _compared(place, each, table or (), most, progress) for each in found]

    outcomes = terminal.run(work())
    if json:
        terminal.show_json({"replicas": [_as_json(each) for each in outcomes]})
    else:
        _show(outcomes)
    if any(each.summary.differences for each in outcomes):
        raise typer.Exit(terminal.EXIT_REFUSED)
    if any(each.error for each in outcomes):
        raise typer.Exit(terminal.EXIT_UNREACHABLE)


async def _replicas(place: Headquarters, store_id: str, register_id: str) -> list[Replica]:
    if register_id:
        return [Replica(store_id or await _store_of(place, register_id), register_id)]
    found = [
        Replica(each.store_id, each.register_id)
        async for each in place.replicas()
        if store_id in ("", each.store_id)
    ]
    # Headquarters says what it thinks of a store that it does not list.
    return found or ([Replica(store_id)] if store_id else [])


async def _store_of(place: Headquarters, register_id: str) -> str:
    async for each in place.registers():
        if each.register_id == register_id:
            return each.store_id
    raise Refused(Reason.NAME_UNKNOWN, f"there is no register {register_id}", "register_id")


async def _compared(
    place: Headquarters,
    replica: Replica,
    tables: Sequence[str],
    most: int,
    progress: Progress,
) -> Outcome:
    outcome = Outcome(replica)
    bar = progress.add_task(f"Comparing {replica.text}", total=None)
    try:
        async for part in place.compare(replica.store_id, replica.register_id, tables, most):
            if part.HasField("progress"):
                now = part.progress
                text = f"Comparing {replica.text}: {now.table}"
                progress.update(bar, description=text, completed=now.compared, total=now.rows)
            elif part.HasField("difference"):
                outcome.differences.append(part.difference)
            elif part.HasField("summary"):
                outcome.summary = part.summary
    except StillopenError as error:
        if isinstance(error, Misuse) or error.reason is Reason.NAME_UNKNOWN:
            raise
        outcome.error = error  # the other places do not wait for this one
    finally:
        progress.remove_task(bar)
    return outcome


def _as_json(outcome: Outcome) -> dict[str, object]:
    error = outcome.error
    return {
        "store_id": outcome.replica.store_id,
        "register_id": outcome.replica.register_id,
        "differences": [terminal.as_json(each) for each in outcome.differences],
        "summary": None if error else terminal.as_json(outcome.summary),
        "error": {"reason": error.reason, "message": error.message} if error else None,
    }


def _show(outcomes: Sequence[Outcome]) -> None:
    if any(each.differences for each in outcomes):
        terminal.show_table(
            ["store", "register", "table", "key", "at the replica", ""],
            [
                (
                    outcome.replica.store_id,
                    outcome.replica.register_id or "(channel)",
                    row.table,
                    escape(row.key),
                    kind_text(row.kind),
                    "on its way" if row.on_its_way else "",
                )
                for outcome in outcomes
                for row in outcome.differences
            ],
        )
    for outcome in outcomes:
        terminal.out.print(_line(outcome), soft_wrap=True)
    if not outcomes:
        terminal.out.print("[dim]there is no place with a copy of master data[/]")


def _line(outcome: Outcome) -> str:
    """What was found at a place, in a line."""
    where, error, found = outcome.replica.text, outcome.error, outcome.summary
    if error is not None:
        cannot = "cannot be reached" if isinstance(error, Unreachable) else "is not compared"
        return f"[yellow]{where} {cannot}[/]: {escape(error.message)}"
    said: list[str] = []
    if found.differences:
        said.append(f"[red]{found.differences} differ[/]")
    if found.on_their_way:
        said.append(f"{found.on_their_way} on their way")
    named = len(outcome.differences)
    if named < found.differences + found.on_their_way:
        said.append(f"the first {named} are named")
    if outcome.behind:
        has, newest = found.sequence, found.newest_sequence
        said.append(f"[yellow]behind[/]: it has package {has} of {newest}")
    return f"{where}: {found.rows} rows, {', '.join(said) or '[green]all the same[/]'}"


def kind_text(kind: headquarters_pb2.DifferenceKind.ValueType) -> str:
    """How a row differs, as people read it; what newer software knows by its number."""
    named = headquarters_pb2.DifferenceKind.DESCRIPTOR.values_by_number.get(kind)
    return named.name.removeprefix(_KIND).lower() if named else str(kind)
