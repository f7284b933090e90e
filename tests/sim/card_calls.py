"""What was asked of the card service at headquarters' border, what it answered, and when.

Calls are heard where they arrive, so one that the network brings twice is two calls here, and one
whose answer it lost was answered all the same. A call that was not answered may have taken effect
at any time until its process ended, or never.
"""

import math
from dataclasses import dataclass, field

from google.protobuf.message import Message

NEVER = 2**62


@dataclass(slots=True)
class CardCall:
    """One execution of one call. The numbers count everything that was heard, in order."""

    method: str
    caller: str
    request: Message
    run: int
    """During which run of the server."""
    asked: int
    asked_s: float
    answered: int = NEVER
    answered_s: float = math.inf
    answer: bytes | None = None
    refused: str = ""
    """The reason; empty for an answer, and for a call that was not answered."""


@dataclass(slots=True)
class Run:
    """A server process from its beginning to its end."""

    from_s: float
    heard_s: float = math.inf
    """When it was first asked anything."""
    ended: int = NEVER
    ended_s: float = math.inf


@dataclass(slots=True)
class CardCalls:
    """Everything that was asked of the card service, in order."""

    calls: list[CardCall] = field(default_factory=list[CardCall])
    runs: list[Run] = field(default_factory=list[Run])
