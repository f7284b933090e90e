"""The shelf: a folder of package files, each named so that a person can find and open it.

What is on a shelf is whole and durable. Which of it is wanted stands in a database; what no
database knows is removed. Beside it may lie the beginning of one package that is on its way, so
that it goes on where it broke off.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from stillopen.core.errors import Reason, Refused
from stillopen.storage.off_loop import OffLoop, on_thread
from stillopen.storage.package_file import Packed, check_room, damaged, pack
from stillopen.storage.written import FLUSH_BYTES

SUFFIX = ".sqlite.zst"
_SCRATCH = "scratch-"
_COMING = "coming-"


class Shelf:
    """A folder of packages. What may take long runs off the loop."""

    def __init__(self, folder: Path, off_loop: OffLoop = on_thread) -> None:
        self.folder = folder
        self.off_loop = off_loop
        self._coming: Coming | None = None
        """What is on its way; the newest, when two streams bring the same."""
        self.one_at_a_time = asyncio.Lock()
        """Held while the file of what is on its way changes: a write may outlast its stream."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # people's password hashes are in it

    def path(self, name: str) -> Path:
        """Where a package is, or would be."""
        return self.folder / name

    def names(self) -> list[str]:
        """The packages that are there, in order of name."""
        return sorted(each.name for each in self.folder.glob(f"[0-9]*{SUFFIX}"))

    def has(self, name: str, size: int) -> bool:
        """Whether a package is there, as large as it should be."""
        try:
            return self.path(name).stat().st_size == size
        except OSError:
            return False

    async def block(self, name: str, offset: int, size: int) -> bytes:
        """A part of a package; Refused NAME_UNKNOWN when it was removed."""
        return await self.off_loop(partial(_read, self.path(name), offset, size))

    async def receive(self, name: str, size: int, offset: int = 0) -> "Coming":
        """Begins to take a package of that many bytes from elsewhere, behind what is there of it.

        What came of any other goes. Refused DISK_FULL, NAME_UNKNOWN when less than `offset` bytes
        are there.
        """
        async with self.one_at_a_time:
            coming = Coming(self, name, size, offset)
            self._coming = None
            await self.off_loop(coming.begin)
            self._coming = coming
        return coming

    async def part(self) -> tuple[str, int] | None:
        """The name of the package that broke off, and how many bytes of it are there.

        What this process wrote is there; of what an earlier one left, that which it flushed: the
        power may have failed.
        """
        async with self.one_at_a_time:
            found = await self.off_loop(lambda: _parts(self.folder))
            for path, size in found:
                if self._coming is not None and path == self._coming.path:
                    return self._coming.name, self._coming.there
                flushed = (size // FLUSH_BYTES - 1) * FLUSH_BYTES  # the last may not be
                if flushed > 0:
                    return path.name.removeprefix(_COMING), flushed
        return None

    def is_under_way(self, coming: "Coming") -> bool:
        """Whether no other took its place."""
        return self._coming is coming

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
        """Removes everything else, also what an earlier process left half done.

        Only a package that broke off on its way stays: it may go on.
        """

        def sweep() -> None:
            there = [each for each in self.folder.glob("*") if each.name not in wanted]
            _remove([each for each in there if not each.name.startswith(_COMING)])

        await self.off_loop(sweep)


class Coming:
    """A package that is on its way, in a file of its own. Made by `Shelf.receive`.

    The file is open only while it is written to, and every `FLUSH_BYTES` of it are made durable
    before more is written: whoever ends in between leaves a part that can be gone on with.
    """

    def __init__(self, shelf: Shelf, name: str, size: int, offset: int) -> None:
        self._shelf = shelf
        self._size = size
        self.name = name
        self.there = offset
        """How many of its bytes, from the first, are written."""
        self.path = shelf.folder / f"{_COMING}{name}"

    def begin(self) -> None:
        """Makes room for what is to come; for `Shelf.receive`, off the loop."""
        folder = self._shelf.folder
        _remove([path for path, _ in _parts(folder) if path != self.path])
        check_room(folder, self._size - self.there)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise _full(error) from None
        try:
            if os.fstat(handle).st_size < self.there:
                raise Refused(Reason.NAME_UNKNOWN, "what was there of the package is gone")
            os.ftruncate(handle, self.there)
        finally:
            os.close(handle)

    async def write(self, data: bytes) -> None:
        """Takes the next part.

        Refused DISK_FULL, PACKAGE_DAMAGED for more than was said, STREAM_REPLACED when another
        stream brings it since.
        """
        async with self._shelf.one_at_a_time:
            self._check()
            end = self.there + len(data)
            if end > self._size:
                raise damaged("it is larger than it said")
            flush = end // FLUSH_BYTES > self.there // FLUSH_BYTES
            await self._shelf.off_loop(partial(_append, self.path, data, flush=flush))
            self.there = end

    async def finish(self) -> None:
        """All of it came: it is on the shelf now, durable."""
        async with self._shelf.one_at_a_time:
            self._check()
            if self.there != self._size:
                raise damaged(f"{self.there} of {self._size} bytes came")
            await self._shelf.off_loop(self._finish)

    def drop(self) -> None:
        """It does not come after all."""
        if self._shelf.is_under_way(self):
            self.path.unlink(missing_ok=True)

    def _check(self) -> None:
        if not self._shelf.is_under_way(self):
            raise Refused(Reason.STREAM_REPLACED, "another stream brings the package")

    def _finish(self) -> None:
        try:
            with self.path.open("ab") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise _full(error) from None
        self.path.rename(self._shelf.path(self.name))
        self._shelf.flush()


def _parts(folder: Path) -> list[tuple[Path, int]]:
    return [(each, each.stat().st_size) for each in sorted(folder.glob(f"{_COMING}*"))]


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
