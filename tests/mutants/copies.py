"""Copies of the source in memory, each with one mutant applied."""

import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.patches import Mutant

MEMORY = Path("/dev/shm")  # noqa: S108 - a copy needs no disk
ROOTS = ("protos/gen", "services", "clients")
_COPIED = (*ROOTS, "tests/sim", "tests/support")
_PLAYER = Path(__file__).with_name("player.py")


class UnappliedError(Exception):
    """The source has moved away from under a patch."""


def check_applies(mutant: Mutant, tree: Path) -> None:
    """Raises UnappliedError when the patch does not fit the tree; changes nothing."""
    _git_apply(mutant, tree, "--check")


@contextmanager
def mutated(mutant: Mutant, tree: Path) -> Generator[Path]:
    """A copy of what the simulation needs, with the mutant in it; gone afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="stillopen-mutant-", dir=MEMORY if MEMORY.is_dir() else None
    ) as folder:
        copy = Path(folder)
        for part in _COPIED:
            shutil.copytree(tree / part, copy / part, symlinks=True)
        (copy / "tests/mutants").mkdir()
        shutil.copy2(_PLAYER, copy / "tests/mutants")
        _git_apply(mutant, copy)
        for changed in map(copy.joinpath, mutant.changed):
            for compiled in changed.parent.glob(f"__pycache__/{changed.stem}.*"):
                compiled.unlink()  # of the file before
        yield copy


def _git_apply(mutant: Mutant, tree: Path, *options: str) -> None:
    done = subprocess.run(  # noqa: S603 - the arguments are ours
        ["git", "apply", *options, "-"],  # noqa: S607 - wherever it is
        input=mutant.diff,
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnappliedError(f"{mutant.name} does not apply: {' '.join(done.stderr.split())}")
