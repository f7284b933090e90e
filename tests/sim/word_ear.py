"""Hears what places say of themselves: the frames that tell where they stand, and statuses."""

import asyncio
from collections.abc import Callable

from tests.sim.exchange import Exchange
from tests.sim.frames import Status
from tests.sim.words import Way, Word, Words

_SYNC = "/stillopen.v1.SyncService/Sync"
_SHOWN = {
    "/stillopen.v1.RegisterService/GetStatus": Way.STATUS,
    "/stillopen.v1.RegisterService/ListJournal": Way.JOURNAL,
}
# The first byte of a frame is the tag of its kind.
_UP = {0x0A, 0x1A, 0x22, 0x32}  # Hello, Heartbeat, PackageApplied, PackagesWanted
_DOWN = {0x0A, 0x12}  # Welcome, Stored


class WordEar:
    """An `Ear` and a `Tap` of the network."""

    def __init__(self, words: Words, place_at: Callable[[str], str]) -> None:
        self._said = words.said
        self._place_at = place_at

    # Ear

    def opened(self, address: str) -> None:
        """Nothing is said."""

    def asked(self, exchange: Exchange, request: object) -> None:
        """Nothing is said yet."""

    def answered(self, exchange: Exchange, status: Status) -> None:
        """A register shows its status or its journal."""
        way = _SHOWN.get(exchange.terms.method)
        if way is not None and status.body is not None:
            self._note(self._place_at(exchange.target), way, exchange, status.body)

    def ended(self, address: str) -> None:
        """Nothing is said any more."""

    def lost_power(self, machine: str) -> None:
        """What the machine had not flushed may be gone."""
        self._said.append(Word(_now_s(), machine, Way.POWER))

    # Tap

    def sent(self, exchange: Exchange, frame: bytes, *, up: bool) -> None:
        """A frame leaves; the packages in between say nothing of where anybody stands."""
        if exchange.terms.method != _SYNC or frame[:1] == b"":
            return
        if frame[0] not in (_UP if up else _DOWN):
            return
        place = exchange.source if up else self._place_at(exchange.target)
        self._note(place, Way.UP if up else Way.DOWN, exchange, frame)

    def read(self, exchange: Exchange, frame: bytes, *, up: bool) -> bytes | None:
        """A frame is read as it was sent."""
        del exchange, up
        return frame

    def dealt_with(self, exchange: Exchange, *, up: bool) -> None:
        """Its reader is done with it."""

    def _note(self, place: str, way: Way, exchange: Exchange, body: bytes) -> None:
        self._said.append(Word(_now_s(), place, way, exchange.serial, body))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
