"""A channel that leaves its caller no time is told of; one that keeps its reserve is not."""

import random

import pytest
from tests.sim.exchange import Exchange
from tests.sim.frames import Terms
from tests.sim.history import History
from tests.sim.loop import run
from tests.sim.network import Link, Links
from tests.sim.relaying import Relays
from tests.sim.world import HQ_ADDRESS, store_address

from stillopen.v1 import realtime_pb2

METHOD = "/stillopen.v1.RealtimeService/LockCard"
REQUEST = realtime_pb2.LockCardRequest(lock_key=b"k" * 16)


async def told(caller_s: float, passed_on_s: float, request: object) -> list[str]:
    """What is said of a call that a register made, and of the one that its channel made then."""
    history, links = History(), Links(random.Random(1))  # noqa: S311 - repeatable
    relays = Relays(HQ_ADDRESS, history)
    first = Link(links, "R1-1", store_address("S1"))
    second = Link(links, "S1", HQ_ADDRESS)
    relays.asked(Exchange(first, Terms(METHOD, (), caller_s, streams=False), 1), REQUEST)
    relays.asked(Exchange(second, Terms(METHOD, (), passed_on_s, streams=False), 2), request)
    return history.surprises


@pytest.mark.parametrize(("passed_on_s", "times"), [(0.8, 1), (0.79, 1), (0.55, 0), (0.1, 0)])
def test_a_channel_that_passes_the_whole_time_on_is_told_of(passed_on_s: float, times: int) -> None:
    assert len(run(told(0.8, passed_on_s, REQUEST))) == times


def test_a_call_that_no_register_made_is_compared_with_none() -> None:
    assert run(told(0.8, 5.0, realtime_pb2.LockCardRequest(lock_key=b"m" * 16))) == []
