"""Packages as a client's half receives them: taken, refused, passed over; where replicas stand."""

from dataclasses import replace

import pytest

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.journal import Head, Lane
from stillopen.replication.client_half import ClientHalf, Effect
from stillopen.replication.frames import CURSORS_MAX, PACKAGE_BYTES_MAX, cursor_from, cursor_to
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.receiving import Apply, Begin, Drop, Take
from stillopen.replication.scope import Scope
from stillopen.v1 import sync_pb2

AT = Cursor(3, 7, b"here")
NEXT = Cursor(3, 8, b"next")
SMALLER = Scope(("customer",))
COPY = Cursor(4, 2, b"copy", SMALLER)
NOWHERE = Cursor()
DELTA = Package(NEXT, 6, AT)
SNAPSHOT = Package(NEXT, 6)


def begin(half: ClientHalf, package: Package) -> list[Effect]:
    """A package begins."""
    frame = sync_pb2.PackageBegin(cursor=cursor_to(package.cursor), size=package.size)
    if package.base is not None:
        frame.base.CopyFrom(cursor_to(package.base))
    return half.received(sync_pb2.SyncResponse(package_begin=frame))


def block(half: ClientHalf, data: bytes) -> list[Effect]:
    """Bytes of it come."""
    return half.received(sync_pb2.SyncResponse(package_block=sync_pb2.PackageBlock(data=data)))


def end(half: ClientHalf) -> list[Effect]:
    """That was all of it."""
    return half.received(sync_pb2.SyncResponse(package_end=sync_pb2.PackageEnd()))


def brought(half: ClientHalf, package: Package) -> list[Effect]:
    """A package comes whole, in two blocks."""
    begun, size = begin(half, package), package.size // 2
    return [*begun, *block(half, bytes(size)), *block(half, bytes(size)), *end(half)]


def standing(*cursors: Cursor) -> ClientHalf:
    """The stream of replicas that stand there; what it said at first is sent."""
    half = ClientHalf()
    half.hello([], cursors)
    half.received(sync_pb2.SyncResponse(welcome=sync_pb2.Welcome(protocol_version=1)))
    said(half)
    return half


def said(half: ClientHalf) -> list[str | list[Cursor]]:
    """What is to be sent: reasons of refusals, pictures of where replicas stand, other kinds."""
    found: list[str | list[Cursor]] = []
    while frame := half.take():
        match kind := frame.WhichOneof("frame"):
            case "package_refused":
                found.append(frame.package_refused.reason)
            case "packages_wanted":
                found.append([cursor_from(each) for each in frame.packages_wanted.cursors])
            case _:
                found.append(kind or "")
    return found


@pytest.mark.parametrize("package", [DELTA, SNAPSHOT])
def test_a_package_is_taken_block_by_block_and_applied_at_its_end(package: Package) -> None:
    half = standing(AT)
    taken = Take(bytes(3))
    assert brought(half, package) == [Begin(package), taken, taken, Apply(package)]
    half.applied(NEXT)
    assert said(half) == ["package_applied"]


def test_what_is_missing_of_a_package_is_counted() -> None:
    half = standing(AT)
    assert half.package_bytes_missing == 0
    begin(half, DELTA)
    block(half, b"four")
    assert half.package_bytes_missing == 2
    block(half, b"ok")
    end(half)
    assert half.package_bytes_missing == 0


@pytest.mark.parametrize("base", [Cursor(3, 6, b"here"), Cursor(4, 7, b"here"), Cursor(3, 7, b"x")])
def test_a_delta_that_goes_on_from_another_place_is_refused_at_once_and_passed_over(
    base: Cursor,
) -> None:
    half = standing(AT)
    assert brought(half, Package(NEXT, 6, base)) == []
    assert said(half) == ["PACKAGE_DAMAGED"]
    assert half.package_refusal
    assert brought(half, SNAPSHOT)[-1] == Apply(SNAPSHOT)
    half.applied(NEXT)
    assert not half.package_refusal


def test_a_delta_of_a_copy_is_taken_too() -> None:
    half = standing(AT, COPY)
    delta = Package(Cursor(4, 3, b"d", SMALLER), 6, COPY)
    assert brought(half, delta)[-1] == Apply(delta)


def test_a_delta_whose_replica_is_lost_while_it_comes_is_refused() -> None:
    half = standing(AT)
    begin(half, DELTA)
    block(half, bytes(6))
    half.stand([NOWHERE])
    assert end(half) == [Drop()]
    assert said(half) == [[NOWHERE], "PACKAGE_DAMAGED"]


