"""Cuts a stream at one frame, the same frame each time, and counts what goes over streams.

The frames of a link and direction are numbered from 1, whichever stream brings them. A cut *before*
a frame is dealt with loses the frame; one *after* it loses what its reader answered. The reader is
the server for what goes up and the client for what comes down; it may die there instead.
"""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tests.sim.disk import Moment
from tests.sim.exchange import Exchange
from tests.sim.world import Estate

from stillopen.v1 import sync_pb2

METHOD = "/stillopen.v1.SyncService/Sync"
AGAIN_S = 0.5
"""How long a process that died there is down."""


class Way(NamedTuple):
    """A direction of a link: by the machine that made the stream."""

    client: str
    up: bool


class Point(NamedTuple):
    """Where a stream is cut."""

    way: Way
    number: int
    moment: Moment

    def __str__(self) -> str:
        direction = "up" if self.way.up else "down"
        return f"{self.moment}:{self.way.client}:{direction}:{self.number}"


class Ending(StrEnum):
    """What happens at the point."""

    CUT = "cut"
    """The stream breaks at both ends."""
    DEATH = "death"
    """The process that reads the frame dies, and starts again a little later."""


@dataclass(slots=True)
class Download:
    """One package on its way to one client, over all streams."""

    size: int = 0
    sent: int = 0
    """Bytes that the source sent of it."""
    read: int = 0
    """Bytes that the client was given of it."""
    begun: int = 0
    """How often it began or went on."""


class Scissors:
    """A `Tap` of the network. It does nothing until `take_up`."""

    def __init__(
        self, estate: Estate, point: Point | None = None, ending: Ending = Ending.CUT
    ) -> None:
        self._estate = estate
        self._point = point
        self._ending = ending
        self._servers = {process.address: name for name, process in estate.processes.items()}
        self._to_start: asyncio.Queue[str] = asyncio.Queue()
        self._coming: dict[int, Download] = {}
        """By stream: what it is bringing."""
        self.held = False
        self.cut = False
        """Whether the point was reached."""
        self.died = ""
        """The process that died there."""
        self.frames: dict[Way, list[str]] = defaultdict(list)
        """The kinds of the frames that were read."""
        self.damages: set[tuple[str, str]] = set()
        """Client and sale: its entry is damaged on that client's stream, once."""
        self.damaged: Counter[str] = Counter()
        """How many entries were, by client."""
        self.downloads: dict[tuple[str, bytes], Download] = defaultdict(Download)
        """By client and digest of the package."""

    def take_up(self) -> None:
        """From now on frames are counted."""
        self.held = True
        self._estate.network.tap = self

    def put_down(self) -> None:
        """From now on they are not."""
        self.held = False

    def came_again(self) -> dict[int, int]:
        """How many bytes of a package came more than once, by its size."""
        return {each.size: max(0, each.read - each.size) for each in self.downloads.values()}

    async def start_again(self) -> None:
        """Starts what died, until cancelled."""
        while True:
            name = await self._to_start.get()
            await asyncio.sleep(AGAIN_S)
            await self._estate.processes[name].start()

    def sent(self, exchange: Exchange, frame: bytes, *, up: bool) -> None:
        """Notes packages as their source sends them."""
        if up or exchange.terms.method != METHOD:
            return
        message = sync_pb2.SyncResponse.FromString(frame)
        if message.HasField("package_begin"):
            begin = message.package_begin
            download = self.downloads[exchange.source, begin.cursor.package_digest]
            download.size, download.begun = begin.size, download.begun + 1
            self._coming[exchange.serial] = download
        elif message.HasField("package_block"):
            self._coming[exchange.serial].sent += len(message.package_block.data)

    def read(self, exchange: Exchange, frame: bytes, *, up: bool) -> bytes | None:
        """Counts the frame, damages it, or cuts the stream before it."""
        if exchange.terms.method != METHOD or not self.held:
            return frame
        way = Way(exchange.source, up)
        message = (sync_pb2.SyncRequest if up else sync_pb2.SyncResponse).FromString(frame)
        self.frames[way].append(message.WhichOneof("frame") or "")
        if self._reached(way, Moment.BEFORE, exchange):
            return None
        if isinstance(message, sync_pb2.SyncResponse):
            if message.HasField("package_block"):
                self._coming[exchange.serial].read += len(message.package_block.data)
            return frame
        return self._damaged(exchange.source, message) or frame

    def dealt_with(self, exchange: Exchange, *, up: bool) -> None:
        """Cuts the stream after what was read last."""
        if exchange.terms.method == METHOD and self.held:
            self._reached(Way(exchange.source, up), Moment.AFTER, exchange)

    def _reached(self, way: Way, moment: Moment, exchange: Exchange) -> bool:
        if self.cut or self._point != (way, len(self.frames[way]), moment):
            return False
        self.cut = True
        if self._ending is Ending.CUT:
            exchange.break_off("the stream was cut")
        else:
            reader = self._servers[exchange.target] if way.up else way.client
            self.died = reader
            self._estate.processes[reader].crash()
            self._to_start.put_nowait(reader)
        return True

    def _damaged(self, client: str, message: sync_pb2.SyncRequest) -> bytes | None:
        for entry in message.entries.entries:
            for name in [sale for at, sale in self.damages if at == client]:
                if name.encode() in entry.payload:
                    entry.payload = entry.payload[:-1] + bytes([entry.payload[-1] ^ 1])
                    self.damages.discard((client, name))
                    self.damaged[client] += 1
                    return message.SerializeToString()
        return None
