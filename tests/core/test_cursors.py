"""Where replicas say that they stand: a place that no log can have is refused, whoever names it."""

import pytest

from stillopen.core.errors import Misuse, Reason
from stillopen.replication.frames import DIGEST_BYTES, SEQUENCE_MAX, cursor_from, cursor_to
from stillopen.replication.ports import Cursor
from stillopen.replication.server_half import ServerHalf
from stillopen.v1 import sync_pb2

NOWHERE_AT_ALL = {
    "sequence": sync_pb2.Cursor(generation=3, sequence=SEQUENCE_MAX + 1),
    "digest": sync_pb2.Cursor(generation=3, package_digest=bytes(DIGEST_BYTES + 1)),
}


@pytest.mark.parametrize("cursor", NOWHERE_AT_ALL.values(), ids=NOWHERE_AT_ALL.keys())
def test_a_place_that_no_log_can_have_is_refused_in_every_frame(cursor: sync_pb2.Cursor) -> None:
    later = [
        sync_pb2.SyncRequest(packages_wanted=sync_pb2.PackagesWanted(cursors=[cursor])),
        sync_pb2.SyncRequest(package_applied=sync_pb2.PackageApplied(cursor=cursor)),
        sync_pb2.SyncRequest(package_refused=sync_pb2.PackageRefused(cursor=cursor)),
    ]
    hello = sync_pb2.Hello(protocol_version=1)
    for frame in later:
        half = ServerHalf("R1", 1.0)
        half.received(sync_pb2.SyncRequest(hello=hello))
        half.claimed([])
        with pytest.raises(Misuse) as caught:
            half.received(frame)
        assert caught.value.reason is Reason.INVALID_ARGUMENT
    hello.cursor.CopyFrom(cursor)
    with pytest.raises(Misuse):
        ServerHalf("R1", 1.0).received(sync_pb2.SyncRequest(hello=hello))


def test_the_last_place_that_a_log_can_have_is_taken() -> None:
    last = Cursor(2**64 - 1, SEQUENCE_MAX, bytes(DIGEST_BYTES))
    assert cursor_from(cursor_to(last)) == last
