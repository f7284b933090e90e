"""How long a client waits before it connects again, pure.

1. After a stream that did not last, twice as long as the time before, up to `BACKOFF_MAX_S`, or
   to `NOBODY_MAX_S` when nobody spoke on it; after one that did, the shortest.
2. A random part of it, at least half, so that those who broke together do not come together.
3. Beside that up to as long as the server asked for in its last Welcome, at random, and never
   longer than `RETURN_WITHIN_MAX_S`.
"""

import random

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
"""For who was told no."""
NOBODY_MAX_S = 0.5
"""Whether anybody is there again the connection asks as often by itself (`rpc/channel.py`)."""
RETURN_WITHIN_MAX_S = 60.0
"""A server cannot keep its clients away for longer."""


class Backoff:
    """That of one client."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._pause_s = BACKOFF_FIRST_S
        self._within_s = 0.0

    def asked(self, return_within_s: float) -> None:
        """What the server said in its Welcome; it holds until it says otherwise."""
        self._within_s = max(0.0, min(return_within_s, RETURN_WITHIN_MAX_S))

    def pause_s(self, *, failed: bool, nobody: bool = False) -> float:
        """How long to wait now; a stream that was ended by a person's hand has not failed.

        `nobody` says that no server spoke on it.
        """
        longer = min(self._pause_s * 2, NOBODY_MAX_S if nobody else BACKOFF_MAX_S)
        self._pause_s = longer if failed else BACKOFF_FIRST_S
        return self._pause_s * (0.5 + self._rng.random() / 2) + self._within_s * self._rng.random()
