"""Calls with one request and one answer over the simulated network."""

import asyncio

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tests.sim.loop import run
from tests.sim.network import Cut
from tests.sim.sample import CALLER, HQ, TILL, World, now_s, number

from stillopen.core.errors import Reason, Refused
from stillopen.rpc.status import call
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

Code = grpc.StatusCode


def test_a_call_carries_message_metadata_and_deadline_and_takes_two_latencies() -> None:
    async def main() -> None:
        world = World()
        calls: list[str] = []
        world.network.on_call = lambda source, target, method: calls.append(
            f"{source} {target} {method}"
        )
        answer = await world.realtime.GetCardBalance(
            number("4711"), timeout=5, metadata=CALLER.metadata()
        )
        assert answer.last_four == "4711"
        assert answer.card_id == f"register-1 sim:{TILL} 5.000"
        assert now_s() == pytest.approx(0.002)
        assert calls == [f"{TILL} {HQ} /stillopen.v1.RealtimeService/GetCardBalance"]
        assert not world.network.counts

    run(main())


def test_a_refusal_arrives_as_it_was_raised() -> None:
    async def main() -> None:
        with pytest.raises(Refused) as caught:
            await World().balance("unknown")
        assert caught.value.reason is Reason.CARD_UNKNOWN
        assert caught.value.field == "number"
        assert caught.value.message == "no such card, schöne Grüße"

    run(main())


def test_what_a_server_does_not_do_has_the_codes_of_grpc() -> None:
    async def main() -> None:
        world = World()
        world.server.crash()
        server = world.network.server(HQ)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.realtime.ListLocks(realtime_pb2.ListLocksRequest())
        assert caught.value.code() is Code.UNIMPLEMENTED
        realtime_pb2_grpc.add_RealtimeServiceServicer_to_server(world.cards, server.as_grpc)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.realtime.ListLocks(realtime_pb2.ListLocksRequest())
        assert caught.value.code() is Code.UNKNOWN
        assert "KeyError" in (caught.value.details() or "")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.realtime.LockCard(realtime_pb2.LockCardRequest())
        assert caught.value.code() is Code.UNIMPLEMENTED

    run(main())


def test_a_deadline_is_counted_on_virtual_time_and_cancels_the_handler() -> None:
    async def main() -> None:
        world = World()
        assert await world.fails("slow", 4.0) == (Reason.TIMED_OUT, 4.0)
        await asyncio.sleep(1)
        assert world.cards.cancelled_at_s == [pytest.approx(4.001)]
        assert world.server.running == 0
        assert await world.balance("slow", 11.0) == "slow"

    run(main())


def test_a_closed_port_and_a_closed_link_take_no_time() -> None:
    async def main() -> None:
        world = World()
        world.network.cut(TILL, HQ, mode=Cut.CLOSED)
        assert await world.fails("1") == (Reason.UNREACHABLE, 0.0)
        world.network.heal(TILL, HQ)
        assert await world.balance("2") == "2"
        world.server.crash()
        assert await world.fails("3") == (Reason.UNREACHABLE, 0.0)
        world.start()
        assert await world.balance("4") == "4"
        assert world.cards.executed == ["2", "4"]
        assert world.network.counts == {"refused": 2, "crashed": 1}

    run(main())


def test_an_address_is_taken_until_its_server_crashes() -> None:
    async def main() -> None:
        world = World()
        with pytest.raises(ValueError, match="taken"):
            world.start()
        world.server.crash()
        second = world.start()
        world.server.crash()
        assert await world.balance("1") == "1"
        second.crash()
        assert await world.fails("2") == (Reason.UNREACHABLE, 0.0)

    run(main())


def test_silence_takes_exactly_the_deadline_and_another_register_hears_nothing_of_it() -> None:
    async def main() -> None:
        world = World()
        world.network.cut(TILL, HQ, mode=Cut.SILENT)
        assert await world.fails("1", 2.5) == (Reason.TIMED_OUT, 2.5)
        assert world.cards.executed == []
        other = realtime_pb2_grpc.RealtimeServiceStub(world.network.channel("register-2", HQ))
        assert (await call(other.GetCardBalance, number("2"), CALLER, 1)).last_four == "2"

    run(main())


def test_a_request_sent_into_silence_runs_when_the_link_is_healed_though_nobody_waits() -> None:
    async def main() -> None:
        world = World()
        world.network.cut(TILL, HQ, mode=Cut.SILENT)
        await world.fails("late")
        world.network.heal_all()
        await asyncio.sleep(1)
        assert world.cards.executed == ["late"]
        assert world.server.running == 0
        assert world.network.running == 0

    run(main())


def test_a_lost_answer_was_executed_and_the_client_sees_the_deadline() -> None:
    async def main() -> None:
        world = World()
        world.network.cut(TILL, HQ, mode=Cut.ANSWERS_LOST)
        assert await world.fails("1", 3.0) == (Reason.TIMED_OUT, 3.0)
        waiting = asyncio.create_task(world.balance("2", 3.0))
        await asyncio.sleep(1)
        world.network.heal(TILL, HQ)
        assert await waiting == "2"
        assert world.cards.executed == ["1", "2"]

    run(main())


