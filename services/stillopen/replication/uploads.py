"""Journals on their way up one connection: a batch at a time, no faster than its bound. Thin.

1. Heartbeats, answers and packages do not wait for it: what waits is a task of its own.
2. A bound that became another is noticed within `BOUND_CHECK_S`.
"""

import asyncio
from collections.abc import Awaitable, Callable

from stillopen.replication.client_half import ClientHalf, Effect, Read
from stillopen.replication.pace import Pace, share
from stillopen.replication.ports import EntrySource

BOUND_CHECK_S = 2.0
"""No event tells that entries may go faster."""


class Uploads:
    """Those of one connection; who waits belongs to its group and goes on with `carry_out`."""

    def __init__(
        self,
        half: ClientHalf,
        journals: EntrySource,
        bytes_per_s: Callable[[], float],
        group: asyncio.TaskGroup,
        carry_out: Callable[[list[Effect]], Awaitable[None]],
    ) -> None:
        self._half = half
        self._journals = journals
        self._bytes_per_s = bytes_per_s
        self._group = group
        self._carry_out = carry_out
        self._pace = Pace()

    async def read(self, wanted: Read) -> list[Effect]:
        """Reads the next batch: no more than a share of what may go in a second."""
        entries = await self._journals.read(
            wanted.lane,
            wanted.after,
            wanted.entries_max,
            share(wanted.bytes_max, self._bytes_per_s()),
        )
        return self._half.read(wanted.lane, entries)

    def sent(self, size_bytes: int) -> list[Effect]:
        """A batch went: the next is read now, or later."""
        if not self._wait_s(size_bytes):
            return self._half.go_on()
        self._group.create_task(self._go_on_later())
        return []

    async def _go_on_later(self) -> None:
        while wait_s := self._wait_s(0):  # noqa: ASYNC110 - the bound may be another meanwhile
            await asyncio.sleep(min(wait_s, BOUND_CHECK_S))
        await self._carry_out(self._half.go_on())

    def _wait_s(self, size_bytes: int) -> float:
        now_s = asyncio.get_running_loop().time()
        return self._pace.wait_s(now_s, size_bytes, self._bytes_per_s())
