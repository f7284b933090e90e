"""The mutants fit the source as it is, and one of them is really found."""

import asyncio
from collections import Counter

import pytest
from tests.mutants.copies import UnappliedError, check_applies
from tests.mutants.patches import PROMISES, Mutant, UnreadableError, read_mutant, read_mutants
from tests.mutants.player import is_crash
from tests.mutants.trial import try_out
from tests.sim.checkers import CHECKS
from tests.support.repository import ROOT

LEAST = 25
SEEDS = (0, 1, 2)
HEAD = "promise: P4\nby: P4, P3\n\nA rule is gone.\nSo money is.\n\n"
DIFF = """\
diff --git a/services/a.py b/services/a.py
--- a/services/a.py
+++ b/services/a.py
@@ -1 +1 @@
-one
+two
"""
MUTANTS = {mutant.name: mutant for mutant in read_mutants()}


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_patch_applies_to_the_source_as_it_is(name: str) -> None:
    check_applies(MUTANTS[name], ROOT)


def test_every_promise_has_two_mutants_and_every_checker_is_there() -> None:
    promises = Counter(mutant.promise for mutant in MUTANTS.values())
    assert {name: promises[name] for name in PROMISES if promises[name] < 2} == {}
    assert len(MUTANTS) >= LEAST
    assert {each for mutant in MUTANTS.values() for each in mutant.by} - CHECKS.keys() == set()


def test_a_mutant_says_what_it_breaks_and_who_must_see_it() -> None:
    read = read_mutant("gone", HEAD + DIFF)
    assert read == Mutant(
        "gone", "P4", ("P4", "P3"), "A rule is gone. So money is.", ("services/a.py",), DIFF
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD, "no diff"),
        (HEAD.replace("P4\n", "P0\n", 1) + DIFF, "P0 is no promise"),
        (HEAD.replace("P4, P3", "") + DIFF, "who must see it"),
        (HEAD.partition("A rule")[0] + DIFF, "which rule"),
        (HEAD + DIFF.replace("services", "tests"), "besides the shipped source"),
    ],
)
def test_what_is_no_mutant_is_not_taken_for_one(text: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_mutant("none", text)


def test_a_patch_that_does_not_fit_is_told() -> None:
    stranger = read_mutant("stranger", HEAD + DIFF)
    with pytest.raises(UnappliedError, match="stranger does not apply"):
        check_applies(stranger, ROOT)
    trial = asyncio.run(try_out(stranger, ROOT, SEEDS, lambda _: None))
    assert not trial.caught
    assert "stranger does not apply" in trial.failure


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("P7: S1 ended by itself: ValueError('x')", True),
        ("P7: nobody was told of {'exception': ...}", True),
        ("P7: R1-1: the cashier ended with TypeError()", True),
        ("P7: logged by stillopen.rpc: GetStatus failed KeyError(1)", True),
        ("P7: R1-1: Begin answered INTERNAL: see the log", True),
        ("Deadlock: the seed 1 ended with nothing can happen", True),
        ("P7: R1-1: the cashier could not finish", False),
        ("P3: card 7000: balance 1, ledger 2", False),
    ],
)
def test_a_program_that_only_failed_is_not_a_promise_that_was_broken(
    line: str,
    is_one: bool,  # noqa: FBT001 - a case of a table
) -> None:
    assert is_crash(line) is is_one


def test_a_mutant_is_caught_by_its_checker_on_a_copy_of_the_source() -> None:
    mutant = MUTANTS["serialized-again-from-the-tables"]
    trial = asyncio.run(try_out(mutant, ROOT, SEEDS, lambda _: None))
    assert trial.failure == ""
    assert trial.caught_by == "P2"
