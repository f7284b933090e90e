"""A package that broke off goes on behind what came of it; what is on its way has a bound."""

import pytest

from stillopen.core.errors import Misuse, Reason, Refused, Unreachable
from stillopen.core.journal import NO_PARENT, Head, Lane, append
from stillopen.replication.client_half import ClientHalf, Read, Sent
from stillopen.replication.frames import (
    BLOCK_BYTES,
    OUTBOX_MAX,
    PARTIALS_MAX,
    PROTOCOL_VERSION,
    STALLED_S,
    WINDOW_BYTES,
    cursor_to,
)
from stillopen.replication.ports import Cursor, Package, Partial
from stillopen.replication.receiving import Apply, Begin, Take
from stillopen.replication.sending import Offer
from stillopen.replication.server_half import ServerHalf, Store
from stillopen.rpc.wire import duration_to
from stillopen.v1 import sync_pb2

SIZE = 40 * BLOCK_BYTES + 5
PACKAGE = Package(Cursor(3, 9, b"snapshot"), SIZE)
LANE = Lane("R1", 7)


def hello(there: int = 0, version: int = PROTOCOL_VERSION) -> sync_pb2.SyncRequest:
    """A client that has so much of the package."""
    partial = sync_pb2.PartialPackage(package_digest=PACKAGE.cursor.digest, there=there)
    frame = sync_pb2.Hello(protocol_version=version, instance=5, partials=[partial])
    return sync_pb2.SyncRequest(hello=frame)


def giving(there: int = 0, version: int = PROTOCOL_VERSION) -> tuple[ServerHalf, int]:
    """A server that begins with the package, and the first byte that it sends."""
    half = ServerHalf("R1", 5.0)
    half.received(hello(there, version))
    [offer] = half.claimed([])
    assert isinstance(offer, Offer)
    half.offered(offer, PACKAGE)
    half.take()  # the welcome
    frame = half.take()
    assert frame is not None
    return half, frame.package_begin.offset


def blocks(half: ServerHalf) -> int:
    """How many bytes of blocks are sent before no more may be."""
    total = 0
    while True:
        if wanted := half.wanted_block:
            half.block(wanted, bytes(wanted.size))
        frame = half.take()
        if frame is None:
            return total
        total += len(frame.package_block.data)


def taken(half: ServerHalf, through: int) -> None:
    """The client has written so much."""
    half.received(sync_pb2.SyncRequest(package_taken=sync_pb2.PackageTaken(bytes=through)))


def welcomed(*partials: Partial, version: int = PROTOCOL_VERSION) -> ClientHalf:
    """A client with parts of packages and a lane of ten entries."""
    half = ClientHalf()
    half.hello([Head(LANE, 1, 10)], [Cursor()], partials=partials)
    limits = sync_pb2.Limits(heartbeat_interval=duration_to(5.0))
    frame = sync_pb2.Welcome(protocol_version=version, limits=limits)
    half.received(sync_pb2.SyncResponse(welcome=frame))
    while half.take():
        pass
    return half


def begin(half: ClientHalf, offset: int) -> list[object]:
    """The package begins there."""
    frame = sync_pb2.PackageBegin(cursor=cursor_to(PACKAGE.cursor), size=SIZE, offset=offset)
    return [*half.received(sync_pb2.SyncResponse(package_begin=frame))]


def test_hello_names_what_is_there_and_not_too_much_of_it() -> None:
    half = ClientHalf()
    half.hello([], [Cursor()], partials=[Partial(b"%d" % n, n) for n in range(PARTIALS_MAX + 1)])
    frame = half.take()
    assert frame is not None
    assert [each.there for each in frame.hello.partials] == list(range(PARTIALS_MAX))


def test_the_server_goes_on_behind_what_is_there() -> None:
    half, offset = giving(3 * BLOCK_BYTES)
    assert offset == 3 * BLOCK_BYTES
    wanted = half.wanted_block
    assert wanted is not None
    assert wanted.offset == 3 * BLOCK_BYTES


