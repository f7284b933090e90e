"""Frames of a stream, and what the two halves agree on."""

from stillopen.replication.ports import Cursor
from stillopen.v1 import sync_pb2

PROTOCOL_VERSION = 1
SOFTWARE_VERSION = "0.1.0"
BLOCK_BYTES = 256 * 1024
PACKAGE_BYTES_MAX = 256 * 2**20
BATCH_BYTES_MAX = 1 << 20
BATCH_ENTRIES_MAX = 1_000
BATCHES_IN_FLIGHT_MAX = 4
MISSED_MAX = 3
"""Heartbeats missed before a peer is gone."""


def cursor_to(cursor: Cursor) -> sync_pb2.Cursor:
    """A cursor as a message."""
    return sync_pb2.Cursor(
        generation=cursor.generation, sequence=cursor.sequence, package_digest=cursor.digest
    )


def cursor_from(message: sync_pb2.Cursor) -> Cursor:
    """A cursor from a message."""
    return Cursor(message.generation, message.sequence, message.package_digest)
