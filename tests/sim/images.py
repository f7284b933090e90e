"""Images of disks: taken of a process, put back, or given to another one."""

import shutil
import sqlite3
from pathlib import Path

from tests.sim.scene import Scene, Till

from stillopen.storage.engine import Row, Value


def take(scene: Scene, name: str) -> Path:
    """An image of a process's disk, as a backup takes it: between two commits."""
    number = len(list(scene.estate.folder.glob("image-*")))
    image = scene.estate.folder / f"image-{number}"
    shutil.copytree(scene.estate.folder / name, image, symlinks=True)
    return image


async def put_back(scene: Scene, name: str, image: Path) -> None:
    """Ends a process and starts it on an image."""
    scene.estate.processes[name].crash()
    shutil.rmtree(scene.estate.folder / name)
    shutil.copytree(image, scene.estate.folder / name, symlinks=True)
    await scene.estate.processes[name].start()


async def another(scene: Scene, name: str, like: Till, image: Path | None = None) -> Till:
    """A second machine that runs as the same register, on an image or with nothing."""
    if image is not None:
        shutil.copytree(image, scene.estate.folder / name, symlinks=True)
    scene.estate.add_register(name, like.store, like.name)
    await scene.estate.processes[name].start()
    till = Till(scene, name)
    scene.tills.append(till)
    return till


async def move(scene: Scene, till: Till, store: str) -> None:
    """Takes a register, with its disk, to another store."""
    till.process.crash()
    scene.estate.add_register(till.name, store)
    till.store, till.process = store, scene.estate.processes[till.name]
    await till.process.start()


def rows(scene: Scene, name: str, database: str, sql: str, *values: Value) -> list[Row]:
    """What a process has on its disk now."""
    path = scene.estate.folder / name / database
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)  # noqa: TID251 - from outside
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()
