"""SyncService: the shell around the server's half of a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable

from stillopen.core.errors import Reason, Refused
from stillopen.core.turns import Turns
from stillopen.replication.frames import BATCH_ENTRIES_MAX, MISSED_MAX
from stillopen.replication.news import News
from stillopen.replication.ports import JournalSink, PackageSource
from stillopen.replication.reports import ReportSink
from stillopen.replication.server_half import (
    Claim,
    Declined,
    Effect,
    Keep,
    Met,
    Offer,
    ServerHalf,
    Store,
)
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller, CallerKind, Gate
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import streams
from stillopen.v1 import sync_pb2, sync_pb2_grpc

SERVICE = "stillopen.v1.SyncService"
INTERVAL_CHECK_S = 5.0
"""How soon it is noticed that packages may be offered more often."""


class SyncServicer(sync_pb2_grpc.SyncServiceServicer):
    """Streams of registers or channels. `heartbeat_s` is read when a stream begins."""

    def __init__(
        self,
        journals: JournalSink,
        packages: PackageSource,
        reports: ReportSink,
        heartbeat_s: Callable[[], float],
        gate: Gate,
        *kinds: CallerKind,
        batch_entries: Callable[[], int] = lambda: BATCH_ENTRIES_MAX,
    ) -> None:
        self._batch_entries = batch_entries
        self._gate = gate
        self._journals = journals
        self._packages = packages
        self._reports = reports
        self._heartbeat_s = heartbeat_s
        self._kinds = kinds
        self._streams: dict[Caller, asyncio.Task[None]] = {}
        self._turns = Turns()

    @streams
    async def Sync(
        self, request_iterator: AsyncIterator[sync_pb2.SyncRequest], context: Context
    ) -> AsyncIterator[sync_pb2.SyncResponse]:
        """Serves one stream; an older one of the same caller is closed."""
        caller = self._gate.caller(context, *self._kinds, retired=True)
        half = ServerHalf(
            caller.name if caller.kind is CallerKind.REGISTER else "",
            self._heartbeat_s(),
            self._batch_entries(),
        )
        session = _Session(
            half,
            self._journals,
            self._packages,
            self._reports,
            self._heartbeat_s(),
            caller.name,
            self._turns,
            lambda: self._gate.caller(context, *self._kinds, retired=True),
        )
        if older := self._streams.get(caller):
            older.cancel()
        task = asyncio.create_task(session.run(request_iterator), name=f"stream of {caller.name}")
        task.add_done_callback(lambda _: session.wake.tell())  # it may end before it began
        self._streams[caller] = task
        try:
            while not task.done():
                version = session.wake.version
                while (frame := half.take()) is not None:
                    yield frame
                await session.wake.after(version)
            if task.cancelled():
                raise Refused(Reason.STREAM_REPLACED, "a newer stream of this caller was opened")
            task.result()
        finally:
            task.cancel()
            if self._streams.get(caller) is task:
                del self._streams[caller]


class _Session:
    """One stream: carries out what the half asks for."""

    def __init__(
        self,
        half: ServerHalf,
        journals: JournalSink,
        packages: PackageSource,
        reports: ReportSink,
        heartbeat_s: float,
        name: str,
        turns: Turns,
        still_known: Callable[[], Caller],
    ) -> None:
        self._still_known = still_known
        self._name = name
        self._turns = turns
        self._half = half
        self._journals = journals
        self._packages = packages
        self._reports = reports
        self._heartbeat_s = heartbeat_s
        self.wake = News()

    async def run(self, frames: AsyncIterator[sync_pb2.SyncRequest]) -> None:
        """Runs until the client closes the stream, falls silent or sends what it must not."""
        try:
            async with asyncio.TaskGroup() as group:
                others = [
                    group.create_task(self._watch_journals()),
                    group.create_task(self._watch_packages()),
                    group.create_task(self._beat()),
                ]
                await self._receive(frames)
                for other in others:
                    other.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        finally:
            self.wake.tell()

    async def _receive(self, frames: AsyncIterator[sync_pb2.SyncRequest]) -> None:
        loop = asyncio.get_running_loop()
        patience_s = MISSED_MAX * self._heartbeat_s
        try:
            async with asyncio.timeout(patience_s) as silence:
                async for frame in frames:
                    await self._carry_out(self._half.received(frame))
                    silence.reschedule(loop.time() + patience_s)
        except TimeoutError:
            return  # the client is gone; it connects again when it is back

    async def _carry_out(self, effects: list[Effect]) -> None:
        todo = list(effects)
        self._still_known()  # another may have been installed under this name since
        while todo:
            before = self._journals.news.version
            match todo.pop(0):
                case Claim(heads):
                    todo += self._half.claimed(await self._journals.claim(heads))
                    await self._tell_changed(before)
                case Store() as store:
                    # Shielded: a caller that is gone does not undo what arrived.
                    lanes = await to_its_end(self._journals.receive(store.intact, store.damaged))
                    self._half.stored(store, lanes)
                    await self._tell_changed(before)
                case Keep(reports):
                    await to_its_end(self._reports.keep(self._name, reports))
                case Met(instance):
                    now_s = asyncio.get_running_loop().time()
                    if self._turns.met(self._name, instance, now_s):
                        await self._journals.took_turns(self._name, instance)
                case Offer(cursor):
                    todo += self._half.offered(await self._packages.newest(self._name, cursor))
                case Declined(cursor, message):
                    await self._packages.refused(self._name, cursor, message)
            self.wake.tell()

    async def _watch_journals(self) -> None:
        known = self._journals.news.version
        while True:
            before, known = known, await self._journals.news.after(known)
            await self._tell_changed(before)

    async def _tell_changed(self, since: int) -> None:
        """Tells of lanes that changed, also of those that the stream is about only since then."""
        if lanes := self._half.about(self._journals.changed(since)):
            self._half.changed(await self._journals.stored(lanes))
            self.wake.tell()

    async def _watch_packages(self) -> None:
        loop = asyncio.get_running_loop()
        known, offered_s = self._packages.news.version, loop.time()
        while True:
            known = await self._packages.news.after(known)
            # No event tells that the interval became shorter.
            while (wait_s := offered_s + self._packages.offer_interval_s() - loop.time()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(min(wait_s, INTERVAL_CHECK_S))
            offered_s, known = loop.time(), self._packages.news.version
            if self._half.may_offer:
                await self._carry_out([Offer(self._half.cursor)])

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self._half.heartbeat()
            self.wake.tell()
