"""One stream at the server: carries out what its half asks for. Thin."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from google.protobuf.message import DecodeError

from stillopen.core.errors import invalid
from stillopen.core.journal import Head, Lane
from stillopen.core.turns import Turns
from stillopen.replication.frames import MISSED_MAX
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
from stillopen.rpc.identity import Caller
from stillopen.rpc.shielded import to_its_end
from stillopen.sync.admission import Admission
from stillopen.sync.blocks import Blocks
from stillopen.sync.moved import Moved
from stillopen.sync.offers import Offers
from stillopen.sync.questions import Questions
from stillopen.v1 import sync_pb2

INTERVAL_CHECK_S = 5.0
"""How soon it is noticed that packages may be offered more often."""
HELLO_WITHIN_S = 30.0
"""For how long a stream may say nothing at all, however slow its heartbeats are to be."""
WAITING_BEAT_S = 3.0
"""How often a client hears that its turn is still to come: it gives a silent server up."""


class Session:
    """One stream: carries out what the half asks for."""

    def __init__(
        self,
        half: ServerHalf,
        journals: JournalSink,
        packages: PackageSource,
        reports: ReportSink,
        name: str,
        turns: Turns,
        admission: Admission,
        still_known: Callable[[], Caller],
    ) -> None:
        self._admission = admission
        self._admitted = False
        self._still_known = still_known
        self._name = name
        self._turns = turns
        self._half = half
        self._journals = journals
        self._packages = packages
        self._reports = reports
        self.wake = News()
        self.questions = Questions(half, self.wake, name)
        self._blocks = Blocks(half, packages, name, admission.packages, self.wake.tell)
        self._offers = Offers(half, packages, name, self._package_begun)
        self.moved = Moved(half.owner)
        self._one_word_at_a_time = asyncio.Lock()
        """A word about lanes is said before the next is read, so that none overtakes another."""

    def take(self) -> sync_pb2.SyncResponse | None:
        """The next frame to send; the one before it has gone."""
        frame = self._half.take()
        self._blocks.took(is_block=frame is not None and frame.HasField("package_block"))
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
                    group.create_task(self._blocks.run()),
                    group.create_task(self._beat()),
                ]
                await self._receive(frames)
                for other in others:
                    other.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

    async def _receive(self, frames: AsyncIterator[sync_pb2.SyncRequest]) -> None:
        loop = asyncio.get_running_loop()
        hello_within_s = min(MISSED_MAX * self._half.heartbeat_s, HELLO_WITHIN_S)
        try:
            async with asyncio.timeout(hello_within_s) as silence:
                async for frame in frames:
                    silence.reschedule(None)  # it is this server that others wait for
                    await self._carry_out(self._half.received(frame))
                    self._package_begun()  # more of a package may be read and sent
                    silence.reschedule(loop.time() + MISSED_MAX * self._half.heartbeat_s)
        except TimeoutError:
            return  # the client is gone; it connects again when it is back
        except DecodeError:
            raise invalid("frame", "it cannot be read") from None

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
        todo = list(effects)
        self._still_known()  # another may have been installed under this name since
        while todo:
            before = self._journals.news.version
            match todo.pop(0):
                case Claim(heads):
                    todo += await self._claim(heads)
                case Store() as store:
                    # Shielded: a caller that is gone does not undo what arrived.
                    async with self._one_word_at_a_time:
                        received = self._journals.receive(store.intact, store.damaged)
                        lanes = await to_its_end(received)
                        self.moved.registers.update(each.lane.register_id for each in lanes)
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

    async def _claim(self, heads: list[Head]) -> Sequence[Effect]:
        self.moved.registers.update(head.lane.register_id for head in heads)
        if self._admitted:
            async with self._one_word_at_a_time:
                before = self._journals.news.version
                effects = self._half.claimed(await self._journals.claim(heads))
        else:
            async with self._admission.hellos:
                before = self._journals.news.version
                stored = await self._journals.claim(heads)
            self._admitted, self._half.room = True, self._admission.room
            effects = self._half.claimed(stored)
        await self._tell_changed(before)
        return effects

    def _package_begun(self) -> None:
        self._blocks.look()
        self.wake.tell()

    async def _watch_journals(self) -> None:
        while True:
            await self._tell(await self.moved.next())

    async def _tell_changed(self, since: int) -> None:
        """Tells of lanes that changed, also of those that the stream is about only since then."""
        await self._tell(self._journals.changed(since))

    async def _tell(self, moved: Sequence[Lane]) -> None:
        if lanes := self._half.about(moved):
            async with self._one_word_at_a_time:
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

    async def _beat(self) -> None:
        while True:
            beat_s = self._half.heartbeat_s
            await asyncio.sleep(beat_s if self._admitted else min(beat_s, WAITING_BEAT_S))
            self._half.heartbeat()
            self.wake.tell()
