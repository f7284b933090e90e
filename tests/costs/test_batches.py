"""Sales travel and arrive together: a hundred of them are not a hundred commits, nor frames."""

import asyncio
from pathlib import Path

import pytest
from tests.support.costs import Cost, counted, open_counted
from tests.support.estate_messages import LANE, entries_of
from tests.support.lanes import Watch
from tests.support.working_off import becomes

from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.core.journal import Head, Stored
from stillopen.headquarters.tables import SCHEMA as HEADQUARTERS_SCHEMA
from stillopen.register import Register
from stillopen.replication.inbox import open_inbox
from stillopen.replication.received import ReceivedSales
from stillopen.storage.schema import Schema

SALES = 100
CHANNEL, HEADQUARTERS = (CHANNEL_SCHEMA, False), (HEADQUARTERS_SCHEMA, True)


@pytest.mark.parametrize(
    ("place", "received_each", "applied_each"),
    [(CHANNEL, 2, 4), (HEADQUARTERS, 4, 6)],
    ids=["channel", "headquarters"],
)
async def test_a_batch_is_received_in_one_commit_and_applied_in_another(
    tmp_path: Path, place: tuple[Schema, bool], received_each: int, applied_each: int
) -> None:
    schema, last = place
    engine = await open_counted(tmp_path / "place.db", schema)
    inbox = await open_inbox(engine, Watch(), last=last)
    await inbox.claim([Head(LANE, 1, SALES)])
    with counted() as received:
        await inbox.receive(entries_of(SALES), [])
    with counted() as applied:
        working = asyncio.create_task(ReceivedSales(inbox).work_off())
        await asyncio.sleep(0)
    await becomes(inbox, APPLIED=SALES)
    working.cancel()
    # What triggers do counts as statements too; another look for older sales is a write.
    assert received == Cost(writes=1, statements=11 + received_each * SALES)
    assert applied == Cost(reads=2, writes=2, statements=5 + applied_each * SALES)
    assert (received.commits, applied.commits) == (1, 2)
    await engine.close()


async def test_a_batch_that_came_again_costs_one_commit_and_changes_nothing(tmp_path: Path) -> None:
    engine = await open_counted(tmp_path / "channel.db", CHANNEL_SCHEMA)
    inbox = await open_inbox(engine, Watch(), last=False)
    await inbox.receive(entries_of(SALES), [])
    with counted() as again:
        await inbox.receive(entries_of(SALES), [])
    assert again == Cost(writes=1, statements=10 + 3 * SALES)
    assert again.commits == 1
    await engine.close()


async def test_an_acknowledgement_of_many_sales_is_one_commit_of_the_register(
    register: Register,
) -> None:
    with counted() as cost:
        await register.journal.remember([Stored(register.journal.lane, 0, 0)])
    assert cost == Cost(writes=1, statements=2)
    assert cost.commits == 1
