"""Tests that a document names, as `tests/folder/test_file.py::test_name`."""

import ast
import re
from functools import cache

from tests.support.repository import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def _tests_of(file: str) -> frozenset[str]:
    """The names of the functions of a file; none when there is no such file."""
    path = ROOT / file
    tree = ast.parse(path.read_text() if path.is_file() else "")
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions)


def missing_tests(text: str) -> list[str]:
    """The tests that a text names and that do not exist."""
    return [f"{file}::{test}" for file, test in NAMED.findall(text) if test not in _tests_of(file)]
