"""Peers that are there and do not move: let go after a time, on virtual time; others go on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.sim.crowd import Crowd, until
from tests.sim.loop import run
from tests.sim.sample import now_s
from tests.support.crowd import Server, Wares, entries_of, lane_of, register
from tests.support.estate_stream import Stream

from stillopen.core.errors import Reason
from stillopen.core.journal import Head
from stillopen.replication.backoff import BACKOFF_MAX_S
from stillopen.replication.client import WELCOME_MAX_S, WELCOME_S
from stillopen.replication.frames import MISSED_MAX, STALLED_S, WINDOW_BYTES
from stillopen.rpc.context import Context
from stillopen.sync.admission import Admission
from stillopen.sync.blocks import UNREAD_S
from stillopen.sync.session import HELLO_WITHIN_S
from stillopen.sync.unread import READ_WITHIN_S, TOLD_WITHIN_S
from stillopen.v1 import sync_pb2, sync_pb2_grpc

BEAT_S = 5.0
LARGE = bytes(2 * WINDOW_BYTES)
SOON_S = 1.0
LET_GO_S = STALLED_S + 2 * BEAT_S + READ_WITHIN_S + TOLD_WITHIN_S + SOON_S


async def beats(stream: Stream, *, reads: bool) -> None:
    """A client that goes on saying that it is there."""
    while True:
        stream.heartbeat()
        if reads:
            await stream.hears(lambda frame: frame.HasField("heartbeat"))
        else:
            await asyncio.sleep(BEAT_S)


@pytest.mark.parametrize("version", [1, 2])
def test_a_client_that_reads_nothing_is_let_go_and_told_when_it_wakes_up(version: int) -> None:
    async def main() -> None:
        crowd = Crowd(Server(Wares(LARGE)))
        admission = crowd.server.admission
        async with crowd.at_work(), crowd.stream(1) as stream:
            stream.hello(version=version)
            beating = asyncio.create_task(beats(stream, reads=False))
            assert await until(lambda: admission.streams == 1) < SOON_S
            assert STALLED_S <= await until(lambda: not admission.streams) <= LET_GO_S
            beating.cancel()
            assert await stream.refused() is Reason.STREAM_STALLED

    run(main())


def test_others_get_their_packages_beside_one_that_takes_nothing_of_its_own() -> None:
    async def main() -> None:
        crowd = Crowd(Server(Wares(LARGE), admission=Admission(packages_at_once=1)))
        async with crowd.at_work(), crowd.stream(1) as stream:
            stream.hello()
            await stream.welcome()
            beating = asyncio.create_task(beats(stream, reads=True))
            await asyncio.sleep(SOON_S)
            began_s = now_s()
            crowd.come(*range(2, 6))
            replicas = crowd.replicas.values()
            await until(lambda: all(each.standing.sequence for each in replicas))
            assert now_s() - began_s < SOON_S, "it holds no place while it takes nothing"
            await asyncio.wait([beating])
            assert STALLED_S <= now_s() <= STALLED_S + 3 * BEAT_S
            assert await stream.refused() is Reason.STREAM_STALLED
            assert len(crowd.up) == 4

    run(main())


def test_one_that_reads_nothing_keeps_its_place_for_a_time_and_no_longer() -> None:
    async def main() -> None:
        crowd = Crowd(Server(Wares(LARGE), admission=Admission(packages_at_once=1)))
        async with crowd.at_work(), crowd.stream(1) as stream:
            stream.hello(version=1)
            beating = asyncio.create_task(beats(stream, reads=False))
            await asyncio.sleep(SOON_S)
            crowd.come(2, 3)
            replicas = crowd.replicas.values()
            assert await until(lambda: len(crowd.up) == 2) < 3 * SOON_S, "packages alone wait"
            sold = await until(lambda: len(crowd.server.arrivals.through) == 2)
            assert sold < 3 * SOON_S
            given_s = await until(lambda: all(each.standing.sequence for each in replicas))
            assert given_s <= 3 * UNREAD_S, "it gets its place back in turns"
            beating.cancel()

    run(main())


def test_a_client_that_says_nothing_at_all_is_let_go() -> None:
    async def main(heartbeat_s: float, within_s: float) -> None:
        crowd = Crowd(Server(heartbeat_s=heartbeat_s))
        async with crowd.at_work(), crowd.stream(1):
            await until(lambda: crowd.server.admission.streams == 1)
            ended_s = await until(lambda: not crowd.server.admission.streams)
            assert ended_s == pytest.approx(within_s, abs=SOON_S)

    run(main(BEAT_S, MISSED_MAX * BEAT_S))
    run(main(300.0, HELLO_WITHIN_S))


def test_a_client_is_not_held_silent_while_the_server_itself_takes_long() -> None:
    async def main() -> None:
        crowd = Crowd()
        arrivals = crowd.server.arrivals
        arrivals.may_store.clear()
        async with crowd.at_work(), crowd.stream(1) as stream:
            caller = register(1)
            stream.hello(Head(lane_of(caller), 1, 1))
            await stream.welcome()
            batch = stream.send(*entries_of(caller))
            await asyncio.sleep(2 * MISSED_MAX * BEAT_S)
            arrivals.may_store.set()
            [lane] = await stream.stored(batch)
            assert lane.stored_through == 1

    run(main())


class Lazy(sync_pb2_grpc.SyncServiceServicer):
    """A server that says it is there: welcomes or not, reads on or not, and stores nothing."""

    def __init__(self, *, welcomes: bool, reads: bool) -> None:
        self._welcomes = welcomes
        self._reads = reads
        self.hellos_s: list[float] = []

    async def Sync(  # noqa: N802
        self, request_iterator: AsyncIterator[sync_pb2.SyncRequest], context: Context
    ) -> AsyncIterator[sync_pb2.SyncResponse]:
        assert not context.cancelled()
        hello = (await anext(aiter(request_iterator))).hello
        self.hellos_s.append(now_s())
        if self._welcomes:
            lanes = [sync_pb2.LaneState(register_id="R1", epoch=each.epoch) for each in hello.lanes]
            welcome = sync_pb2.Welcome(protocol_version=2, lanes=lanes)
            welcome.limits.heartbeat_interval.FromSeconds(int(BEAT_S))
            yield sync_pb2.SyncResponse(welcome=welcome)
        reading = asyncio.create_task(_read_on(request_iterator)) if self._reads else None
        try:
            while True:
                yield sync_pb2.SyncResponse(heartbeat=sync_pb2.Heartbeat())
                await asyncio.sleep(BEAT_S)
        finally:
            if reading is not None:
                reading.cancel()


async def _read_on(frames: AsyncIterator[sync_pb2.SyncRequest]) -> None:
    async for _ in frames:
        pass


@pytest.mark.parametrize("reads", [True, False])
def test_a_server_that_never_acknowledges_is_left_and_tried_again(reads: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        crowd, lazy = Crowd(), Lazy(welcomes=True, reads=reads)
        crowd.serve(lazy)
        crowd.come(1)
        client = crowd.clients[1]
        await until(lambda: len(lazy.hellos_s) == 2)
        assert client.last_error is not None
        assert client.last_error.reason is Reason.TIMED_OUT
        assert "acknowledges" in client.last_error.message
        assert STALLED_S <= now_s() <= STALLED_S + 3 * BEAT_S
        await until(lambda: len(lazy.hellos_s) == 3)

    run(main())


def test_a_server_that_welcomes_nobody_is_tried_again_after_a_time() -> None:
    async def main() -> None:
        crowd, lazy = Crowd(), Lazy(welcomes=False, reads=True)
        crowd.serve(lazy)
        crowd.come(1)
        await until(lambda: len(lazy.hellos_s) == 2)
        assert WELCOME_MAX_S <= now_s() <= WELCOME_MAX_S + BACKOFF_MAX_S + SOON_S
        assert now_s() > 2 * WELCOME_S
        error = crowd.clients[1].last_error
        assert error is not None
        assert error.reason is Reason.TIMED_OUT

    run(main())
