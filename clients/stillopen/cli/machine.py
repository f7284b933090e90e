"""What a place runs on: clock, randomness, databases, network. Simulations bring their own."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import grpc.aio

from stillopen.core.errors import Misuse, Reason
from stillopen.core.ports import Clock
from stillopen.replication.sign_in import PasswordCheck, check_off_loop
from stillopen.rpc.channel import open_channel
from stillopen.rpc.machine import SystemClock, system_random
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.rpc.server import Register, listen
from stillopen.storage.engine import OpenEngine
from stillopen.storage.identity_file import write_private
from stillopen.storage.off_loop import OffLoop, on_thread
from stillopen.storage.reserve import FileReserve, Reserve
from stillopen.storage.sqlite import open_sqlite

KEY_BYTES = 32


class Listening(Protocol):
    """A server that has its address and begins to serve with `start`."""

    address: str

    async def start(self, services: Sequence[str], registers: Sequence[Register]) -> None:
        """Serves what `registers` add."""
        ...

    async def stop(self) -> None:
        """Stops serving."""
        ...


class OpenChannel(Protocol):
    """How other places are reached."""

    def __call__(self, address: str, security: Security = PLAINTEXT) -> grpc.aio.Channel:
        """A channel to `address`."""
        ...


class Listen(Protocol):
    """How an address is taken."""

    def __call__(self, address: str, security: Security = PLAINTEXT) -> Listening:
        """Takes `address`."""
        ...


def _nobody(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything from outside that a place needs."""

    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=system_random)
    open_engine: OpenEngine = open_sqlite
    open_channel: OpenChannel = open_channel
    listen: Listen = listen
    check_password: PasswordCheck = check_off_loop
    off_loop: OffLoop = on_thread
    """How files are built, packed and unpacked."""
    reserve: Callable[[Path], Reserve] = FileReserve
    """Room on the disk, kept for the open sale."""
    warn: Callable[[str], None] = _nobody


@dataclass(frozen=True, slots=True)
class Place:
    """Headquarters, a channel or a register that serves; `work` runs for as long as it does."""

    address: str
    work: tuple[Callable[[], Awaitable[None]], ...]
    close: Callable[[], Awaitable[None]]


def read_key(path: Path, rng: random.Random) -> bytes:
    """The key that cards are found by: made once and durable, read by its owner alone, never sent.

    Misuse DATABASE_DAMAGED when the file is no key: with another one every card would be unknown.
    """
    if not path.exists():
        write_private(path, rng.randbytes(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Misuse(
            Reason.DATABASE_DAMAGED,
            f"{path} is no key; restore it from a backup, it cannot be made again",
        )
    return key
