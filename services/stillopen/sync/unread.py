"""Answers that nobody reads: gRPC keeps what was to be written, and whoever writes it, for ever.

The transport finds a client that is gone; this is about one whose machine answers and whose program
reads nothing.
"""

import asyncio

import grpc.aio

from stillopen.core.errors import Reason, Refused, StillopenError
from stillopen.rpc.context import Context
from stillopen.rpc.status import abort

READ_WITHIN_S = 5.0
"""For how long the answers of a stream that ended may wait to be read."""
TOLD_WITHIN_S = 1.0


class Unread:
    """One call, watched by the task that writes its answers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._writer = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._letting_go: asyncio.Task[None] | None = None

    def ended(self, stream: asyncio.Task[None]) -> None:
        """The stream is over: its call follows, read or not."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(READ_WITHIN_S, self._begin, _end_of(stream))

    def close(self) -> None:
        """The call is over too."""
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self, why: StillopenError) -> None:
        self._letting_go = asyncio.create_task(self._let_go(why), name="let go")

    async def _let_go(self, why: StillopenError) -> None:
        try:
            async with asyncio.timeout(TOLD_WITHIN_S):
                # It waits behind what is unread: a client that wakes up later is told.
                await abort(self._context, why)
        except (TimeoutError, grpc.aio.BaseError):
            pass
        if self._writer is not None:
            self._writer.cancel()


def _end_of(stream: asyncio.Task[None]) -> StillopenError:
    error = None if stream.cancelled() else stream.exception()
    if isinstance(error, StillopenError):
        return error
    return Refused(Reason.STREAM_STALLED, "the client reads nothing")
