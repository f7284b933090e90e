"""The client of a stream: keeps it up for as long as the process runs. Thin; decides nothing."""

import asyncio
import logging
import random
from collections.abc import AsyncIterable, Callable
from typing import cast

import grpc.aio

from stillopen.core.errors import Reason, StillopenError, Unreachable, invalid
from stillopen.core.ids import new_epoch
from stillopen.replication.backoff import Backoff
from stillopen.replication.client_half import ClientHalf
from stillopen.replication.connection import Connection, frames_of
from stillopen.replication.frames import MISSED_MAX
from stillopen.replication.landing import Landing
from stillopen.replication.news import News
from stillopen.replication.ports import EntrySource, PackageSink
from stillopen.replication.reports import Standing
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import error_of
from stillopen.v1 import sync_pb2, sync_pb2_grpc

LOG = logging.getLogger("stillopen.replication")
LASTED_S = 10.0
"""A stream that was up for so long was no failure: the next is tried at once."""
WELCOME_S = 10.0
"""For how long a server may say nothing before its Welcome."""
WELCOME_MAX_S = 300.0
"""For how long it may only say that it is there."""


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
        upload_bytes_per_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._instance = instance or new_epoch(rng)
        self._stub = sync_pb2_grpc.SyncServiceStub(channel)
        self._caller = caller
        self._journals = journals
        self._replica = replica
        self._standing = standing
        self._backoff = Backoff(rng)
        self._upload_interval_s = upload_interval_s
        """How often what was journaled goes up; 0 at once. Cards and hello never wait for it."""
        self._upload_bytes_per_s = upload_bytes_per_s
        """How much of what was journaled goes up in a second; 0 as much as the line carries."""
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
        while True:
            version = self.news.version
            if not self.allowed:
                await self.news.after(version)
                continue
            heard_s = self.heard_s
            self._session = asyncio.create_task(self._run_session(), name="sync session")
            self._session.add_done_callback(self._note_failure)
            try:
                await asyncio.wait([self._session])
            finally:
                self._session.cancel()
            no_failure = self._lasted() or not self.allowed
            self._set_up(up=False)
            nobody = heard_s == self.heard_s and isinstance(self.last_error, Unreachable)
            await asyncio.sleep(self._backoff.pause_s(failed=not no_failure, nobody=nobody))

    def _note_failure(self, session: asyncio.Task[None]) -> None:
        if session.cancelled():
            return
        error = _cause(session.exception())
        if isinstance(error, StillopenError):
            self.last_error = error
        elif error is not None and not isinstance(error, grpc.aio.UsageError):  # it is being closed
            LOG.error("the stream failed", exc_info=error)

    async def _run_session(self) -> None:
        # The news is read before the heads: what is added between them is not missed.
        known, stood = self._journals.news.version, self._replica.news.version
        heads = await self._journals.heads()
        async with self._moving:  # what came on the stream before is in force, or refused
            cursors, partials = await self._replica.cursors(), await self._replica.partials()
        self._half = half = ClientHalf(self.package_refusal)
        half.hello(heads, cursors, self._instance, await self._standing(), partials)
        wake = News()
        async with asyncio.TaskGroup() as group:
            landing = Landing(half, wake, self._replica, group, self._moving)
            connection = Connection(
                half,
                wake,
                self._journals,
                landing,
                self._standing,
                self._upload_interval_s,
                self._upload_bytes_per_s,
                group,
            )

            def begin() -> None:
                group.create_task(connection.watch(known))
                group.create_task(connection.beat())
                group.create_task(landing.watch(stood))

            call = self._stub.Sync(frames_of(half, wake), metadata=self._caller.metadata())
            try:
                await self._hear(call, connection, begin)
            finally:
                call.cancel()
                landing.end()
                half.closed = True  # gRPC leaves the request iterator waiting: it ends by itself
                wake.tell()

    async def _hear(
        self,
        frames: AsyncIterable[sync_pb2.SyncResponse],
        connection: Connection,
        begin: Callable[[], None],
    ) -> None:
        """Takes what the server says, until it says no more; what it raises ends the group."""
        loop, half = asyncio.get_running_loop(), self._half
        began_s = loop.time()
        try:
            async with asyncio.timeout(WELCOME_S) as silence:
                async for frame in frames:
                    silence.reschedule(None)  # it is this client that the server waits for
                    self.heard_s = loop.time()
                    await connection.carry_out(half.received(_readable(frame)))
                    if half.welcomed and not self.up:
                        self._set_up(up=True)
                        self._backoff.asked(half.return_within_s)
                        begin()
                    silence.reschedule(_deadline_s(half, loop.time(), began_s))
        except TimeoutError:
            raise Unreachable(Reason.TIMED_OUT, "the server fell silent") from None
        raise Unreachable(Reason.UNREACHABLE, "the server closed the stream")

    def _lasted(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        return self.up and now_s - self._up_since_s >= LASTED_S

    def _set_up(self, *, up: bool) -> None:
        if up != self.up:
            self.up, self._up_since_s = up, asyncio.get_running_loop().time()
            self.news.tell()


def _deadline_s(half: ClientHalf, now_s: float, began_s: float) -> float | None:
    if not half.welcomed:  # many come at once, and it is told that the server is there
        return min(now_s + WELCOME_S, began_s + WELCOME_MAX_S)
    return now_s + MISSED_MAX * half.heartbeat_s if half.heartbeat_s else None


def _readable(frame: sync_pb2.SyncResponse) -> sync_pb2.SyncResponse:
    # For bytes that are no message gRPC gives nothing, whatever its types say.
    if cast("sync_pb2.SyncResponse | None", frame) is None:
        raise invalid("frame", "it cannot be read")
    return frame


def _cause(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error_of(error) if isinstance(error, grpc.aio.AioRpcError) else error
