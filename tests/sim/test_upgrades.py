"""H7, H24: what older servers cannot read is kept, holds nothing up and is applied in the end."""

import asyncio

import pytest
from tests.sim.cards import PRICE, rung_up
from tests.sim.scene import ANSWER_S, OPENING, SHORT, Scene, act, small
from tests.sim.world import HQ, OFFICE

from stillopen.core.errors import invalid
from stillopen.rpc.status import call
from stillopen.rpc.wire_sale import Record, record_of
from stillopen.v1 import headquarters_pb2, types_pb2

LOCK_LAPSES_S = 60
"""Longer than lease and grace of SHORT."""


class OlderReader:
    """Reads entries as older servers do: what one register writes is of a kind they do not know."""

    def __init__(self, register_id: str) -> None:
        self._register_id = register_id
        self.upgraded = False

    def __call__(self, message: types_pb2.JournalRecord) -> Record:
        """What the entry tells; Misuse INVALID_ARGUMENT when it is too new."""
        if not self.upgraded and message.sale.register_id == self._register_id:
            raise invalid("payload", "a kind of record this version does not know")
        return record_of(message)


async def lane_of(scene: Scene, register_id: str) -> headquarters_pb2.LaneCompleteness:
    """The one lane of a register, as headquarters has it."""
    request = headquarters_pb2.GetCompletenessRequest(register_id=register_id)
    stub = scene.estate.headquarters.GetCompleteness
    [lane] = (await call(stub, request, OFFICE, ANSWER_S)).lanes
    return lane


@pytest.mark.parametrize("spent_elsewhere", [False, True])
def test_a_card_sale_in_quarantine_is_a_fact_when_its_server_is_upgraded(
    *, spent_elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H7.1, H7.4: it is acknowledged, so the journal drains; its lock has lapsed long since."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        reader = OlderReader(first.name)
        monkeypatch.setattr("stillopen.replication.told.record_of", reader)
        sale = await first.complete(await first.with_card())
        await first.sold()
        await asyncio.sleep(LOCK_LAPSES_S)
        lane = await lane_of(scene, first.name)
        assert (lane.stored_through, lane.applied, lane.quarantined) == (2, 0, 2)
        status = await first.status()
        assert (status.waiting_entries, status.waiting_headquarters) == (0, 0)
        assert await scene.spent() == []
        expected, short = [PRICE], []
        if spent_elsewhere:
            pieces = OPENING // PRICE
            await second.complete(await second.card(await rung_up(second, pieces)))
            await asyncio.sleep(5)
            expected, short = [pieces * PRICE], [PRICE - (OPENING - pieces * PRICE)]
        reader.upgraded = True
        for place in (HQ, first.store):
            scene.estate.processes[place].crash()
            await scene.estate.processes[place].start()
        await scene.settled()
        assert (await lane_of(scene, first.name)).quarantined == 0
        assert await scene.spent() == expected
        raised = await scene.exceptions()
        assert [each.shortfall.minor_units for each in raised] == short
        assert {each.transaction_id for each in raised} <= {sale.transaction_id}

    act(story, plan=small(SHORT), fresh=True)
