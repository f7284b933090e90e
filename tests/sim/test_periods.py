"""A register that is cut off at the end of a month, told as its story."""

import asyncio

from tests.sim.network import Cut
from tests.sim.scene import ANSWER_S, Scene, act, refusal
from tests.sim.world import OFFICE

from stillopen.rpc.status import call
from stillopen.rpc.wire import time_from
from stillopen.v1 import headquarters_pb2, sync_pb2

Period = headquarters_pb2.Period


async def report(scene: Scene, register_id: str) -> sync_pb2.RegisterReport:
    """What a register last said of itself."""
    request = headquarters_pb2.GetCompletenessRequest(register_id=register_id)
    stub = scene.estate.headquarters.GetCompleteness
    [register] = (await call(stub, request, OFFICE, ANSWER_S)).registers
    return register.report


async def close(scene: Scene, end_s: float, reason: str = "") -> Period:
    """Closes the month."""
    request = headquarters_pb2.ClosePeriodRequest(period_id="month", override_reason=reason)
    request.end_time.FromMicroseconds(round(end_s * 1e6))
    return (await call(scene.estate.headquarters.ClosePeriod, request, OFFICE, ANSWER_S)).period


async def late(scene: Scene) -> list[str]:
    """The sales that came after the month was closed."""
    request = headquarters_pb2.ListLateTransactionsRequest(period_id="month")
    stub = scene.estate.headquarters.ListLateTransactions
    answer = await call(stub, request, OFFICE, ANSWER_S)
    return [each.sale.transaction_id for each in answer.transactions]


def test_a_register_that_is_cut_off_keeps_its_month_open_and_its_sales_are_late_not_lost() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        early = [await till.sold(), await other.sold()]
        await scene.settled()
        till.cut(Cut.SILENT)
        lost = [await till.sold() for _ in range(2)]
        since = (await till.status()).mode_since
        end_s = time_from((await other.sold()).receipt.time) + 1
        await asyncio.sleep(60)
        assert await refusal(close(scene, end_s)) == "INCOMPLETE"
        closed = await close(scene, end_s, "the line is dug up")
        without = set(closed.incomplete_register_ids) & {till.name, other.name}
        assert without == {till.name}  # besides those that were never started
        assert closed.sales == len(early) + 1
        assert await refusal(close(scene, end_s, "again")) == "PERIOD_CLOSED"
        scene.cut_headquarters(Cut.SILENT)
        till.heal()
        await asyncio.sleep(30)
        scene.heal_headquarters()
        await asyncio.sleep(2)
        said = await report(scene, till.name)
        assert (said.offline, said.offline_since_time) == (True, since)
        await scene.settled()
        assert sorted(await late(scene)) == sorted(sale.transaction_id for sale in lost)
        await asyncio.sleep(600)  # its reconnect interval, however often it was counted anew
        await till.sold()
        await asyncio.sleep(10)
        said = await report(scene, till.name)
        assert (said.offline, said.waiting_entries) == (False, 0)

    act(story)
