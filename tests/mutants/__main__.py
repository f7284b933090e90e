"""`python -m tests.mutants`: puts faults into the source, one by one, and plays until each is seen.

Example: python -m tests.mutants --only versions-not-compared
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from tests.mutants.patches import Mutant, UnreadableError, read_mutants
from tests.mutants.report import explained, put_markdown, summary, table_of
from tests.mutants.trial import Trial, try_out
from tests.support.repository import ROOT

SEEDS_MAX = 1_000
AT_ONCE = 2
_PROOF = Path("docs/proof.md")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    mutants: list[Mutant]
    tree: Path
    seeds: Sequence[int]
    as_json: bool
    as_markdown: bool


def main() -> int:
    """Tries mutants out; 1 when one was not caught, or does not apply."""
    try:
        asked = _asked()
    except UnreadableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    trials = asyncio.run(_try_out_all(asked))
    if not asked.as_json:
        Console().print(table_of(trials))
    for line in (line for each in trials if not each.caught for line in explained(each)):
        sys.stderr.write(f"{line}\n")
    if asked.as_markdown:
        put_markdown(asked.tree / _PROOF, trials)
    sys.stdout.write(json.dumps(summary(trials)) + "\n")
    return 0 if trials and all(each.caught for each in trials) else 1


def _asked() -> Asked:
    wanted = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    wanted.add_argument("--only", action="append", metavar="NAME", help="this mutant alone")
    wanted.add_argument("--first", type=int, default=0, metavar="K", help="the first seed drawn")
    wanted.add_argument(
        "--seeds", type=int, default=SEEDS_MAX, metavar="N", help="give a mutant up after so many"
    )
    wanted.add_argument("--tree", type=Path, default=ROOT, help="the source to put them into")
    wanted.add_argument("--json", action="store_true", help="print nothing but the last line")
    wanted.add_argument(
        "--markdown", action="store_true", help=f"write the table into {_PROOF} too"
    )
    given = wanted.parse_args()
    mutants = read_mutants()
    names = {mutant.name for mutant in mutants}
    if missing := set(given.only or ()) - names:
        wanted.error(f"there is no mutant {', '.join(sorted(missing))}; there are {sorted(names)}")
    if given.only and given.markdown:
        wanted.error("the table has all mutants: --markdown and --only do not go together")
    return Asked(
        [mutant for mutant in mutants if not given.only or mutant.name in given.only],
        given.tree.resolve(),
        range(given.first, given.first + given.seeds),
        given.json,
        given.markdown,
    )


async def _try_out_all(asked: Asked) -> list[Trial]:
    places = asyncio.Semaphore(AT_ONCE)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        whole = progress.add_task("Mutants", total=len(asked.mutants))

        async def one(mutant: Mutant) -> Trial:
            async with places:
                row = progress.add_task(f"  {mutant.name}", total=len(asked.seeds))
                trial = await try_out(
                    mutant,
                    asked.tree,
                    asked.seeds,
                    lambda now: progress.update(row, completed=now.seeds),
                )
                progress.remove_task(row)
                progress.advance(whole)
                progress.console.print(_told(trial), soft_wrap=True, markup=False, highlight=False)
                return trial

        async with asyncio.TaskGroup() as group:
            running = [group.create_task(one(mutant)) for mutant in asked.mutants]
        return [task.result() for task in running]


def _told(trial: Trial) -> str:
    name, said = trial.mutant.name, trial.lines[0][:160] if trial.lines else ""
    if trial.caught:
        return f"{name}: seed {trial.seed}, the {trial.seeds}th: {said}"
    return f"{name}: {trial.failure or f'not seen in {trial.seeds} seeds'}"


if __name__ == "__main__":
    sys.exit(main())
