"""`python -m tests.sim`: plays seeds, tells what went wrong in them, and checks the promises."""

import argparse
import json
import os
import sys
import time
from contextlib import suppress

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from tests.sim.calamities import CALAMITIES
from tests.sim.checkers import CHECKS
from tests.sim.drawing import LENGTH, Seed, read_seed
from tests.sim.seeds import keep, regression_seeds
from tests.sim.tally import Outcome, Tally, outcomes

STOPPED = 130
"""What shells say of a program that Ctrl-C ended."""


def main() -> int:
    """Plays what is asked for; 1 when a promise was broken, `STOPPED` when somebody did that."""
    wanted = argparse.ArgumentParser("python -m tests.sim", description=__doc__)
    wanted.add_argument("--seeds", type=int, default=200, metavar="N", help="how many")
    wanted.add_argument("--first", type=int, default=0, metavar="K", help="the first of them")
    wanted.add_argument("--seed", type=read_seed, metavar="X", help="this one alone")
    wanted.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="how many at a time"
    )
    wanted.add_argument(
        "--length", type=float, default=LENGTH, metavar="F", help="of days: 1 is 8 to 30 s of storm"
    )
    wanted.add_argument(
        "--rates", type=float, default=1.0, metavar="F", help="how often troubles come"
    )
    wanted.add_argument("--json", action="store_true", help="print nothing but the last line")
    asked = wanted.parse_args()
    seeds = [asked.seed]
    if asked.seed is None:
        numbers = range(asked.first, asked.first + asked.seeds)
        drawn = (Seed(number, asked.length, asked.rates) for number in numbers)
        seeds = list(dict.fromkeys([*regression_seeds(), *drawn]))
    began_s = time.perf_counter()
    tally = Tally()
    # Who stops a long run is told what came of it so far.
    with Progress(console=Console(stderr=True)) as progress, suppress(KeyboardInterrupt):
        played = outcomes(seeds, min(asked.jobs, len(seeds)))
        for each in progress.track(played, total=len(seeds), description="Seeds"):
            tally.add(each)
            _explain(each, progress.console, is_new=asked.seed is None)
    if not asked.json:
        _show(tally)
    summary = {
        "seeds": tally.seeds,
        "faults": tally.faults.total(),
        "checks": tally.seeds * len(CHECKS),
        "violations": len(tally.violations),
        "seconds": round(time.perf_counter() - began_s, 1),
    }
    sys.stdout.write(json.dumps(summary) + "\n")
    if tally.violations:
        return 1
    return 0 if tally.seeds == len(seeds) else STOPPED


def _show(tally: Tally) -> None:
    out = Console()
    faults = Table("fault", "times", title="What went wrong, where it changed something")
    for what, count in sorted(tally.faults.items()):
        faults.add_row(what, f"{count:,}")
    stakes = Table("promise", "at stake in", title="How often each promise was at stake")
    for promise in (*CHECKS, *CALAMITIES):
        stakes.add_row(promise, f"{tally.stakes[promise] / max(1, tally.seeds):.0%} of seeds")
    out.print(faults, stakes)
    out.print(f"{tally.sales:,} sales in {tally.virtual_s / 3600:,.1f} simulated hours")


def _explain(found: Outcome, out: Console, *, is_new: bool) -> None:
    """Tells at once what was broken: a long run need not end before somebody looks into it."""
    for line in found.violations:
        out.print(f"seed {found.seed}: {line}", soft_wrap=True, markup=False)
    if found.violations:
        out.print(f"replay with: python -m tests.sim --seed {found.seed}", soft_wrap=True)
        if is_new and keep(found.seed, found.violations[0]):
            out.print(f"seed {found.seed} runs for ever now: tests/sim/seeds.txt", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
