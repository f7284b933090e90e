"""What a test does to the frames of streams: looks at them, damages them, cuts at some of them."""

from collections import Counter
from typing import NamedTuple

from tests.sim.cutting import METHOD
from tests.sim.exchange import Exchange
from tests.sim.scene import Scene

from stillopen.v1 import sync_pb2, types_pb2

Frame = sync_pb2.SyncRequest | sync_pb2.SyncResponse


class Seen(NamedTuple):
    """A frame, and the machine whose stream it is on."""

    client: str
    kind: str
    frame: Frame


class Wire:
    """A `Tap` that goes by rules. Each rule holds for a number of frames, then no more."""

    def __init__(self, scene: Scene) -> None:
        self.kinds: Counter[tuple[str, str]] = Counter()
        """How many frames of a kind were read on a client's streams."""
        self.cuts = 0
        """How many streams were cut."""
        self._cut: dict[tuple[str, str], list[int]] = {}
        self._damage: list[tuple[str, str, str]] = []
        self._answered: set[int] = set()
        self._forged: dict[str, bytes] = {}
        scene.estate.network.tap = self

    def cut_after(self, client: str, kind: str, *numbers: int) -> None:
        """Cuts a client's stream when its reader is done with these frames of a kind, from 1."""
        self._cut[client, kind] = [self.kinds[client, kind] + number for number in numbers]

    def damage(self, client: str, kind: str, times: int = 1, about: str = "") -> None:
        """Damages the next frames of a kind; of entries those of one sale only, if it is named."""
        self._damage += [(client, kind, about)] * times

    def forge(self, client: str, frame: bytes) -> None:
        """A client reads this in the place of the next heartbeat of its server."""
        self._forged[client] = frame

    def is_read(self, client: str) -> bool:
        """Whether what was forged has been read."""
        return client not in self._forged

    def sent(self, exchange: Exchange, frame: bytes, *, up: bool) -> None:
        """Frames may leave."""

    def read(self, exchange: Exchange, frame: bytes, *, up: bool) -> bytes | None:
        """Counts, and damages what is to be damaged."""
        if exchange.terms.method != METHOD:
            return frame
        message = (sync_pb2.SyncRequest if up else sync_pb2.SyncResponse).FromString(frame)
        client, kind = exchange.source, message.WhichOneof("frame") or ""
        self.kinds[client, kind] += 1
        if self.kinds[client, kind] in self._cut.get((client, kind), ()):
            self._answered.add(exchange.serial)
        if kind == "heartbeat" and not up and client in self._forged:
            return self._forged.pop(client)
        return self._damaged(Seen(client, kind, message)) or frame

    def dealt_with(self, exchange: Exchange, *, up: bool) -> None:  # noqa: ARG002 - either way
        """Cuts where it is to be cut."""
        if exchange.serial in self._answered:
            self._answered.discard(exchange.serial)
            self.cuts += 1
            exchange.break_off("the stream was cut")

    def _damaged(self, seen: Seen) -> bytes | None:
        for rule in [rule for rule in self._damage if rule[:2] == seen[:2]]:
            if self._spoils(seen.frame, rule[2]):
                self._damage.remove(rule)
                return seen.frame.SerializeToString()
        return None

    def _spoils(self, frame: Frame, about: str) -> bool:
        if isinstance(frame, sync_pb2.SyncResponse):
            return _spoil_package(frame)
        for entry in frame.entries.entries:
            if about.encode() in entry.payload:
                spoil(entry)
                return True
        return False


def _spoil_package(frame: sync_pb2.SyncResponse) -> bool:
    """A bit of its bytes fell over, if it carries any."""
    if frame.package_begin.whole:
        frame.package_begin.whole = spoiled(frame.package_begin.whole)
    elif frame.package_block.data:
        frame.package_block.data = spoiled(frame.package_block.data)
    else:
        return False
    return True


def spoil(entry: types_pb2.Entry) -> None:
    """A bit of its payload fell over."""
    entry.payload = spoiled(entry.payload)


def spoiled(data: bytes) -> bytes:
    """The same with one bit that fell over, in the middle."""
    half = len(data) // 2
    return data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]
