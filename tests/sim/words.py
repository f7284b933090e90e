"""What places said of themselves over time: on their streams, and to people."""

from dataclasses import dataclass, field
from enum import StrEnum


class Way(StrEnum):
    """How something was said."""

    UP = "up"
    """A frame of a client's stream."""
    DOWN = "down"
    """A frame of a server's stream."""
    STATUS = "status"
    """A register's status."""
    JOURNAL = "journal"
    """A page of a register's journal."""
    POWER = "power"
    """Nothing: the machine stopped, and what it had not flushed may be gone."""


@dataclass(frozen=True, slots=True)
class Word:
    """Something that a place said, as it was written."""

    time_s: float
    place: str
    way: Way
    stream: int = 0
    """Rises from one stream to the next."""
    body: bytes = b""


@dataclass(slots=True)
class Words:
    """Everything that was said, in order."""

    said: list[Word] = field(default_factory=list[Word])
