"""What received entries tell: sales for people to see, applied once, whatever the order.

`work_off` is the second half of "receive, then apply": it takes what is stored and not applied, and
says of each entry that it was APPLIED or is QUARANTINED; what may pass is tried again. An entry
never waits for another.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Protocol

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

_FOR_EVER = {
    Reason.INVALID_ARGUMENT,
    Reason.NOT_ALLOWED,
    Reason.KEY_REUSED,
    Reason.MESSAGE_TOO_LARGE,
}
"""What is wrong with the entry itself; anything else may pass and is tried again."""


class Effect(Protocol):
    """What entries do besides being known."""

    def concerns(self, record: Record) -> bool:
        """Whether an entry with this record does anything else."""
        ...

    async def __call__(self, lane: Lane, sequence: int, record: Record) -> None:
        """Does it, once however often it is asked."""
        ...


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
        """Applies what arrives, for as long as the process runs; what cannot be done now, later."""
        pause_s = RETRY_FIRST_S
        while True:
            version = self.inbox.news.version
            try:
                done = await self._round(effect)
            except (StillopenError, OSError) as error:
                LOG.error("received entries wait: %s", error)  # noqa: TRY400 - said in the message
                done = False
            if done:
                pause_s = RETRY_FIRST_S
                await self.inbox.news.after(version)
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_MAX_S)

    async def _round(self, effect: Effect | None) -> bool:
        """Looks at everything that is not applied, once; False when something has to wait.

        When the first thing has to wait, the rest of the round does without `effect`, so that sales
        without one are not held up by a place that does not answer.
        """
        after, done = 0, True
        while arrived := await self.inbox.to_apply(after, BATCH):
            after = arrived[-1].arrival
            done = await self._apply(arrived, effect, ask=done) and done
        return done

    async def _apply(self, arrived: list[Arrived], effect: Effect | None, *, ask: bool) -> bool:
        told = [(each, _told(each)) for each in arrived]
        waiting: set[int] = set()
        failed: set[int] = set()
        if effect is not None:
            concerned = [(e, r) for e, r in told if r is not None and effect.concerns(r)]
            if ask:
                outcomes = await asyncio.gather(*(_try(effect, e, r) for e, r in concerned))
                for (each, _), outcome in zip(concerned, outcomes, strict=True):
                    if outcome is not None:
                        (failed if outcome else waiting).add(each.arrival)
            else:
                waiting = {each.arrival for each, _ in concerned}

        def put(session: Session) -> None:
            now = [(each, record) for each, record in told if each.arrival not in waiting]
            bad = {e.arrival for e, r in now if not _put(session, e, r)} | failed
            mark(session, [e.arrival for e, _ in now if e.arrival not in bad], "APPLIED")
            mark(session, sorted(bad), "QUARANTINED")

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


async def _try(effect: Effect, arrived: Arrived, record: Record) -> bool | None:
    """Nothing when it is done; True when it never will be, False when it may be later."""
    entry = arrived.entry
    try:
        await effect(entry.lane, entry.sequence, record)
    except Unreachable:
        return False
    except Exception as error:  # noqa: BLE001 - one bad entry must not stop the others
        never = isinstance(error, StillopenError) and error.reason in _FOR_EVER
        LOG.error(  # noqa: TRY400 - the cause is in the message, the entry stays
            "entry %s/%s/%d %s: %s",
            entry.lane.register_id,
            epoch_text(entry.lane.epoch),
            entry.sequence,
            "cannot be applied" if never else "waits",
            error,
        )
        return never
    return None


def _put(session: Session, arrived: Arrived, record: Record | None) -> bool:
    """Whether the entry could be applied."""
    if not isinstance(record, Sale):
        return record is not None
    session.run(
        "INSERT INTO received_sale VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
        arrived.arrival,
        record.transaction_id,
        str(record.state),
        record.currency,
        record.total.minor,
    )
    known = session.one(
        "SELECT arrival FROM received_sale WHERE transaction_id = ?", record.transaction_id
    )
    # The same transaction under another key is no sale of its own: a cloned register.
    return known == (arrived.arrival,)
