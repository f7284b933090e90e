"""Weighs an estate: tasks, open calls, files and rows of every place that runs."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

from tests.sim.sizes import Role, Sizes, Weighed
from tests.sim.world import HQ, Estate

QUIET_S = 6.0
"""Longer than a heartbeat, and than what is tried again by itself."""
MOMENTS, MOMENT_S = 3, 0.17


async def weigh(estate: Estate, weighed: Weighed) -> None:
    """Weighs twice, behind some seconds each in which nobody does anything."""
    weighed.clients = Counter([*estate.store_of.values(), *([HQ] * len(estate.stores))])
    weighed.roles = {
        name: Role.REGISTER if name in estate.store_of else Role.CHANNEL
        for name in estate.processes
        if name != HQ
    } | {HQ: Role.HEADQUARTERS}
    await asyncio.sleep(QUIET_S)  # what goes with the next heartbeat, a lane that began, is there
    weighed.first = await _sizes(estate)
    await asyncio.sleep(QUIET_S)
    weighed.quiet_s = QUIET_S
    weighed.later = await _sizes(estate)


async def _sizes(estate: Estate) -> Sizes:
    found: Sizes = {}
    for name, process in estate.processes.items():
        if process.running:
            for what, count in _of_folder(estate.folder / name).items():
                found[name, what] = count
    least = _under_way(estate)
    for _ in range(MOMENTS):  # what was just being asked or written is over then
        await asyncio.sleep(MOMENT_S)
        now = _under_way(estate)
        least = {what: min(count, now.get(what, 0)) for what, count in least.items()}
    return found | least


def _under_way(estate: Estate) -> Sizes:
    found: Sizes = {("network", "calls"): estate.network.running}
    for name, process in estate.processes.items():
        if process.life is not None and process.running:
            found[name, "tasks"] = len(process.life.tasks)
    return found


def _of_folder(folder: Path) -> dict[str, int]:
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_dir() or path.name.endswith("-shm"):
            continue
        if path.name.endswith("-wal"):
            found[f"bytes of {path.name}"] = path.stat().st_size
        elif path.parent != folder:
            found[f"files in {path.parent.name}"] += 1
        else:
            found["files"] += 1
            if path.suffix == ".db" and not path.is_symlink():
                found.update(_rows(path))
    return found


def _rows(path: Path) -> dict[str, int]:
    base = path.stem.partition("-")[0]
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)  # noqa: TID251 - from outside
    try:
        listed = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = [row[0] for row in connection.execute(listed)]
        count = (f"(SELECT count(*) FROM {table})" for table in tables)  # noqa: S608 - our own
        [values] = connection.execute("SELECT " + ", ".join(count)) if tables else [()]
        return {f"rows of {t} in {base}": n for t, n in zip(tables, values, strict=True)}
    except sqlite3.DatabaseError:  # a copy that was damaged and is not read any more
        return {}
    finally:
        connection.close()
