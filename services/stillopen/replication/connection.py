"""One connection of a client: carries out what its half asks for. Thin."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from stillopen.replication.client_half import ClientHalf, Effect, Read, Remember, Sent
from stillopen.replication.landing import Landing
from stillopen.replication.news import News
from stillopen.replication.ports import EntrySource
from stillopen.replication.reports import Standing
from stillopen.replication.uploads import Uploads
from stillopen.v1 import sync_pb2

INTERVAL_CHECK_S = 5.0
"""How soon a shorter upload interval is noticed."""


class Connection:
    """Carries out what the half asks for."""

    def __init__(
        self,
        half: ClientHalf,
        wake: News,
        journals: EntrySource,
        landing: Landing,
        standing: Standing,
        upload_interval_s: Callable[[], float],
        upload_bytes_per_s: Callable[[], float],
        group: asyncio.TaskGroup,
    ) -> None:
        self._half = half
        self._wake = wake
        self._journals = journals
        self._landing = landing
        self._standing = standing
        self._upload_interval_s = upload_interval_s
        self._uploads = Uploads(half, journals, upload_bytes_per_s, group, self.carry_out)

    async def carry_out(self, effects: list[Effect]) -> None:
        """Does what the half asks for, and what that leads to."""
        todo = deque(effects)
        while todo:
            match todo.popleft():
                case Read() as wanted:
                    todo.extend(await self._uploads.read(wanted))
                case Sent(size_bytes):
                    todo.extend(self._uploads.sent(size_bytes))
                case Remember(lanes):
                    await self._journals.remember(lanes)
                case other:
                    await self._landing.carry_out(other)
            self._wake.tell()
        self._wake.tell()

    async def watch(self, known: int) -> None:
        """Sends on what is added to the journals."""
        loop = asyncio.get_running_loop()
        sent_s = loop.time()
        while True:
            for entry in await self._journals.conflicts():
                self._half.also(entry)
            await self.carry_out(self._half.grown([]))
            known = await self._journals.news.after(known)
            # No event tells that the interval became shorter.
            while (wait_s := sent_s + self._upload_interval_s() - loop.time()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(min(wait_s, INTERVAL_CHECK_S))
            sent_s, known = loop.time(), self._journals.news.version
            await self.carry_out(self._half.grown(await self._journals.moved()))

    async def beat(self) -> None:
        """Says that the replica is there, how long its lanes are and how registers stand."""
        while self._half.heartbeat_s:
            await asyncio.sleep(self._half.heartbeat_s)
            moved = await self._journals.moved()
            at_once = not self._upload_interval_s()
            reports = await self._standing()
            await self.carry_out(self._half.heartbeat(moved, reports, sends=at_once))
            await self._landing.look()


async def frames_of(half: ClientHalf, wake: News) -> AsyncIterator[sync_pb2.SyncRequest]:
    """What the half sends, until the stream has ended."""
    while not half.closed:
        version = wake.version
        while (frame := half.take()) is not None:
            yield frame
        await wake.after(version)
