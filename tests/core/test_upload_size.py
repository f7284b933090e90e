"""How many entries a client sends at a time: what its server says."""

from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, append
from stillopen.replication.client_half import ClientHalf, Read
from stillopen.replication.ports import Cursor
from stillopen.v1 import sync_pb2

LANE = Lane("R1", 7)
SIZE = 3


def read(half: ClientHalf, effects: list[object]) -> tuple[list[Entry], list[object]]:
    """What the half reads for its next batch, and what follows when it has that."""
    [wanted] = [effect for effect in effects if isinstance(effect, Read)]
    last = min(wanted.after + wanted.entries_max, 10)
    found = [append(LANE, n, NO_PARENT, b"x") for n in range(wanted.after + 1, last + 1)]
    return found, list(half.read(LANE, found))


def test_a_client_sends_as_many_entries_at_a_time_as_its_server_takes() -> None:
    half = ClientHalf()
    half.hello([Head(LANE, 1, 10)], [Cursor()])
    limits = sync_pb2.Limits(batch_entries_max=SIZE)
    lane = sync_pb2.LaneState(register_id="R1", epoch=7)
    welcome = sync_pb2.Welcome(protocol_version=1, lanes=[lane], limits=limits)
    effects = list[object](half.received(sync_pb2.SyncResponse(welcome=welcome)))
    sizes: list[int] = []
    while any(isinstance(effect, Read) for effect in effects):
        found, effects = read(half, effects)
        sizes.append(len(found))
    assert max(sizes) == SIZE
