"""Every numbered rule of the stream's halves names a test that fails when it is broken."""

import ast
import re

from tests.support.named_tests import NAMED, missing_tests
from tests.support.repository import ROOT, SERVICES

HALVES = ("client_half", "receiving", "server_half", "sending")
ROW = re.compile(r"^\| (\w+) \| (\d+) \|")
RULE = re.compile(r"^(\d+)\. ", re.MULTILINE)
LINES = (ROOT / "docs" / "invariants.md").read_text().splitlines()


def rules(half: str) -> list[tuple[str, str]]:
    """The numbered rules of a half's docstring."""
    tree = ast.parse((SERVICES / "replication" / f"{half}.py").read_text())
    return [(half, number) for number in RULE.findall(ast.get_docstring(tree) or "")]


def test_every_rule_has_its_row() -> None:
    found = [match.groups() for match in map(ROW.match, LINES) if match]
    assert found == [rule for half in HALVES for rule in rules(half)]


def test_every_row_names_tests_that_exist() -> None:
    rows = [line for line in LINES if ROW.match(line)]
    assert [row for row in rows if not NAMED.search(row)] == []
    assert [name for row in rows for name in missing_tests(row)] == []
