"""What a store's channel has of headquarters' master data, and gives on to its registers.

Its own replica has every table. When the store's offline profile leaves tables out, or a register
reads an older version of them, the channel keeps another copy for them: a line. It receives the
packages of each from headquarters over its one stream, and passes them on as they came.

1. A register gets the packages of the line that its store's profile and its software ask for.
2. When a line's deltas have outgrown its snapshot the channel makes one of its own copy, rather
   than ask headquarters for one: they show the same, and a store without a link can begin a till.
3. A line that nobody needs any more goes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from stillopen.channel.line import Line
from stillopen.core.errors import StillopenError
from stillopen.replication import package_log
from stillopen.replication.copies import Copy, open_copy
from stillopen.replication.frames import CURSORS_MAX, cursor_to
from stillopen.replication.ports import Cursor, Flow, Package, Partial
from stillopen.replication.replica import Replica
from stillopen.replication.scope import EVERYTHING, Scope, left_out
from stillopen.replication.shared import Shared
from stillopen.rpc.shielded import to_its_end
from stillopen.storage.engine import Engine, OpenEngine, Session
from stillopen.storage.pointer import pointers
from stillopen.storage.shelf import Coming
from stillopen.v1 import sync_pb2

Ask = Callable[[str, sync_pb2.DigestsAsked], Awaitable[sync_pb2.Digests]]
"""Asks a register of this store, over its stream."""


class Lines:
    """The channel's own replica, and the copies for its registers. Open with `open_lines`."""

    def __init__(
        self,
        replica: Replica,
        engine: Engine,
        open_engine: OpenEngine,
        folder: Path,
        warn: Callable[[str], None],
    ) -> None:
        self.replica = replica
        self.news = replica.news
        self._engine = engine
        self._open_engine = open_engine
        self._folder = folder
        self._warn = warn
        self._lines = {EVERYTHING: Line(replica.copy, engine)}
        self._opening = asyncio.Lock()
        self._blocks = Shared(self._block)
        self.ask: Ask | None = None
        """How registers are asked; set when they are served."""

    # From headquarters

    async def cursors(self) -> list[Cursor]:
        """Where each copy stands, the channel's own first."""
        await self._keep_what_is_needed()
        return [await line.copy.cursor() for line in self._lines.values()]

    async def partials(self) -> list[Partial]:
        """The package of which a part is there, from a stream that broke off."""
        return await self.replica.copy.partials()

    async def receive(self, package: Package, offset: int = 0) -> Coming:
        """Makes room for a package that is about to come, behind what is there of it."""
        return await self.replica.copy.shelf.receive(package.name, package.size, offset)

    async def apply(self, package: Package) -> None:
        """Shows the package, or keeps it for registers; Refused PACKAGE_DAMAGED changes nothing."""
        # Its copy and its log go together, also when the stream that brought it ends meanwhile.
        await to_its_end(self._apply(package))

    async def _apply(self, package: Package) -> None:
        line = self._line_for(package)
        if line is None:
            await self.replica.copy.shelf.remove([package.name])
            return  # nobody needs it any more
        if line is self._lines[EVERYTHING]:
            await line.take(package, self.replica.show)
            await self._keep_what_is_needed()
        else:
            await line.take(package, line.copy.apply)
        self.news.tell()

    async def digests(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """What ranges of a table's rows come to, here or at a register."""
        if not asked.register_id:
            return await self.replica.digests(asked)
        question = sync_pb2.DigestsAsked()
        question.CopyFrom(asked)
        question.register_id = ""
        try:
            if self.ask is None:
                return _refused(asked, "registers are not served yet")
            return await self.ask(asked.register_id, question)
        except StillopenError as error:
            return _refused(asked, str(error))

    # To registers

    async def newest(self, caller: str, cursor: Cursor) -> Package | None:
        """What a register of this store needs next; nothing when it has or gets nothing."""
        register = self.replica.registers.get(caller)
        if register is not None and not register.takes_packages:
            return None
        if (await self.flow(caller)).paused:
            return None
        line = await self._line(self._scope(cursor.scope.version))
        return await line.next(cursor)

    async def block(self, package: Package, offset: int, size: int) -> bytes:
        """A part of a package."""
        return await self._blocks((package.name, offset, size))

    async def _block(self, asked: tuple[str, int, int]) -> bytes:
        return await self.replica.copy.shelf.block(*asked)

    async def refused(
        self,
        caller: str,  # noqa: ARG002 - it says so in its report
        package: Cursor,
        message: str,  # noqa: ARG002
    ) -> None:
        """A register kept what it had; perhaps the file here is at fault."""
        for line in self._lines.values():
            await line.check(package)

    def offer_interval_s(self) -> float:
        """How often a register is offered something newer."""
        return self.replica.profile.new_offline_database_check_interval_s

    async def flow(self, caller: str) -> Flow:  # noqa: ARG002 - one profile for all of them
        """How packages may go down to a register just now."""
        profile = self.replica.profile
        return Flow(profile.pause_offline_sync, profile.download_bytes_per_s_max)

    async def close(self) -> None:
        """Lets the files go, but for the channel's own."""
        for scope, line in self._lines.items():
            if scope != EVERYTHING:
                await line.copy.close()

    async def begin(self) -> None:
        """Opens the lines that are there and needed, and removes what no line knows."""
        for pointer in pointers(self._folder, "registers-"):
            if (scope := _scope_named(pointer.path)).excluded == self._needed().excluded:
                await self._line(scope)
            else:
                pointer.remove()
        await self._keep_what_is_needed()
        generations = [line.copy.at.generation for line in self._lines.values()]

        def tidy(session: Session) -> set[str]:
            package_log.forget_others(session, generations)
            return package_log.names(session)

        await self.replica.copy.shelf.keep_only(await self._engine.write(tidy))

    def _needed(self) -> Scope:
        return self._scope(EVERYTHING.version)

    def _scope(self, version: int) -> Scope:
        profile = self.replica.profile
        excluded = left_out(profile.excluded_jobs, profile.excluded_tables)
        return Scope(excluded, min(version, EVERYTHING.version))

    def _line_for(self, package: Package) -> Line | None:
        """Whose package it is; older headquarters sends an older version than was asked for."""
        scope = package.cursor.scope
        same = [each for each in self._lines if each.excluded == scope.excluded]
        same.sort(key=lambda each: (each != scope, -each.version))
        lines = [self._lines[each] for each in same]
        return next((line for line in lines if line.needs(package)), lines[0] if lines else None)

    async def _line(self, scope: Scope) -> Line:
        if line := self._lines.get(scope):
            return line
        async with self._opening:
            if scope not in self._lines and len(self._lines) < CURSORS_MAX:
                self._lines[scope] = Line(await self._open(scope), self._engine)
                self.news.tell()  # headquarters is asked for it
        return self._lines[scope]

    async def _open(self, scope: Scope) -> Copy:
        path = self._folder / f"{'-'.join(['registers', str(scope.version), *scope.excluded])}.db"
        return await open_copy(path, self.replica.copy.shelf, self._open_engine, scope, self._warn)

    async def _keep_what_is_needed(self) -> None:
        """Opens the line of the store's profile, and closes those of another."""
        needed = self._needed()
        await self._line(needed)
        for scope in [each for each in self._lines if each not in (needed, EVERYTHING)]:
            if scope.excluded != needed.excluded:
                await self._lines.pop(scope).remove()


async def open_lines(
    replica: Replica,
    engine: Engine,
    open_engine: OpenEngine,
    folder: Path,
    warn: Callable[[str], None],
) -> Lines:
    """The lines of a channel whose replica is open; `engine` has the index of its packages."""
    lines = Lines(replica, engine, open_engine, folder, warn)
    await lines.begin()
    return lines


def _scope_named(file: Path) -> Scope:
    """The scope of a line, by the name of its file."""
    _, version, *excluded = file.stem.split("-")
    return Scope(tuple(excluded), int(version))


def _refused(asked: sync_pb2.DigestsAsked, why: str) -> sync_pb2.Digests:
    return sync_pb2.Digests(number=asked.number, cursor=cursor_to(Cursor()), refusal=why)
