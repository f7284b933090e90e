"""Estates that are put together once: a seed begins with a copy of what their machines hold.

Everything is enrolled and installed, master data has come to every register, somebody has signed in
at each, and then all machines were switched off. An estate that begins with such a copy is one that
is switched on in the morning.
"""

import shutil
import tempfile
from functools import cache
from pathlib import Path
from weakref import finalize

from tests.sim.loop import run
from tests.sim.world import Estate, Plan

MEMORY = Path("/dev/shm")  # noqa: S108 - a simulation needs no disk
_OPENED_S_MAX = 1_000.0


def copy_prepared(tills: tuple[int, ...], products: int, folder: Path) -> None:
    """Puts the disks of an estate of that shape into the folder."""
    shutil.copytree(_prepared(tills, products), folder, symlinks=True, dirs_exist_ok=True)


def scratch_folder() -> Path:
    """A folder in memory where there is room for one; whoever asks removes it."""
    return Path(tempfile.mkdtemp("", "stillopen-sim-", MEMORY if MEMORY.is_dir() else None))


@cache
def _prepared(tills: tuple[int, ...], products: int) -> Path:
    folder = scratch_folder()
    finalize(_prepared, shutil.rmtree, folder, ignore_errors=True)
    run(_prepare(Plan(tills=tills, products=products), folder), limit_s=_OPENED_S_MAX)
    return folder


async def _prepare(plan: Plan, folder: Path) -> None:
    estate = Estate(plan, folder, "prepared")
    await estate.open()
    for process in estate.processes.values():
        await process.shut_down()
