"""Every known symptom has its row in docs/symptoms.md, and a test that cites the same reports."""

import ast
import re
from dataclasses import dataclass

from tests.support.named_tests import NAMED, missing_tests
from tests.support.repository import ROOT

REPORT = re.compile(r"[\w.-]+/[\w.-]+#\d+|Mantis \d+")
ROWS = 14
"""How many symptoms there are."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table."""

    symptom: str
    reports: frozenset[str]
    answer: str
    test: str


def rows() -> list[Row]:
    """The rows of the table."""
    text = (ROOT / "docs" / "symptoms.md").read_text()
    cells = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    return [
        Row(symptom.strip(), frozenset(REPORT.findall(seen)), answer.strip(), test.strip())
        for symptom, seen, answer, test in cells
    ]


def cited(test: str) -> frozenset[str]:
    """The reports that the docstring of a test names."""
    [(file, name)] = NAMED.findall(test)
    functions = [
        node
        for node in ast.parse((ROOT / file).read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    text = re.sub(
        r"Mantis (\d+) and (\d+)", r"Mantis \1, Mantis \2", ast.get_docstring(functions[0]) or ""
    )
    return frozenset(REPORT.findall(text))


def test_every_symptom_has_its_row() -> None:
    found = rows()
    assert len(found) == ROWS
    assert [row.symptom for row in found if not (row.symptom and row.reports and row.answer)] == []


def test_every_test_that_is_named_exists() -> None:
    assert [name for row in rows() for name in missing_tests(row.test)] == []


def test_every_test_cites_the_reports_of_its_symptom() -> None:
    assert [row.symptom for row in rows() if cited(row.test) != row.reports] == []
