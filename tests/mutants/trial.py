"""A trial: seeds are played on a copy with a mutant in it, in a process of its own."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.copies import ROOTS, UnappliedError, mutated
from tests.mutants.patches import Mutant

SILENT_S_MAX = 900.0
"""For how long a player may say nothing: it gives a seed up much sooner."""
BROKEN_MAX = 20
"""When so many seeds and no other end with an error, the simulation does not run at all."""
_LINE_BYTES_MAX = 2**24


@dataclass(slots=True)
class Trial:
    """What became of a mutant."""

    mutant: Mutant
    seeds: int = 0
    """How many were played, the one that caught it included."""
    seed: int | None = None
    """The one that caught it."""
    lines: list[str] = field(default_factory=list[str])
    """What its checkers said then."""
    others: Counter[str] = field(default_factory=Counter[str])
    """What was said besides, by checker: how often."""
    samples: dict[str, str] = field(default_factory=dict[str, str])
    """The first of it, by checker."""
    stakes: Counter[str] = field(default_factory=Counter[str])
    """In how many seeds each promise was at stake."""
    broken: int = 0
    """How many seeds ended with an error."""
    failure: str = ""
    """Why it could not be tried out."""
    seconds: float = 0.0

    @property
    def caught(self) -> bool:
        """Whether one of its checkers reported it."""
        return self.seed is not None

    @property
    def caught_by(self) -> str:
        """The checkers that did."""
        return ", ".join(dict.fromkeys(line.partition(":")[0] for line in self.lines))


async def try_out(
    mutant: Mutant, tree: Path, seeds: Sequence[int], tell: Callable[[Trial], None]
) -> Trial:
    """Plays the seeds in their order, and stops at the first that catches the mutant."""
    loop = asyncio.get_running_loop()
    trial, began_s = Trial(mutant), loop.time()
    try:
        with mutated(mutant, tree) as copy:
            await _play(trial, copy, seeds, tell)
    except UnappliedError as error:
        trial.failure = str(error)
    trial.seconds = loop.time() - began_s
    return trial


async def _play(
    trial: Trial, copy: Path, seeds: Sequence[int], tell: Callable[[Trial], None]
) -> None:
    paths = [copy, *(copy / root for root in ROOTS)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.mutants.player",
        cwd=copy,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES_MAX,
    )
    said = asyncio.create_task(_last_words(process))
    try:
        await _listen(trial, process, seeds, tell)
    except BaseException:
        process.kill()
        raise
    finally:
        await process.wait()
        words = await said
    if not trial.caught and not trial.failure and trial.seeds < len(seeds):
        trial.failure = f"the player ended: {words}"


async def _listen(
    trial: Trial,
    process: asyncio.subprocess.Process,
    seeds: Sequence[int],
    tell: Callable[[Trial], None],
) -> None:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the player has no pipes")
    process.stdin.write(json.dumps({"seeds": list(seeds), "by": trial.mutant.by}).encode())
    process.stdin.close()
    try:
        while True:
            async with asyncio.timeout(SILENT_S_MAX):
                line = await process.stdout.readline()
            if not line:
                return
            _note(trial, json.loads(line))
            tell(trial)
            if trial.seeds == trial.broken == BROKEN_MAX:
                process.kill()
                trial.failure = f"no seed runs: {next(iter(trial.samples.values()), '')}"
                return
    except TimeoutError:
        process.kill()
        trial.failure = f"the seed after {trial.seeds} others did not end"


def _note(trial: Trial, told: dict[str, list[str]]) -> None:
    trial.seeds += 1
    trial.stakes.update(told["stakes"])
    trial.broken += not told["stakes"]
    for line in told["others"]:
        name = line.partition(":")[0]
        trial.others[name] += 1
        trial.samples.setdefault(name, line)
    if told["caught"]:
        trial.seed, trial.lines = int(str(told["seed"])), told["caught"]


async def _last_words(process: asyncio.subprocess.Process) -> str:
    if process.stderr is None:
        return ""
    return (await process.stderr.read()).decode(errors="replace").strip()[-1_000:]
