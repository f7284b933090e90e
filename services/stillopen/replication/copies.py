"""A copy of headquarters' rows, on the disk of a channel or a register.

It shows the rows before a package or after it, never a mix:

1. A snapshot becomes a file of its own, whole, checked and durable, before the name of the copy is
   switched to it. Whoever reads goes on with the file before; it goes when the last has left.
2. A delta is applied in one transaction that also moves the cursor, with the package attached.
3. A package that is not what it was said to be is refused, and changes nothing.
4. A copy that turns out to be damaged or missing stands nowhere any more: so a snapshot comes by
   itself, and one that is not older. What can still be read of it is read until then.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.replication.digests import digests_of
from stillopen.replication.news import News
from stillopen.replication.packages import check_package
from stillopen.replication.ports import Cursor, Package, Partial, digest_named
from stillopen.replication.replica_apply import (
    apply_delta,
    begin_replica,
    check_way,
    where_it_stands,
)
from stillopen.replication.replica_tables import SCHEMA, complete
from stillopen.replication.scope import Scope
from stillopen.storage.beside import read_beside
from stillopen.storage.draft import edit_draft
from stillopen.storage.engine import Database, Engine, OpenEngine, Session, Work
from stillopen.storage.package_file import damaged, unpack, unpacked
from stillopen.storage.pointer import Pointer, remove
from stillopen.storage.shelf import Shelf
from stillopen.v1 import sync_pb2

T = TypeVar("T")


@dataclass(slots=True)
class _Open:
    """A file that is read, and by how many."""

    engine: Engine
    path: Path
    readers: int = 0


class Copy:
    """One copy: its file, and where it stands. Open with `open_copy`."""

    def __init__(
        self, pointer: Pointer, shelf: Shelf, open_engine: OpenEngine, scope: Scope, now: _Open
    ) -> None:
        self.shelf = shelf
        self.news = News()
        """Told when it stands nowhere any more."""
        self.at = Cursor()
        """What its file has."""
        self.damage = ""
        """Why it stands nowhere, whatever its file has; empty when it does not."""
        self._scope = scope
        self._pointer = pointer
        self._open_engine = open_engine
        self._now = now
        self._left = News()
        self._leaving: set[asyncio.Task[None]] = set()
        """Files that were replaced, and whose readers have not all left."""
        self._one_at_a_time = asyncio.Lock()

    @property
    def path(self) -> Path:
        """Its file, until the next snapshot."""
        return self._now.path

    @property
    def stands(self) -> Cursor:
        """Where a package must lead on from; of a damaged copy only how far it had come is left."""
        return replace(self.at, digest=b"") if self.damage else self.at

    async def cursor(self) -> Cursor:
        """Where it stands, once a package that is being applied is; in the version it reads."""
        async with self._one_at_a_time:
            if not self.damage and self._pointer.target() != self._now.path:
                self._stands_nowhere("its file is gone")
            excluded = self.at.scope.excluded if self.at.generation else self._scope.excluded
            return replace(self.stands, scope=Scope(excluded, self._scope.version))

    async def partials(self) -> list[Partial]:
        """The package of which a part is on its shelf, from a stream that broke off."""
        found = await self.shelf.part()
        digest = digest_named(found[0]) if found else b""
        return [Partial(digest, found[1])] if found and digest else []

    async def read(self, work: Work[T]) -> T:
        """Reads one committed state; Refused NOT_READY for what is damaged."""
        async with self._reading() as now:
            return await now.engine.read(work)

    async def digests(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """What ranges of a table's rows come to, beside whoever reads."""
        work = partial(_digests, asked=asked)
        async with self._reading() as now:
            return await self.shelf.off_loop(partial(read_beside, now.path, work))

    async def apply(
        self, package: Package, data: bytes | None = None, look: Work[T] | None = None
    ) -> T | None:
        """Shows a package that is on the shelf, or the bytes of a delta; Refused PACKAGE_DAMAGED.

        What `look` sees in the transaction of a delta is returned; nothing after a snapshot. What
        is begun must be ended: whoever calls shields it from being cancelled.
        """
        seen: T | None = None
        async with self._one_at_a_time:
            check_way(self.stands, package)
            before = self._now
            if package.base is None:
                await self._become(package)
            elif data is None:
                seen = await self._go_on(package, look)
            else:
                database = await self.shelf.off_loop(partial(_unpacked, package, data))
                seen = await self._put(database, package, look)
            self.at = package.cursor
        if before is not self._now:
            leaving = asyncio.create_task(self._leave(before), name=f"leaving {before.path.name}")
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        return seen

    async def close(self) -> None:
        """Lets its file go, and those before it."""
        async with self._one_at_a_time:
            await self.left()
            await self._now.engine.close()

    async def left(self) -> None:
        """Waits until nobody reads a file that was replaced."""
        await asyncio.gather(*self._leaving)

    async def remove(self) -> None:
        """Lets its file go, for good."""
        await self.close()
        await self.shelf.off_loop(self._pointer.remove)

    def damaged(self, error: Misuse) -> Misuse | Refused:
        """Takes it that the copy is damaged, where an error says so; returns what to tell."""
        return self._noticed(self._now, error)

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[_Open]:
        """The file that is read now; it does not go meanwhile."""
        now = self._now
        now.readers += 1
        try:
            yield now
        except Misuse as error:
            raise self._noticed(now, error) from None
        finally:
            now.readers -= 1
            self._left.tell()

    async def _become(self, package: Package) -> None:
        target, version = self._pointer.next(), self._scope.version
        begin = partial(begin_replica, at=package.cursor, version=version)

        def prepare() -> None:
            with self.shelf.scratch() as folder:
                database = folder / "database"
                _unpack(self.shelf, package, database)
                _begin(database, begin)
                remove(target)  # the log of a file of that number, say, whose database is gone
                database.rename(target)

        await self.shelf.off_loop(prepare)
        engine = await self._opened(target)
        await self.shelf.off_loop(partial(self._pointer.switch, target))
        self._now, self.damage = _Open(engine, target), ""

    async def _opened(self, target: Path) -> Engine:
        try:
            return await self._open_engine(target, SCHEMA, durable=False)
        except Exception as error:
            await self.shelf.off_loop(partial(remove, target))
            if isinstance(error, Misuse):
                raise damaged(error.message) from None
            why = f"a package cannot be opened: {error}"  # the disk, whatever it says
            raise Refused(Reason.DISK_FULL, why) from error

    async def _go_on(self, package: Package, look: Work[T] | None) -> T | None:
        async with self.shelf.desk() as folder:
            database = folder / "database"
            await self.shelf.off_loop(partial(_unpack, self.shelf, package, database))
            return await self._put(database, package, look)

    async def _put(self, database: Database, package: Package, look: Work[T] | None) -> T | None:
        def put(session: Session) -> T | None:
            apply_delta(session, package)
            return look(session) if look is not None else None

        try:
            return await self._now.engine.write_with(database, put)
        except Misuse as error:
            raise self._noticed(self._now, error) from None

    async def _leave(self, before: _Open) -> None:
        """Closes the file that was read until now, once the last has left it."""
        while before.readers:
            await self._left.after(self._left.version)
        await before.engine.close()
        await self.shelf.off_loop(partial(remove, before.path))

    def _noticed(self, of: _Open, error: Misuse) -> Misuse | Refused:
        if error.reason is not Reason.DATABASE_DAMAGED:
            return error
        if of is self._now:  # else another is here already
            self._stands_nowhere(error.message)
        return Refused(
            Reason.NOT_READY, "the copy of master data here is damaged; another one is on its way"
        )

    def _stands_nowhere(self, why: str) -> None:
        self.damage = why
        self.news.tell()


