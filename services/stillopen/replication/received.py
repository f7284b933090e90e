"""What received entries tell: sales for people to see, applied once, whatever the order.

`work_off` is the second half of "receive, then apply": it takes what is stored and not applied, and
says of each entry that it was APPLIED or is QUARANTINED; what may pass is tried again. An entry
never waits for another.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stillopen.core.errors import Reason, Refused, StillopenError, Unreachable, invalid
from stillopen.core.journal import DIGEST_PREFIX_BYTES, Lane
from stillopen.core.lanes import epoch_text
from stillopen.core.returns import Back
from stillopen.core.sale import Sale
from stillopen.replication import completed, returned
from stillopen.replication.inbox import Arrived, Inbox, mark
from stillopen.rpc.wire_sale import Record, message_from, record_of
from stillopen.storage.engine import Row, Session
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

_FOUND = (
    "register_id, epoch, sequence, digest, payload FROM received_sale JOIN entry USING (arrival)"
)

_FOR_EVER = {
    Reason.INVALID_ARGUMENT,
    Reason.NOT_ALLOWED,
    Reason.KEY_REUSED,
    Reason.MESSAGE_TOO_LARGE,
}
"""What is wrong with the entry itself; anything else may pass and is tried again."""


Beside = Callable[[Session, Sale], None]
"""What a final sale changes besides, in the transaction in which it becomes known."""

Arriving = Callable[[Session, int], None]
"""What happens when a sale becomes known, by its arrival."""


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


@dataclass(frozen=True, slots=True)
class Found:
    """A sale with its receipt, and what is known here to have been given back of it."""

    sale: types_pb2.Sale
    backs: tuple[Back, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    arrived: Arrived
    record: Record | None
    """Nothing when this version cannot read it."""
    receipt_number: str
    completed_wall_s: float = 0.0


class ReceivedSales:
    """The sales of an inbox; `beside` is what they change besides.

    `arriving` is told the arrival of each sale once, in the transaction in which it becomes known.
    """

    def __init__(
        self, inbox: Inbox, beside: Beside | None = None, arriving: Arriving | None = None
    ) -> None:
        self.inbox = inbox
        self._beside = beside
        self._arriving = arriving

    async def work_off(self, effect: Effect | None = None) -> None:
        """Applies what arrives, for as long as the process runs; what cannot be done now, later.

        First, once and a batch at a time, what older software received is told its returns and its
        time.
        """
        told = False
        pause_s = RETRY_FIRST_S
        while True:
            version = self.inbox.news.version
            try:
                while not told:
                    told = not await self.inbox.engine.write(_tell_old)
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
        told = [_told(each) for each in arrived]
        waiting: set[int] = set()
        failed: set[int] = set()
        if effect is not None:
            concerned = [
                (each.arrived, each.record)
                for each in told
                if each.record is not None and effect.concerns(each.record)
            ]
            if ask:
                outcomes = await asyncio.gather(*(_try(effect, e, r) for e, r in concerned))
                for (each, _), outcome in zip(concerned, outcomes, strict=True):
                    if outcome is not None:
                        (failed if outcome else waiting).add(each.arrival)
            else:
                waiting = {each.arrival for each, _ in concerned}

        def put(session: Session) -> None:
            now = [each for each in told if each.arrived.arrival not in waiting]
            bad = {each.arrived.arrival for each in now if not self._put(session, each)} | failed
            arrivals = [each.arrived.arrival for each in now]
            mark(session, [each for each in arrivals if each not in bad], "APPLIED")
            mark(session, sorted(bad), "QUARANTINED")

        await self.inbox.engine.write(put)
        return not waiting

    def _put(self, session: Session, told: _Told) -> bool:
        """Whether the entry could be applied."""
        arrived, record = told.arrived, told.record
        if not isinstance(record, Sale):
            return record is not None
        new = session.run(
            "INSERT INTO received_sale (arrival, transaction_id, state, currency, total_minor,"
            " receipt_number, completed_wall_s, told) VALUES (?,?,?,?,?,?,?,1)"
            " ON CONFLICT DO NOTHING",
            arrived.arrival,
            record.transaction_id,
            str(record.state),
            record.currency,
            record.total.minor,
            told.receipt_number,
            told.completed_wall_s,
        )
        if new and self._arriving is not None:
            self._arriving(session, arrived.arrival)
        known = session.one(
            "SELECT arrival FROM received_sale WHERE transaction_id = ?", record.transaction_id
        )
        # The same transaction under another key is no sale of its own: a cloned register.
        if known != (arrived.arrival,):
            return False
        returned.note(session, record)
        if self._beside is not None:
            self._beside(session, record)
        return True

    async def find(self, transaction_id: str = "", receipt_number: str = "") -> Found:
        """A sale by its id or the number on its receipt; Refused SALE_UNKNOWN."""
        if bool(transaction_id) == bool(receipt_number):
            raise invalid("transaction_id", "one of transaction_id and receipt_number")

        key = "transaction_id" if transaction_id else "receipt_number"

        def read(session: Session) -> Found | None:
            row = session.one(
                f"SELECT {_FOUND} WHERE {key} = ? ORDER BY arrival DESC LIMIT 1",
                transaction_id or receipt_number,
            )
            if row is None:
                return None
            sale = _with_receipt(row)
            return Found(sale, tuple(returned.backs(session, sale.transaction_id)))

        found = await self.inbox.engine.read(read)
        if found is None:
            raise Refused(Reason.SALE_UNKNOWN, "no such sale has arrived", "transaction_id")
        return found

    async def backs(self, transaction_id: str) -> list[Back]:
        """What is known here to have been given back of a sale, be it here or not."""
        return await self.inbox.engine.read(lambda session: returned.backs(session, transaction_id))

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


def _told(arrived: Arrived) -> _Told:
    try:
        message = message_from(arrived.entry.payload)
        when_s = completed.completed_wall_s(message)
        return _Told(arrived, record_of(message), message.receipt_number, when_s)
    except StillopenError:
        return _Told(arrived, None, "")


def _tell_old(session: Session) -> bool:
    """Brings sales of older software further by a batch; whether there were any."""
    return returned.tell_old(session) or completed.tell_old(session)


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


def _with_receipt(row: Row) -> types_pb2.Sale:
    """A sale with the receipt that was printed, from the columns of its entry."""
    record = types_pb2.JournalRecord.FromString(row[4])
    digest: bytes = row[3]
    record.sale.receipt.CopyFrom(
        types_pb2.Receipt(
            receipt_number=record.receipt_number,
            register_id=row[0],
            epoch=int(row[1], 16),
            sequence=row[2],
            digest_prefix=digest[:DIGEST_PREFIX_BYTES].hex(),
            time=record.wall_time,
            offline=record.offline,
        )
    )
    return record.sale
