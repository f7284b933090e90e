"""Every interleaving of the protocol has its row, and every test that a row names exists."""

import re

import pytest
from tests.support.named_tests import NAMED, missing_tests
from tests.support.repository import ROOT

ROW = re.compile(r"^\| H(\d+)(?:\.(\d+))? \|")
NUMBERS = range(1, 36)
PARTS = {1: 7, 2: 2, 3: 3, 4: 6, 5: 5, 6: 2, 7: 4, 8: 2, 9: 6, 11: 7, 12: 3, 14: 2, 17: 4}
"""How many stories an interleaving tells, where it is more than one."""


def rows() -> list[str]:
    """The rows of the table."""
    text = (ROOT / "docs" / "interleavings.md").read_text()
    return [line for line in text.splitlines() if ROW.match(line)]


def test_every_interleaving_has_its_row_in_order() -> None:
    found = [ROW.match(row) for row in rows()]
    wanted = [
        (str(number), str(part) if number in PARTS else None)
        for number in NUMBERS
        for part in range(1, PARTS.get(number, 1) + 1)
    ]
    assert [match.groups() for match in found if match] == wanted


def test_every_test_that_is_named_exists() -> None:
    assert [name for row in rows() for name in missing_tests(row)] == []


def test_every_row_names_a_test() -> None:
    assert [row for row in rows() if not NAMED.search(row)] == []


@pytest.mark.parametrize("file", ["tests/architecture/test_interleavings.py", "tests/nowhere.py"])
def test_a_test_that_does_not_exist_is_found(file: str) -> None:
    row = f"| H1.1 | a | b | `{file}::test_nothing_of_the_kind` |"
    assert missing_tests(row) == [f"{file}::test_nothing_of_the_kind"]
