"""Every sale of a period is counted once: with it, or as late."""

import asyncio
from pathlib import Path

import pytest
from tests.support.estate_messages import entries_of
from tests.support.estate_parts import until
from tests.support.lanes import Watch
from tests.support.notes import Opener

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.journal import Lane
from stillopen.headquarters.periods import Closing, Periods, note_late
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.replication.received import ReceivedSales
from stillopen.rpc.wire_sale import Record

END_S = 1_000_000.0


class Cards:
    """An effect of every sale, that fails or does not."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails

    def concerns(self, record: Record) -> bool:
        """Everything."""
        del record
        return True

    async def __call__(self, lane: Lane, sequence: int, record: Record) -> None:
        """Fails for ever, or does nothing."""
        del lane, sequence, record
        if self._fails:
            raise Misuse(Reason.INVALID_ARGUMENT, "no such purpose")


async def work_off(inbox: Inbox, *, fails: bool, to: str) -> None:
    """Applies what is there, until every entry is in that state."""
    received = ReceivedSales(inbox, arriving=note_late)
    working = asyncio.create_task(received.work_off(Cards(fails=fails)))

    async def done() -> bool:
        rows = await inbox.engine.read(
            lambda session: session.all("SELECT DISTINCT state FROM entry")
        )
        return rows == [(to,)]

    try:
        await until(done)
    finally:
        working.cancel()


async def counts(inbox: Inbox) -> tuple[int, int]:
    """How many sales the period has, and how many were late."""
    [(sales, late)] = await inbox.engine.read(
        lambda session: session.all("SELECT sales, late_sales FROM period")
    )
    return sales, late


async def test_a_sale_in_quarantine_is_counted_and_not_late_when_it_is_tried_again(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await open_inbox(
        await open_engine(tmp_path / "headquarters.db", SCHEMA), Watch(), last=True
    )
    periods = Periods(inbox, lambda: "EUR")
    await inbox.receive(entries_of(2), [])
    await work_off(inbox, fails=True, to="QUARANTINED")
    with pytest.raises(Refused) as caught:
        await periods.close(Closing("now", END_S, ""), "anna")
    assert caught.value.reason is Reason.INCOMPLETE
    await periods.close(Closing("now", END_S, "cards are mended later"), "anna")
    await inbox.load()
    await work_off(inbox, fails=False, to="APPLIED")
    assert await counts(inbox) == (2, 0)


async def test_a_sale_that_was_here_and_not_applied_at_the_close_is_late(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await open_inbox(
        await open_engine(tmp_path / "headquarters.db", SCHEMA), Watch(), last=True
    )
    await inbox.receive(entries_of(2), [])
    periods = Periods(inbox, lambda: "EUR")
    await periods.close(Closing("now", END_S, "the processor is down"), "anna")
    await work_off(inbox, fails=False, to="APPLIED")
    assert await counts(inbox) == (0, 2)


async def test_no_period_is_closed_before_sales_of_older_software_have_their_time(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await open_inbox(
        await open_engine(tmp_path / "headquarters.db", SCHEMA), Watch(), last=True
    )
    await inbox.receive(entries_of(2), [])
    await work_off(inbox, fails=False, to="APPLIED")
    await inbox.engine.write(
        lambda session: session.run("UPDATE received_sale SET completed_wall_s = NULL")
    )
    periods = Periods(inbox, lambda: "EUR")
    with pytest.raises(Refused) as caught:
        await periods.close(Closing("now", END_S, ""), "anna")
    assert caught.value.reason is Reason.NOT_READY
    working = asyncio.create_task(ReceivedSales(inbox).work_off())

    async def closed() -> bool:
        try:
            await periods.close(Closing("now", END_S, ""), "anna")
        except Refused:
            return False
        return True

    await until(closed)
    working.cancel()
    assert await counts(inbox) == (2, 0)
