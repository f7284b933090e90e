"""What was received takes effect in the end, whatever is wrong for a while, and never waits."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.sim.clock import WALL_AT_START_S
from tests.support.estate_messages import LANE, entries_of, entry_of, sale_of
from tests.support.estate_parts import until

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.core.journal import Lane
from stillopen.core.returns import returned_milli
from stillopen.core.sale import ReturnOf, Sale, SaleState
from stillopen.replication.completed import STEP as COMPLETED_STEP
from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.replication.lanes import STEP as LANES_STEP
from stillopen.replication.quarantine import STEP as QUARANTINE_STEP
from stillopen.replication.received import STEP as RECEIVED_STEP
from stillopen.replication.received import ReceivedSales
from stillopen.replication.returned import STEP as RETURNED_STEP
from stillopen.replication.returned import OverReturn, over_returns
from stillopen.replication.working_off import BATCH
from stillopen.rpc.wire_sale import Record
from stillopen.storage.engine import Session
from stillopen.storage.inline import open_inline
from stillopen.storage.schema import Schema

SCHEMA = Schema(
    "received",
    ((*INBOX_STEP, *RECEIVED_STEP), RETURNED_STEP, LANES_STEP, COMPLETED_STEP, QUARANTINE_STEP),
)


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


def gives_back(number: int, bought: int) -> Sale:
    """A sale that gives back the first line of another."""
    sale = sale_of(number)
    [line] = sale.lines
    back = ReturnOf("torn", sale_of(bought).transaction_id, line.line_id)
    tenders = tuple(replace(each, amount=-each.amount) for each in sale.tenders)
    returned = replace(line, quantity_milli=-line.quantity_milli, return_of=back)
    return replace(sale, lines=(returned,), tenders=tenders)


async def worked_off(inbox: Inbox, *numbers: int) -> ReceivedSales:
    """The sales of an inbox, once so many are applied."""
    received = ReceivedSales(inbox)
    working = asyncio.create_task(received.work_off())
    await becomes(inbox, lambda found: found == {"APPLIED": len(numbers)})
    working.cancel()
    return received


async def over_returned(inbox: Inbox) -> list[OverReturn]:
    """Lines of which more was returned than sold."""
    return await inbox.engine.read(lambda session: over_returns(session, ("", ""), 10))


async def test_returns_count_once_in_whatever_order_they_come(tmp_path: Path) -> None:
    for order in itertools.permutations((1, 2, 3)):
        folder = tmp_path / "".join(map(str, order))
        folder.mkdir()
        inbox = await opened(folder)
        sales = {1: sale_of(1), 2: gives_back(2, 1), 3: gives_back(3, 1)}
        for _ in range(2):
            for number in order:
                await inbox.receive([entry_of(sales[number], number)], [])
        received = await worked_off(inbox, *order)
        found = await received.find(receipt_number="no 1")
        assert found.sale.transaction_id == sales[1].transaction_id
        assert returned_milli(found.backs) == {"L1": 2_000}
        [over] = await over_returned(inbox)
        assert (over.sold_milli, over.receipt_number, len(over.backs)) == (1_000, "no 1", 2)
        await inbox.engine.close()


async def test_a_return_that_is_applied_again_counts_once(tmp_path: Path) -> None:
    inbox = await opened(tmp_path)
    await inbox.receive([entry_of(sale_of(1), 1), entry_of(gives_back(2, 1), 2)], [])
    refused = Cards(Misuse(Reason.INVALID_ARGUMENT, "no such purpose"))
    working = asyncio.create_task(ReceivedSales(inbox).work_off(refused))
    await becomes(inbox, lambda found: found == {"QUARANTINED": 2})
    working.cancel()
    await inbox.load()
    received = await worked_off(inbox, 1, 2)
    found = await received.find(sale_of(1).transaction_id)
    assert returned_milli(found.backs) == {"L1": 1_000}
    assert await over_returned(inbox) == []
    await inbox.engine.close()


async def test_what_was_never_sold_is_an_exception_once_its_sale_is_known(tmp_path: Path) -> None:
    inbox = await opened(tmp_path)
    given_up = replace(sale_of(1), state=SaleState.VOIDED)
    await inbox.receive([entry_of(gives_back(2, 1), 2)], [])
    await worked_off(inbox, 2)
    assert await over_returned(inbox) == []
    await inbox.receive([entry_of(given_up, 1)], [])
    await worked_off(inbox, 1, 2)
    assert [over.sold_milli for over in await over_returned(inbox)] == [0]
    await inbox.engine.close()


async def test_what_older_software_received_is_told_its_receipts_and_returns(
    tmp_path: Path,
) -> None:
    inbox = await opened(tmp_path)
    sales = [sale_of(1), gives_back(2, 1), gives_back(3, 1)]
    await inbox.receive([entry_of(sale, number) for number, sale in enumerate(sales, 1)], [])
    received = await worked_off(inbox, 1, 2, 3)
    known = await received.find(receipt_number="no 1"), await over_returned(inbox)

    def forget(session: Session) -> None:
        session.run("UPDATE received_sale SET told = 0, receipt_number = ''")
        session.run("DELETE FROM return_line")
        session.run("DELETE FROM line_returned")

    await inbox.engine.write(forget)
    assert (await received.find(sales[0].transaction_id)).backs == ()
    await inbox.receive([entry_of(sale_of(4), 4)], [])
    await worked_off(inbox, 1, 2, 3, 4)
    assert (await received.find(receipt_number="no 1"), await over_returned(inbox)) == known
    await inbox.engine.close()
