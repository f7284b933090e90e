"""Callers that give up, come twice, or come at once: what they asked for is whole or not at all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import grpc.aio
import pytest
from tests.sim.network import Cut
from tests.sim.process import note_tasks
from tests.sim.scene import ALLOWED, ANSWER_S, Scene, act, refusal, small
from tests.sim.world import CURRENCY, OFFICE, store_address
from tests.support import callers

from stillopen.core.errors import Reason, Refused
from stillopen.core.parameters import CardParameters, Parameters
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import call
from stillopen.rpc.wire_parameters import parameters_to
from stillopen.v1 import headquarters_pb2, sync_pb2, sync_pb2_grpc

DISK_S = 0.04
SLOW = replace(small(), disk_latency_s=(DISK_S, DISK_S))


def update(version: int, gift_card: CardParameters) -> headquarters_pb2.UpdateParametersRequest:
    message = parameters_to(Parameters(version, CURRENCY, gift_card))
    return headquarters_pb2.UpdateParametersRequest(parameters=message)


def test_parameters_that_were_saved_are_in_force_though_their_caller_gave_up() -> None:
    """They were on disk, not in force, and in no package, until headquarters was started again."""

    async def story(scene: Scene) -> None:
        seen = (await scene.estate.parameters()).version
        stub = scene.estate.headquarters.UpdateParameters
        asked = call(stub, update(seen, ALLOWED), OFFICE, DISK_S)
        assert await refusal(asked) == "TIMED_OUT"
        await asyncio.sleep(5)
        assert (await scene.estate.parameters()).version == seen + 1
        assert (await scene.till.status()).parameters_version == seen + 1

    act(story, plan=SLOW)


def test_of_two_people_who_change_the_same_version_one_is_refused() -> None:
    async def story(scene: Scene) -> None:
        seen = (await scene.estate.parameters()).version
        stub = scene.estate.headquarters.UpdateParameters
        wanted = (ALLOWED, replace(ALLOWED, lease_s=60))
        asked = [call(stub, update(seen, each), OFFICE, ANSWER_S) for each in wanted]
        assert await asyncio.gather(*map(refusal, asked)) == ["", "VERSION_OLD"]
        assert (await scene.estate.parameters()).gift_card.lease.seconds == ALLOWED.lease_s

    act(story, plan=SLOW)


def test_of_streams_that_come_at_once_the_newest_stays_and_the_others_are_told() -> None:
    async def story(scene: Scene) -> None:
        channel = scene.estate.network.channel("twin", store_address("S1"))
        stub, caller = sync_pb2_grpc.SyncServiceStub(channel), callers.register("R1-9")

        async def hello() -> AsyncIterator[sync_pb2.SyncRequest]:
            yield sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=1))
            await asyncio.Event().wait()

        async def code() -> grpc.StatusCode:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for _ in stub.Sync(hello(), metadata=caller.metadata()):
                    pass
            return caught.value.code()

        streams = [asyncio.create_task(code()) for _ in range(3)]
        await asyncio.sleep(1)
        ended = [stream.result() if stream.done() else None for stream in streams]
        # Which of them came last is the network's business.
        assert sorted(ended, key=str) == [None, grpc.StatusCode.ABORTED, grpc.StatusCode.ABORTED]

    act(story)


@pytest.mark.parametrize("unexpected", [False, True])
def test_a_refusal_that_nobody_waits_for_is_no_error_and_anything_else_is_logged(
    caplog: pytest.LogCaptureFixture, *, unexpected: bool
) -> None:
    told: list[object] = []

    async def story(scene: Scene) -> None:
        del scene
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))

        async def work() -> None:
            await asyncio.sleep(1)
            if unexpected:
                raise ValueError("a bug")
            raise Refused(Reason.CARD_LOCKED, "another transaction holds the card")

        caller = loop.create_task(to_its_end(work()))
        await asyncio.sleep(0.5)
        caller.cancel()
        await asyncio.sleep(1)

    act(story)
    assert told == []
    assert [record.levelname for record in caplog.records] == ["ERROR"] * unexpected


def test_a_register_that_is_closed_while_a_write_waits_for_its_turn_leaves_nothing_behind() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.SILENT)
        first = asyncio.create_task(refusal(till.line(sale)))
        second = asyncio.create_task(refusal(till.line(sale)))
        await asyncio.sleep(1)
        await till.process.shut_down()
        assert set(await asyncio.gather(first, second)) <= {"", "UNREACHABLE", "VERSION_OLD"}

    act(story)


def test_tasks_are_noted_on_a_virtual_loop_only() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"loop\.py"):
            note_tasks()

    asyncio.run(main())
