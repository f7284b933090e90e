"""Registers that come all at once are served in turn, on virtual time; none is turned away."""

import asyncio

import pytest
from tests.sim.crowd import Crowd, until
from tests.sim.loop import run
from tests.sim.sample import now_s
from tests.support.crowd import Server, Wares, lane_of, register

from stillopen.core.journal import Head
from stillopen.replication.client import WELCOME_S
from stillopen.replication.frames import BATCH_BYTES_MAX, BATCHES_IN_FLIGHT_MAX, BLOCK_BYTES
from stillopen.sync.admission import HELLOS_AT_ONCE, Admission
from stillopen.sync.blocks import TURN_BLOCKS
from stillopen.v1 import sync_pb2

MANY = range(1, 101)
TAKES_S = 3.0


@pytest.mark.parametrize("heartbeat_s", [1.0, 60.0])
def test_many_that_wait_for_a_slow_server_are_all_welcomed_and_none_comes_twice(
    heartbeat_s: float,
) -> None:
    async def main() -> None:
        crowd = Crowd(Server(heartbeat_s=heartbeat_s))
        arrivals = crowd.server.arrivals
        arrivals.claim_takes_s = TAKES_S
        async with crowd.at_work():
            crowd.come(*MANY)
            ended_s = await until(lambda: len(crowd.up) == len(MANY))
            assert ended_s > WELCOME_S, "some waited for longer than a silent server is given"
            turns = -(-len(MANY) // HELLOS_AT_ONCE)
            assert ended_s == pytest.approx(turns * TAKES_S, abs=0.5)
            assert arrivals.claiming_most == HELLOS_AT_ONCE
            assert sorted(arrivals.hellos) == sorted(f"R{number}" for number in MANY)

    run(main())


def test_who_waits_is_let_in_in_the_order_of_coming() -> None:
    async def main() -> None:
        crowd = Crowd(Server(admission=Admission(hellos_at_once=1)))
        arrivals = crowd.server.arrivals
        arrivals.claim_takes_s = TAKES_S
        async with crowd.at_work():
            for number in range(1, 9):
                crowd.come(number)
                await asyncio.sleep(0.1)
            await until(lambda: len(crowd.up) == 8)
            assert arrivals.hellos == [f"R{number}" for number in range(1, 9)]

    run(main())


def test_who_goes_while_it_waits_holds_nobody_up() -> None:
    async def main() -> None:
        crowd = Crowd(Server(admission=Admission(hellos_at_once=1)))
        arrivals = crowd.server.arrivals
        arrivals.claim_takes_s = TAKES_S
        async with crowd.at_work():
            for number in range(1, 9):
                async with crowd.stream(number) as stream:
                    stream.hello(Head(lane_of(register(number)), 1, 0))
                    await asyncio.sleep(0.1)
            crowd.come(9)
            came_s = now_s()
            assert await until(lambda: crowd.up == [9]) - came_s <= 2 * TAKES_S
            assert crowd.server.admission.streams == 1

    run(main())


def test_the_more_streams_there_are_the_less_each_may_take_and_the_wider_they_return() -> None:
    async def limits(crowd: Crowd) -> sync_pb2.Limits:
        async with crowd.stream(1_000) as stream:
            stream.hello()
            return (await stream.welcome()).limits

    async def main() -> None:
        crowd = Crowd()
        async with crowd.at_work():
            alone = await limits(crowd)
            assert alone.batch_bytes_max == BATCH_BYTES_MAX
            assert alone.batches_in_flight_max == BATCHES_IN_FLIGHT_MAX
            assert alone.return_within.ToMilliseconds() == 4
            crowd.come(*MANY)
            await until(lambda: len(crowd.up) == len(MANY))
            beside = await limits(crowd)
            assert (
                beside.batch_bytes_max * beside.batches_in_flight_max
                < BATCH_BYTES_MAX * BATCHES_IN_FLIGHT_MAX
            )
            assert beside.return_within.ToMilliseconds() == 4 * (len(MANY) + 1)

    run(main())


@pytest.mark.parametrize("places", [1, 3])
def test_so_many_packages_are_read_at_a_time_and_everybody_has_a_turn(places: int) -> None:
    async def main() -> None:
        wares = Wares(bytes(3 * TURN_BLOCKS * BLOCK_BYTES))
        wares.block_takes_s = 0.1
        crowd = Crowd(Server(wares, admission=Admission(packages_at_once=places)))
        replicas = crowd.replicas.values()
        async with crowd.at_work():
            crowd.come(*range(1, 9))
            await until(lambda: any(each.standing.sequence for each in replicas))
            assert all(each.there for each in replicas), "who came last has some of it too"
            await until(lambda: all(each.standing.sequence for each in replicas))
            assert wares.reading_most == places

    run(main())