@pytest.mark.parametrize("there", [SIZE + 1, 2**63])
def test_the_server_begins_anew_when_what_is_there_cannot_be_a_part(there: int) -> None:
    assert giving(there)[1] == 0


def test_of_a_package_that_is_all_there_only_the_end_is_missing() -> None:
    half, offset = giving(SIZE)
    assert (offset, half.wanted_block) == (SIZE, None)
    frame = half.take()
    assert frame is not None
    assert frame.HasField("package_end")


def test_what_is_there_is_relied_on_once() -> None:
    half, _ = giving(BLOCK_BYTES)
    refusal = sync_pb2.PackageRefused(cursor=cursor_to(PACKAGE.cursor), reason="DISK_FULL")
    half.received(sync_pb2.SyncRequest(package_refused=refusal))
    [offer] = half.received(sync_pb2.SyncRequest(heartbeat=sync_pb2.Heartbeat()))
    assert isinstance(offer, Offer)
    half.offered(offer, PACKAGE)
    frames = [half.take(), half.take()]
    assert [each.package_begin.offset for each in frames if each][-1] == 0


def test_a_client_of_the_version_before_gets_a_package_from_its_first_byte() -> None:
    half, offset = giving(3 * BLOCK_BYTES, version=1)
    assert offset == 0
    assert blocks(half) == SIZE, "it never says what it has written"


def test_too_many_parts_are_refused() -> None:
    frame = hello()
    frame.hello.partials.extend([sync_pb2.PartialPackage()] * PARTIALS_MAX)
    with pytest.raises(Misuse):
        ServerHalf("R1", 5.0).received(frame)


def test_no_more_is_on_its_way_than_the_window() -> None:
    half, _ = giving()
    assert blocks(half) == WINDOW_BYTES
    taken(half, BLOCK_BYTES)
    assert blocks(half) == BLOCK_BYTES
    taken(half, WINDOW_BYTES + BLOCK_BYTES)
    assert blocks(half) == WINDOW_BYTES


def test_bytes_that_were_never_sent_or_were_taken_before_open_no_window() -> None:
    half, _ = giving()
    assert blocks(half) == WINDOW_BYTES
    for through in (WINDOW_BYTES + 1, 2**63, 0):
        taken(half, through)
        assert blocks(half) == 0
    taken(half, 2 * BLOCK_BYTES)
    taken(half, BLOCK_BYTES)
    assert blocks(half) == 2 * BLOCK_BYTES


def test_a_client_goes_on_behind_what_is_there() -> None:
    half = welcomed(Partial(PACKAGE.cursor.digest, 4))
    assert begin(half, 4) == [Begin(PACKAGE, 4)]
    assert half.package_bytes_missing == SIZE - 4


def test_an_offset_that_is_not_there_ends_the_stream() -> None:
    half = welcomed(Partial(PACKAGE.cursor.digest, 4))
    with pytest.raises(Misuse):
        begin(half, 5)
    with pytest.raises(Misuse):
        begin(welcomed(Partial(b"another", 9)), 5)


def test_a_part_and_the_rest_make_a_whole() -> None:
    half = welcomed(Partial(PACKAGE.cursor.digest, SIZE - 5))
    begin(half, SIZE - 5)
    rest = sync_pb2.SyncResponse(package_block=sync_pb2.PackageBlock(data=b"12345"))
    assert half.received(rest) == [Take(b"12345")]
    end = sync_pb2.SyncResponse(package_end=sync_pb2.PackageEnd())
    assert half.received(end) == [Apply(PACKAGE)]


@pytest.mark.parametrize(("version", "says"), [(1, []), (2, [7])])
def test_what_is_written_is_said_to_a_server_that_listens(version: int, says: list[int]) -> None:
    half = welcomed(version=version)
    begin(half, 0)
    half.taken(7)
    found: list[int] = []
    while frame := half.take():
        found.append(frame.package_taken.bytes)
    assert found == says


