"""How fast packages come down and journals go up, and what pauses: to the second, virtually."""

import asyncio
import random
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.sim.channel import Network
from tests.sim.loop import run
from tests.sim.sample import HQ, now_s
from tests.support.package_streams import (
    R1,
    WHOLE,
    Arrived,
    Everybody,
    Goods,
    Journal,
    Replicas,
)

from stillopen.replication.client import SyncClient
from stillopen.replication.frames import BLOCK_BYTES, STALLED_S
from stillopen.replication.ports import Cursor, Flow
from stillopen.replication.reports import nothing_to_report
from stillopen.replication.uploads import BOUND_CHECK_S
from stillopen.rpc.identity import CallerKind, Gate
from stillopen.sync.blocks import FLOW_CHECK_S
from stillopen.sync.servicer import SyncServicer
from stillopen.v1 import sync_pb2_grpc

BLOCKS = 40
LARGE = bytes(range(256)) * (BLOCKS * BLOCK_BYTES // 256)
BEAT_S = 5.0
MOMENT_S = 0.2
"""Latencies, and how often a test looks."""


class Exchange:
    """A register's stream over a simulated network, with fakes beyond both ends."""

    def __init__(self, folder: Path) -> None:
        self.goods = Goods()
        self.replicas = Replicas(folder, Cursor())
        self.journal = Journal()
        self.arrived = Arrived()
        self.upload_bytes_per_s = 0.0
        self.client: SyncClient
        self._streams = 0

    async def until(self, wanted: Callable[[], bool]) -> float:
        """Waits until it is so; how long that was."""
        began_s = now_s()
        while not wanted():  # noqa: ASYNC110 - time is what is looked at
            await asyncio.sleep(MOMENT_S / 4)
        return now_s() - began_s

    async def shown(self, end: Cursor) -> float:
        """Waits until the replica stands there; how long that was."""
        return await self.until(lambda: self.replicas.standing == [end])

    async def sells(self) -> None:
        """A sale is acknowledged at once, whatever comes down."""
        self.journal.add()
        assert await self.until(lambda: self.arrived.through == self.journal.length) < MOMENT_S

    async def breaks_off(self) -> None:
        """The stream ends, and another begins."""
        self.client.allow(allowed=False)
        await self.until(lambda: not self.client.up)
        self.client.allow(allowed=True)
        await self.until(lambda: self.client.up)
        self._streams = self.client.news.version

    @property
    def read(self) -> int:
        """How much of packages was read at the source."""
        return sum(size for _, size in self.goods.blocks)

    @asynccontextmanager
    async def up(self) -> AsyncGenerator[None]:
        """The stream, once it was welcomed."""
        rng = random.Random(1)  # noqa: S311 - repeatable
        network = Network(rng)
        servicer = SyncServicer(
            self.arrived,
            self.goods,
            self.arrived,
            lambda: BEAT_S,
            Gate(Everybody()),
            CallerKind.REGISTER,
        )
        sync_pb2_grpc.add_SyncServiceServicer_to_server(servicer, network.server(HQ).as_grpc)
        self.client = SyncClient(
            network.channel(R1.name, HQ),
            R1,
            self.journal,
            self.replicas,
            nothing_to_report,
            rng,
            upload_bytes_per_s=lambda: self.upload_bytes_per_s,
        )
        running = asyncio.create_task(self.client.run())
        await self.until(lambda: self.client.up)
        self._streams = self.client.news.version
        try:
            yield
            assert self.client.news.version == self._streams, "the stream stayed"
        finally:
            running.cancel()
            await asyncio.wait([running])


def act(story: Callable[[Exchange], Awaitable[None]]) -> None:
    """Tells a story of one stream."""

    async def main(folder: Path) -> None:
        exchange = Exchange(folder / "shelf")
        async with exchange.up():
            await story(exchange)

    with tempfile.TemporaryDirectory() as folder:
        run(main(Path(folder)), limit_s=1e5)


@pytest.mark.parametrize("blocks_per_s", [4, 0.5])
def test_a_package_comes_down_as_fast_as_its_bound_and_journals_go_up_at_once(
    blocks_per_s: float,
) -> None:
    rate = blocks_per_s * BLOCK_BYTES

    async def story(exchange: Exchange) -> None:
        exchange.goods.flowing = Flow(bytes_per_s_max=rate)
        end = exchange.goods.put(3, 1, LARGE)
        began_s = now_s()
        while exchange.read < len(LARGE):
            assert exchange.read <= rate * (now_s() - began_s + 1) + BLOCK_BYTES
            await exchange.sells()
            await asyncio.sleep(1)
        await exchange.shown(end)
        assert abs(now_s() - began_s - len(LARGE) / rate) < 2
        assert exchange.replicas.contents == {WHOLE: LARGE}

    act(story)


def test_without_a_bound_a_package_comes_at_once() -> None:
    async def story(exchange: Exchange) -> None:
        assert await exchange.shown(exchange.goods.put(3, 1, LARGE)) < 1

    act(story)


def test_the_slowest_bound_is_no_stalled_peer() -> None:
    async def story(exchange: Exchange) -> None:
        exchange.goods.flowing = Flow(bytes_per_s_max=1_024)
        size = int(3 * STALLED_S) * 1_024
        end = exchange.goods.put(3, 1, LARGE[:size])
        assert abs(await exchange.shown(end) - 3 * STALLED_S) < 2

    act(story)


def test_another_bound_is_noticed_within_seconds_in_the_middle_of_a_package() -> None:
    async def story(exchange: Exchange) -> None:
        exchange.goods.flowing = Flow(bytes_per_s_max=1_024)
        end = exchange.goods.put(3, 1, LARGE)
        await asyncio.sleep(100)
        assert abs(exchange.read - 100 * 1_024) <= 2 * 1_024
        exchange.goods.flowing = Flow(bytes_per_s_max=4 * BLOCK_BYTES)
        await asyncio.sleep(FLOW_CHECK_S + 2)
        exchange.goods.flowing = Flow(bytes_per_s_max=1_024)  # what went is paid for slowly now
        await asyncio.sleep(100)
        rate = 10 * BLOCK_BYTES
        exchange.goods.flowing = Flow(bytes_per_s_max=rate)
        assert await exchange.shown(end) < len(LARGE) / rate + FLOW_CHECK_S + MOMENT_S

    act(story)


def test_a_pause_in_the_middle_of_a_package_holds_it_where_it_is_and_nothing_else() -> None:
    async def story(exchange: Exchange) -> None:
        goods = exchange.goods
        goods.flowing = bounded = Flow(bytes_per_s_max=4 * BLOCK_BYTES)
        end = goods.put(3, 1, LARGE)
        await asyncio.sleep(5)
        goods.flowing = Flow(paused=True)
        await asyncio.sleep(2)
        before = exchange.read
        assert 0 < before < len(LARGE)
        for _ in range(100):
            await asyncio.sleep(STALLED_S / 10)
            await exchange.sells()
        assert exchange.read == before
        assert exchange.replicas.standing == [Cursor()]
        goods.flowing = bounded
        rest_s = (len(LARGE) - before) / bounded.bytes_per_s_max
        assert await exchange.shown(end) < rest_s + FLOW_CHECK_S + 1
        assert exchange.read == len(LARGE), "nothing came twice"

    act(story)


def test_what_was_paused_and_broke_off_goes_on_behind_what_is_there() -> None:
    async def story(exchange: Exchange) -> None:
        goods = exchange.goods
        goods.flowing = Flow(bytes_per_s_max=4 * BLOCK_BYTES)
        end = goods.put(3, 1, LARGE)
        await asyncio.sleep(5)
        goods.flowing = Flow(paused=True)
        await asyncio.sleep(60)
        before = exchange.read
        await exchange.breaks_off()
        await asyncio.sleep(60)
        assert exchange.read == before
        goods.flowing = Flow()
        await exchange.shown(end)
        assert exchange.read == len(LARGE), "nothing came twice"

    act(story)


def test_while_paused_no_package_begins_and_the_newest_comes_afterwards() -> None:
    async def story(exchange: Exchange) -> None:
        goods = exchange.goods
        end = goods.put(3, 1, b"before")
        await exchange.shown(end)
        goods.flowing = Flow(paused=True)
        for sequence in range(2, 6):
            end = goods.put(3, sequence, b"meanwhile %d" % sequence)
            await asyncio.sleep(600)
            await exchange.sells()
        assert exchange.read == len(b"before")
        goods.flowing = Flow()
        assert await exchange.shown(end) < BEAT_S + MOMENT_S
        assert exchange.replicas.contents == {WHOLE: b"meanwhile 5"}

    act(story)


SALE = bytes(500)
SALES = 400


def test_journals_go_up_as_fast_as_their_bound_and_the_stream_stays() -> None:
    async def story(exchange: Exchange) -> None:
        exchange.upload_bytes_per_s = 10 * len(SALE)
        began_s = now_s()
        for _ in range(SALES):
            exchange.journal.add(SALE)
        while exchange.arrived.through < SALES:
            assert exchange.arrived.through <= 10 * (now_s() - began_s + 1)
            await asyncio.sleep(MOMENT_S)
        assert abs(now_s() - began_s - SALES / 10) < 2
        await asyncio.sleep(5)
        await exchange.sells()

    act(story)


def test_a_package_comes_at_once_while_journals_go_up_slowly() -> None:
    async def story(exchange: Exchange) -> None:
        exchange.upload_bytes_per_s = len(SALE)
        for _ in range(SALES):
            exchange.journal.add(SALE)
        assert await exchange.shown(exchange.goods.put(3, 1, LARGE)) < 1
        await asyncio.sleep(SALES / 2)
        assert abs(exchange.arrived.through - SALES / 2) < 5

    act(story)


@pytest.mark.parametrize("rate", [0.0, 1e6])
def test_another_bound_of_journals_is_noticed_within_seconds(rate: float) -> None:
    async def story(exchange: Exchange) -> None:
        exchange.upload_bytes_per_s = 10.0
        for _ in range(SALES):
            exchange.journal.add(SALE)
        await asyncio.sleep(10 * STALLED_S + 10)
        assert exchange.arrived.through < 20
        exchange.upload_bytes_per_s = rate
        took_s = await exchange.until(lambda: exchange.arrived.through == SALES)
        assert took_s < BOUND_CHECK_S + MOMENT_S

    act(story)
