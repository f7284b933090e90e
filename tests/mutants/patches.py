"""The mutants: patches of the shipped source, each with the promise it breaks and who must see it.

A file begins with `promise:`, with `by:`, the checkers of which one must report it, and with what
is taken out and why that breaks the promise; then follows what `git apply` reads.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
PROMISES = tuple(f"P{number}" for number in range(1, 9))
_DIFF = "diff --git "
_CHANGED = "+++ b/"
_SHIPPED = ("services/", "clients/")


class UnreadableError(Exception):
    """A file that is no mutant, and why."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deliberate fault."""

    name: str
    promise: str
    by: tuple[str, ...]
    """The checkers of which one must report it."""
    rule: str
    """What is taken out, and why that breaks the promise."""
    changed: tuple[str, ...]
    """The files of the shipped source that are another."""
    diff: str


def read_mutants(folder: Path = FOLDER) -> list[Mutant]:
    """Every mutant of a folder, by promise and name."""
    found = [read_mutant(path.stem, path.read_text()) for path in sorted(folder.glob("*.patch"))]
    return sorted(found, key=lambda mutant: (mutant.promise, mutant.name))


def read_mutant(name: str, text: str) -> Mutant:
    """A mutant of that name; raises UnreadableError for a text that is none."""
    start = text.find(_DIFF)
    if start < 0:
        raise UnreadableError(f"{name}: there is no diff")
    head, diff = text[:start], text[start:]
    promise, by, words = "", "", list[str]()
    for line in head.splitlines():
        if line.startswith("promise:"):
            promise = line.removeprefix("promise:").strip()
        elif line.startswith("by:"):
            by = line.removeprefix("by:").strip()
        else:
            words += line.split()
    changed = tuple(
        line.removeprefix(_CHANGED).strip()
        for line in diff.splitlines()
        if line.startswith(_CHANGED)
    )
    checkers = tuple(filter(None, (each.strip() for each in by.split(","))))
    if promise not in PROMISES:
        raise UnreadableError(f"{name}: {promise or 'nothing'} is no promise")
    if not checkers:
        raise UnreadableError(f"{name}: it does not say who must see it")
    if not words:
        raise UnreadableError(f"{name}: it does not say which rule is taken out")
    if not changed or not all(each.startswith(_SHIPPED) for each in changed):
        raise UnreadableError(f"{name}: it changes something besides the shipped source")
    return Mutant(name, promise, checkers, " ".join(words), changed, diff)
