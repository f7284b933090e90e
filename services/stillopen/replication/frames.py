"""Frames of a stream, and what the two halves agree on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.replication.ports import Cursor
from stillopen.replication.scope import Scope
from stillopen.v1 import sync_pb2

PROTOCOL_VERSION = 2
"""The newest that is spoken here. Since 2: packages go on where they broke off, small ones
come whole, PackageTaken bounds what is on its way, and heartbeats may precede Welcome."""
OLDEST_VERSION = 1
"""The oldest: servers are upgraded before their clients."""
SOFTWARE_VERSION = "0.1.0"
BLOCK_BYTES = 64 * 1024
WINDOW_BYTES = 16 * BLOCK_BYTES
"""How much of a package is on its way: what an acknowledgement may have to wait behind."""
WHOLE_BYTES = 2 * 1024
"""A package of no more comes with the frame that announces it: a price is told in one frame."""
PACKAGE_BYTES_MAX = 2**32
CURSORS_MAX = 100
"""The most replicas that one stream is for."""
SEQUENCE_MAX = 2**63 - 1
"""The largest number of a package that a database keeps."""
DIGEST_BYTES = 32
BLOCKS_READY_MAX = 2
"""Blocks of a package that wait to be sent."""
QUESTIONS_MAX = 8
"""Questions that a server has open on a stream."""
BATCH_BYTES_MAX = 1 << 17
"""A frame has to pass the thinnest line before its peer is taken for gone: three heartbeats."""
BATCH_ENTRIES_MAX = 1_000
BATCHES_IN_FLIGHT_MAX = 8
MISSED_MAX = 3
"""Heartbeats missed before a peer is gone."""
STALLED_S = 60.0
"""A peer that is there and takes or acknowledges nothing for so long has stalled."""
OUTBOX_MAX = 1_000
"""Frames that wait for a peer that does not read them."""
PARTIALS_MAX = 100
"""Packages of which a part may be there."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one stream may take of a server; the more streams there are, the less."""

    batch_bytes: int = BATCH_BYTES_MAX
    batches_in_flight: int = BATCHES_IN_FLIGHT_MAX
    heartbeat_s: float = 0.0
    """Heartbeats are no oftener."""
    return_within_s: float = 0.0
    """When the stream breaks, its client comes back within so long, at random."""


def spoken(newest: int) -> int:
    """The version that both speak; Refused PROTOCOL_VERSION when there is none."""
    version = min(newest, PROTOCOL_VERSION)
    if version < OLDEST_VERSION:
        known = f"{OLDEST_VERSION} to {PROTOCOL_VERSION}"
        raise Refused(Reason.PROTOCOL_VERSION, f"versions {known} are spoken here, not {newest}")
    return version


def cursor_to(cursor: Cursor) -> sync_pb2.Cursor:
    """A cursor as a message."""
    scope = sync_pb2.Scope(
        excluded_tables=cursor.scope.excluded, schema_version=cursor.scope.version
    )
    return sync_pb2.Cursor(
        generation=cursor.generation,
        sequence=cursor.sequence,
        package_digest=cursor.digest,
        scope=scope,
    )


def cursor_from(message: sync_pb2.Cursor) -> Cursor:
    """A cursor from a message; Misuse for one that no log can have."""
    if message.sequence > SEQUENCE_MAX:
        raise invalid("cursor", f"the sequence is at most {SEQUENCE_MAX}")
    if len(message.package_digest) > DIGEST_BYTES:
        raise invalid("cursor", f"a digest has {DIGEST_BYTES} bytes")
    excluded = tuple(sorted(set(message.scope.excluded_tables)))
    scope = Scope(excluded, message.scope.schema_version or 1)
    return Cursor(message.generation, message.sequence, message.package_digest, scope)


def same_place(one: Cursor, other: Cursor) -> bool:
    """Whether two cursors name one place in one log; a generation has one scope."""
    return (one.generation, one.sequence, one.digest) == (
        other.generation,
        other.sequence,
        other.digest,
    )


def moved(cursors: Sequence[Cursor], to: Cursor, base: Cursor | None) -> list[Cursor]:
    """Where replicas stand once one of them has a package.

    Both halves go by this rule, so that what one says need not be said back. The replica is that
    which stood at the base; for a snapshot that of its scope, else of its exclusions, else the
    first: a register's source decides what is left out.
    """
    rules: list[Callable[[Cursor], bool]] = [
        lambda each: base is not None and same_place(each, base),
        lambda each: each.scope == to.scope,
        lambda each: each.scope.excluded == to.scope.excluded,
        lambda _: True,
    ]
    found = list(cursors)
    for rule in rules:
        for place, each in enumerate(found):
            if rule(each):
                found[place] = to
                return found
    return found
