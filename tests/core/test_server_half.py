"""What a server believes of a hello."""

import pytest

from stillopen.replication.frames import cursor_to
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.server_half import Claim, Declined, Offer, ServerHalf
from stillopen.v1 import sync_pb2, types_pb2

LANE = sync_pb2.LaneClaim(
    register_id="R1",
    epoch=7,
    first=1,
    head=3,
    claimed_head=9,
    missing=[types_pb2.EntryRange(first=2, last=2)],
)


def heads_of(owner: str, lane: sync_pb2.LaneClaim) -> Claim:
    """What is noted of a hello on the stream of a register, or of a channel."""
    half = ServerHalf(owner, 1.0)
    hello = sync_pb2.Hello(protocol_version=1, instance=5, lanes=[lane])
    [claim] = [e for e in half.received(sync_pb2.SyncRequest(hello=hello)) if isinstance(e, Claim)]
    return claim


@pytest.mark.parametrize(("owner", "told"), [("R1", False), ("", True)])
def test_only_a_channel_tells_of_holes_and_of_what_its_registers_claim(
    owner: str, *, told: bool
) -> None:
    [head] = heads_of(owner, LANE).heads
    assert (head.first, head.last) == (1, 3)
    assert (head.missing, head.claimed) == ((((2, 2),), 9) if told else ((), 0))


AT = Cursor(3, 7, b"here")
DELTA = Package(Cursor(3, 8, b"delta"), b"package", AT)
SNAPSHOT = Package(Cursor(3, 9, b"snapshot"), b"package")


def streaming(at: Cursor = AT) -> ServerHalf:
    """A stream of a replica that stands there; nothing is on its way."""
    half = ServerHalf("R1", 1.0)
    hello = sync_pb2.Hello(protocol_version=1, instance=5, cursor=cursor_to(at))
    half.received(sync_pb2.SyncRequest(hello=hello))
    assert half.claimed([]) == [Offer(at)]
    half.take()
    return half


def sent(half: ServerHalf) -> list[str]:
    """What is to be sent."""
    found: list[str] = []
    while frame := half.take():
        found.append(frame.WhichOneof("frame") or "")
    return found


def refusal(package: Package, reason: str = "PACKAGE_DAMAGED") -> sync_pb2.SyncRequest:
    """The replica keeps what it had."""
    frame = sync_pb2.PackageRefused(cursor=cursor_to(package.cursor), reason=reason, message="why")
    return sync_pb2.SyncRequest(package_refused=frame)


def test_a_delta_names_where_the_replica_must_stand_and_a_snapshot_does_not() -> None:
    for package in (DELTA, SNAPSHOT):
        half = streaming()
        half.offered(package)
        frame = half.take()
        assert frame is not None
        assert frame.package_begin.HasField("base") is (package is DELTA)
        assert sent(half) == ["package_block", "package_end"]


def test_no_package_is_sent_before_the_one_before_it_was_answered() -> None:
    half = streaming()
    half.offered(DELTA)
    assert sent(half) == ["package_begin", "package_block", "package_end"]
    assert not half.may_offer
    assert half.offered(SNAPSHOT) == []
    assert sent(half) == []
    applied = sync_pb2.PackageApplied(cursor=cursor_to(DELTA.cursor))
    assert half.received(sync_pb2.SyncRequest(package_applied=applied)) == [Offer(DELTA.cursor)]
    half.offered(SNAPSHOT)
    assert sent(half) == ["package_begin", "package_block", "package_end"]


def test_a_snapshot_is_looked_for_when_a_delta_was_refused() -> None:
    half = streaming()
    half.offered(DELTA)
    sent(half)
    not_older = Offer(Cursor(DELTA.cursor.generation, DELTA.cursor.sequence))
    assert half.received(refusal(DELTA)) == [Declined(DELTA.cursor, "why"), not_older]
    half.offered(SNAPSHOT)
    assert sent(half) == ["package_begin", "package_block", "package_end"]
    assert half.received(refusal(SNAPSHOT)) == [Declined(SNAPSHOT.cursor, "why")]
    assert half.offered(SNAPSHOT) == []
    assert half.offered(DELTA) == [not_older]
    assert sent(half) == []


def test_a_full_disk_is_no_reason_for_a_snapshot() -> None:
    half = streaming()
    half.offered(DELTA)
    sent(half)
    assert half.received(refusal(DELTA, "DISK_FULL")) == [Declined(DELTA.cursor, "why")]
    beat = sync_pb2.SyncRequest(heartbeat=sync_pb2.Heartbeat())
    assert half.received(beat) == [Offer(half.cursor)], "the disk may have room again"
    assert half.offered(DELTA) == []
    assert sent(half) == ["package_begin", "package_block", "package_end"]
    assert half.received(beat) == []


def test_a_refusal_of_what_was_not_sent_is_passed_over() -> None:
    half = streaming()
    assert half.received(refusal(SNAPSHOT)) == []
    half.offered(DELTA)
    assert half.received(refusal(SNAPSHOT)) == []
    assert not half.may_offer


def test_the_welcome_says_how_many_entries_come_at_a_time() -> None:
    half = ServerHalf("R1", 1.0, 7)
    half.received(sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=1)))
    half.claimed([])
    frame = half.take()
    assert frame is not None
    assert frame.welcome.limits.batch_entries_max == 7
