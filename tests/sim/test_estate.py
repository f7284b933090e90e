"""The whole estate on virtual time: everything goes wrong, and no promise is broken."""

import os
import subprocess
import sys

import pytest
from tests.sim.checkers import CHECKS, violations
from tests.sim.play import Played, play
from tests.sim.seeds import regression_seeds
from tests.sim.stakes import at_stake
from tests.support.repository import ROOT

SEEDS = 40
REGRESSIONS = regression_seeds()
PLAYED: dict[int, set[str]] = {}
FAULTS: set[str] = set()


def check(seed: int) -> Played:
    played = play(seed)
    assert violations(played.record) == []
    return played


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_seed_breaks_no_promise(seed: int) -> None:
    played = check(seed)
    PLAYED[seed] = at_stake(played)
    FAULTS.update(what for what, count in played.faults.items() if count)


@pytest.mark.parametrize("seed", list(REGRESSIONS), ids=[str(seed) for seed in REGRESSIONS])
def test_a_seed_that_once_broke_a_promise_breaks_none(seed: int) -> None:
    check(seed)


def test_every_promise_was_at_stake_and_every_kind_of_trouble_was_there() -> None:
    if len(PLAYED) < SEEDS:
        pytest.skip("needs all the seeds before it")
    often = {name: sum(name in promises for promises in PLAYED.values()) for name in CHECKS}
    assert {name: count for name, count in often.items() if count < SEEDS // 10} == {}
    troubles = {
        "break_stream", "broken", "crash", "crash after a commit", "crash before a commit",
        "cut answers-lost", "cut closed", "cut silent", "delay", "drop_request", "drop_response",
        "duplicate", "held", "jump", "refused", "shutdown", "sleep", "stop",
    }  # fmt: skip
    assert troubles - FAULTS == set()


def test_one_seed_is_one_history_and_another_is_another() -> None:
    digest = play(2).record.history.digest
    assert digest == play(2).record.history.digest
    assert digest != play(3).record.history.digest


def test_a_history_is_the_same_in_every_process_whatever_its_hash_seed() -> None:
    program = "from tests.sim.play import play; print(play(2).record.history.digest)"
    digests = {play(2).record.history.digest}
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
