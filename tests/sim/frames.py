"""What goes over a simulated connection for one call."""

from dataclasses import dataclass
from enum import Enum

import grpc

Pairs = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """The first frame of a call; `body` is the whole request unless it is a stream."""

    body: bytes | None


@dataclass(frozen=True, slots=True)
class Status:
    """The last frame of a call; `body` is the whole answer unless it is a stream."""

    code: grpc.StatusCode
    details: str = ""
    trailers: Pairs = ()
    body: bytes | None = None


class Signal(Enum):
    """What a client says beside its requests."""

    NO_MORE = "no more requests"
    RESET = "no longer interested"


Frame = bytes | Opening | Status | Signal


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call was made with."""

    method: str
    metadata: Pairs
    timeout_s: float | None
    streams: bool


def refusal(target: str) -> Status:
    """What a caller of a closed port is told."""
    return Status(grpc.StatusCode.UNAVAILABLE, f"{target}: connection refused")


def size_of(frame: Frame) -> int:
    """How many bytes it carries."""
    if isinstance(frame, Opening | Status):
        return len(frame.body or b"")
    return len(frame) if isinstance(frame, bytes) else 0
