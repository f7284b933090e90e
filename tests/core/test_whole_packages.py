"""A small package comes whole, with the frame that announces it."""

import pytest

from stillopen.replication.client_half import ClientHalf, Effect
from stillopen.replication.frames import WHOLE_BYTES, cursor_to
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.receiving import Apply, Begin, Drop, Take
from stillopen.replication.sending import Offer
from stillopen.replication.server_half import ServerHalf
from stillopen.v1 import sync_pb2

AT = Cursor(3, 7, b"here")
DELTA = Package(Cursor(3, 8, b"delta"), 7, AT)
SNAPSHOT = Package(Cursor(3, 9, b"snapshot"), 7)
DATA = b"7 bytes"


def server(version: int = 2, there: int = 0) -> ServerHalf:
    """A stream of a replica that stands there and may have a part of the delta."""
    half = ServerHalf("R1", 1.0)
    hello = sync_pb2.Hello(protocol_version=version, instance=5, cursor=cursor_to(AT))
    if there:
        hello.partials.add(package_digest=DELTA.cursor.digest, there=there)
    half.received(sync_pb2.SyncRequest(hello=hello))
    assert half.claimed([]) == [Offer(AT)]
    half.take()
    return half


def client() -> ClientHalf:
    """The stream of a replica that stands there; what it said at first is sent."""
    half = ClientHalf()
    half.hello([], [AT])
    half.received(sync_pb2.SyncResponse(welcome=sync_pb2.Welcome(protocol_version=2)))
    said(half)
    return half


def said(half: ClientHalf) -> list[str]:
    """The kinds of frames that are to be sent."""
    found: list[str] = []
    while frame := half.take():
        found.append(frame.WhichOneof("frame") or "")
    return found


def comes(half: ClientHalf, package: Package, data: bytes) -> list[Effect]:
    """A package comes whole."""
    frame = sync_pb2.PackageBegin(cursor=cursor_to(package.cursor), size=package.size, whole=data)
    if package.base is not None:
        frame.base.CopyFrom(cursor_to(package.base))
    return half.received(sync_pb2.SyncResponse(package_begin=frame))


def test_it_is_one_frame_and_then_it_is_awaited() -> None:
    half = server()
    assert half.takes_whole(DELTA)
    assert half.offered(Offer(AT), DELTA, DATA) == []
    frame = half.take()
    assert frame is not None
    assert (frame.package_begin.whole, frame.package_begin.size) == (DATA, len(DATA))
    assert (half.take(), half.wanted_block, half.look()) == (None, None, [])
    applied = sync_pb2.PackageApplied(cursor=cursor_to(DELTA.cursor))
    assert half.received(sync_pb2.SyncRequest(package_applied=applied)) == [Offer(DELTA.cursor)]
    assert half.take() is None


@pytest.mark.parametrize(
    ("half", "size"), [(server(1), 7), (server(), WHOLE_BYTES + 1), (server(there=3), 7)]
)
def test_what_is_large_or_there_in_part_or_for_an_older_client_goes_by_blocks(
    half: ServerHalf, size: int
) -> None:
    assert not half.takes_whole(Package(DELTA.cursor, size, AT))


@pytest.mark.parametrize("package", [DELTA, SNAPSHOT])
def test_it_is_taken_and_applied_and_nobody_counts_its_bytes(package: Package) -> None:
    half = client()
    assert comes(half, package, DATA) == [Begin(package), Take(DATA), Apply(package)]
    half.taken(len(DATA))
    assert said(half) == []
    half.applied(package.cursor)
    assert said(half) == ["package_applied"]


@pytest.mark.parametrize("data", [DATA + b"1", DATA[1:]])
def test_one_of_another_size_is_dropped_and_refused(data: bytes) -> None:
    half = client()
    assert comes(half, DELTA, data)[-1] == Drop()
    assert said(half) == ["package_refused"]
    assert comes(half, DELTA, DATA)[-1] == Apply(DELTA)


def test_a_delta_for_another_place_is_refused_and_the_next_is_taken() -> None:
    half = client()
    assert comes(half, Package(DELTA.cursor, 7, Cursor(3, 7, b"elsewhere")), DATA) == []
    assert said(half) == ["package_refused"]
    assert comes(half, SNAPSHOT, DATA)[-1] == Apply(SNAPSHOT)
