"""Images of disks: taken of a process, put back, or given to another one; and what is on a disk."""

import shutil
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.sim.scene import Scene, Till
from tests.sim.world import Estate

from stillopen.storage.engine import Row, Value


def take(scene: Scene, name: str) -> Path:
    """An image of a process's disk, as a backup takes it: between two commits."""
    return image_of(scene.estate, name)


def image_of(estate: Estate, name: str) -> Path:
    """The same of an estate without a scene."""
    number = len(list(estate.folder.glob("image-*")))
    image = estate.folder / f"image-{number}"
    shutil.copytree(estate.folder / name, image, symlinks=True)
    return image


def swap(estate: Estate, name: str, image: Path | None) -> None:
    """Puts an image, or nothing, in the place of the disk of a process that does not run."""
    folder = estate.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    if image is None:
        folder.mkdir()
    else:
        shutil.copytree(image, folder, symlinks=True)


async def put_back(scene: Scene, name: str, image: Path) -> None:
    """Ends a process and starts it on an image."""
    scene.estate.processes[name].crash()
    swap(scene.estate, name, image)
    await scene.estate.processes[name].start()


async def another(scene: Scene, name: str, like: Till, image: Path | None = None) -> Till:
    """A second machine that runs as the same register, on an image or with nothing."""
    swap(scene.estate, name, image)
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
    return _query(scene.estate.folder / name / database, "ro", sql, *values)


@contextmanager
def copied(folder: Path, database: str) -> Generator[Path]:
    """A copy of one database, to be looked at while the disk stays as it is."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for file in folder.glob(f"{database}*"):
            shutil.copy2(file, scratch)
        yield Path(scratch) / database


def query(path: Path, sql: str, *values: Value) -> list[Row]:
    """Rows of a database that may be written to, or none when it is not there."""
    return _query(path, "rw", sql, *values) if path.is_file() else []


def _query(path: Path, mode: str, sql: str, *values: Value) -> list[Row]:
    uri = f"{path.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True)  # noqa: TID251 - from outside
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()
