"""`python -m tests.bench`: ours against a reference of the same run, as ratios."""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.bench import (
    apply,
    backlog,
    bootstrap,
    card,
    coming_back,
    compare,
    distribution,
    drain,
    failover,
    gigabyte,
    growth,
    hot_card,
    idle,
    imports,
    offline_sale,
    start,
    storm,
    visible,
)
from tests.bench.figures import Line, Skipped

BENCHMARKS: dict[str, Callable[[], Awaitable[Sequence[Line]]]] = {
    "apply": apply.measure,
    "backlog": backlog.measure,
    "bootstrap": bootstrap.measure,
    "card": card.measure,
    "compare": compare.measure,
    "distribution": distribution.measure,
    "drain": drain.measure,
    "failover": failover.measure,
    "gigabyte": gigabyte.measure,
    "growth": growth.measure,
    "hot-card": hot_card.measure,
    "idle": idle.measure,
    "imports": imports.measure,
    "offline-sale": offline_sale.measure,
    "return": coming_back.measure,
    "start": start.measure,
    "storm": storm.measure,
    "visible": visible.measure,
}


async def run(names: list[str], console: Console) -> list[Line]:
    """Runs the named benchmarks one after another."""
    lines: list[Line] = []
    for number, name in enumerate(names, 1):
        with console.status(f"measuring {name} ({number} of {len(names)})"):
            began = time.perf_counter()
            lines += await BENCHMARKS[name]()
            console.print(f"{name}: {time.perf_counter() - began:.0f} s")
    return lines


def cells(line: Line) -> tuple[str, ...]:
    """A line of the table."""
    if isinstance(line, Skipped):
        return (line.name, "", "", "", "", "", f"skipped: {line.why}")
    aim = "stated" if line.aim is None else f"{'>=' if line.at_least else '<='} {line.aim:g}"
    return (
        line.name,
        f"{line.figure:,.2f}",
        f"{line.reference:,.2f}",
        line.unit,
        f"{line.ratio:.2f}",
        aim,
        {None: "", True: "yes", False: "[red]no[/]"}[line.met],
    )


def main() -> None:
    """Prints a table, and writes JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(BENCHMARKS), help="run one benchmark")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--plots", type=Path, help="draw cost against size into this folder")
    arguments = parser.parse_args()
    if arguments.plots:
        BENCHMARKS["growth"] = partial(growth.measure, arguments.plots)
    names = [arguments.only] if arguments.only else list(BENCHMARKS)
    lines = asyncio.run(run(names, Console(stderr=True)))
    table = Table(box=None, header_style="bold")
    for column in ("benchmark", "ours", "reference", "unit", "ratio", "aim", "met"):
        is_text = column in {"benchmark", "unit", "met"}
        table.add_column(column, justify="left" if is_text else "right")
    for each in lines:
        table.add_row(*cells(each))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps([each.as_json() for each in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
