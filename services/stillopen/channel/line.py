"""A copy of headquarters' rows, and the packages that led to it, for the registers behind it.

The files are on the channel's shelf; which of them there are stands in channel.db.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError
from stillopen.replication import package_log
from stillopen.replication.copies import Copy
from stillopen.replication.fresh import Fresh
from stillopen.replication.package_log import Needs
from stillopen.replication.packages import (
    Filled,
    Selection,
    build,
    fill_snapshot,
    snapshot_statements,
)
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.replica_apply import check_way, place_of, where_it_stands
from stillopen.replication.shared import Shared
from stillopen.storage.engine import Engine, Session
from stillopen.storage.package_file import digest_of

Change = Callable[[Session], None]


class Line:
    """One scope that a channel gives on."""

    def __init__(self, copy: Copy, engine: Engine) -> None:
        self.copy = copy
        self._engine = engine
        self._fresh = Fresh()
        self._building = asyncio.Lock()
        self._in_log = Shared(self._find)

    async def take(self, package: Package, show: Callable[[Package], Awaitable[object]]) -> None:
        """Shows a package that came, and keeps it to give on."""
        before = self.copy.at
        if package.base is not None:  # a delta that is shown is there to be given on
            await self._change(partial(package_log.keep_delta, package=package))
        try:
            await show(package)
        except StillopenError:
            await self._forget(package)
            raise
        if package.base is None:
            await self._change(partial(_begin, package=package, before=before))
            self._fresh.note(package.cursor.generation)

    def needs(self, package: Package) -> bool:
        """Whether it is not there yet, and could be used."""
        try:
            check_way(self.copy.stands, package)
        except Refused:
            return False
        return place_of(package.cursor) != place_of(self.copy.stands)

    async def next(self, cursor: Cursor) -> Package | None:
        """What a register needs next that stands there; nothing when it has everything."""
        at = self.copy.at
        if cursor.generation == at.generation and cursor.sequence > at.sequence:
            return None  # this channel catches up; or headquarters, restored, hears of it
        found = await self._look(cursor)
        if found is Needs.SNAPSHOT and not self.copy.damage:
            found = await self._make_snapshot(cursor)
        return found if isinstance(found, Package) else None

    async def check(self, cursor: Cursor) -> None:
        """Forgets a package whose file is not what it was: a register refused it."""
        shelf = self.copy.shelf
        package = await self._engine.read(partial(package_log.find, cursor=cursor))
        if package is None or not shelf.has(package.name, package.size):
            return
        path = shelf.path(package.name)
        if await shelf.off_loop(partial(digest_of, path)) != package.cursor.digest:
            await self._forget(package)

    async def remove(self) -> None:
        """The line goes, with everything that was kept of it."""
        generation = self.copy.at.generation
        await self._change(partial(package_log.forget, generation=generation))
        await self.copy.remove()

    async def _look(self, cursor: Cursor) -> Package | Needs:
        at = self.copy.at
        if not at.generation:
            return Needs.NOTHING
        while True:
            found = await self._in_log((at, cursor, self._fresh.generations()))
            if not isinstance(found, Package) or self.copy.shelf.has(found.name, found.size):
                return found
            await self._forget(found)

    async def _find(self, asked: tuple[Cursor, Cursor, frozenset[int]]) -> Package | Needs:
        end, at, fresh = asked
        return await self._engine.read(
            partial(package_log.next_package, end=end, at=at, fresh=fresh)
        )

    async def _make_snapshot(self, cursor: Cursor) -> Package | Needs:
        copy = self.copy

        def fill(session: Session) -> Filled:
            return fill_snapshot(session, Selection(), where_it_stands(session))

        async with self._building:
            found = await self._look(cursor)
            if found is not Needs.SNAPSHOT:
                return found  # made for another one meanwhile
            statements = snapshot_statements(copy.at.scope.version)
            try:
                built = await copy.shelf.off_loop(
                    partial(build, copy.shelf, copy.path, statements, fill)
                )
            except OSError as error:
                raise Refused(Reason.DISK_FULL, f"a package cannot be made: {error}") from error
            except Misuse as error:
                raise copy.damaged(error) from None
            if built is None:
                return Needs.NOTHING
            if built.package.cursor.generation == copy.at.generation:
                await self._change(partial(package_log.keep_snapshot, package=built.package))
                self._fresh.note(built.package.cursor.generation)
                return built.package
            await copy.shelf.remove([built.package.name])  # another log came meanwhile
            return Needs.NOTHING

    async def _forget(self, package: Package) -> None:
        await self._change(partial(package_log.drop, package=package))
        await self.copy.shelf.remove([package.name])

    async def _change(self, change: Change) -> None:
        """Changes the log, and removes the files that it names no more."""

        def write(session: Session) -> set[str]:
            before = package_log.names(session)
            change(session)
            return before - package_log.names(session)

        gone = await self._engine.write(write)
        self._in_log.anew()
        await self.copy.shelf.remove(gone)


def _begin(session: Session, package: Package, before: Cursor) -> None:
    """A snapshot came from headquarters: what was kept before leads nowhere any more."""
    package_log.forget(session, before.generation)
    package_log.forget(session, package.cursor.generation)
    package_log.keep_snapshot(session, package)
