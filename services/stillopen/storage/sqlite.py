"""The engine that ships: aiosqlite, one thread that commits in groups and one that reads."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.engine import Database, Engine, Work
from stillopen.storage.files import Hold, open_reader, open_writer
from stillopen.storage.group import Result, SyncFailedError, run_group, run_read, run_with
from stillopen.storage.schema import Schema

T = TypeVar("T")

GROUP_MAX = 256
WAITING_MAX = 10_000
SYNC_FAILED_EXIT = 74


class _Thread(aiosqlite.Connection):
    """A connection on a thread of its own that runs whole functions."""

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs `function(connection, *arguments)` there: one hop, however much it does."""
        # aiosqlite has no public call for this; the version is bounded in pyproject.toml.
        result: T = await self._execute(function, self._conn, *arguments)  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType]
        return result

    async def ended(self) -> None:
        """Waits for the thread of a connection that could not be opened."""
        await asyncio.to_thread(self._thread.join)


@dataclass(slots=True)
class _Waiting:
    work: Work[Any]
    done: asyncio.Future[Any]
    database: Database | None = None
    """Another database that it needs; it is then alone in its commit."""


class SqliteEngine:
    """A database file. Open with `open_sqlite`."""

    def __init__(self, writer: _Thread, reader: _Thread, hold: Hold) -> None:
        self._writer = writer
        self._reader = reader
        self._hold = hold
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue(WAITING_MAX)
        self._closing = False
        self._committing = asyncio.create_task(self._commit_groups(), name="storage writer")

    async def write(self, work: Work[T]) -> T:
        """Runs `work` with whatever else waits, in one commit; returns when it is durable."""
        return await self._write(work, None)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Runs `work` alone in its commit, with another database at hand."""
        return await self._write(work, database)

    async def _write(self, work: Work[T], database: Database | None) -> T:
        if self._closing:
            raise Misuse(Reason.INTERNAL, "the database is closed")
        waiting = _Waiting(work, asyncio.get_running_loop().create_future(), database)
        await self._queue.put(waiting)
        if self._committing.done() and not waiting.done.done():
            raise Misuse(Reason.INTERNAL, "the database is closed")
        result: T = await waiting.done
        return result

    async def read(self, work: Work[T]) -> T:
        """Runs `work` on one committed state."""
        result: T = await self._reader.call(run_read, work)
        return result

    async def close(self) -> None:
        """Commits what waits, closes both connections and lets the file go."""
        if self._closing:
            return
        self._closing = True
        await self._queue.put(None)
        await self._committing
        while not self._queue.empty():  # writes that waited for room while it was closed
            if left := self._queue.get_nowait():
                left.done.set_exception(Misuse(Reason.INTERNAL, "the database is closed"))
        await self._reader.close()
        await self._writer.close()
        self._hold.release()

    async def _commit_groups(self) -> None:
        stopping = False
        while not stopping:
            first = await self._queue.get()
            group = [] if first is None else [first]
            stopping = first is None
            while len(group) < GROUP_MAX and not self._queue.empty():
                member = self._queue.get_nowait()
                if member is None:
                    stopping = True
                else:
                    group.append(member)
            if group:
                await self._commit(group)

    async def _commit(self, group: list[_Waiting]) -> None:
        # One that needs another database is alone in its commit; the order stays.
        for _, members in groupby(group, lambda member: id(member) if member.database else 0):
            await self._carry_out(list(members))

    async def _run(self, group: list[_Waiting]) -> list[Result]:
        first = group[0]
        if first.database is not None:
            return [await self._writer.call(run_with, first.database, first.work)]
        return await self._writer.call(run_group, [member.work for member in group])

    async def _carry_out(self, group: list[_Waiting]) -> None:
        try:
            results = await self._run(group)
        except SyncFailedError as error:
            # What the disk holds is unknown now; only a fresh start may find out.
            sys.stderr.write(f"stillopen: the disk failed to flush ({error}); stopping at once\n")
            sys.stderr.flush()
            os._exit(SYNC_FAILED_EXIT)
        except Exception as error:  # noqa: BLE001 - every caller is told
            results = [(None, error)] * len(group)
        for member, (value, failure) in zip(group, results, strict=True):
            if member.done.done():
                continue  # its caller gave up; the write stands all the same
            if failure is None:
                member.done.set_result(value)
            else:
                member.done.set_exception(failure)


async def open_sqlite(path: Path, schema: Schema, *, durable: bool = True) -> Engine:
    """Opens or creates the database, locked for this process.

    Raises Misuse REGISTER_IN_USE, DATABASE_DAMAGED or DATABASE_NEWER; the file is then as it was.
    """
    hold = Hold(path)
    writer = _Thread(lambda: open_writer(path, schema, durable=durable), iter_chunk_size=64)
    try:
        await writer
    except BaseException:
        await writer.ended()
        hold.release()
        raise
    reader = _Thread(lambda: open_reader(path), iter_chunk_size=64)
    try:
        await reader
    except BaseException:
        await reader.ended()
        await writer.close()
        hold.release()
        raise
    return SqliteEngine(writer, reader, hold)
