"""Packages as a server's half sends them: for each replica in turn, block by block."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.replication.frames import (
    BLOCK_BYTES,
    BLOCKS_READY_MAX,
    CURSORS_MAX,
    cursor_to,
)
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import Scope
from stillopen.replication.sending import REFUSED_MAX, WAIT_MAX, Declined, Offer
from stillopen.replication.server_half import Effect, ServerHalf
from stillopen.v1 import sync_pb2

AT = Cursor(3, 7, b"here")
DELTA = Package(Cursor(3, 8, b"delta"), 7, AT)
SNAPSHOT = Package(Cursor(3, 9, b"snapshot"), 7)
SMALLER = Scope(("customer",))
COPY = Cursor(4, 2, b"copy", SMALLER)
FOR_COPY = Package(Cursor(4, 3, b"for the copy", SMALLER), 7, COPY)
NOT_OLDER = Offer(Cursor(3, 8))
NOWHERE = Cursor()
WHOLE = ["package_begin", "package_block", "package_end"]
BEAT = sync_pb2.SyncRequest(heartbeat=sync_pb2.Heartbeat())


def streaming(at: Cursor = AT) -> ServerHalf:
    """A stream of a replica that stands there; nothing is on its way."""
    half = ServerHalf("R1", 1.0)
    hello = sync_pb2.Hello(protocol_version=1, instance=5, cursor=cursor_to(at))
    half.received(sync_pb2.SyncRequest(hello=hello))
    assert half.claimed([]) == [Offer(at)]
    half.take()
    return half


def sent(half: ServerHalf) -> list[str]:
    """What is sent while blocks are brought as they are wanted."""
    found: list[str] = []
    while True:
        if wanted := half.wanted_block:
            half.block(wanted, bytes(wanted.size))
        frame = half.take()
        if frame is None:
            return found
        found.append(frame.WhichOneof("frame") or "")


def offers(half: ServerHalf, effects: Sequence[Effect], *found: Package | None) -> Sequence[Effect]:
    """Answers each offer in turn with what was found; returns what follows the last."""
    for package in found:
        [offer] = [each for each in effects if isinstance(each, Offer)]
        effects = half.offered(offer, package)
    return effects


def given(half: ServerHalf, package: Package) -> list[str]:
    """A package is found for the own replica; what is sent."""
    assert offers(half, half.look(), package) == []
    return sent(half)


def applied(half: ServerHalf, cursor: Cursor) -> list[Effect]:
    """The replica shows a package."""
    frame = sync_pb2.PackageApplied(cursor=cursor_to(cursor))
    return half.received(sync_pb2.SyncRequest(package_applied=frame))


def refused(half: ServerHalf, package: Package, reason: str = "PACKAGE_DAMAGED") -> list[Effect]:
    """The replica keeps what it had."""
    frame = sync_pb2.PackageRefused(cursor=cursor_to(package.cursor), reason=reason, message="why")
    return half.received(sync_pb2.SyncRequest(package_refused=frame))


def wants(half: ServerHalf, *cursors: Cursor) -> list[Effect]:
    """The client says where its replicas stand."""
    frame = sync_pb2.PackagesWanted(cursors=[cursor_to(each) for each in cursors])
    return half.received(sync_pb2.SyncRequest(packages_wanted=frame))


def test_a_delta_names_where_the_replica_must_stand_and_a_snapshot_does_not() -> None:
    for package in (DELTA, SNAPSHOT):
        half = streaming()
        offers(half, half.look(), package)
        frame = half.take()
        assert frame is not None
        assert frame.package_begin.size == package.size
        assert frame.package_begin.HasField("base") is (package is DELTA)
        assert sent(half) == WHOLE[1:]


def test_no_package_is_sent_before_the_one_before_it_was_answered() -> None:
    half = streaming()
    assert given(half, DELTA) == WHOLE
    assert half.look() == []
    assert half.offered(Offer(AT), SNAPSHOT) == []
    assert sent(half) == []
    assert applied(half, DELTA.cursor) == [Offer(DELTA.cursor)]
    assert given(half, SNAPSHOT) == WHOLE


def test_nothing_is_sent_before_the_welcome() -> None:
    half = ServerHalf("R1", 1.0)
    half.received(sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=1)))
    assert wants(half, AT) == []
    assert half.look() == []
    assert half.claimed([]) == [Offer(AT)]


def test_several_replicas_are_served_in_turn_and_the_own_first() -> None:
    half = streaming()
    assert wants(half, AT, COPY) == [Offer(AT)]
    assert offers(half, [Offer(AT)], None) == [Offer(COPY, 1)]
    offers(half, [Offer(COPY, 1)], FOR_COPY)
    assert sent(half) == WHOLE
    # A package came for the own meanwhile: it goes first.
    assert applied(half, FOR_COPY.cursor) == [Offer(AT)]
    offers(half, [Offer(AT)], DELTA)
    assert sent(half) == WHOLE
    effects = applied(half, DELTA.cursor)
    assert effects == [Offer(DELTA.cursor)]
    assert offers(half, effects, None) == [Offer(FOR_COPY.cursor, 1)]
    assert offers(half, [Offer(FOR_COPY.cursor, 1)], None) == []


def test_a_replica_that_was_lost_is_looked_for_again() -> None:
    half = streaming()
    assert wants(half, NOWHERE) == [Offer(NOWHERE)]
    offers(half, [Offer(NOWHERE)], SNAPSHOT)
    assert sent(half) == WHOLE


def test_a_replica_that_is_lost_while_a_delta_is_under_way_gets_a_snapshot() -> None:
    half = streaming()
    given(half, DELTA)
    assert wants(half, NOWHERE) == []
    assert refused(half, DELTA) == [Declined(DELTA.cursor, "why"), Offer(NOWHERE)]
    offers(half, [Offer(NOWHERE)], SNAPSHOT)
    assert sent(half) == WHOLE
    assert applied(half, SNAPSHOT.cursor) == [Offer(SNAPSHOT.cursor)]


def test_a_replica_whose_scope_its_source_decides_stands_where_its_package_led() -> None:
    half = streaming(NOWHERE)
    smaller = Package(replace(SNAPSHOT.cursor, scope=SMALLER), 7)
    given(half, smaller)
    assert applied(half, smaller.cursor) == [Offer(smaller.cursor)]


@pytest.mark.parametrize("count", [0, CURSORS_MAX + 1])
def test_a_client_has_at_least_one_replica_and_not_too_many(count: int) -> None:
    half = streaming()
    with pytest.raises(Misuse):
        wants(half, *(Cursor(n + 1, 1, b"x") for n in range(count)))


def test_a_snapshot_is_looked_for_when_a_delta_was_refused() -> None:
    half = streaming()
    given(half, DELTA)
    assert refused(half, DELTA) == [Declined(DELTA.cursor, "why"), NOT_OLDER]
    offers(half, [NOT_OLDER], SNAPSHOT)
    assert sent(half) == WHOLE


def test_a_delta_that_was_refused_is_not_sent_again() -> None:
    half = streaming()
    given(half, DELTA)
    refused(half, DELTA)
    assert offers(half, half.look(), DELTA) == [NOT_OLDER]
    assert offers(half, [NOT_OLDER], DELTA) == [], "a source that has nothing else is not asked on"
    assert sent(half) == []


def test_a_damaged_snapshot_is_sent_once_more_after_a_heartbeat() -> None:
    half = streaming()
    given(half, SNAPSHOT)
    assert refused(half, SNAPSHOT) == [Declined(SNAPSHOT.cursor, "why")]
    assert offers(half, half.look(), SNAPSHOT) == []
    assert sent(half) == [], "its source looks at its file first"
    assert half.received(BEAT) == [Offer(AT)]
    offers(half, [Offer(AT)], SNAPSHOT)
    assert sent(half) == WHOLE
    assert refused(half, SNAPSHOT) == [Declined(SNAPSHOT.cursor, "why")]
    assert half.received(BEAT) == []
    assert offers(half, half.look(), SNAPSHOT) == []
    assert sent(half) == []


def test_what_could_not_be_looked_for_is_looked_for_after_a_heartbeat() -> None:
    half = streaming()
    assert wants(half, AT, COPY) == [Offer(AT)]
    assert half.missed(Offer(AT)) == [Offer(COPY, 1)]
    assert offers(half, [Offer(COPY, 1)], None) == []
    assert half.received(BEAT) == [Offer(AT)]
    assert offers(half, [Offer(AT)], None, None) == []
    assert half.received(BEAT) == []


def test_a_refused_package_of_one_replica_keeps_nothing_from_another() -> None:
    half = streaming()
    offers(half, wants(half, AT, COPY), SNAPSHOT)
    sent(half)
    assert refused(half, SNAPSHOT) == [Declined(SNAPSHOT.cursor, "why"), Offer(COPY, 1)]
    offers(half, [Offer(COPY, 1)], FOR_COPY)
    assert sent(half) == WHOLE
    effects = applied(half, FOR_COPY.cursor)
    assert offers(half, effects, SNAPSHOT) == [Offer(FOR_COPY.cursor, 1)], "it stays refused"


def test_a_full_disk_is_no_reason_for_a_snapshot() -> None:
    half = streaming()
    given(half, DELTA)
    assert refused(half, DELTA, "DISK_FULL") == [Declined(DELTA.cursor, "why")]
    assert offers(half, half.look(), DELTA) == []
    assert sent(half) == [], "not before a heartbeat"
    assert half.received(BEAT) == [Offer(AT)], "the disk may have room again"
    assert offers(half, [Offer(AT)], DELTA) == []
    assert sent(half) == WHOLE
    assert half.received(BEAT) == []


def beats_until_sent(half: ServerHalf, package: Package) -> int:
    """How many heartbeats pass before a package is sent again; it is looked for all the time."""
    for count in range(1, 2 * WAIT_MAX):
        effects = half.received(BEAT) or half.look()
        assert offers(half, effects, package) == []
        if sent(half) == WHOLE:
            return count
    raise AssertionError(package)


def test_what_cannot_be_taken_comes_after_twice_as_many_heartbeats_each_time() -> None:
    half, found = streaming(), list[int]()
    given(half, SNAPSHOT)
    for _ in range(9):
        refused(half, SNAPSHOT, "DISK_FULL")
        found.append(beats_until_sent(half, SNAPSHOT))
    assert found == [1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_another_package_does_not_wait_for_one_that_cannot_be_taken() -> None:
    half, newer = streaming(), replace(SNAPSHOT, cursor=Cursor(3, 10, b"newer"))
    given(half, SNAPSHOT)
    for _ in range(3):
        refused(half, SNAPSHOT, "DISK_FULL")
        beats_until_sent(half, SNAPSHOT)
    refused(half, SNAPSHOT, "DISK_FULL")
    assert given(half, newer) == WHOLE
    refused(half, newer, "DISK_FULL")
    assert beats_until_sent(half, newer) == 1


def test_heartbeats_count_while_another_package_is_under_way() -> None:
    half = streaming()
    offers(half, wants(half, AT, COPY), SNAPSHOT)
    sent(half)
    offers(half, refused(half, SNAPSHOT, "DISK_FULL"), FOR_COPY)
    assert sent(half) == WHOLE
    assert half.received(BEAT) == []
    assert offers(half, applied(half, FOR_COPY.cursor), SNAPSHOT) == []
    assert sent(half) == WHOLE


def test_what_was_refused_counts_no_more_once_its_log_went_on() -> None:
    half = streaming()
    given(half, DELTA)
    refused(half, DELTA, "DISK_FULL")
    assert beats_until_sent(half, DELTA) == 1
    applied(half, DELTA.cursor)
    after = Package(DELTA.cursor, 7, NOWHERE)
    given(half, after)
    refused(half, after, "DISK_FULL")
    assert beats_until_sent(half, after) == 1


def test_refusals_are_remembered_within_bounds() -> None:
    half = streaming()
    for sequence in range(REFUSED_MAX + 1):
        package = Package(Cursor(3, 10 + sequence, b"another"), 7)
        given(half, package)
        refused(half, package, "DISK_FULL")
    assert given(half, Package(Cursor(3, 10, b"another"), 7)) == WHOLE, "the first is forgotten"


def test_a_refusal_of_what_was_not_sent_is_passed_over() -> None:
    half = streaming()
    assert refused(half, SNAPSHOT) == []
    given(half, DELTA)
    assert refused(half, SNAPSHOT) == []
    assert half.look() == []


LARGE = Package(SNAPSHOT.cursor, 5 * BLOCK_BYTES + 1)


def blocks_ready(half: ServerHalf) -> int:
    """Brings blocks until no more are wanted, and returns how many those are."""
    count = 0
    while wanted := half.wanted_block:
        half.block(wanted, bytes(wanted.size))
        count += 1
    return count


def test_few_blocks_are_in_memory_and_another_is_read_when_one_was_sent() -> None:
    half = streaming()
    offers(half, half.look(), LARGE)
    assert blocks_ready(half) == BLOCKS_READY_MAX
    half.take()
    assert half.wanted_block is None
    half.take()
    assert blocks_ready(half) == 1


def test_a_package_is_sent_whole_in_blocks() -> None:
    half = streaming()
    assert given(half, LARGE) == [WHOLE[0], *[WHOLE[1]] * 6, WHOLE[2]]


def test_answers_and_heartbeats_go_before_blocks() -> None:
    half = streaming()
    offers(half, half.look(), LARGE)
    half.take()
    blocks_ready(half)
    half.heartbeat()
    frame = half.take()
    assert frame is not None
    assert frame.HasField("heartbeat")


def test_a_package_that_is_refused_while_it_is_sent_ends_there() -> None:
    half = streaming()
    offers(half, half.look(), LARGE)
    half.take()
    wanted = half.wanted_block
    assert wanted is not None
    refused(half, LARGE, "DISK_FULL")
    half.block(wanted, bytes(wanted.size))
    assert sent(half) == ["package_end"]
    assert half.received(BEAT) == [Offer(AT)]


def test_a_block_of_another_package_than_the_one_under_way_is_passed_over() -> None:
    half = streaming()
    offers(half, half.look(), LARGE)
    wanted = half.wanted_block
    assert wanted is not None
    refused(half, LARGE)
    better = replace(LARGE, cursor=Cursor(3, 10, b"better"))
    offers(half, half.look(), better)
    half.block(wanted, bytes(wanted.size))
    frames = [half.take(), half.take(), half.take()]
    assert [f and f.WhichOneof("frame") for f in frames] == [WHOLE[0], WHOLE[2], WHOLE[0]]
    assert half.take() is None


def test_a_package_whose_file_is_gone_ends_the_stream() -> None:
    half = streaming()
    offers(half, half.look(), LARGE)
    wanted = half.wanted_block
    assert wanted is not None
    with pytest.raises(Refused) as caught:
        half.block(wanted, b"")
    assert caught.value.reason is Reason.NAME_UNKNOWN


def test_an_answer_that_another_search_overtook_is_passed_over() -> None:
    half = streaming()
    [earlier] = [each for each in wants(half, AT, COPY) if isinstance(each, Offer)]
    wants(half, NOWHERE, COPY)
    assert half.offered(earlier, DELTA) == []
    assert sent(half) == []
    offers(half, [Offer(NOWHERE)], SNAPSHOT)
    assert sent(half) == WHOLE
