"""Who may import whom."""

import ast
import sys
from collections.abc import Iterator

import pytest
from tests.support.repository import GENERATED, Module, modules, our_modules

WIRE = {"grpc", "google"}
BELOW = {"core", "storage", "rpc", "replication", "v1"}

OURS = {
    "core": set[str](),
    "storage": {"core"},
    "rpc": {"core", "v1"},
    "replication": {"core", "storage", "rpc", "v1"},
    "realtime": BELOW,
    "headquarters": BELOW,
    "channel": BELOW,
    "sync": BELOW,
    "register": BELOW,
}
"""What each package may import of ours, besides itself. `cli` may import everything."""

OTHERS = {
    "core": set[str](),
    "storage": {"aiosqlite", "zstandard"},
    "rpc": {*WIRE, "grpc_health", "grpc_reflection"},
    "replication": WIRE,
    "realtime": WIRE,
    "headquarters": WIRE,
    "channel": WIRE,
    "sync": WIRE,
    "register": WIRE,
}
"""What each package may import of others, besides the standard library."""

IMPURE = {
    "asyncio",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "uuid",
}
"""What of the standard library is no business of `core`."""


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each imported name with its line; a relative one begins with a dot."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield node.lineno, alias.name
            case ast.ImportFrom():
                base = "." * node.level + (node.module or "")
                for alias in node.names:
                    yield node.lineno, f"{base}.{alias.name}"
            case _:
                pass


def trespasses(module: Module) -> list[str]:
    """The imports of a module that its package may not have."""
    found: list[str] = []
    package = module.package
    for line, name in imported(module.tree):
        parts = name.split(".")
        if parts[0] == "stillopen":
            allowed = package == "cli" or parts[1] in {package, *OURS[package]}
        elif parts[0] in sys.stdlib_module_names:
            allowed = package != "core" or parts[0] not in IMPURE
        elif parts[0] in {"", "tests"}:
            allowed = False
        else:
            allowed = package == "cli" or parts[0] in OTHERS[package]
        if not allowed:
            found.append(f"{module.name}:{line} imports {name}")
    return found


def example(package: str, line: str) -> Module:
    """A module of that package with one line in it."""
    [any_of_core] = [m for m in our_modules() if m.name == "services/stillopen/core/errors.py"]
    path = any_of_core.path.parent.parent / package / "example.py"
    return Module(path, line, ast.parse(line))


def test_everybody_imports_only_what_lies_below() -> None:
    assert [line for module in our_modules() for line in trespasses(module)] == []


def test_the_rules_of_trade_do_not_wait() -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for module in our_modules():
        if module.package == "core":
            assert not [node for node in ast.walk(module.tree) if isinstance(node, waiting)]


def test_there_are_rules_for_every_package() -> None:
    assert {module.package for module in our_modules()} <= {*OURS, "cli"}


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("core", "import time"),
        ("core", "import grpc"),
        ("core", "from stillopen.storage.engine import Engine"),
        ("core", "from stillopen.v1 import types_pb2"),
        ("core", "def f():\n    import asyncio"),
        ("storage", "from stillopen.rpc import wire"),
        ("storage", "from stillopen.v1 import types_pb2"),
        ("rpc", "import stillopen.storage.engine"),
        ("replication", "from stillopen.realtime.servicer import RealtimeServicer"),
        ("realtime", "from stillopen.headquarters import store"),
        ("realtime", "import aiosqlite"),
        ("headquarters", "from stillopen import realtime"),
        ("channel", "from stillopen.register import Register"),
        ("sync", "from ..channel import store"),
        ("sync", "from tests.support import notes"),
        ("sync", "import typer"),
    ],
)
def test_a_trespass_is_found(package: str, line: str) -> None:
    assert len(trespasses(example(package, line))) == 1


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("core", "import hashlib"),
        ("core", "from stillopen.core.money import Money"),
        ("storage", "import sqlite3, aiosqlite"),
        ("rpc", "from google.protobuf.message import Message"),
        ("sync", "from stillopen.replication import ports"),
        ("sync", "import asyncio, grpc.aio"),
    ],
)
def test_what_is_allowed_is_no_trespass(package: str, line: str) -> None:
    assert trespasses(example(package, line)) == []


def test_generated_code_is_what_it_was_generated_for() -> None:
    for module in modules(GENERATED):
        names = {name.split(".")[0] for _, name in imported(module.tree)}
        assert names <= {"stillopen", "google", "grpc", *sys.stdlib_module_names}
