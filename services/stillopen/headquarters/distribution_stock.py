"""The packages that headquarters has: files on a shelf, and rows that say which there are.

1. A file comes to the shelf before the row that names it, and goes after that row.
2. What a process left half done is swept away when the next one begins.
3. A package whose file is missing or damaged is forgotten: who needed it gets another.
"""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from stillopen.core.errors import Reason, Refused
from stillopen.headquarters.distribution_packages import Made, Wanted
from stillopen.replication import package_log
from stillopen.replication.packages import Built
from stillopen.replication.ports import Cursor, Package
from stillopen.storage.engine import Engine, Session, Work
from stillopen.storage.package_file import digest_of
from stillopen.storage.shelf import Shelf

T = TypeVar("T")


class Stock:
    """Packages of headquarters' own database. One writes at a time; any number read."""

    def __init__(self, engine: Engine, database: Path, shelf: Shelf) -> None:
        self._engine = engine
        self._database = database
        self._shelf = shelf

    async def begin(self) -> None:
        """Makes rows and files agree, after whatever happened."""
        there = set(await self._shelf.off_loop(self._shelf.names))

        def forget_missing(session: Session) -> set[str]:
            package_log.drop_missing(session, there)
            return package_log.names(session)

        await self._shelf.keep_only(await self._engine.write(forget_missing))

    async def build(self, wanted: Sequence[Wanted]) -> Made:
        """Builds packages, those that hold anything; all or none."""
        made: Made = []
        try:
            for each in wanted:
                if built := await self._build(each):
                    made.append((each, built))
        except Exception:
            await self._discard([built for _, built in made])
            raise
        return made

    async def commit(self, made: Sequence[Built], generations: Collection[int], work: Work[T]) -> T:
        """Writes what was built into logs, and removes the files of what left them."""

        def put(session: Session) -> tuple[T, set[str]]:
            before = package_log.names(session, generations)
            result = work(session)
            return result, before - package_log.names(session, generations)

        try:
            result, gone = await self._engine.write(put)
        except Exception:
            await self._discard(made)
            raise
        await self._shelf.remove(gone)
        return result

    async def has(self, package: Package) -> bool:
        """Whether its file is there, as large as it was; else it is forgotten."""
        if self._shelf.has(package.name, package.size):
            return True
        await self._forget(package)
        return False

    async def block(self, package: Package, offset: int, size: int) -> bytes:
        """A part of a package; Refused NAME_UNKNOWN when it is not there, whole, any more."""
        size = max(0, min(size, package.size - offset))
        try:
            data = await self._shelf.block(package.name, offset, size)
            if len(data) < size:
                raise Refused(Reason.NAME_UNKNOWN, "the package lost its end meanwhile")
        except Refused as error:
            if error.reason is Reason.NAME_UNKNOWN:
                await self._forget(package)
            raise
        return data

    async def look_at(self, cursor: Cursor) -> None:
        """Forgets a package that somebody could not use, when its file is not what it was."""
        package = await self._engine.read(lambda session: package_log.find(session, cursor))
        if package is None:
            return
        path = self._shelf.path(package.name)
        if await self._shelf.off_loop(partial(_is_damaged, path, cursor.digest)):
            await self._forget(package)

    async def _build(self, wanted: Wanted) -> Built | None:
        try:
            return await self._shelf.off_loop(partial(wanted.build, self._shelf, self._database))
        except OSError as error:
            # Without the name of its draft, which is another each time.
            why = error.strerror or str(error)
            raise Refused(Reason.DISK_FULL, f"a package cannot be made: {why}") from error

    async def _discard(self, made: Sequence[Built]) -> None:
        """Removes files that came into no log; not those that were there before."""
        kept = await self._engine.read(package_log.names)
        await self._shelf.remove({built.package.name for built in made} - kept)

    async def _forget(self, package: Package) -> None:
        await self._engine.write(lambda session: package_log.drop(session, package))
        await self._shelf.remove([package.name])


def _is_damaged(path: Path, digest: bytes) -> bool:
    try:
        return digest_of(path) != digest
    except OSError:
        return True