async def open_copy(
    path: Path,
    shelf: Shelf,
    open_engine: OpenEngine,
    scope: Scope,
    warn: Callable[[str], None],
) -> Copy:
    """The copy that a name leads to; begins one without rows when there is none that can be read.

    `scope` is what it asks for as long as it has nothing. What an earlier process left half done is
    removed.
    """
    pointer = Pointer(path)
    target, engine = await _open_or_begin(pointer, open_engine, warn)
    copy = Copy(pointer, shelf, open_engine, scope, _Open(engine, target))
    await engine.write(lambda session: complete(session, scope.version))
    copy.at = await engine.read(where_it_stands)
    await shelf.off_loop(pointer.sweep)
    return copy


async def _open_or_begin(
    pointer: Pointer, open_engine: OpenEngine, warn: Callable[[str], None]
) -> tuple[Path, Engine]:
    target = pointer.target()
    if target is not None:
        try:
            return target, await open_engine(target, SCHEMA, durable=False)
        except Misuse as error:
            if error.reason is not Reason.DATABASE_DAMAGED:
                raise
    if kept := pointer.set_aside():
        warn(f"{pointer.path} cannot be read and was set aside as {kept}; beginning a new one")
    target = pointer.next()
    remove(target)
    engine = await open_engine(target, SCHEMA, durable=False)
    pointer.switch(target)
    return target, engine


def _unpack(shelf: Shelf, package: Package, database: Path) -> None:
    """Unpacks and checks it; every way in which it is not what it was said to be is Refused."""
    stays = package.base is None  # the database of a snapshot becomes the replica's
    if unpack(shelf.path(package.name), database, durable=stays) != package.cursor.digest:
        raise damaged("it does not have its digest")
    check_package(database, package, sound=not stays)  # all pages are read once, when it is opened


def _begin(database: Path, begin: Work[None]) -> None:
    try:
        edit_draft(database, begin)
    except Misuse as error:
        if error.reason is not Reason.DATABASE_DAMAGED:
            raise
        raise damaged(error.message) from None


def _unpacked(package: Package, data: bytes) -> bytes:
    if sha256(data).digest() != package.cursor.digest:
        raise damaged("it does not have its digest")
    database = unpacked(data)
    check_package(database, package)
    return database


def _digests(session: Session, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
    return digests_of(session, asked, where_it_stands(session))