def test_a_crash_ends_running_calls_with_unavailable_and_cancels_their_handlers() -> None:
    async def main() -> None:
        world = World()
        waiting = asyncio.create_task(world.fails("slow"))
        await asyncio.sleep(1)
        world.server.crash()
        assert await waiting == (Reason.UNREACHABLE, 1.001)
        assert world.cards.cancelled_at_s == [1.0]
        assert world.network.running == 0

    run(main())


def test_a_stopped_server_is_silent_and_goes_on_with_what_came_meanwhile() -> None:
    async def main() -> None:
        world = World()
        world.server.stop_answering()
        assert await world.fails("given up", 3.0) == (Reason.TIMED_OUT, 3.0)
        waiting = asyncio.create_task(world.balance("patient", 60.0))
        await asyncio.sleep(20)
        assert world.cards.executed == []
        world.server.resume()
        assert await waiting == "patient"
        assert world.cards.executed == ["given up", "patient"]
        assert now_s() == pytest.approx(23.002)

    run(main())


def test_an_answer_that_was_ready_when_the_server_stopped_comes_after_it_goes_on() -> None:
    async def main() -> None:
        world = World()
        waiting = asyncio.create_task(world.balance("slow", 60.0))
        await asyncio.sleep(1)
        world.server.stop_answering()
        await asyncio.sleep(30)
        assert not waiting.done()
        world.server.resume()
        assert await waiting == "slow"
        assert now_s() == pytest.approx(31.001)

    run(main())


def test_a_crash_of_a_stopped_server_ends_the_calls_that_waited_for_it() -> None:
    async def main() -> None:
        world = World()
        world.server.stop_answering()
        waiting = asyncio.create_task(world.fails("1", 60.0))
        await asyncio.sleep(5)
        world.server.crash()
        assert await waiting == (Reason.UNREACHABLE, 5.002)

    run(main())


def test_a_link_that_closes_ends_the_call_at_both_ends_at_once() -> None:
    async def main() -> None:
        world = World()
        waiting = asyncio.create_task(world.fails("slow"))
        await asyncio.sleep(1)
        world.network.cut(TILL, HQ, mode=Cut.CLOSED)
        assert await waiting == (Reason.UNREACHABLE, 1.0)
        await asyncio.sleep(0)
        assert world.cards.cancelled_at_s == [1.0]
        assert world.network.counts == {"broken": 1}

    run(main())


def test_a_caller_that_is_cancelled_cancels_its_handler() -> None:
    async def main() -> None:
        world = World()
        waiting = asyncio.create_task(world.balance("slow"))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        assert waiting.cancelled()
        assert world.cards.cancelled_at_s == [pytest.approx(1.001)]

    run(main())


def test_a_call_that_nobody_holds_any_more_is_cancelled() -> None:
    async def main() -> None:
        world = World()
        world.realtime.GetCardBalance(number("1"))
        await asyncio.sleep(1)
        assert world.network.running == 0
        assert world.cards.executed == ["1"]

    run(main())


def test_a_channel_that_closes_cancels_its_calls_and_makes_no_more() -> None:
    async def main() -> None:
        world = World()
        async with world.channel:
            waiting = asyncio.create_task(world.balance("slow"))
            await asyncio.sleep(1)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(grpc.aio.UsageError):
            world.realtime.GetCardBalance(number("1"))

    run(main())


def test_a_call_without_time_left_is_not_sent() -> None:
    async def main() -> None:
        world = World()
        assert await world.fails("1", 0.0) == (Reason.TIMED_OUT, 0.0)
        await asyncio.sleep(1)
        assert world.cards.executed == []

    run(main())


def test_metadata_that_grpc_cannot_carry_is_an_error_here_too() -> None:
    async def main() -> None:
        world = World()
        for key, value in (("Upper", "x"), ("key", "Grüße"), ("key", "a\nb")):
            with pytest.raises(ValueError, match="metadata"):
                world.realtime.GetCardBalance(number("1"), metadata=((key, value),))

    run(main())


def test_the_health_service_of_grpc_works() -> None:
    async def main() -> None:
        world = World()
        checks = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(checks, world.server.as_grpc)
        check = world.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        watch = world.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        serving = health_pb2.HealthCheckResponse.SERVING
        answer = await check(health_pb2.HealthCheckRequest(), timeout=1)
        assert answer.status == serving
        async for seen in watch(health_pb2.HealthCheckRequest()):
            assert seen.status == serving
            break
        await asyncio.sleep(1)
        assert world.server.running == 0

    run(main())


def test_a_stopped_server_does_not_notice_a_deadline() -> None:
    async def main() -> None:
        world = World()
        waiting = asyncio.create_task(world.fails("slow", 5.0))
        await asyncio.sleep(1)
        world.server.stop_answering()
        assert await waiting == (Reason.TIMED_OUT, 5.0)
        await asyncio.sleep(1)
        assert world.cards.cancelled_at_s == []
        world.server.resume()
        await asyncio.sleep(0.1)
        assert world.cards.cancelled_at_s == [pytest.approx(6.001)]

    run(main())
