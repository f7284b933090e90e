"""The client of a stream: keeps it up for as long as the process runs. Thin; decides nothing."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import cast

import grpc.aio

from stillopen.core.errors import StillopenError
from stillopen.core.ids import new_epoch
from stillopen.replication.client_half import ClientHalf, Effect, Read, Remember
from stillopen.replication.frames import MISSED_MAX
from stillopen.replication.landing import Landing
from stillopen.replication.news import News
from stillopen.replication.ports import EntrySource, PackageSink
from stillopen.replication.reports import Standing
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import error_of
from stillopen.v1 import sync_pb2, sync_pb2_grpc

LOG = logging.getLogger("stillopen.replication")
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
LASTED_S = 10.0
"""A stream that was up for so long was no failure: the next is tried at once."""
WELCOME_S = 10.0
INTERVAL_CHECK_S = 5.0
"""How soon a shorter upload interval is noticed."""


class SyncClient:
    """A replica's stream to its source. `allowed` says whether it may run now (manual offline)."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        caller: Caller,
        journals: EntrySource,
        replica: PackageSink,
        standing: Standing,
        rng: random.Random,
        instance: int = 0,
        upload_interval_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._instance = instance or new_epoch(rng)
        self._stub = sync_pb2_grpc.SyncServiceStub(channel)
        self._caller = caller
        self._journals = journals
        self._replica = replica
        self._standing = standing
        self._rng = rng
        self._upload_interval_s = upload_interval_s
        """How often what was journaled goes up; 0 at once. Cards and hello never wait for it."""
        self._session: asyncio.Task[None] | None = None
        self._half = ClientHalf()
        """That of the newest stream, also when it ended."""
        self._moving = asyncio.Lock()
        """Held while replicas move or are looked at; a package may outlast its stream."""
        self._up_since_s = 0.0
        self.up = False
        """True from the welcome until the stream breaks or falls silent."""
        self.heard_s = float("-inf")
        """When the server was last heard, on the loop's clock."""
        self.news = News()
        """Told when `up` changed."""
        self.allowed = True
        self.last_error: StillopenError | None = None

    @property
    def package_bytes_missing(self) -> int:
        """What is still to come of a package that is on its way."""
        return 0 if self._half.closed else self._half.package_bytes_missing

    @property
    def package_refusal(self) -> str:
        """Why the last package was refused; empty when it was not."""
        return self._half.package_refusal

    def allow(self, allowed: bool) -> None:  # noqa: FBT001 - a switch
        """Lets the stream run, or silences it."""
        self.allowed = allowed
        if not allowed and self._session is not None:
            self._session.cancel()
        self.news.tell()

    async def run(self) -> None:
        """Connects, and connects again with back-off and jitter, until cancelled."""
        pause_s = BACKOFF_FIRST_S
        while True:
            version = self.news.version
            if not self.allowed:
                await self.news.after(version)
                continue
            self._session = asyncio.create_task(self._run_session(), name="sync session")
            try:
                await asyncio.wait([self._session])
            finally:
                self._session.cancel()
            no_failure = self._lasted() or not self.allowed
            self._set_up(up=False)
            self._note_failure(self._session)
            pause_s = BACKOFF_FIRST_S if no_failure else min(pause_s * 2, BACKOFF_MAX_S)
            await asyncio.sleep(pause_s * (0.5 + self._rng.random() / 2))

    def _note_failure(self, session: asyncio.Task[None]) -> None:
        if session.cancelled():
            return
        error = _cause(session.exception())
        if isinstance(error, StillopenError):
            self.last_error = error
        elif error is not None and not isinstance(error, TimeoutError | EOFError):
            LOG.error("the stream failed", exc_info=error)

    async def _run_session(self) -> None:
        # The news is read before the heads: what is added between them is not missed.
        known, stood = self._journals.news.version, self._replica.news.version
        heads = await self._journals.heads()
        async with self._moving:  # what came on the stream before is in force, or refused
            cursors = await self._replica.cursors()
        self._half = half = ClientHalf(self.package_refusal)
        half.hello(heads, cursors, self._instance, await self._standing())
        wake = News()
        async with asyncio.TaskGroup() as group:
            landing = Landing(half, wake, self._replica, group, self._moving)
            session = _Session(
                half, wake, self._journals, landing, self._standing, self._upload_interval_s
            )
            call = self._stub.Sync(_frames(half, wake), metadata=self._caller.metadata())
            try:
                async with asyncio.timeout(WELCOME_S) as silence:
                    async for frame in call:
                        self.heard_s = asyncio.get_running_loop().time()
                        await session.carry_out(half.received(frame))
                        if half.welcomed and not self.up:
                            self._set_up(up=True)
                            group.create_task(session.watch(known))
                            group.create_task(session.beat())
                            group.create_task(landing.watch(stood))
                        silence.reschedule(_deadline(half))
            finally:
                call.cancel()
                landing.end()
                half.closed = True  # gRPC leaves the request iterator waiting: it ends by itself
                wake.tell()
            raise EOFError  # the server closed the stream; the group ends the other tasks

    def _lasted(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        return self.up and now_s - self._up_since_s >= LASTED_S

    def _set_up(self, *, up: bool) -> None:
        if up != self.up:
            self.up, self._up_since_s = up, asyncio.get_running_loop().time()
            self.news.tell()


class _Session:
    """One connection: carries out what the half asks for."""

    def __init__(
        self,
        half: ClientHalf,
        wake: News,
        journals: EntrySource,
        landing: Landing,
        standing: Standing,
        upload_interval_s: Callable[[], float],
    ) -> None:
        self._half = half
        self._wake = wake
        self._journals = journals
        self._landing = landing
        self._standing = standing
        self._upload_interval_s = upload_interval_s

    async def carry_out(self, effects: list[Effect]) -> None:
        """Does what the half asks for, and what that leads to."""
        todo = deque(effects)
        while todo:
            match todo.popleft():
                case Read(lane, after, entries_max, bytes_max):
                    entries = await self._journals.read(lane, after, entries_max, bytes_max)
                    todo.extend(self._half.read(lane, entries))
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
            self._wake.tell()
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


def _deadline(half: ClientHalf) -> float | None:
    if not half.heartbeat_s:
        return None
    return asyncio.get_running_loop().time() + MISSED_MAX * half.heartbeat_s


def _cause(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error_of(error) if isinstance(error, grpc.aio.AioRpcError) else error


async def _frames(half: ClientHalf, wake: News) -> AsyncIterator[sync_pb2.SyncRequest]:
    while not half.closed:
        version = wake.version
        while (frame := half.take()) is not None:
            yield frame
        await wake.after(version)
