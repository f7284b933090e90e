"""How the source reads: short files, documented, no vague names, nothing left to do."""

import ast
import re
from collections.abc import Iterator

import pytest
from tests.support.repository import (
    CLIENTS,
    ROOT,
    SERVICES,
    TESTS,
    Module,
    modules,
    our_modules,
    text_files,
)

LINES_MAX = 400
ANY_ALLOWED = ("services/stillopen/rpc/", "services/stillopen/storage/")
VAGUE = {"manager", "handler", "helper", "util"}
LEFT_TO_DO = re.compile(rf"\b({'|'.join(['TO' + 'DO', 'FIX' + 'ME', 'X' * 3])})\b")
MACHINE_PATH = re.compile(rf"(?<![\w.)}}*\]-])/({'wo' + 'rk'}|{'ro' + 'ot'}|{'ho' + 'me'})/\w")

Named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def everything() -> list[Module]:
    """All Python files that people write."""
    return list(modules(SERVICES, CLIENTS, TESTS))


def public_names(body: list[ast.stmt]) -> Iterator[Named]:
    """The public classes and functions of a module or class, methods included."""
    for node in body:
        if isinstance(node, Named) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_names(node.body)


def undocumented(module: Module) -> list[str]:
    """What of a module says nothing of itself."""
    found = [] if ast.get_docstring(module.tree) else [module.name]
    silent = (n for n in public_names(module.tree.body) if not ast.get_docstring(n))
    return [*found, *(f"{module.name}:{node.lineno} {node.name}" for node in silent)]


def untyped(module: Module) -> list[str]:
    """Where a module says Any, in code or in a quoted annotation."""
    found: list[str] = []
    for node in ast.walk(module.tree):
        match node:
            case ast.Name(id="Any") | ast.Attribute(attr="Any"):
                found.append(f"{module.name}:{node.lineno}")
            case ast.arg(annotation=ast.Constant(value=str(text))) if "Any" in text:
                found.append(f"{module.name}:{node.lineno}")
            case _:
                pass
    return found


def words(name: str) -> set[str]:
    """The words of a name, small and singular."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return {word.lower().removesuffix("s") for word in spaced.split("_")}


def vague(module: Module) -> list[str]:
    """Names that say nothing of what they name."""
    names = dict.fromkeys(module.path.relative_to(ROOT).with_suffix("").parts, 1)
    for node in ast.walk(module.tree):
        if isinstance(node, Named):
            names[node.name] = node.lineno
    return [f"{module.name}:{line} {name}" for name, line in names.items() if words(name) & VAGUE]


def test_no_file_is_long() -> None:
    long = {m.name: len(m.text.splitlines()) for m in everything()}
    assert {name: lines for name, lines in long.items() if lines > LINES_MAX} == {}


def test_everything_public_says_what_it_is() -> None:
    assert [line for module in our_modules() for line in undocumented(module)] == []


def test_only_the_edges_have_values_of_any_type() -> None:
    inside = [m for m in our_modules() if not m.name.startswith(ANY_ALLOWED)]
    assert [line for module in inside for line in untyped(module)] == []


def test_names_say_what_they_name() -> None:
    assert [line for module in our_modules() for line in vague(module)] == []


def found_in_text(pattern: re.Pattern[str]) -> list[str]:
    """Where the project's text has the pattern."""
    return [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:60]}"
        for path in text_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_to_do() -> None:
    assert found_in_text(LEFT_TO_DO) == []


def test_no_text_knows_one_machine() -> None:
    assert found_in_text(MACHINE_PATH) == []


def example(text: str, name: str = "services/stillopen/core/example.py") -> Module:
    """A module with that text."""
    return Module(ROOT / name, text, ast.parse(text))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('"""Doc."""\n', 0),
        ("x = 1\n", 1),
        ('"""Doc."""\ndef f(): ...\n', 1),
        ('"""Doc."""\nclass C:\n    """Doc."""\n    async def f(self): ...\n', 1),
        ('"""Doc."""\ndef _f(): ...\nclass _C:\n    def f(self): ...\n', 0),
        ('"""Doc."""\ndef f():\n    """Doc."""\n    def inner(): ...\n', 0),
    ],
)
def test_a_missing_docstring_is_found(text: str, count: int) -> None:
    assert len(undocumented(example(text))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("def f(x: Any): ...", 1),
        ("def f(x: list[typing.Any]): ...", 1),
        ("def f(x: 'Any'): ...", 1),
        ("Row = tuple[Any, ...]", 1),
        ("def any_of(x: AnyMessage): ...", 0),
    ],
)
def test_a_value_of_any_type_is_found(text: str, count: int) -> None:
    assert len(untyped(example(text))) == count


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("class LockManager: ...", "core/example.py", 1),
        ("def event_handlers(): ...", "core/example.py", 1),
        ("x = 1", "core/utils.py", 1),
        ("x = 1", "helpers/core.py", 1),
        ("def utility(): ...\ndef manage(): ...\ndef handle(): ...", "core/example.py", 0),
    ],
)
def test_a_vague_name_is_found(text: str, name: str, count: int) -> None:
    assert len(vague(example(text, name))) == count


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (LEFT_TO_DO, "# TO" + "DO: later", True),
        (LEFT_TO_DO, "mastodon", False),
        (MACHINE_PATH, "see /wo" + "rk/main", True),
        (MACHINE_PATH, "'/ro" + "ot/x'", True),
        (MACHINE_PATH, "tests/work/x and a/home/b", False),
    ],
)
def test_a_forbidden_text_is_found(pattern: re.Pattern[str], text: str, *, found: bool) -> None:
    assert bool(pattern.search(text)) is found
