"""What the incumbent does has its row in docs/parity.md, with Stillopen's answer and its test."""

import re
from collections import Counter
from dataclasses import dataclass

import pytest
from tests.support.named_tests import NAMED, missing_tests
from tests.support.repository import ROOT

YES, DIFFERENTLY, NOT_YET = "yes", "differently", "not yet"
NOT_YET_MAX = 15
NUMBERED = {
    "Connection states and switching": range(1, 31),
    "Connection status page": range(31, 36),
    "Set-up, sign-in, devices": range(36, 49),
    "Gift cards": range(80, 110),
    "Credit memos": range(110, 115),
}
"""The numbered sections of the document and the numbers of their rows."""
COMPLETE = (
    "Connection states and switching",
    "Connection status page",
    "Gift cards",
    "Credit memos",
)
"""The sections in which nothing is missing."""
NAMED_ROWS = {
    "Offline profile": 19,
    "Jobs": 22,
    "Objects of distribution": 8,
    "Sessions": 25,
    "Parameters and switches of distribution": 11,
    "Packages": 9,
}
"""The sections whose rows have names, and how many each has."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: what it is about, what each of the two does, and the tests that show it."""

    section: str
    about: str
    incumbent: str
    answer: str
    tests: str

    @property
    def verdict(self) -> str:
        """Yes, differently or not yet; empty for anything else."""
        return next((word for word in (YES, DIFFERENTLY, NOT_YET) if self._says(word)), "")

    @property
    def explained(self) -> bool:
        """Whether more is said than the verdict."""
        return bool(self.answer.removeprefix(self.verdict).strip(": "))

    def _says(self, word: str) -> bool:
        return self.answer == word or self.answer.startswith(f"{word}: ")


def rows_of(text: str) -> list[Row]:
    """The rows of every table below a heading; headers and rules of tables are none."""
    section, found = "", list[Row]()
    for line in text.splitlines():
        if line.startswith("## "):
            section = re.sub(r" \(.*\)$", "", line.removeprefix("## "))
        elif section and line.startswith("| ") and not line.startswith("| | "):
            about, incumbent, answer, tests = (cell.strip() for cell in line.split("|")[1:-1])
            found.append(Row(section, about, incumbent, answer, tests))
    return found


def faults(row: Row) -> list[str]:
    """What is wrong with a row."""
    found: list[str] = []
    if not row.verdict:
        found.append("no verdict")
    if not row.incumbent:
        found.append("nothing said of the incumbent")
    if row.verdict == YES and not NAMED.search(row.tests):
        found.append("yes without a test")
    if row.verdict in {DIFFERENTLY, NOT_YET} and not row.explained:
        found.append(f"{row.verdict} without saying why")
    if row.verdict == NOT_YET and row.section in COMPLETE:
        found.append("missing where nothing may be missing")
    return found + [f"no such test: {name}" for name in missing_tests(row.tests)]


def document() -> list[Row]:
    """The rows of docs/parity.md."""
    return rows_of((ROOT / "docs" / "parity.md").read_text())


def test_nothing_is_wrong_with_any_row() -> None:
    assert {row.about: faults(row) for row in document() if faults(row)} == {}


def test_every_number_has_one_row_in_its_section() -> None:
    found = [(row.section, row.about) for row in document() if row.section in NUMBERED]
    wanted = [(section, str(each)) for section, numbers in NUMBERED.items() for each in numbers]
    assert found == wanted


def test_every_named_section_has_all_its_rows_once() -> None:
    rows = [row for row in document() if row.section not in NUMBERED]
    assert Counter(row.section for row in rows) == NAMED_ROWS
    names = Counter((row.section, row.about) for row in rows)
    assert [name for name, count in names.items() if count > 1] == []


def test_little_is_not_there_yet() -> None:
    lacking = [row.about for row in document() if row.verdict == NOT_YET]
    assert len(lacking) <= NOT_YET_MAX, lacking


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("| 1 | asks | maybe | |", "no verdict"),
        ("| 1 | asks | yesterday | |", "no verdict"),
        ("| 1 | | differently: for a reason | |", "nothing said of the incumbent"),
        ("| 1 | asks | yes | |", "yes without a test"),
        ("| 1 | asks | differently | |", "differently without saying why"),
        ("| 1 | asks | not yet: prices | |", "missing where nothing may be missing"),
        ("| 1 | asks | yes | `tests/no.py::test_no` |", "no such test: tests/no.py::test_no"),
    ],
)
def test_a_row_with_a_fault_is_found(line: str, fault: str) -> None:
    [row] = rows_of(f"## Gift cards (80-109)\n\n| | a | b | c |\n|---|---|---|---|\n{line}\n")
    assert faults(row) == [fault]


def test_a_row_without_a_fault_is_left_alone() -> None:
    line = f"| 1 | asks | differently: for a reason | `{__name__.replace('.', '/')}.py::test_x` |"
    [row] = rows_of(f"## Jobs\n{line.replace('test_x', 'test_little_is_not_there_yet')}")
    assert faults(row) == []
