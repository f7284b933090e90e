"""What was received takes effect in the end, whatever is wrong for a while, and never waits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.sim.clock import WALL_AT_START_S
from tests.support.estate_messages import LANE, entries_of, entry_of, sale_of
from tests.support.estate_parts import until

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.core.journal import Lane
from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.replication.received import BATCH, ReceivedSales
from stillopen.replication.received import STEP as RECEIVED_STEP
from stillopen.rpc.wire_sale import Record
from stillopen.storage.inline import open_inline
from stillopen.storage.schema import Schema

SCHEMA = Schema("received", ((*INBOX_STEP, *RECEIVED_STEP),))


class Still:
    """A clock that stands."""

    def wall_s(self) -> float:
        """Some day."""
        return WALL_AT_START_S

    def elapsed_s(self) -> float:
        """The beginning."""
        return 0.0

    def boot_id(self) -> str:
        """One boot."""
        return "boot"


class Cards:
    """An effect that fails as it is told; it concerns entries up to a sequence."""

    def __init__(self, error: StillopenError | None, through: int = 10**9) -> None:
        self.error = error
        self.through = through
        self.done: list[int] = []

    def concerns(self, record: Record) -> bool:
        """Sales whose number is low enough."""
        return int(record.transaction_id, 16) % 1_000 <= self.through

    async def __call__(self, lane: Lane, sequence: int, record: Record) -> None:
        """Fails, or notes that it was done."""
        del lane, record
        if self.error is not None:
            raise self.error
        self.done.append(sequence)


async def states(inbox: Inbox) -> dict[str, int]:
    """How many entries are in each state."""
    rows = await inbox.engine.read(
        lambda session: session.all("SELECT state, count(*) FROM entry GROUP BY state")
    )
    return dict(rows)


async def becomes(inbox: Inbox, wanted: Callable[[dict[str, int]], bool]) -> None:
    """Waits until the states are as wanted."""

    async def there() -> bool:
        return wanted(await states(inbox))

    await until(there)


async def opened(folder: Path) -> Inbox:
    """The inbox of a folder."""
    return await open_inbox(await open_inline(folder / "in.db", SCHEMA), Still(), last=True)


async def test_a_fault_that_passes_does_not_quarantine_a_sale(tmp_path: Path) -> None:
    inbox = await opened(tmp_path)
    await inbox.receive(entries_of(1), [])
    for error in (
        Refused(Reason.DISK_FULL, "full"),
        Misuse(Reason.INTERNAL, "its log says why"),
        Unreachable(Reason.TIMED_OUT, "silent"),
    ):
        cards = Cards(error)
        working = asyncio.create_task(ReceivedSales(inbox).work_off(cards))
        await asyncio.sleep(0)
        assert await states(inbox) == {"STORED": 1}
        working.cancel()
    cards = Cards(None)
    working = asyncio.create_task(ReceivedSales(inbox).work_off(cards))
    await becomes(inbox, lambda found: found == {"APPLIED": 1})
    working.cancel()
    assert cards.done == [1]
    await inbox.engine.close()


async def test_an_entry_in_quarantine_is_known_and_tried_again_after_a_start(
    tmp_path: Path,
) -> None:
    inbox = await opened(tmp_path)
    await inbox.receive(entries_of(1), [])
    refused = Cards(Misuse(Reason.INVALID_ARGUMENT, "no such purpose"))
    working = asyncio.create_task(ReceivedSales(inbox).work_off(refused))
    await becomes(inbox, lambda found: found == {"QUARANTINED": 1})
    working.cancel()
    assert len((await ReceivedSales(inbox).sales(0, 10))[0]) == 1
    await inbox.engine.close()
    inbox = await opened(tmp_path)
    working = asyncio.create_task(ReceivedSales(inbox).work_off(Cards(None)))
    await becomes(inbox, lambda found: found == {"APPLIED": 1})
    working.cancel()
    await inbox.engine.close()


async def test_cash_sales_do_not_wait_for_cards_that_do_not_answer(tmp_path: Path) -> None:
    inbox = await opened(tmp_path)
    await inbox.receive(entries_of(BATCH + 10), [])
    silent = Cards(Unreachable(Reason.TIMED_OUT, "silent"), through=BATCH)
    working = asyncio.create_task(ReceivedSales(inbox).work_off(silent))
    await becomes(inbox, lambda found: found == {"STORED": BATCH, "APPLIED": 10})
    working.cancel()
    await inbox.engine.close()


async def test_an_intact_entry_takes_the_place_of_its_damaged_copy(tmp_path: Path) -> None:
    inbox = await opened(tmp_path)
    good = entry_of(sale_of(1))
    await inbox.receive([], [replace(good, payload=b"ruined")])
    assert await states(inbox) == {"DAMAGED": 1}
    await inbox.receive([good], [])
    assert await states(inbox) == {"STORED": 1}
    assert await inbox.read(LANE, 0, 1, 1) == [good]
    await inbox.engine.close()
