"""What an estate is made of: a place that stops and starts, its goods, its clock."""

import asyncio
import os
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from tests.support import callers

from stillopen.cli.machine import Place
from stillopen.core.errors import Misuse, Reason
from stillopen.core.parameters import OfflineProfile
from stillopen.rpc.machine import SystemClock
from stillopen.v1 import types_pb2

T = TypeVar("T")

ME = callers.person("test")
CURRENCY = "EUR"
STORE = "S1"
STORES = {STORE: ("R1", "R2", "R3", "R9", "waiting"), "S2": ()}
"""Everybody that headquarters knows."""
PASSWORD = "secret"  # noqa: S105 - of nobody
PATIENCE_S = 20.0
RESERVE_BYTES = 4_096
"""Kept by each register of a test; a real one keeps room for a real sale."""
STEP_S = 0.01

FAST = OfflineProfile("Default", 1.0, 0.0, 1, 0.25)
"""Short times: offline after a second, back with the next sale, gone after three quarters."""


def eur(minor: int) -> types_pb2.Money:
    """Cents, as a message."""
    return types_pb2.Money(currency_code=CURRENCY, minor_units=minor)


_NO_HASH = f"scrypt$16384$8$1${'A' * 22}==${'A' * 43}="

PRODUCTS = (
    types_pb2.Product(product_id="APPLE", name="Apple", price=eur(100), barcodes=["4001"]),
    types_pb2.Product(product_id="PEAR", name="Pear", price=eur(250), barcodes=["4002"]),
)
STAFF = (
    types_pb2.StaffMember(staff_id="anna", name="Anna", password_hash=_NO_HASH),
    types_pb2.StaffMember(
        staff_id="maria", name="Maria", password_hash=_NO_HASH, role_id="manager"
    ),
)
GIFT, SECOND, DOLLARS, UNKNOWN = "6001-0001", "6001-0002", "6001-0003", "6001-9999"
CARDS = ((GIFT, "EUR", 5_000), (SECOND, "EUR", 700), (DOLLARS, "USD", 5_000))


async def fits(password: str, password_hash: str) -> bool:
    """A quick check; the real one is slow by design."""
    return bool(password_hash) and password == PASSWORD


async def one(message: T) -> AsyncIterator[T]:
    """A stream of one message."""
    yield message


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again where no event exists, within a generous limit."""
    async with asyncio.timeout(PATIENCE_S):
        while not await happened():  # noqa: ASYNC110 - no event exists
            await asyncio.sleep(STEP_S)


class MovedClock:
    """The machine's clock, which a test may move on; and the machine, which it may restart."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self.ahead_s = 0.0
        self.wrong_by_s = 0.0
        """How far the wall clock alone is off."""
        self.boot = "first boot"

    def wall_s(self) -> float:
        """Seconds since 1970."""
        return self._real.wall_s() + self.ahead_s + self.wrong_by_s

    def elapsed_s(self) -> float:
        """Seconds of this boot."""
        return self._real.elapsed_s() + self.ahead_s

    def boot_id(self) -> str:
        """The name of this boot."""
        return self.boot


def own_address(owner: object) -> str:
    """A port of loopback that nobody else is given for as long as its owner is there.

    A bound socket that does not listen keeps it from whoever asks for any port; who names it may
    listen there. Else a place that comes back could find another test's place at its address.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _, port = held.getsockname()
    weakref.finalize(owner, os.close, held.detach())
    return f"127.0.0.1:{port}"


class Running:
    """A place that can be stopped and started again at the same address."""

    def __init__(self, start: Callable[[str], Awaitable[Place]]) -> None:
        self._start = start
        self.address = own_address(self)
        self._place: Place | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._place is not None

    async def start(self) -> None:
        """Starts it; the port is its own."""
        async with asyncio.timeout(PATIENCE_S):
            while self._place is None:
                try:
                    self._place = await self._start(self.address)
                except Misuse as error:
                    if error.reason is not Reason.ADDRESS_TAKEN:
                        raise
                    await asyncio.sleep(STEP_S)  # the port is being let go
        self.address = self._place.address
        self._tasks = [asyncio.create_task(_run(work)) for work in self._place.work]

    async def stop(self) -> None:
        """Stops it, if it runs."""
        place, self._place = self._place, None
        if place is None:
            return
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await place.close()
        for error in ended:
            assert isinstance(error, asyncio.CancelledError), error


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()
