"""The blocks of a package on a stream: read one at a time, no faster than its source says.

1. While the source pauses, nothing more is read; the package goes on later where it stands.
2. A bound that became another, or a pause that ended, is noticed within `FLOW_CHECK_S`.
3. Nothing else on the stream waits for it.
4. Blocks are in memory only while the stream has one of the places that all of them share. It
   leaves after its turn when others wait, and when the client, the bound or a pause lets nothing
   go.
"""

import asyncio
from collections.abc import Callable

from stillopen.replication.news import News
from stillopen.replication.pace import Pace, share
from stillopen.replication.ports import Flow, PackageSource
from stillopen.replication.server_half import ServerHalf

FLOW_CHECK_S = 2.0
"""No event tells that packages may go faster, or go on."""
UNREAD_S = 5.0
"""For so long a client that takes nothing keeps its place while others wait for one."""
TURN_BLOCKS = 64
"""How many blocks go before a stream makes room for others that wait."""


class Blocks:
    """Those of one stream. `tell` is called when a block may be sent."""

    def __init__(
        self,
        half: ServerHalf,
        packages: PackageSource,
        name: str,
        places: asyncio.Semaphore,
        tell: Callable[[], None],
    ) -> None:
        self._half = half
        self._packages = packages
        self._name = name
        self._places = places
        self._tell = tell
        self._pace = Pace()
        self._room = News()
        self._leaving = False
        """Whether a block is being written to the connection."""

    def look(self) -> None:
        """A package began, or there is room for another block."""
        self._room.tell()

    def took(self, *, is_block: bool) -> None:
        """The frame before this one has gone, and this one is being written."""
        if self._leaving or is_block:
            self._room.tell()
        self._leaving = is_block

    async def run(self) -> None:
        """Reads what is sent next; ends the stream when the file is gone.

        Its client comes back, and gets what is there then.
        """
        while True:
            version = self._room.version
            if self._half.wanted_block is None:
                await self._room.after(version)
            elif wait_s := self._wait_s(await self._packages.flow(self._name)):
                await asyncio.sleep(min(wait_s, FLOW_CHECK_S))
            else:
                async with self._places:
                    await self._take_turn()

    async def _take_turn(self) -> None:
        read = 0
        while True:
            version = self._room.version
            over = read >= TURN_BLOCKS and self._places.locked()
            if not over and await self._read():
                read += 1
            elif self._half.blocks_ready or self._leaving:
                if not await self._gone(version):
                    return
            else:
                return

    async def _gone(self, version: int) -> bool:
        """Waits until there is room again; False when others wait for a place and there is none."""
        try:
            async with asyncio.timeout(UNREAD_S):
                await self._room.after(version)
        except TimeoutError:
            return not self._places.locked()
        return True

    def _wait_s(self, flow: Flow) -> float:
        """How long nothing may be read."""
        if flow.paused:
            return FLOW_CHECK_S
        return self._pace.wait_s(asyncio.get_running_loop().time(), 0, flow.bytes_per_s_max)

    async def _read(self) -> bool:
        """Reads the next block, if it may be read now."""
        flow = await self._packages.flow(self._name)
        wanted = self._half.wanted_block
        if wanted is None or self._wait_s(flow):
            return False
        size = share(wanted.size, flow.bytes_per_s_max)
        data = await self._packages.block(wanted.package, wanted.offset, size)
        self._pace.wait_s(asyncio.get_running_loop().time(), len(data), flow.bytes_per_s_max)
        self._half.block(wanted, data)
        self._tell()
        return True
