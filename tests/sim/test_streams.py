"""Streams over the simulated network, its faults, and that one seed makes one trace."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from tests.sim.loop import run
from tests.sim.network import Cut
from tests.sim.sample import CALLER, HQ, TILL, Talk, World, hello, now_s

from stillopen.core.errors import Reason, Refused, StillopenError
from stillopen.rpc.status import error_of, send_all
from stillopen.v1 import realtime_pb2, register_pb2, sync_pb2

Code = grpc.StatusCode


async def parts(names: list[str]) -> AsyncIterator[realtime_pb2.ImportCardsRequest]:
    for name in names:
        await asyncio.sleep(1)
        yield realtime_pb2.ImportCardsRequest(import_id=name)


def test_a_stream_speaks_both_ways_and_ends_when_its_client_is_done() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        assert [await talk.echo(version) for version in (3, 1, 2)] == [3, 1, 2]
        talk.says.put_nowait(None)
        with pytest.raises(StopAsyncIteration):
            await talk.hears()
        assert await talk.call.code() is Code.OK
        assert world.echo.heard == [3, 1, 2]
        assert world.network.running == 0

    run(main())


def test_a_stream_of_requests_gets_one_answer() -> None:
    async def main() -> None:
        world = World()
        answer = await send_all(world.realtime.ImportCards, parts(["a", "b"]), CALLER, 10)
        assert answer.report.accepted == 2
        assert world.cards.executed == ["a", "b"]
        assert now_s() == pytest.approx(2.002)

    run(main())


def test_a_stream_of_requests_has_a_deadline() -> None:
    async def main() -> None:
        world = World()
        with pytest.raises(StillopenError) as caught:
            await send_all(world.realtime.ImportCards, parts(["a"] * 60), CALLER, 10)
        assert caught.value.reason is Reason.TIMED_OUT
        assert now_s() == 10
        assert world.cards.executed == []

    run(main())


def test_a_stream_of_answers_ends_when_its_reader_stops() -> None:
    async def main() -> None:
        world = World()
        seen: list[str] = []
        async for response in world.register.WatchStatus(register_pb2.WatchStatusRequest()):
            seen.append(response.status.mode_reason)
            if len(seen) == 3:
                assert world.till.watchers == 1
                break
        await asyncio.sleep(1)
        assert seen == ["0", "1", "2"]
        assert world.till.watchers == 0

    run(main())


def test_a_refusal_ends_a_stream_after_the_answers_before_it() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        for version in (7, 8, 0):
            talk.says.put_nowait(version)
        assert [await talk.hears(), await talk.hears()] == [7, 8]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await talk.hears()
        error = error_of(caught.value)
        assert isinstance(error, Refused)
        assert error.reason is Reason.PROTOCOL_VERSION

    run(main())


def test_a_stream_that_is_cancelled_ends_at_both_ends() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        await talk.echo(1)
        assert talk.call.cancel()
        assert not talk.call.cancel()
        assert talk.call.cancelled()
        with pytest.raises(asyncio.CancelledError):
            await talk.hears()
        await asyncio.sleep(1)
        assert world.echo.cancelled_at_s == [pytest.approx(0.003, abs=1e-5)]
        assert world.network.running == 0

    run(main())


def test_a_link_that_closes_breaks_a_stream_at_both_ends() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        await talk.echo(1)
        world.network.cut(TILL, HQ, mode=Cut.CLOSED)
        assert await talk.code() is Code.UNAVAILABLE
        await asyncio.sleep(0)
        assert world.echo.cancelled_at_s == [pytest.approx(0.002, abs=1e-5)]

    run(main())


def test_a_stream_hangs_in_silence_and_goes_on_in_order_when_the_link_is_healed() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        await talk.echo(1)
        world.network.cut(TILL, HQ, mode=Cut.SILENT)
        talk.says.put_nowait(2)
        talk.says.put_nowait(3)
        waiting = asyncio.create_task(talk.hears())
        await asyncio.sleep(60)
        assert not waiting.done()
        assert world.echo.heard == [1]
        world.network.heal(TILL, HQ)
        assert [await waiting, await talk.hears()] == [2, 3]

    run(main())


def test_a_stream_whose_answers_are_lost_is_heard_by_its_server() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        await talk.echo(1)
        world.network.cut(TILL, HQ, mode=Cut.ANSWERS_LOST)
        talk.says.put_nowait(2)
        await asyncio.sleep(1)
        assert world.echo.heard == [1, 2]
        world.server.crash()
        await asyncio.sleep(1)
        assert not talk.call.done()
        world.network.heal(TILL, HQ)
        assert await talk.hears() == 2
        assert await talk.code() is Code.UNAVAILABLE

    run(main())


def test_a_crash_breaks_a_stream_and_the_next_server_takes_a_new_one() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        await talk.echo(1)
        world.server.crash()
        assert await talk.code() is Code.UNAVAILABLE
        assert len(world.echo.cancelled_at_s) == 1
        assert await Talk(world).code() is Code.UNAVAILABLE
        world.start()
        assert await Talk(world).echo(9) == 9

    run(main())


def test_a_writer_waits_while_nobody_reads() -> None:
    written = 0

    async def requests() -> AsyncIterator[sync_pb2.SyncRequest]:
        nonlocal written
        while written < 100:
            written += 1
            yield sync_pb2.SyncRequest(
                hello=sync_pb2.Hello(protocol_version=1, software_version="x" * 10_000)
            )

    async def main() -> None:
        world = World()
        world.server.stop_answering()
        reading = world.sync.Sync(requests(), metadata=CALLER.metadata())
        await asyncio.sleep(60)
        assert written == 8
        world.server.resume()
        assert len([answer async for answer in reading]) == 100

    run(main())


def test_a_request_iterator_that_raises_cancels_its_call(caplog: pytest.LogCaptureFixture) -> None:
    async def requests() -> AsyncIterator[sync_pb2.SyncRequest]:
        yield hello(1)
        raise KeyError("in the iterator")

    async def main() -> None:
        world = World()
        answers = aiter(world.sync.Sync(requests(), metadata=CALLER.metadata()))
        with pytest.raises(asyncio.CancelledError):
            await anext(answers)

    run(main())
    assert "in the iterator" in caplog.text


def test_a_request_iterator_that_waits_when_its_call_ends_takes_one_more_item_as_in_grpc() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        await talk.echo(1)
        world.server.crash()
        await talk.code()
        assert not talk.call.cancel()
        talk.says.put_nowait(2)
        talk.says.put_nowait(3)
        await asyncio.sleep(1)
        assert talk.says.qsize() == 1

    run(main())


@pytest.mark.parametrize("fault", ["drop_request", "drop_response"])
def test_a_dropped_message_costs_the_deadline(fault: str) -> None:
    async def main() -> None:
        world = World()
        setattr(world.network.faults, fault, 1.0)
        assert await world.fails("1", 3.0) == (Reason.TIMED_OUT, 3.0)
        assert world.cards.executed == ([] if fault == "drop_request" else ["1"])
        assert world.network.counts == {fault: 1}
        await asyncio.sleep(1)
        assert world.network.running == 0

    run(main())


def test_a_duplicate_is_executed_twice_and_answered_once() -> None:
    async def main() -> None:
        world = World()
        world.network.faults.duplicate = 1.0
        assert await world.balance("1") == "1"
        await asyncio.sleep(2)
        assert world.cards.executed == ["1", "1"]
        assert world.network.counts == {"duplicate": 1}
        assert world.network.running == 0

    run(main())


def test_delays_reorder_calls_but_never_the_frames_of_one_stream() -> None:
    async def main() -> None:
        world = World()
        world.network.faults.delay_s = (0.0, 2.0)
        async with asyncio.TaskGroup() as group:
            for name in range(20):
                group.create_task(world.balance(str(name)))
        in_order = [str(name) for name in range(20)]
        assert world.cards.executed != in_order
        assert sorted(world.cards.executed) == sorted(in_order)
        talk = Talk(world)
        for version in range(1, 31):
            talk.says.put_nowait(version)
        assert [await talk.hears() for _ in range(30)] == list(range(1, 31))
        assert world.network.counts["delay"] >= 100

    run(main())


def test_a_frame_may_break_its_stream() -> None:
    async def main() -> None:
        world = World()
        talk = Talk(world)
        await talk.echo(1)
        world.network.faults.break_stream = 1.0
        talk.says.put_nowait(2)
        assert await talk.code() is Code.UNAVAILABLE
        assert await world.balance("calls are not streams") != ""
        assert world.network.counts == {"break_stream": 1}

    run(main())
