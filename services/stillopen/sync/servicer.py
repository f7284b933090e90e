"""SyncService: the shell around the server's half of a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.core.turns import Turns
from stillopen.replication.frames import BATCH_ENTRIES_MAX, MISSED_MAX
from stillopen.replication.news import News
from stillopen.replication.ports import JournalSink, PackageSource
from stillopen.replication.reports import ReportSink
from stillopen.replication.sending import Declined, Offer
from stillopen.replication.server_half import (
    Answered,
    Claim,
    Effect,
    Keep,
    Met,
    ServerHalf,
    Store,
)
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller, CallerKind, Gate
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import streams
from stillopen.sync.offers import Offers
from stillopen.sync.questions import Questions
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
        self._questions: dict[str, Questions] = {}
        """Those of the newest stream of each name."""
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
        questions = self._questions[caller.name] = session.questions
        task = asyncio.create_task(session.run(request_iterator), name=f"stream of {caller.name}")
        task.add_done_callback(lambda _: session.end())  # it may end before it began
        self._streams[caller] = task
        try:
            while not task.done():
                version = session.wake.version
                while (frame := session.take()) is not None:
                    yield frame
                await session.wake.after(version)
            if task.cancelled():
                raise Refused(Reason.STREAM_REPLACED, "a newer stream of this caller was opened")
            task.result()
        finally:
            task.cancel()
            if self._streams.get(caller) is task:
                del self._streams[caller]
            if self._questions.get(caller.name) is questions:
                del self._questions[caller.name]

    async def ask(self, name: str, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """Asks the replica of a caller what ranges of a table come to.

        Unreachable when it has no stream, the stream ends, or no answer comes in a minute.
        """
        questions = self._questions.get(name)
        if questions is None:
            raise Unreachable(Reason.UNREACHABLE, f"{name} is not connected")
        return await questions.ask(asked)


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
        self._room = News()
        """Told when another block of a package may be read."""
        self.questions = Questions(half, self.wake, name)
        self._offers = Offers(half, packages, name, self._package_begun)

    def take(self) -> sync_pb2.SyncResponse | None:
        """The next frame to send."""
        frame = self._half.take()
        if frame is not None and frame.HasField("package_block"):
            self._room.tell()
        return frame

    def end(self) -> None:
        """Tells everybody who waits that the stream ended."""
        self.questions.close()
        self.wake.tell()

    async def run(self, frames: AsyncIterator[sync_pb2.SyncRequest]) -> None:
        """Runs until the client closes the stream, falls silent or sends what it must not."""
        try:
            async with asyncio.TaskGroup() as group:
                others = [
                    group.create_task(self._watch_journals()),
                    group.create_task(self._watch_packages()),
                    group.create_task(self._offers.run()),
                    group.create_task(self._read_blocks()),
                    group.create_task(self._beat()),
                ]
                await self._receive(frames)
                for other in others:
                    other.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

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

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
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
                case Answered(digests):
                    self.questions.answered(digests)
                case Offer() | Declined() as asked:
                    self._offers.put(asked)
            self.wake.tell()

    def _package_begun(self) -> None:
        self._room.tell()
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
            await self._carry_out(self._half.look())

    async def _read_blocks(self) -> None:
        """Reads what is sent next of a package; ends the stream when the file is gone.

        Its client comes back, and gets what is there then.
        """
        while True:
            version = self._room.version
            while (wanted := self._half.wanted_block) is not None:
                data = await self._packages.block(wanted.package, wanted.offset, wanted.size)
                self._half.block(wanted, data)
                self.wake.tell()
            await self._room.after(version)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self._half.heartbeat()
            self.wake.tell()
