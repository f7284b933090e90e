"""Estates that are put together once: a seed begins with a copy of what their machines hold.

Everything is enrolled and installed, master data has come to every register, somebody has signed in
at each, and then all machines were switched off. An estate that begins with such a copy is one that
is switched on in the morning.
"""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.sim.loop import run
from tests.sim.world import Estate, Plan

MEMORY = Path("/dev/shm")  # noqa: S108 - a simulation needs no disk
_OPENED_S_MAX = 1_000.0


def copy_prepared(tills: tuple[int, ...], products: int, folder: Path) -> None:
    """Puts the disks of an estate of that shape into the folder."""
    for place, held in _prepared(tills, products).items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(held, Path):
            target.symlink_to(held)
        else:
            target.write_bytes(held)


def scratch_folder() -> Path:
    """A folder in memory where there is room for one; whoever asks removes it."""
    return Path(tempfile.mkdtemp("", "stillopen-sim-", MEMORY if MEMORY.is_dir() else None))


@cache
def _prepared(tills: tuple[int, ...], products: int) -> dict[Path, bytes | Path]:
    """By its place: what a file holds, or where a link leads. Nothing of it stays in a folder."""
    folder = scratch_folder()
    try:
        run(_prepare(Plan(tills=tills, products=products), folder), limit_s=_OPENED_S_MAX)
        found = [each for each in sorted(folder.rglob("*")) if each.is_symlink() or each.is_file()]
        return {
            each.relative_to(folder): each.readlink() if each.is_symlink() else each.read_bytes()
            for each in found
        }
    finally:
        shutil.rmtree(folder)


async def _prepare(plan: Plan, folder: Path) -> None:
    estate = Estate(plan, folder, "prepared")
    await estate.open()
    for process in estate.processes.values():
        await process.shut_down()
