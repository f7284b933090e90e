"""How soon a stream that broke is tried again: at once after a long one, ever more slowly after
short ones, and never so slowly that a link that is back goes unnoticed.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterable
from pathlib import Path

import pytest
from tests.sim.channel import Network
from tests.sim.loop import run
from tests.sim.sample import CALLER, HQ, TILL, now_s, welcome
from tests.support.package_streams import Journal, Replicas

from stillopen.replication.backoff import BACKOFF_FIRST_S
from stillopen.replication.client import LASTED_S, SyncClient
from stillopen.replication.ports import Cursor
from stillopen.replication.reports import nothing_to_report
from stillopen.rpc.context import Context
from stillopen.rpc.status import streams
from stillopen.v1 import sync_pb2, sync_pb2_grpc

AT_LEAST_EVERY_S = 2.5
LATENCIES_S = 0.01


class Cutting(sync_pb2_grpc.SyncServiceServicer):
    """Welcomes, and ends each stream after its time."""

    def __init__(self, lasting_s: Iterable[float]) -> None:
        self._lasting_s = iter(lasting_s)
        self.pauses_s: list[float] = []
        """Between the end of a stream and the next."""
        self.streams = 0
        self.done = asyncio.Event()
        self._ended_s = 0.0

    @streams
    async def Sync(  # noqa: N802
        self, request_iterator: AsyncIterator[sync_pb2.SyncRequest], context: Context
    ) -> AsyncIterator[sync_pb2.SyncResponse]:
        assert not context.cancelled()
        if self.streams:
            self.pauses_s.append(now_s() - self._ended_s)
        self.streams += 1
        lasts_s = next(self._lasting_s, None)
        if lasts_s is None:
            self.done.set()
            return
        assert (await anext(aiter(request_iterator))).HasField("hello")
        yield welcome(1)
        await asyncio.sleep(lasts_s)
        self._ended_s = now_s()


def pauses_s(folder: Path, lasting_s: Iterable[float]) -> list[float]:
    """How long a client waits after each of some streams."""

    async def main() -> list[float]:
        rng = random.Random(1)  # noqa: S311 - repeatable
        network, servicer = Network(rng), Cutting(lasting_s)
        sync_pb2_grpc.add_SyncServiceServicer_to_server(servicer, network.server(HQ).as_grpc)
        client = SyncClient(
            network.channel(TILL, HQ),
            CALLER,
            Journal(),
            Replicas(folder, Cursor()),
            nothing_to_report,
            rng,
        )
        await beside(client.run(), servicer.done)
        return servicer.pauses_s

    return run(main())


async def beside(work: Coroutine[object, object, None], done: asyncio.Event) -> None:
    """Work goes on until it is done."""
    running = asyncio.create_task(work)
    await done.wait()
    running.cancel()
    await asyncio.wait([running])


def test_streams_that_end_soon_come_ever_more_slowly_and_often_enough(tmp_path: Path) -> None:
    found = pauses_s(tmp_path, [0.5] * 30)
    assert all(each < AT_LEAST_EVERY_S for each in found)
    assert sum(found[10:]) / len(found[10:]) > 1, "not ten times a second"


@pytest.mark.parametrize("before", [0, 10])
def test_a_stream_that_lasted_is_tried_again_at_once(tmp_path: Path, before: int) -> None:
    found = pauses_s(tmp_path, [0.5] * before + [LASTED_S + 0.1, LASTED_S + 0.1])
    assert max(found[before:]) < BACKOFF_FIRST_S + LATENCIES_S
