"""What a stream says of its lanes: no word overtakes a newer one."""

import asyncio
from collections.abc import AsyncIterator

from tests.support.crowd import Arrivals, Wares, entries_of, lane_of, register

from stillopen.core.journal import Entry, Head, Stored
from stillopen.core.turns import Turns
from stillopen.replication.frames import PROTOCOL_VERSION
from stillopen.replication.server_half import ServerHalf
from stillopen.rpc.wire import entry_to, head_to
from stillopen.sync.admission import Admission
from stillopen.sync.session import Session
from stillopen.v1 import sync_pb2

R1 = register(1)
LANE = lane_of(R1)


class LateWord(Arrivals):
    """Says what it stored only when that has become more meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stored = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def receive(self, entries: list[Entry], damaged: list[Entry]) -> list[Stored]:
        """Stores, and answers later."""
        stored = await super().receive(entries, damaged)
        self.is_stored.set()
        await self.may_answer.wait()
        return stored


async def test_the_answer_to_a_batch_does_not_overtake_what_is_known_since() -> None:
    journals, ended = LateWord(), asyncio.Event()

    async def frames() -> AsyncIterator[sync_pb2.SyncRequest]:
        hello = sync_pb2.Hello(protocol_version=PROTOCOL_VERSION, lanes=[head_to(Head(LANE, 1, 1))])
        yield sync_pb2.SyncRequest(hello=hello)
        entries = [entry_to(each) for each in entries_of(R1)]
        yield sync_pb2.SyncRequest(entries=sync_pb2.Entries(batch=1, entries=entries))
        await ended.wait()

    half = ServerHalf(R1.name, 3_600.0)
    session = Session(half, journals, Wares(), journals, R1.name, Turns(), Admission(), lambda: R1)
    running = asyncio.create_task(session.run(frames()))
    await journals.is_stored.wait()
    journals.through[LANE] = 2  # another stream of the register brought the next
    session.moved.note([LANE])
    for _ in range(20):
        await asyncio.sleep(0)  # whoever could say it has had the time
    journals.may_answer.set()
    for _ in range(20):
        await asyncio.sleep(0)
    ended.set()
    await running
    said: list[int] = []
    while (frame := session.take()) is not None:
        said += [lane.stored_through for lane in frame.stored.lanes]
    assert said == [1, 2]
