"""`python -m tests.bench`: ours against a reference of the same run, as ratios."""

import argparse
import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.bench import (
    apply,
    backlog,
    bootstrap,
    card,
    compare,
    distribution,
    drain,
    gigabyte,
    imports,
    offline_sale,
    storm,
    visible,
)
from tests.bench.figures import Figure

BENCHMARKS = {
    "apply": apply.measure,
    "backlog": backlog.measure,
    "bootstrap": bootstrap.measure,
    "card": card.measure,
    "compare": compare.measure,
    "distribution": distribution.measure,
    "drain": drain.measure,
    "gigabyte": gigabyte.measure,
    "imports": imports.measure,
    "offline-sale": offline_sale.measure,
    "storm": storm.measure,
    "visible": visible.measure,
}


async def run(names: list[str], console: Console) -> list[Figure]:
    """Runs the named benchmarks one after another."""
    figures: list[Figure] = []
    for name in names:
        with console.status(f"measuring {name}"):
            figures += await BENCHMARKS[name]()
    return figures


def main() -> None:
    """Prints a table, and writes JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(BENCHMARKS), help="run one benchmark")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(BENCHMARKS)
    figures = asyncio.run(run(names, Console(stderr=True)))
    table = Table(box=None, header_style="bold")
    for column in ("benchmark", "ours", "reference", "unit", "ratio", "aim", "met"):
        table.add_column(column, justify="left" if column in {"benchmark", "unit"} else "right")
    for each in figures:
        table.add_row(
            each.name,
            f"{each.figure:.2f}",
            f"{each.reference:.2f}",
            each.unit,
            f"{each.ratio:.2f}",
            f"{'>=' if each.at_least else '<='} {each.aim:g}",
            "yes" if each.met else "[red]no[/]",
        )
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps([each.as_json() for each in figures], indent=1))


if __name__ == "__main__":
    main()
