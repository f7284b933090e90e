"""Where things are in the repository, and its files."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "services" / "stillopen"
CLIENTS = ROOT / "clients" / "stillopen"
GENERATED = ROOT / "protos" / "gen" / "stillopen"
PROTOS = ROOT / "protos" / "stillopen" / "v1"
TESTS = ROOT / "tests"

_TEXT = {".py", ".pyi", ".proto", ".toml", ".yaml", ".yml", ".md", ".sh", ".txt", ".lock", ""}
_TREES = ("protos", "services", "clients", "tests", "docs", ".ci")
_LEFT = {"__pycache__", "node_modules"}
"""What tools leave in folders."""


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file of ours, read and parsed."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The path as people write it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def package(self) -> str:
        """The sub-package of `stillopen` it is in."""
        for root in (SERVICES, CLIENTS, GENERATED):
            if self.path.is_relative_to(root):
                return self.path.relative_to(root).parts[0]
        return ""


def files(folder: Path, suffix: str = ".py") -> Iterator[Path]:
    """The files below a folder, without what tools leave there."""
    for path in sorted(folder.rglob(f"*{suffix}")):
        if path.is_file() and not _LEFT.intersection(path.parts):
            yield path


def modules(*folders: Path) -> Iterator[Module]:
    """The Python files below some folders."""
    for folder in folders:
        for path in files(folder):
            text = path.read_text()
            yield Module(path, text, ast.parse(text, str(path)))


@cache
def our_modules() -> list[Module]:
    """Everything that ships, apart from generated code."""
    return list(modules(SERVICES, CLIENTS))


def text_files() -> Iterator[Path]:
    """Every text file of the project."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix in _TEXT:
            yield path
    for tree in _TREES:
        for path in files(ROOT / tree, ""):
            if path.suffix in _TEXT and not any(part.endswith("_cache") for part in path.parts):
                yield path
