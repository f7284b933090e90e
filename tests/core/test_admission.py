"""What a server lets one stream take, by how many there are."""

import random
from itertools import pairwise

import pytest

from stillopen.replication.frames import BATCH_BYTES_MAX, BATCHES_IN_FLIGHT_MAX, Room
from stillopen.sync.admission import (
    BATCH_BYTES_MIN,
    IN_FLIGHT_BYTES,
    RETURN_WITHIN_MAX_S,
    room_for,
)

STATED = 5_000
COUNTS = [*range(1, 3_000), STATED, 20_000, 10**9]


def bytes_of(room: Room) -> int:
    """What may be on its way."""
    return room.batch_bytes * room.batches_in_flight


def test_a_few_streams_take_as_much_as_the_protocol_allows() -> None:
    for streams in range(1, 9):
        room = room_for(streams)
        assert room.batch_bytes == BATCH_BYTES_MAX
        assert room.batches_in_flight == BATCHES_IN_FLIGHT_MAX
        assert room.return_within_s < 0.1


def test_thousands_have_no_more_in_flight_than_is_stated() -> None:
    assert sum(bytes_of(room_for(n)) for n in range(1, STATED + 1)) <= IN_FLIGHT_BYTES


@pytest.mark.parametrize("seed", range(5))
def test_however_streams_come_and_go_the_bound_holds(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - repeatable
    taken: list[int] = []
    most = 0
    for _ in range(20_000):
        if len(taken) < STATED and rng.random() < 0.7:
            taken.append(bytes_of(room_for(len(taken) + 1)))
        elif taken:
            taken.pop(rng.randrange(len(taken)))
        most = max(most, len(taken))
        if len(taken) == STATED:
            assert sum(taken) <= IN_FLIGHT_BYTES
            del taken[: rng.randrange(STATED)]
    assert most == STATED


@pytest.mark.parametrize("streams", [0, *COUNTS[:: len(COUNTS) // 50], 10**9])
def test_every_stream_may_always_send_something(streams: int) -> None:
    room = room_for(streams)
    assert room.batch_bytes >= BATCH_BYTES_MIN
    assert 1 <= room.batches_in_flight <= BATCHES_IN_FLIGHT_MAX
    assert room.return_within_s <= RETURN_WITHIN_MAX_S


def test_more_streams_never_get_more_each_and_come_back_more_slowly() -> None:
    rooms = [room_for(n) for n in COUNTS]
    sizes = [bytes_of(room) for room in rooms]
    rounding = BATCHES_IN_FLIGHT_MAX
    assert all(next_ <= one + rounding for one, next_ in pairwise(sizes))
    spreads = [room.return_within_s for room in rooms]
    assert spreads == sorted(spreads)
    assert room_for(STATED).return_within_s == pytest.approx(20.0)


def test_with_very_many_streams_each_says_less_often_that_it_is_there() -> None:
    assert room_for(100).heartbeat_s < 1
    assert room_for(STATED).heartbeat_s == pytest.approx(STATED / 500)
