"""A peer that does not move, told by heartbeats."""

import pytest

from stillopen.replication.client_half import ClientHalf
from stillopen.replication.frames import STALLED_S
from stillopen.replication.ports import Cursor
from stillopen.replication.server_half import ServerHalf
from stillopen.replication.stalling import Stalling
from stillopen.v1 import sync_pb2

SLOWEST_S = 300.0


def test_only_whole_intervals_without_a_move_count() -> None:
    stalling = Stalling()
    assert [stalling.beat(waiting=True) for _ in range(3)] == [0, 1, 2]
    stalling.moved()
    assert [stalling.beat(waiting=waiting) for waiting in (True, True, False, True)] == [0, 1, 0, 0]


def test_a_client_with_slow_heartbeats_has_not_stalled_when_a_frame_waits_just_now() -> None:
    half = ServerHalf("R1", SLOWEST_S)
    assert SLOWEST_S > STALLED_S
    half.received(sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=2)))
    half.claimed([])
    for _ in range(3):
        half.heartbeat()
        while half.take():
            pass
        half.claimed([])


@pytest.mark.parametrize("heartbeat_s", [5.0, SLOWEST_S])
def test_a_server_with_slow_heartbeats_has_not_stalled_when_a_frame_waits_just_now(
    heartbeat_s: float,
) -> None:
    half = ClientHalf()
    half.hello([], [Cursor()])
    welcome = sync_pb2.Welcome(protocol_version=2)
    welcome.limits.heartbeat_interval.FromSeconds(int(heartbeat_s))
    half.received(sync_pb2.SyncResponse(welcome=welcome))
    for _ in range(3):
        half.heartbeat([])
        while half.take():
            pass
