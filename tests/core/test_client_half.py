"""The client's half of a stream, frame by frame."""

from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, append
from stillopen.replication.client_half import ClientHalf, Read
from stillopen.replication.ports import Cursor
from stillopen.v1 import sync_pb2, types_pb2

LANE = Lane("R1", 7)


def entries(first: int, last: int) -> list[Entry]:
    """Entries of the lane."""
    return [append(LANE, n, NO_PARENT, b"x") for n in range(first, last + 1)]


def state(through: int) -> sync_pb2.LaneState:
    """What the server has of the lane."""
    return sync_pb2.LaneState(register_id="R1", epoch=7, stored_through=through)


def welcomed(head: int, through: int) -> tuple[ClientHalf, list[Read]]:
    """A stream that was welcomed, and what it reads first."""
    half = ClientHalf()
    half.hello([Head(LANE, 1, head)], Cursor())
    welcome = sync_pb2.Welcome(protocol_version=1, lanes=[state(through)])
    effects = half.received(sync_pb2.SyncResponse(welcome=welcome))
    return half, [effect for effect in effects if isinstance(effect, Read)]


def sent(half: ClientHalf) -> list[int]:
    """The sequences of the entries that are to be sent."""
    found: list[int] = []
    while frame := half.take():
        found += [entry.sequence for entry in frame.entries.entries]
    return found


def test_what_the_server_lacks_is_read_and_sent() -> None:
    half, [read] = welcomed(10, 5)
    assert read.after == 5
    half.read(LANE, entries(6, 10))
    assert sent(half) == [6, 7, 8, 9, 10]


def test_a_resend_during_a_read_is_not_forgotten() -> None:
    half, [read] = welcomed(10, 5)
    again = types_pb2.JournalPosition(register_id="R1", epoch=7, sequence=3)
    half.received(sync_pb2.SyncResponse(resend=sync_pb2.Resend(positions=[again])))
    [anew] = half.read(LANE, entries(read.after + 1, 10))
    assert isinstance(anew, Read)
    assert anew.after == 2
    half.read(LANE, entries(3, 10))
    assert sent(half) == [3, 4, 5, 6, 7, 8, 9, 10]


def test_the_servers_word_counts_downwards_too() -> None:
    _, [read] = welcomed(10, 0)
    assert read.after == 0
