"""A database that is replaced whole: a name that leads to the newest of numbered files.

The name is a symbolic link, so that a person can open it; it is switched by one rename, durable.
Whoever has the file before open goes on reading it, under its own name, until they leave.
"""

import os
from pathlib import Path

from stillopen.storage.files import set_aside

_COMPANIONS = ("-wal", "-shm", "-journal", ".lock")


class Pointer:
    """`offline.db`, say, that leads to `offline-3.db`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def target(self) -> Path | None:
        """The file that it leads to; nothing when that is not there."""
        if not self.path.is_symlink():
            return None
        target = self.path.parent / self.path.readlink().name
        return target if target.is_file() else None

    def next(self) -> Path:
        """A name for the next file; never that of one which is gone.

        Whoever has the one that is gone open removes it by its name when they leave.
        """
        led = [self.path.readlink()] if self.path.is_symlink() else []
        numbers = [self._number(each) for each in (*self._files(), *led)]
        return self._file(max(numbers, default=0) + 1)

    def switch(self, target: Path) -> None:
        """Leads to another file of the folder from now on, durable."""
        new = self.path.with_name(f"{self.path.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target.name)
        new.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def sweep(self) -> None:
        """Removes the files that it does not lead to; nobody may have them open."""
        self._sweep(self.target())

    def remove(self) -> None:
        """Removes every file of the name, and the name last; nobody may have them open."""
        self._sweep(None)
        self.path.unlink(missing_ok=True)

    def _sweep(self, kept: Path | None) -> None:
        # A log whose database is gone counts: the next of that number would take it for its own.
        for file in self.path.parent.glob(f"{self.path.stem}-*{self.path.suffix}*"):
            name, _, rest = file.name.partition(self.path.suffix)
            database = file.with_name(f"{name}{self.path.suffix}")
            if rest in ("", *_COMPANIONS) and self._number(database) and database != kept:
                remove(database)

    def set_aside(self) -> Path | None:
        """Renames what it leads to, damaged, and leads nowhere; a file in its place likewise.

        One is kept: what it held can be had again.
        """
        target = self.target() or (self.path if self.path.is_file() else None)
        if target is not None:
            for earlier in self.path.parent.glob(f"{self.path.stem}*.damaged-*"):
                earlier.unlink()
        kept = set_aside(target) if target is not None else None
        self.path.unlink(missing_ok=True)
        return kept

    def _file(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.stem}-{number}{self.path.suffix}")

    def _files(self) -> list[Path]:
        found = self.path.parent.glob(f"{self.path.stem}-*{self.path.suffix}")
        return [each for each in found if self._number(each)]

    def _number(self, file: Path) -> int:
        digits = file.stem.removeprefix(f"{self.path.stem}-")
        return int(digits) if digits.isascii() and digits.isdigit() else 0


def pointers(folder: Path, prefix: str) -> list[Pointer]:
    """Those of a folder whose names begin so."""
    return [Pointer(each) for each in sorted(folder.glob(f"{prefix}*.db")) if each.is_symlink()]


def remove(file: Path) -> None:
    """Removes a database, its companions first: a log without its database is a trap."""
    for suffix in (*_COMPANIONS, ""):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