@pytest.mark.parametrize("size", [0, PACKAGE_BYTES_MAX + 1])
def test_a_package_of_a_size_that_cannot_be_is_passed_over(size: int) -> None:
    half = standing(AT)
    assert begin(half, replace(SNAPSHOT, size=size)) == []
    assert block(half, b"x") == []
    assert end(half) == []
    assert said(half) == ["PACKAGE_DAMAGED"]
    assert brought(half, SNAPSHOT)[-1] == Apply(SNAPSHOT)


def test_more_bytes_than_were_said_are_refused_and_nothing_more_is_taken() -> None:
    half = standing(AT)
    begin(half, SNAPSHOT)
    assert block(half, b"sevenxx") == [Drop()]
    assert block(half, b"more") == []
    assert end(half) == []
    assert said(half) == ["PACKAGE_DAMAGED"]


def test_fewer_bytes_than_were_said_are_refused() -> None:
    half = standing(AT)
    begin(half, SNAPSHOT)
    block(half, b"five!")
    assert end(half) == [Drop()]
    assert said(half) == ["PACKAGE_DAMAGED"]


def test_the_rest_of_a_package_that_was_refused_is_passed_over_and_journals_go_on() -> None:
    half = ClientHalf()
    half.hello([Head(Lane("R1", 7), 1, 3)], [AT])
    half.received(sync_pb2.SyncResponse(welcome=sync_pb2.Welcome(protocol_version=1)))
    said(half)
    begin(half, SNAPSHOT)
    block(half, b"one")
    half.refused(NEXT, Refused(Reason.DISK_FULL, "no room"))
    assert half.package_bytes_missing == 0
    assert block(half, b"two") == []
    stored = sync_pb2.LaneState(register_id="R1", epoch=7, stored_through=3)
    assert half.received(sync_pb2.SyncResponse(stored=sync_pb2.Stored(lanes=[stored])))
    assert end(half) == []
    assert said(half) == ["DISK_FULL"]
    assert brought(half, SNAPSHOT)[-1] == Apply(SNAPSHOT)


def test_blocks_and_ends_without_a_package_end_the_stream() -> None:
    with pytest.raises(Misuse):
        block(standing(AT), b"x")
    with pytest.raises(Misuse):
        end(standing(AT))
    half = standing(AT)
    begin(half, SNAPSHOT)
    with pytest.raises(Misuse):
        begin(half, SNAPSHOT)


def test_hello_says_where_the_own_replica_stands_and_the_others_are_said_after_the_welcome() -> (
    None
):
    half = ClientHalf()
    half.hello([], [AT, COPY])
    hello = half.take()
    assert hello is not None
    assert cursor_from(hello.hello.cursor) == AT
    half.stand([AT, COPY])
    assert said(half) == []
    half.received(sync_pb2.SyncResponse(welcome=sync_pb2.Welcome(protocol_version=1)))
    assert said(half) == [[AT, COPY]]


def test_nothing_is_said_of_a_replica_that_stands_where_the_server_knows() -> None:
    half = standing(AT)
    half.stand([AT])
    brought(half, DELTA)
    half.applied(NEXT)
    half.stand([NEXT])
    assert said(half) == ["package_applied"]


def test_a_replica_that_was_lost_or_is_newly_wanted_is_said() -> None:
    half = standing(AT)
    half.stand([NOWHERE])
    half.stand([NOWHERE])
    assert said(half) == [[NOWHERE]]
    half.stand([NOWHERE, COPY])
    assert said(half) == [[NOWHERE, COPY]]


def test_a_snapshot_moves_the_replica_of_its_scope() -> None:
    half = standing(AT, COPY)
    snapshot = Cursor(5, 9, b"s", SMALLER)
    brought(half, Package(snapshot, 6))
    half.applied(snapshot)
    half.stand([AT, snapshot])
    assert said(half) == ["package_applied"]


def test_where_a_replica_stands_is_said_when_its_package_led_elsewhere() -> None:
    half = standing(AT)
    decided_above = replace(NEXT, scope=SMALLER)
    brought(half, Package(decided_above, 6))
    half.applied(decided_above)
    half.stand([decided_above])
    assert said(half) == ["package_applied"]
    half.stand([replace(decided_above, digest=b"other")])
    assert said(half) == [[replace(decided_above, digest=b"other")]]


def test_no_more_replicas_are_said_than_a_server_takes() -> None:
    many = [Cursor(n + 1, 1, b"x") for n in range(CURSORS_MAX + 5)]
    half = standing(AT)
    half.stand(many)
    assert said(half) == [many[:CURSORS_MAX]]
