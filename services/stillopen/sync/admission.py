"""Whom a server lets in at once: thousands who come back together are all served, none refused.

1. At most `HELLOS_AT_ONCE` hellos are claimed at a time; the others wait, in the order in which
   they came, and are told meanwhile that the server is there.
2. What all streams have in flight is bounded, however they come and go: the n-th that is open gets
   what `room_for(n)` says, and over 5,000 of them that is `IN_FLIGHT_BYTES`.
3. At most `PACKAGES_AT_ONCE` streams have blocks of a package in memory, in turns.
"""

import asyncio

from stillopen.replication.frames import BATCH_BYTES_MAX, BATCHES_IN_FLIGHT_MAX, Room

HELLOS_AT_ONCE = 16
"""So many wait for the database at a time: what others store waits behind no more of them."""
PACKAGES_AT_ONCE = 64
IN_FLIGHT_BYTES = 256 * 2**20
"""The most that up to 5,000 streams have on their way together; each further one adds a smallest
batch."""
SHARED_BYTES = 32 * 2**20
"""The n-th stream gets the n-th part of this; the sum over 5,000 is `IN_FLIGHT_BYTES`."""
BATCH_BYTES_MIN = 16 * 2**10
BATCH_BYTES_GOOD = 64 * 2**10
"""Several smaller batches in flight are worth less than one of so much."""
HEARTBEATS_PER_S = 500
"""So many streams say in a second that they are there; with more each says so less often."""
RETURNS_PER_S = 250
"""How many streams that broke at once come back in a second."""
RETURN_WITHIN_MAX_S = 60.0


def room_for(streams: int) -> Room:
    """What the newest of so many open streams may take."""
    most = BATCH_BYTES_MAX * BATCHES_IN_FLIGHT_MAX
    share = max(BATCH_BYTES_MIN, min(most, SHARED_BYTES // max(1, streams)))
    batches = max(1, min(BATCHES_IN_FLIGHT_MAX, share // BATCH_BYTES_GOOD))
    return Room(
        share // batches,
        batches,
        heartbeat_s=streams / HEARTBEATS_PER_S,
        return_within_s=min(streams / RETURNS_PER_S, RETURN_WITHIN_MAX_S),
    )


class Admission:
    """That of one server."""

    def __init__(
        self, hellos_at_once: int = HELLOS_AT_ONCE, packages_at_once: int = PACKAGES_AT_ONCE
    ) -> None:
        self.hellos = asyncio.Semaphore(hellos_at_once)
        """Held while a hello is claimed."""
        self.packages = asyncio.Semaphore(packages_at_once)
        """Held by a stream while blocks of a package are in memory."""
        self.streams = 0
        """How many are open, also those that wait."""

    @property
    def room(self) -> Room:
        """What a stream that is let in now may take."""
        return room_for(self.streams)
