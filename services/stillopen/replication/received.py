"""What received entries tell: sales for people to see, applied once, whatever the order.

`work_off` is the second half of "receive, then apply": it takes what is stored and not applied, and
says of each entry that it was APPLIED or is QUARANTINED. An entry never waits for another.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, StillopenError, Unreachable
from stillopen.core.journal import Lane
from stillopen.core.sale import Sale
from stillopen.replication.inbox import Arrived, Inbox, epoch_text, mark
from stillopen.rpc.wire_sale import Record, record_from
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

LOG = logging.getLogger("stillopen.replication")
BATCH = 500
PAGE_BYTES_MAX = 2 * 2**20
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 5.0

STEP: tuple[str, ...] = (
    """CREATE TABLE received_sale (
         arrival INTEGER PRIMARY KEY REFERENCES entry,
         transaction_id TEXT NOT NULL UNIQUE,
         state TEXT NOT NULL,
         currency TEXT NOT NULL,
         total_minor INTEGER NOT NULL) STRICT""",
)

Effect = Callable[[Lane, int, Record], Awaitable[None]]
"""What else an entry does: lane, sequence, what it tells. Unreachable: try again later."""


@dataclass(frozen=True, slots=True)
class Received:
    """A sale, where it stands in its journal, and the order in which it came."""

    arrival: int
    position: types_pb2.JournalPosition
    sale: types_pb2.Sale


class ReceivedSales:
    """The sales of an inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    async def work_off(self, effect: Effect | None = None) -> None:
        """Applies what arrives, for as long as the process runs."""
        pause_s = RETRY_FIRST_S
        while True:
            version = self.inbox.news.version
            while arrived := await self.inbox.to_apply(BATCH):
                if await self._apply(arrived, effect):
                    pause_s = RETRY_FIRST_S
                else:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, RETRY_MAX_S)
            await self.inbox.news.after(version)

    async def _apply(self, arrived: list[Arrived], effect: Effect | None) -> bool:
        """Applies a batch; False when something has to wait for a place that does not answer."""
        told = [(each, _told(each)) for each in arrived]
        waiting: set[int] = set()
        if effect is not None:
            outcomes = await asyncio.gather(
                *(_try(effect, each, record) for each, record in told if record)
            )
            with_effect = [each for each, record in told if record]
            for each, outcome in zip(with_effect, outcomes, strict=True):
                if isinstance(outcome, Unreachable):
                    waiting.add(each.arrival)
                elif outcome is not None:
                    told = [(e, None if e is each else r) for e, r in told]

        def put(session: Session) -> None:
            done = [(each, record) for each, record in told if each.arrival not in waiting]
            bad = [each.arrival for each, record in done if not _put(session, each, record)]
            mark(session, [e.arrival for e, _ in done if e.arrival not in set(bad)], "APPLIED")
            mark(session, bad, "QUARANTINED")

        await self.inbox.engine.write(put)
        return not waiting

    async def sale(self, transaction_id: str) -> types_pb2.Sale:
        """The sale as its register wrote it; Refused SALE_UNKNOWN."""
        row = await self.inbox.engine.read(
            lambda session: session.one(
                "SELECT payload FROM received_sale JOIN entry USING (arrival)"
                " WHERE transaction_id = ?",
                transaction_id,
            )
        )
        if row is None:
            raise Refused(Reason.SALE_UNKNOWN, "no such sale has arrived", "transaction_id")
        return types_pb2.JournalRecord.FromString(row[0]).sale

    async def sales(self, after: int, limit: int) -> tuple[list[Received], bool]:
        """Sales in the order they arrived, cut by count and bytes; whether there are more."""
        rows = await self.inbox.engine.read(
            lambda session: session.all(
                "SELECT arrival, register_id, epoch, sequence, payload FROM received_sale"
                " JOIN entry USING (arrival) WHERE arrival > ? ORDER BY arrival LIMIT ?",
                after,
                limit,
            )
        )
        found: list[Received] = []
        size = 0
        for row in rows:
            size += len(row[4])
            if found and size > PAGE_BYTES_MAX:
                return found, True
            position = types_pb2.JournalPosition(
                register_id=row[1], epoch=int(row[2], 16), sequence=row[3]
            )
            sale = types_pb2.JournalRecord.FromString(row[4]).sale
            found.append(Received(row[0], position, sale))
        return found, len(rows) == limit


def _told(arrived: Arrived) -> Record | None:
    try:
        return record_from(arrived.entry.payload)
    except StillopenError:
        return None


async def _try(effect: Effect, arrived: Arrived, record: Record) -> Exception | None:
    try:
        await effect(arrived.entry.lane, arrived.entry.sequence, record)
    except Unreachable as error:
        return error
    except Exception as error:  # noqa: BLE001 - one bad entry must not stop the others
        entry = arrived.entry
        LOG.error(  # noqa: TRY400 - the cause is in the message, the entry in quarantine
            "entry %s/%s/%d cannot be applied: %s",
            entry.lane.register_id,
            epoch_text(entry.lane.epoch),
            entry.sequence,
            error,
        )
        return error
    return None


def _put(session: Session, arrived: Arrived, record: Record | None) -> bool:
    """Whether the entry could be applied."""
    if not isinstance(record, Sale):
        return record is not None
    inserted = session.run(
        "INSERT INTO received_sale VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
        arrived.arrival,
        record.transaction_id,
        str(record.state),
        record.currency,
        record.total.minor,
    )
    # The same transaction under another key is no sale of its own: a cloned register.
    return bool(inserted)
