"""`python -m tests.sim`: plays seeds, tells what went wrong in them, and checks the promises."""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from tests.sim.checkers import CHECKS, violations
from tests.sim.loop import Deadlock, Livelock, OutOfTime
from tests.sim.play import play
from tests.sim.seeds import regression_seeds
from tests.sim.stakes import at_stake


@dataclass(slots=True)
class Tally:
    """What came of all seeds."""

    seeds: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    stakes: Counter[str] = field(default_factory=Counter[str])
    violations: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def main() -> int:
    """Plays what the command line asks for; 1 when a promise was broken."""
    wanted = argparse.ArgumentParser("python -m tests.sim", description=__doc__)
    wanted.add_argument("--seeds", type=int, default=200, metavar="N", help="how many")
    wanted.add_argument("--first", type=int, default=0, metavar="K", help="the first of them")
    wanted.add_argument("--seed", type=int, metavar="X", help="this one alone")
    wanted.add_argument("--json", action="store_true", help="print nothing but the last line")
    asked = wanted.parse_args()
    if asked.seed is not None:
        seeds = [asked.seed]
    else:
        drawn = range(asked.first, asked.first + asked.seeds)
        seeds = list(dict.fromkeys([*regression_seeds(), *drawn]))
    began_s = time.perf_counter()
    tally = Tally()
    with Progress(console=Console(stderr=True)) as progress:
        for seed in progress.track(seeds, description="Seeds"):
            _play(seed, tally)
    if not asked.json:
        _show(tally)
    _explain(tally)
    summary = {
        "seeds": tally.seeds,
        "faults": sum(count for what, count in tally.faults.items() if what != "delay"),
        "checks": tally.seeds * len(CHECKS),
        "violations": len(tally.violations),
        "seconds": round(time.perf_counter() - began_s, 1),
    }
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if tally.violations else 0


def _play(seed: int, tally: Tally) -> None:
    tally.seeds += 1
    try:
        played = play(seed)
    except (Deadlock, Livelock, OutOfTime, TimeoutError) as error:
        tally.violations.append((seed, f"P7: {type(error).__name__}: {error}"))
        return
    tally.faults += played.faults
    tally.stakes.update(at_stake(played))
    tally.violations += [(seed, line) for line in violations(played.record)]


def _show(tally: Tally) -> None:
    out = Console()
    faults = Table("fault", "times", title="What went wrong, where it changed something")
    for what, count in sorted(tally.faults.items()):
        faults.add_row(what, str(count))
    stakes = Table("promise", "at stake in", title="How often each promise was at stake")
    for promise in CHECKS:
        stakes.add_row(promise, f"{tally.stakes[promise] / max(1, tally.seeds):.0%} of seeds")
    out.print(faults, stakes)


def _explain(tally: Tally) -> None:
    out = Console(stderr=True)
    for seed, line in tally.violations:
        out.print(f"seed {seed}: {line}", soft_wrap=True, markup=False)
    for seed in dict.fromkeys(seed for seed, _ in tally.violations):
        out.print(f"replay with: python -m tests.sim --seed {seed}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
