"""What a server believes of a hello."""

import pytest

from stillopen.replication.server_half import Claim, ServerHalf
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
