"""Engine and channel, wrapped: they count what passes, and end the process where they are told to.

A point is "what:when:which:number": `commit:before:SaleStore.change:3` is before the third write of
that name, `files:after:Shelf.put:1` after the first work on files off the loop that has that name,
`call:after:LockCard:1` after the answer and before its caller hears it,
`sent:before:entries:1` and `received:after:stored:2` are frames of a stream. What a timer does
(health checks, heartbeats, the saved clock) is not counted.
"""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc.aio

from stillopen.rpc.channel import open_channel
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.storage.engine import Database, Engine, Work
from stillopen.storage.off_loop import on_thread
from stillopen.storage.schema import Schema
from stillopen.storage.sqlite import open_sqlite

T = TypeVar("T")
BY_TIMER = {"CardStore.save_clock", "Check", "heartbeat"}


class Points:
    """What has passed, and where the process ends."""

    def __init__(self, die: str, marker: Path, *, armed: bool) -> None:
        self.seen: Counter[str] = Counter()
        self._armed = armed
        self._die = die
        self._marker = marker

    def passes(self, what: str, which: str) -> Callable[[str], None]:
        """Counts one; the answer is called with "before" and "after" when it gets there."""
        if which in BY_TIMER:
            return _not_counted
        self.seen[f"{what}:{which}"] += 1
        number = self.seen[f"{what}:{which}"]

        def reached(when: str) -> None:
            if self._armed and f"{what}:{when}:{which}:{number}" == self._die:
                self._marker.write_text(self._die)
                os.kill(os.getpid(), signal.SIGKILL)

        return reached

    def arm(self) -> dict[str, int]:
        """Counts anew and, from now on, ends the process; returns what has passed before."""
        before = dict(self.seen)
        self.seen.clear()
        self._armed = True
        return before

    async def open_engine(self, path: Path, schema: Schema, *, durable: bool = True) -> Engine:
        """The engine that ships, counted."""
        return CountedEngine(await open_sqlite(path, schema, durable=durable), self)

    async def off_loop(self, work: Callable[[], T], /) -> T:
        """Work on files as it ships, counted; both moments are those of the thread."""
        reached = self.passes("files", name_of(work))

        def run() -> T:
            reached("before")
            result = work()
            reached("after")
            return result

        return await on_thread(run)

    def open_channel(self, address: str, security: Security = PLAINTEXT) -> grpc.aio.Channel:
        """The channel that ships, counted."""
        inner = open_channel(address, security)
        return cast("grpc.aio.Channel", CountedChannel(inner, self))


def name_of(work: object) -> str:
    """The name of a function, or of the one around it."""
    while isinstance(work, partial):
        work = cast("partial[object]", work).func
    return str(getattr(work, "__qualname__", work)).split(".<locals>")[0]


def _not_counted(_: str) -> None:
    pass


class CountedEngine:
    """Counts writes by the name of the function that asked for them."""

    def __init__(self, inner: Engine, points: Points) -> None:
        self._inner = inner
        self._points = points

    async def write(self, work: Work[T]) -> T:
        """Writes; "after" is after the commit and before its caller is answered."""
        return await self._counted(work, self._inner.write(work))

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """Writes with another database at hand; counted alike."""
        return await self._counted(work, self._inner.write_with(database, work))

    async def _counted(self, work: Work[T], writing: Awaitable[T]) -> T:
        reached = self._points.passes("commit", name_of(work))
        reached("before")
        result = await writing
        reached("after")
        return result

    async def read(self, work: Work[T]) -> T:
        """Reads."""
        return await self._inner.read(work)

    async def close(self) -> None:
        """Closes."""
        await self._inner.close()


class CountedChannel:
    """Counts calls, and frames of streams."""

    def __init__(self, inner: grpc.aio.Channel, points: Points) -> None:
        self._inner = inner
        self._points = points

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Awaitable[Any]]:
        """A counted call."""
        return self._counted(method, self._inner.unary_unary(method, *args, **kwargs))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Awaitable[Any]]:
        """A counted call."""
        return self._counted(method, self._inner.stream_unary(method, *args, **kwargs))

    def _counted(
        self, method: str, inner: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, **options: Any) -> Any:
            reached = self._points.passes("call", method.rpartition("/")[2])
            reached("before")
            answer = await inner(request, **options)
            reached("after")
            return answer

        return call

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> object:
        """Nobody is asked for a stream; stubs ask for the callable all the same."""
        return self._inner.unary_stream(method, *args, **kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """A stream whose frames are counted."""
        inner = self._inner.stream_stream(method, *args, **kwargs)

        def call(frames: AsyncIterator[Any], **options: Any) -> "CountedStream":
            return CountedStream(inner(self._sent(frames), **options), self._points)

        return call

    async def _sent(self, frames: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for frame in frames:
            reached = self._points.passes("sent", str(frame.WhichOneof("frame")))
            reached("before")
            yield frame
            reached("after")  # the stream has taken it and asks for the next

    async def close(self) -> None:
        """Closes."""
        await self._inner.close()


class CountedStream:
    """Counts the frames that arrive."""

    def __init__(self, inner: Any, points: Points) -> None:
        self._inner = inner
        self._points = points

    def cancel(self) -> bool:
        """Cancels."""
        return bool(self._inner.cancel())

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for frame in self._inner:
            reached = self._points.passes("received", str(frame.WhichOneof("frame")))
            reached("before")
            yield frame
            reached("after")  # it was dealt with
