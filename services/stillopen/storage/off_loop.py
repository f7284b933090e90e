"""Work that takes long, kept off the event loop: files, compression, digests of much."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class OffLoop(Protocol):
    """How such work is run."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """The result of `work`, which goes on when its caller gives up."""
        ...


async def on_thread(work: Callable[[], T], /) -> T:
    """Runs it on a thread."""
    return await asyncio.to_thread(work)


async def inline(work: Callable[[], T], /) -> T:
    """Runs it at once, for simulations on virtual time."""
    return work()
