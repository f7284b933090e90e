"""A crowd of registers in one process: the stream's own client, on a connection of its own.

`python -m tests.bench.crowd ADDRESS CURSOR FIRST COUNT` says when all of them were up. CURSOR is
where their replicas stand, a message in hexadecimal: they have what there is, and nothing comes
down to them.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from typing import Never

from tests.bench import stores
from tests.bench.tills import lines, say
from tests.support import callers

from stillopen.core.errors import Unreachable
from stillopen.core.ids import new_epoch
from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.replication.client import SyncClient
from stillopen.replication.frames import cursor_from
from stillopen.replication.news import News
from stillopen.replication.ports import Cursor, Package, Partial
from stillopen.replication.reports import Report
from stillopen.rpc.channel import open_channel
from stillopen.v1 import sync_pb2


class Idle:
    """A journal without entries, and a replica that has everything."""

    def __init__(self, lane: Lane, at: Cursor) -> None:
        self.news = News()
        self._lane = lane
        self._at = at

    async def heads(self) -> list[Head]:
        """The lane of this run, which is empty."""
        return [Head(self._lane, 1, 0)]

    async def moved(self) -> list[Head]:
        """The same."""
        return await self.heads()

    async def read(self, lane: Lane, after: int, entries_max: int, bytes_max: int) -> list[Entry]:
        """Nothing."""
        del lane, after, entries_max, bytes_max
        return []

    async def conflicts(self) -> list[Entry]:
        """None."""
        return []

    async def remember(self, words: list[Stored]) -> None:
        """Nothing to keep."""

    async def cursors(self) -> list[Cursor]:
        """Where it stands."""
        return [self._at]

    async def partials(self) -> list[Partial]:
        """None."""
        return []

    async def receive(self, package: Package, offset: int = 0) -> Never:
        """Nothing comes."""
        raise AssertionError(package, offset)

    async def apply(self, package: Package) -> None:
        """Nothing comes."""
        raise AssertionError(package)

    async def digests(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """Nobody asks."""
        raise AssertionError(asked)


class Crowd:
    """Registers that stay connected."""

    def __init__(self, address: str, at: Cursor, names: Sequence[str]) -> None:
        rng = random.Random(names[0])  # noqa: S311 - a benchmark, not a secret
        self._clients = [self._client(address, at, name, rng) for name in names]
        self._rose: list[list[float]] = [[] for _ in names]
        """When each came up."""
        self._refused: list[str] = []
        self._news = News()

    def _client(self, address: str, at: Cursor, name: str, rng: random.Random) -> SyncClient:
        epoch = new_epoch(rng)
        idle = Idle(Lane(name, epoch), at)

        async def standing() -> list[Report]:
            self._note(client)
            return [Report(register_id=name)]

        client = SyncClient(
            open_channel(address), callers.register(name), idle, idle, standing, rng, epoch
        )
        return client

    def _note(self, client: SyncClient) -> None:
        """Keeps what the last stream ended with, unless nobody was there."""
        error, client.last_error = client.last_error, None
        if error is not None and not isinstance(error, Unreachable):
            self._refused.append(str(error))

    async def run(self) -> None:
        """Connects them, and connects them again, for as long as it runs."""
        async with asyncio.TaskGroup() as group:
            for place, each in enumerate(self._clients):
                group.create_task(self._watch(each, self._rose[place]))
                group.create_task(each.run())

    async def _watch(self, client: SyncClient, rose: list[float]) -> None:
        up = False
        while True:
            version = client.news.version
            if client.up == up:
                await client.news.after(version)
            else:
                up = client.up
                if up:
                    rose.append(time.perf_counter())
                    self._news.tell()

    async def risen(self, times: int) -> float:
        """When the last of them had come up so many times."""
        while True:
            version = self._news.version
            if min(len(each) for each in self._rose) >= times:
                return max(each[times - 1] for each in self._rose)
            await self._news.after(version)

    def told(self, times: int) -> list[str]:
        """What was refused, and what broke though nobody broke it."""
        lost = sum(len(each) - times for each in self._rose)
        down = sum(not each.up for each in self._clients)
        return [*self._refused, *["a stream broke"] * lost, *["a stream is down"] * down]


async def main(address: str, at: Cursor, names: Sequence[str]) -> None:
    """Says when all are up; for each line that it reads, what went wrong since it began.

    An empty line waits until all are up once more.
    """
    crowd, times = Crowd(address, at, names), 1
    running = asyncio.create_task(crowd.run())
    say(await crowd.risen(times))
    async for line in lines():
        if line:
            say(crowd.told(times))
        else:
            times += 1
            say(await crowd.risen(times))
    running.cancel()


if __name__ == "__main__":
    where, cursor, first, count = sys.argv[1:]
    stores.allow_connections()
    stands = cursor_from(sync_pb2.Cursor.FromString(bytes.fromhex(cursor)))
    asyncio.run(main(where, stands, stores.names(int(count), int(first))))
