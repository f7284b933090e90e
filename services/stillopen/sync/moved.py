"""Which streams are told that lanes moved.

There is one watch for all of them, so that a move costs what it concerns and not what is connected.
"""

import asyncio
from collections.abc import Iterable

from stillopen.core.journal import Lane
from stillopen.replication.news import News
from stillopen.replication.ports import JournalSink


class Moved:
    """The lanes that moved and that one stream was not told of yet."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        """The register whose lanes the stream is about; empty for a channel, of any."""
        self.registers: set[str] = set()
        """Those of a channel's registers that it has spoken of."""
        self._lanes: dict[Lane, None] = {}
        self._news = News()

    def note(self, lanes: Iterable[Lane]) -> None:
        """These moved."""
        self._lanes.update(dict.fromkeys(lanes))
        self._news.tell()

    async def next(self) -> list[Lane]:
        """Waits until some moved, and returns them."""
        while not self._lanes:
            await self._news.after(self._news.version)
        found, self._lanes = list(self._lanes), {}
        return found


class Watch:
    """Looks at the journals of a server for as long as somebody is to be told."""

    def __init__(self, journals: JournalSink) -> None:
        self._journals = journals
        self._of_registers: dict[str, dict[Moved, None]] = {}
        self._of_channels: dict[Moved, None] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self, moved: Moved) -> None:
        """From now on this stream is told."""
        self._streams(moved)[moved] = None
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="watch of journals")

    def end(self, moved: Moved) -> None:
        """It is told no more."""
        streams = self._streams(moved)
        streams.pop(moved, None)
        if moved.owner and not streams:
            del self._of_registers[moved.owner]
        if self._task is not None and not (self._of_registers or self._of_channels):
            self._task.cancel()
            self._task = None

    def _streams(self, moved: Moved) -> dict[Moved, None]:
        if not moved.owner:
            return self._of_channels
        return self._of_registers.setdefault(moved.owner, {})

    async def _run(self) -> None:
        known = self._journals.news.version
        while True:
            before, known = known, await self._journals.news.after(known)
            lanes = self._journals.changed(before)
            for moved in self._of_channels:
                if found := [each for each in lanes if each.register_id in moved.registers]:
                    moved.note(found)
            for lane in lanes:
                for moved in self._of_registers.get(lane.register_id, ()):
                    moved.note([lane])
