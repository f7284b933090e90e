"""The shelf: a folder of package files, each named so that a person can find and open it.

What is on a shelf is whole and durable. Which of it is wanted stands in a database; what no
database knows is removed.
"""

import os
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp, mkstemp

from stillopen.core.errors import Reason, Refused
from stillopen.storage.off_loop import OffLoop, on_thread
from stillopen.storage.package_file import FLUSH_BYTES, Packed, check_room, damaged, pack

SUFFIX = ".sqlite.zst"
_SCRATCH = "scratch-"
_COMING = "coming-"


class Shelf:
    """A folder of packages. What may take long runs off the loop."""

    def __init__(self, folder: Path, off_loop: OffLoop = on_thread) -> None:
        self.folder = folder
        self.off_loop = off_loop
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # people's password hashes are in it

    def path(self, name: str) -> Path:
        """Where a package is, or would be."""
        return self.folder / name

    def names(self) -> list[str]:
        """The packages that are there, in order of name."""
        return sorted(each.name for each in self.folder.glob(f"*{SUFFIX}"))

    def has(self, name: str, size: int) -> bool:
        """Whether a package is there, as large as it should be."""
        try:
            return self.path(name).stat().st_size == size
        except OSError:
            return False

    async def block(self, name: str, offset: int, size: int) -> bytes:
        """A part of a package; Refused NAME_UNKNOWN when it was removed."""
        return await self.off_loop(partial(_read, self.path(name), offset, size))

    async def receive(self, name: str, size: int) -> "Coming":
        """Begins to take a package of that many bytes from elsewhere."""
        return await self.off_loop(lambda: Coming(self, name, size))

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """A folder that is gone afterwards, on the same disk; for work off the loop."""
        folder = self._clean()
        try:
            yield folder
        finally:
            rmtree(folder, ignore_errors=True)  # what stays is swept at the next start

    @asynccontextmanager
    async def desk(self) -> AsyncGenerator[Path]:
        """The same for work that is done in parts."""
        folder = await self.off_loop(self._clean)
        try:
            yield folder
        finally:
            await self.off_loop(partial(rmtree, folder, ignore_errors=True))

    def _clean(self) -> Path:
        try:
            return Path(mkdtemp(dir=self.folder, prefix=_SCRATCH))
        except OSError as error:
            raise _full(error) from None

    def put(self, database: Path, name: Callable[[bytes], str]) -> Packed:
        """Packs a database and puts it on the shelf, durable, under the name for its digest."""
        new = database.with_name("packed")
        packed = pack(database, new)
        new.rename(self.path(name(packed.digest)))
        self.flush()
        return packed

    def flush(self) -> None:
        """Makes the names durable."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def remove(self, names: Collection[str]) -> None:
        """Removes packages."""
        if names:
            await self.off_loop(lambda: _remove([self.path(name) for name in names]))

    async def keep_only(self, wanted: Collection[str]) -> None:
        """Removes everything else, also what an earlier process left half done."""

        def sweep() -> None:
            _remove([each for each in self.folder.glob("*") if each.name not in wanted])

        await self.off_loop(sweep)


class Coming:
    """A package that is on its way, in a file of its own. Made by `Shelf.receive`.

    The file is open only while it is written to: whoever ends in between leaves no more than a part
    of a file, which the next process sweeps away.
    """

    def __init__(self, shelf: Shelf, name: str, size: int) -> None:
        self._shelf = shelf
        self._name = name
        self._size = size
        self._there = self._unflushed = 0
        check_room(shelf.folder, size)
        # Two streams may bring the same one for a moment, when one takes the place of the other.
        try:
            handle, path = mkstemp(dir=shelf.folder, prefix=f"{_COMING}{name}-")
        except OSError as error:
            raise _full(error) from None
        os.close(handle)
        self._path = Path(path)

    async def write(self, data: bytes) -> None:
        """Takes the next part; Refused DISK_FULL, PACKAGE_DAMAGED for more than was said."""
        self._there += len(data)
        if self._there > self._size:
            raise damaged("it is larger than it said")
        self._unflushed += len(data)
        flush = self._unflushed >= FLUSH_BYTES
        self._unflushed = 0 if flush else self._unflushed
        await self._shelf.off_loop(partial(_append, self._path, data, flush=flush))

    async def finish(self) -> None:
        """All of it came: it is on the shelf now, durable."""
        if self._there != self._size:
            raise damaged(f"{self._there} of {self._size} bytes came")
        await self._shelf.off_loop(self._finish)

    def drop(self) -> None:
        """It does not come after all."""
        self._path.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            with self._path.open("ab") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise _full(error) from None
        self._path.rename(self._shelf.path(self._name))
        self._shelf.flush()


def _append(path: Path, data: bytes, *, flush: bool) -> None:
    try:
        with path.open("ab") as file:
            file.write(data)
            if flush:
                file.flush()
                os.fdatasync(file.fileno())
    except OSError as error:
        raise _full(error) from None


def _read(path: Path, offset: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        raise Refused(Reason.NAME_UNKNOWN, f"the package cannot be read: {error}") from None


def _remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _full(error: OSError) -> Refused:
    return Refused(Reason.DISK_FULL, f"the package cannot be kept: {error}")
