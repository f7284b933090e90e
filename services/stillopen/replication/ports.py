"""What the two halves of a stream need from those who own the data."""

import re
from dataclasses import dataclass
from typing import Protocol

from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.replication.news import News
from stillopen.replication.scope import EVERYTHING, Scope
from stillopen.storage.shelf import SUFFIX
from stillopen.v1 import sync_pb2

_NAME = re.compile(rf"[0-9]+-(?:snapshot|delta)-([0-9a-f]{{64}}){re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What master data a replica has; generation 0 is none."""

    generation: int = 0
    """Drawn at random for each log: one of a channel group and a scope."""
    sequence: int = 0
    digest: bytes = b""
    """Of the package that led there."""
    scope: Scope = EVERYTHING
    """Which tables it has; from a client in the newest version that it reads."""


@dataclass(frozen=True, slots=True)
class Package:
    """Master data on its way, where a replica stands with it, and where it must stand for it."""

    cursor: Cursor
    size: int
    """How many bytes its file has."""
    base: Cursor | None = None
    """Nothing for a snapshot, which replaces everything."""

    @property
    def name(self) -> str:
        """Its file on a shelf, wherever that is."""
        return file_name(self.cursor.sequence, self.cursor.digest, snapshot=self.base is None)


@dataclass(frozen=True, slots=True)
class Partial:
    """A package of which a part came, and is kept."""

    digest: bytes
    """Of the whole."""
    there: int
    """How many of its bytes, from the first, are there and durable."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How packages may go down a stream just now."""

    paused: bool = False
    bytes_per_s_max: float = 0.0
    """0 for as many as the line carries."""


def file_name(sequence: int, digest: bytes, *, snapshot: bool) -> str:
    """The name of a package's file: which of its log, what it is, and what is in it."""
    kind = "snapshot" if snapshot else "delta"
    return f"{sequence:08}-{kind}-{digest.hex()}{SUFFIX}"


def digest_named(name: str) -> bytes:
    """The digest in the name of a package's file; empty for any other name."""
    found = _NAME.fullmatch(name)
    return bytes.fromhex(found[1]) if found else b""


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


class Arriving(Protocol):
    """A package that is on its way here."""

    @property
    def there(self) -> int:
        """How many of its bytes, from the first, came."""
        ...

    async def write(self, data: bytes) -> None:
        """Takes the next part; raises Refused."""
        ...

    async def finish(self) -> None:
        """All of it came; raises Refused."""
        ...

    def drop(self) -> None:
        """It does not come after all."""
        ...


class PackageSink(Protocol):
    """A replica, or those of a channel: master data that comes down."""

    @property
    def news(self) -> News:
        """Told when a replica stands elsewhere: moved by a package, lost, or newly wanted."""
        ...

    async def cursors(self) -> list[Cursor]:
        """Where each stands, its own first; one that was lost stands nowhere."""
        ...

    async def partials(self) -> list[Partial]:
        """The packages of which a part is there, from a stream that broke off."""
        ...

    async def receive(self, package: Package, offset: int = 0) -> Arriving:
        """Makes room for a package that is about to come, behind what is there of it.

        Refused NAME_UNKNOWN when less than `offset` bytes are.
        """
        ...

    async def apply(self, package: Package) -> None:
        """Shows a package that came, whole; raises Refused and keeps what it had."""
        ...

    async def digests(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """What ranges of a table's rows come to; a refusal is part of the answer."""
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

    async def block(self, package: Package, offset: int, size: int) -> bytes:
        """A part of a package's file; Refused NAME_UNKNOWN when it was removed meanwhile."""
        ...

    async def refused(self, caller: str, package: Cursor, message: str) -> None:
        """A caller's replica refused a package, and says why."""
        ...

    def offer_interval_s(self) -> float:
        """How often a replica is offered something newer; 0 at once."""
        ...

    async def flow(self, caller: str) -> Flow:
        """How packages may go down to a caller just now; while it pauses `newest` finds nothing."""
        ...
