"""What came of many seeds: played beside each other, in processes of their own, and counted."""

import multiprocessing
import signal
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.sim.checkers import violations
from tests.sim.drawing import Seed
from tests.sim.loop import Deadlock, Livelock, OutOfTime
from tests.sim.play import play
from tests.sim.stakes import at_stake


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed."""

    seed: Seed
    digest: str = ""
    """Of its history: two runs of a seed have the same."""
    sales: int = 0
    virtual_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter[str])
    stakes: frozenset[str] = frozenset()
    violations: tuple[str, ...] = ()


def outcome(seed: Seed) -> Outcome:
    """Plays a seed and checks it."""
    try:
        return _checked(seed)
    except (Deadlock, Livelock, OutOfTime, TimeoutError) as error:
        return Outcome(seed, violations=(f"P7: {type(error).__name__}: {error}",))
    except Exception as error:  # noqa: BLE001 - a long run goes on and tells of it
        where = "".join(traceback.format_tb(error.__traceback__)[-4:])
        return Outcome(seed, violations=(f"the world ended with {error!r}:\n{where}",))


def _checked(seed: Seed) -> Outcome:
    played = play(seed)
    return Outcome(
        seed,
        played.record.history.digest,
        len(played.record.answers.transactions),
        played.virtual_s,
        Counter({what: n for what, n in played.faults.items() if n and what != "delay"}),
        frozenset(at_stake(played)),
        tuple(violations(played.record)),
    )


def outcomes(seeds: Iterable[Seed], jobs: int) -> Iterator[Outcome]:
    """Plays seeds, so many at a time; in the order in which they end."""
    if jobs == 1:
        yield from map(outcome, seeds)
        return
    # A new process for every five hundred seeds: what one of them leaves behind cannot add up.
    processes = multiprocessing.get_context("spawn")
    with processes.Pool(jobs, _leave_stopping_to_the_parent, maxtasksperchild=500) as pool:
        yield from pool.imap_unordered(outcome, seeds)


def _leave_stopping_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass(slots=True)
class Tally:
    """What came of all of them."""

    seeds: int = 0
    sales: int = 0
    virtual_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter[str])
    """How often each kind of trouble changed something; mere lateness is not counted."""
    stakes: Counter[str] = field(default_factory=Counter[str])
    """In how many seeds each promise was at stake."""
    violations: list[tuple[Seed, str]] = field(default_factory=list[tuple[Seed, str]])

    def add(self, found: Outcome) -> None:
        """One more."""
        self.seeds += 1
        self.sales += found.sales
        self.virtual_s += found.virtual_s
        self.faults += found.faults
        self.stakes.update(found.stakes)
        self.violations += [(found.seed, line) for line in found.violations]
