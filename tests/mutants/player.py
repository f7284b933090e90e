"""Plays seeds on the source of the folder it is started in, until a mutant is caught.

Started by `tests/mutants/trial.py` in a copy with a mutant in it. Reads seeds and the names of the
checkers that count from its input, and writes one line of JSON for each seed.
"""

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.sim import play
from tests.sim.checkers import violations
from tests.sim.drawing import Seed
from tests.sim.stakes import at_stake

from stillopen.core import card
from stillopen.register import register

LENGTH = 1.0
"""Of the days that are played: those of the long run in docs/proof.md."""
SEED_S_MAX = 40
"""Of a processor, for a seed: with a mutant in it, it may never end."""
_CRASH = re.compile(
    r"ended by itself|ended with|nobody was told of|logged by|INTERNAL|Traceback"
    r"|(Type|Name|Attribute|Key|Index|Assertion|Unbound\w*)Error"
)
"""How the simulation tells that a program failed instead of breaking its word."""


def is_crash(line: str) -> bool:
    """Whether a violation says no more than that a program failed."""
    return _CRASH.search(line) is not None


def main() -> None:
    """Plays what it is told."""
    _check_origin()
    signal.signal(signal.SIGPROF, signal.default_int_handler)
    asked = json.loads(sys.stdin.read())
    for told in _told(asked["seeds"], set(asked["by"])):
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        if told["caught"]:
            return


def _told(seeds: list[int], by: set[str]) -> Iterator[dict[str, object]]:
    for seed in seeds:
        found, stakes = _played(seed)
        caught = [each for each in found if each.partition(":")[0] in by and not is_crash(each)]
        others = [each for each in found if each not in caught]
        yield {"seed": seed, "caught": caught, "others": others, "stakes": stakes}


def _played(seed: int) -> tuple[list[str], list[str]]:
    signal.setitimer(signal.ITIMER_PROF, SEED_S_MAX)
    try:
        played = play.play(Seed(seed, LENGTH))
        return violations(played.record), sorted(at_stake(played))
    except KeyboardInterrupt:  # the alarm: no loop and no task keeps that to itself
        return [f"Endless: the seed {seed} took more than {SEED_S_MAX} s"], []
    except Exception as error:  # noqa: BLE001 - a mutant may do anything; a crash is no catch
        return [f"{type(error).__name__}: the seed {seed} ended with {error}"[:500]], []
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _check_origin() -> None:
    """A copy that is not what runs would prove nothing."""
    here = Path.cwd().resolve()
    for module in (card, register, play):
        file = Path(str(module.__file__)).resolve()
        if not file.is_relative_to(here):
            raise SystemExit(f"{file} runs instead of the copy in {here}")


if __name__ == "__main__":
    main()
