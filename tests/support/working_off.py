"""An inbox that is worked off in a test, by effects and readers that fail as they are told."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.estate_parts import until
from tests.support.lanes import Watch
from tests.support.notes import Opener
from tests.support.poison import sold

from stillopen.core.errors import StillopenError
from stillopen.core.journal import Lane
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.replication.received import ReceivedSales
from stillopen.rpc.wire_sale import Record, record_of
from stillopen.storage.engine import Row
from stillopen.v1 import types_pb2


class Cards:
    """An effect of sales by card: `asked` says what becomes of each, by its sequence."""

    def __init__(self, asked: Callable[[int], Awaitable[StillopenError | None]]) -> None:
        self._asked = asked
        self.tries: Counter[int] = Counter()

    def concerns(self, record: Record) -> bool:
        """Everything."""
        del record
        return True

    async def __call__(self, lane: Lane, sequence: int, record: Record) -> None:
        """Fails as it is told, or is done."""
        del lane, record
        self.tries[sequence] += 1
        if error := await self._asked(sequence):
            raise error


class Upgraded:
    """Reads entries as this version does, or as a newer one that knows every kind."""

    def __init__(self) -> None:
        self.newer = False
        self.read = 0

    def __call__(self, message: types_pb2.JournalRecord) -> Record:
        """What the entry tells."""
        self.read += 1
        if self.newer and message.WhichOneof("record") is None:
            number = int(message.receipt_number.removeprefix("no "))
            return record_of(sold(number))
        return record_of(message)


def reading(monkeypatch: pytest.MonkeyPatch) -> Upgraded:
    """The version that runs, until the test ends."""
    found = Upgraded()
    monkeypatch.setattr("stillopen.replication.told.record_of", found)
    return found


async def opened(open_engine: Opener, folder: Path) -> Inbox:
    """The inbox of headquarters."""
    return await open_inbox(
        await open_engine(folder / "headquarters.db", SCHEMA), Watch(), last=True
    )


@asynccontextmanager
async def at_work(inbox: Inbox, effect: Cards | None = None) -> AsyncGenerator[ReceivedSales]:
    """Headquarters that works off what is there."""
    received = ReceivedSales(inbox)
    working = asyncio.create_task(received.work_off(effect))
    await asyncio.sleep(0)
    try:
        yield received
    finally:
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working


async def states(inbox: Inbox) -> dict[str, int]:
    """How many entries are in each state."""
    rows = await inbox.engine.read(
        lambda session: session.all("SELECT state, count(*) FROM entry GROUP BY state")
    )
    return dict(rows)


async def becomes(inbox: Inbox, **wanted: int) -> None:
    """Waits until so many entries are in each state."""

    async def there() -> bool:
        return await states(inbox) == wanted

    await until(there)


async def listed(inbox: Inbox) -> list[Row]:
    """What is in no effect: sequence, state, reason, since when."""
    return await inbox.engine.read(
        lambda session: session.all(
            "SELECT sequence, state, why, since_wall_s FROM quarantine ORDER BY epoch, sequence"
        )
    )


async def nothing(_: int) -> None:
    """It is done."""
