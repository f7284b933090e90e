"""The whole estate on virtual time: everything goes wrong, and no promise is broken."""

import os
import subprocess
import sys
from collections import Counter
from typing import ClassVar

import pytest
from tests.sim.checkers import CHECKS
from tests.sim.drawing import Seed
from tests.sim.seeds import regression_seeds
from tests.sim.tally import outcome
from tests.support.repository import ROOT

SEEDS_A_QUARTER = 125
SEEDS_A_TEST = 5
QUARTER = range(0, SEEDS_A_QUARTER, SEEDS_A_TEST)
REGRESSIONS = regression_seeds()
TROUBLES = {
    "break_stream", "broken", "crash", "crash after a commit", "crash before a commit",
    "cut answers-lost", "cut closed", "cut silent", "drop_request", "drop_response",
    "duplicate", "held", "jump", "refused", "shutdown", "sleep", "spoil", "stop",
}  # fmt: skip


class Quarter:
    """A quarter of the seeds; quarters are played beside each other."""

    first: ClassVar[int]
    played: ClassVar[int]
    stakes: ClassVar[Counter[str]]
    faults: ClassVar[Counter[str]]

    def __init_subclass__(cls, first: int) -> None:
        cls.first, cls.played = first, 0
        cls.stakes, cls.faults = Counter(), Counter()

    @pytest.mark.parametrize("place", QUARTER)
    def test_seeds_break_no_promise(self, place: int) -> None:
        for seed in range(self.first + place, self.first + place + SEEDS_A_TEST):
            found = outcome(Seed(seed))
            assert found.violations == (), f"replay with: python -m tests.sim --seed {seed}"
            type(self).played += 1
            self.stakes.update(found.stakes)
            self.faults.update(found.faults)

    def test_every_promise_was_at_stake_and_every_kind_of_trouble_was_there(self) -> None:
        if self.played < SEEDS_A_QUARTER:
            pytest.skip("needs all the seeds before it")
        seldom = {name: n for name in CHECKS if (n := self.stakes[name]) < SEEDS_A_QUARTER // 40}
        assert seldom == {}
        assert TROUBLES - {what for what, count in self.faults.items() if count} == set()


class TestTheFirstQuarter(Quarter, first=0):
    pass


class TestTheSecondQuarter(Quarter, first=SEEDS_A_QUARTER):
    pass


class TestTheThirdQuarter(Quarter, first=2 * SEEDS_A_QUARTER):
    pass


class TestTheLastQuarter(Quarter, first=3 * SEEDS_A_QUARTER):
    pass


@pytest.mark.parametrize("seed", list(REGRESSIONS), ids=str)
def test_a_seed_that_once_broke_a_promise_breaks_none(seed: Seed) -> None:
    assert outcome(seed).violations == ()


def test_one_seed_is_one_history_and_another_is_another() -> None:
    digest = outcome(Seed(2)).digest
    assert digest == outcome(Seed(2)).digest
    assert digest != outcome(Seed(3)).digest


def test_a_history_is_the_same_in_every_process_whatever_its_hash_seed() -> None:
    program = (
        "from tests.sim.drawing import Seed\nfrom tests.sim.tally import outcome\n"
        "print(outcome(Seed(2)).digest)"
    )
    digests = {outcome(Seed(2)).digest}
    for hash_seed in ("1", "2"):
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1
