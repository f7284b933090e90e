"""What the two halves of a stream need from those who own the data."""

from dataclasses import dataclass
from typing import Protocol

from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.replication.news import News


@dataclass(frozen=True, slots=True)
class Cursor:
    """What master data a replica has; generation 0 is none."""

    generation: int = 0
    sequence: int = 0
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Package:
    """Master data on its way, where a replica stands with it, and where it must stand for it."""

    cursor: Cursor
    data: bytes
    base: Cursor | None = None
    """Nothing for a snapshot, which replaces everything."""


class EntrySource(Protocol):
    """Journals that go up: a register's own, or those a channel received."""

    @property
    def news(self) -> News:
        """Told when entries or lanes were added."""
        ...

    async def heads(self) -> list[Head]:
        """Every lane that the server may ever ask of, as long as it is now."""
        ...

    async def moved(self) -> list[Head]:
        """The lanes that headquarters lacks something of, and those that were heard since."""
        ...

    async def read(self, lane: Lane, after: int, entries_max: int, bytes_max: int) -> list[Entry]:
        """The entries that follow `after`, at least one when there is one."""
        ...

    async def conflicts(self) -> list[Entry]:
        """Entries that are not in a lane because another has their key; sent on all the same."""
        ...

    async def remember(self, words: list[Stored]) -> None:
        """Takes the server's word on lanes, upwards and downwards."""
        ...


class PackageSink(Protocol):
    """A replica: master data that comes down."""

    async def cursor(self) -> Cursor:
        """What it has."""
        ...

    async def apply(self, package: Package) -> None:
        """Shows the package from now on, whole; raises Refused and keeps what it had."""
        ...


class JournalSink(Protocol):
    """Where journals arrive: a channel, or headquarters."""

    @property
    def news(self) -> News:
        """Told when what is stored here or at headquarters changed."""
        ...

    async def claim(self, heads: list[Head]) -> list[Stored]:
        """Notes how long lanes say they are, and answers with what is here of each."""
        ...

    async def receive(self, entries: list[Entry], damaged: list[Entry]) -> list[Stored]:
        """Stores intact entries, and damaged ones as such; durable when it returns."""
        ...

    async def stored(self, of: list[Lane]) -> list[Stored]:
        """What is here of each lane."""
        ...

    def changed(self, since: int) -> list[Lane]:
        """The lanes that changed after a version of the news."""
        ...

    async def took_turns(self, name: str, instance: int) -> None:
        """Keeps that two processes speak under one name by turns, and which of them came back."""
        ...


class PackageSource(Protocol):
    """Where master data comes from: headquarters, or a channel that relays it."""

    news: News
    """Told when there is a newer package."""

    async def newest(self, caller: str, cursor: Cursor) -> Package | None:
        """What a caller's replica needs next that stands there; nothing when it has everything.

        The delta whose base it is, else a snapshot; for a replica without anything always that.
        """
        ...

    async def refused(self, caller: str, package: Cursor, message: str) -> None:
        """A caller's replica refused a package, and says why."""
        ...

    def offer_interval_s(self) -> float:
        """How often a replica is offered something newer; 0 at once."""
        ...
