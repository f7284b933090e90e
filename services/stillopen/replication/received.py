"""What received entries tell: sales for people to see, applied once, whatever the order.

`work_off` is the second half of "receive, then apply": it takes what is stored and not applied, and
says of each entry that it was APPLIED or is QUARANTINED; what may pass is tried again. An entry
never waits for another (`replication/working_off.py`).
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, StillopenError, invalid
from stillopen.core.journal import DIGEST_PREFIX_BYTES
from stillopen.core.returns import Back
from stillopen.core.sale import Sale
from stillopen.replication import completed, returned
from stillopen.replication.inbox import Inbox
from stillopen.replication.quarantine import Which
from stillopen.replication.told import OF_THE_ENTRY, Told, reason_of
from stillopen.replication.working_off import Again, Effect, WorkingOff
from stillopen.storage.engine import Row, Session
from stillopen.v1 import types_pb2

PAGE_BYTES_MAX = 2 * 2**20

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

Beside = Callable[[Session, Sale], None]
"""What a final sale changes besides, in the transaction in which it becomes known."""

Arriving = Callable[[Session, int], None]
"""What happens when a sale becomes known, by its arrival."""


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
        self._working: WorkingOff | None = None

    async def work_off(self, effect: Effect | None = None) -> None:
        """Applies what arrives, for as long as the process runs; what cannot be done now, later.

        First, once and a batch at a time, what older software received is told its returns and its
        time.
        """
        self._working = WorkingOff(self, effect)
        await self._working.run()

    async def try_again(self, which: Which, within_s: float) -> Again:
        """Tries entries in quarantine again; Refused NOT_READY while nothing is worked off."""
        if self._working is None:
            raise Refused(Reason.NOT_READY, "it is only starting; try again soon")
        return await self._working.try_again(which, within_s)

    async def keep_old(self) -> bool:
        """Brings sales of older software further by a batch; whether there were any."""
        return await self.inbox.engine.write(
            lambda session: returned.tell_old(session) or completed.tell_old(session)
        )

    def keep(self, session: Session, told: Told) -> str:
        """Keeps what an entry tells; why it cannot be, or nothing.

        What fails takes back only what it did itself: others are in the same transaction.
        """
        session.run("SAVEPOINT entry")
        try:
            why = self._keep(session, told)
        except (StillopenError, sqlite3.IntegrityError, *OF_THE_ENTRY) as error:
            session.run("ROLLBACK TO entry")
            why = reason_of(error)
        session.run("RELEASE entry")
        return why

    def _keep(self, session: Session, told: Told) -> str:
        record, arrival = told.record, told.arrival
        if not isinstance(record, Sale):
            return "" if record else told.why
        new = session.run(
            "INSERT INTO received_sale (arrival, transaction_id, state, currency, total_minor,"
            " receipt_number, completed_wall_s, told) VALUES (?,?,?,?,?,?,?,1)"
            " ON CONFLICT DO NOTHING",
            arrival,
            record.transaction_id,
            str(record.state),
            record.currency,
            record.total.minor,
            told.receipt_number,
            told.completed_wall_s,
        )
        if new and self._arriving is not None:
            self._arriving(session, arrival)
        # The same transaction under another key is no sale of its own: a cloned register.
        other = (
            None
            if new
            else session.one(
                "SELECT register_id, epoch, sequence FROM received_sale JOIN entry USING (arrival)"
                " WHERE transaction_id = ? AND arrival <> ?",
                record.transaction_id,
                arrival,
            )
        )
        if other is not None:
            return (
                "the same transaction came under another key, and counts there: register"
                f" {other[0]}, lane {other[1][:8]}, entry {other[2]}"
            )
        returned.note(session, record)
        if self._beside is not None:
            self._beside(session, record)
        return ""

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
