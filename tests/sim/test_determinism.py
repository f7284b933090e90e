"""One seed makes one trace, in every process."""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator

import grpc.aio
from tests.sim.loop import run
from tests.sim.network import Cut
from tests.sim.sample import CALLER, HQ, World, hello, now_s, number
from tests.support.repository import ROOT

from stillopen.core.errors import StillopenError
from stillopen.rpc.status import call
from stillopen.v1 import realtime_pb2_grpc, sync_pb2, sync_pb2_grpc


class Story:
    """Three registers in a quarter of an hour of bad network, and what they saw."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable
        self.lines: list[str] = []

    def tell(self, *what: object) -> None:
        line = " ".join(str(each) for each in what)
        self.lines.append(f"{asyncio.get_running_loop().time():.9f} {line}")

    async def play(self) -> None:
        world = World(self.rng.randrange(2**32))
        faults = world.network.faults
        faults.drop_request = faults.drop_response = faults.duplicate = 0.1
        faults.break_stream = 0.01
        faults.delay_s = (0.0, 0.5)
        async with asyncio.TaskGroup() as group:
            names = [f"register-{place}" for place in range(3)]
            registers = [group.create_task(self._register(world, name)) for name in names]
            await self._weather(world, names)
            for register in registers:
                register.cancel()
        for what, count in sorted(world.network.counts.items()):
            self.tell(what, count)

    async def _register(self, world: World, name: str) -> None:
        channel = world.network.channel(name, HQ)
        while now_s() >= 0:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(sync_pb2_grpc.SyncServiceStub(channel), name))
                    for _ in range(5):
                        stub = realtime_pb2_grpc.RealtimeServiceStub(channel)
                        group.create_task(self._ask(stub, name))
            except* (StillopenError, grpc.aio.AioRpcError) as errors:
                self.tell(name, *[type(error).__name__ for error in errors.exceptions])
            await asyncio.sleep(self.rng.random() * 10)

    async def _ask(self, stub: realtime_pb2_grpc.RealtimeServiceStub, name: str) -> None:
        asked, timeout_s = number(str(self.rng.randrange(1_000))), self.rng.random() * 5
        answer = await call(stub.GetCardBalance, asked, CALLER, timeout_s)
        self.tell(name, answer.card_id, answer.last_four)

    async def _listen(self, stub: sync_pb2_grpc.SyncServiceStub, name: str) -> None:
        async for answer in stub.Sync(self._requests(), metadata=CALLER.metadata()):
            self.tell(name, answer.welcome.protocol_version)

    async def _requests(self) -> AsyncIterator[sync_pb2.SyncRequest]:
        for version in range(1, 100):
            yield hello(version)
            await asyncio.sleep(self.rng.random())

    async def _weather(self, world: World, names: list[str]) -> None:
        for _ in range(20):
            await asyncio.sleep(self.rng.random() * 70)
            name, mode = self.rng.choice(names), self.rng.choice(list(Cut))
            self.tell(name, mode)
            world.network.cut(name, HQ, mode=mode)
            await asyncio.sleep(self.rng.random() * 5)
            world.server.stop_answering()
            await asyncio.sleep(self.rng.random() * 5)
            world.server.crash()
            world.server = world.start()
            world.network.heal_all()


def story_of(seed: int) -> list[str]:
    story = Story(seed)
    run(story.play())
    return story.lines


def digest_of(seed: int) -> str:
    return hashlib.sha256("\n".join(story_of(seed)).encode()).hexdigest()


def test_the_story_is_long_and_everything_goes_wrong_in_it() -> None:
    lines = story_of(1)
    assert len(lines) > 1_000
    ended = [line.split()[1] for line in lines[-9:]]
    faults = ["break_stream", "broken", "crashed", "delay", "drop_request", "drop_response"]
    assert ended == [*faults, "duplicate", "held", "refused"]


def test_one_seed_makes_one_trace_and_another_seed_another() -> None:
    story = story_of(1)
    assert story == story_of(1)
    assert story != story_of(2)


def test_a_trace_is_the_same_in_every_process_whatever_its_hash_seed() -> None:
    program = "from tests.sim.test_determinism import digest_of; print(digest_of(3))"
    digests = {digest_of(3)}
    for hash_seed in ("1", "2"):
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1