@pytest.mark.parametrize(("newest", "spoken"), [(1, 1), (2, 2), (3, 2), (2**32 - 1, 2)])
def test_the_older_of_the_newest_versions_is_spoken(newest: int, spoken: int) -> None:
    half = ServerHalf("R1", 5.0)
    half.received(hello(version=newest))
    half.claimed([])
    frame = half.take()
    assert frame is not None
    assert frame.welcome.protocol_version == spoken


def test_a_version_that_nobody_knows_any_more_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        ServerHalf("R1", 5.0).received(hello(version=0))
    assert caught.value.reason is Reason.PROTOCOL_VERSION


@pytest.mark.parametrize(("version", "beats"), [(1, 0), (2, 1)])
def test_who_waits_to_be_welcomed_hears_that_the_server_is_there(version: int, beats: int) -> None:
    half = ServerHalf("R1", 5.0)
    half.received(hello(version=version))
    half.heartbeat()
    frame = half.take()
    assert (frame is not None and frame.HasField("heartbeat")) == bool(beats)


def test_a_heartbeat_before_the_welcome_is_no_welcome() -> None:
    half = ClientHalf()
    half.hello([], [Cursor()])
    assert half.received(sync_pb2.SyncResponse(heartbeat=sync_pb2.Heartbeat())) == []
    assert not half.welcomed
    with pytest.raises(Misuse):
        half.received(sync_pb2.SyncResponse(stored=sync_pb2.Stored()))


BEATS = int(STALLED_S / 5.0)


def test_a_client_that_reads_nothing_has_stalled() -> None:
    half, _ = giving()
    while half.take():
        pass
    for _ in range(BEATS + 1):  # the first finds nothing that waits
        half.heartbeat()
    with pytest.raises(Refused) as caught:
        half.heartbeat()
    assert caught.value.reason is Reason.STREAM_STALLED


def test_a_client_that_writes_nothing_of_a_package_has_stalled() -> None:
    half, _ = giving()
    assert blocks(half) == WINDOW_BYTES
    for _ in range(BEATS):
        half.heartbeat()
        half.take()
    with pytest.raises(Refused) as caught:
        half.heartbeat()
    assert caught.value.reason is Reason.STREAM_STALLED


def test_a_client_that_writes_a_little_has_not_stalled() -> None:
    half, _ = giving()
    blocks(half)
    for beat in range(3 * BEATS):
        half.heartbeat()
        taken(half, beat + 1)
        blocks(half)


def test_a_client_that_sends_and_never_reads_is_let_go_before_it_fills_memory() -> None:
    half, _ = giving()
    entries = sync_pb2.SyncRequest(entries=sync_pb2.Entries(batch=1))

    def flood() -> None:
        for _ in range(2 * OUTBOX_MAX):
            for effect in half.received(entries):
                assert isinstance(effect, Store)
                half.stored(effect, [])

    with pytest.raises(Refused) as caught:
        flood()
    assert caught.value.reason is Reason.STREAM_STALLED


def behind() -> ClientHalf:
    """A client that has sent a batch."""
    half = welcomed()
    state = sync_pb2.LaneState(register_id="R1", epoch=7)
    told = sync_pb2.SyncResponse(stored=sync_pb2.Stored(lanes=[state]))
    half.received(told)
    [read] = half.grown([Head(LANE, 1, 11)])
    assert isinstance(read, Read)
    assert half.read(LANE, [append(LANE, 11, NO_PARENT, b"four")]) == [Sent(4)]
    return half


def test_a_server_that_never_acknowledges_is_left() -> None:
    half = behind()
    for _ in range(BEATS):
        half.heartbeat([])
        while half.take():
            pass
    with pytest.raises(Unreachable) as caught:
        half.heartbeat([])
    assert caught.value.reason is Reason.TIMED_OUT


def test_a_server_that_takes_no_frames_is_left() -> None:
    half = welcomed()
    for _ in range(BEATS + 1):
        half.heartbeat([])
    with pytest.raises(Unreachable):
        half.heartbeat([])


def test_after_a_batch_nothing_is_read_until_more_may_go_up() -> None:
    half = behind()
    assert half.grown([Head(LANE, 1, 12)]) == []
    [read] = half.go_on()
    assert isinstance(read, Read)
    assert read.after == 11
