"""What came home of returns: how much of each line was given back, and where it was too much.

1. A return line is noted once, under its sale and line, however often its entry is applied.
2. What was returned of a line is one row, kept as returns come. How much was sold of it is filled
   in when its sale is here: a return may come home before its sale.
3. Nothing here refuses anything. More returned than sold is an exception for people.
"""

import contextlib
from dataclasses import dataclass

from stillopen.core.errors import StillopenError
from stillopen.core.returns import Back, backs_of, sold_milli
from stillopen.core.sale import Sale, SaleState
from stillopen.rpc.wire_sale import sale_from
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

STEP: tuple[str, ...] = (
    "ALTER TABLE received_sale ADD COLUMN receipt_number TEXT NOT NULL DEFAULT ''",
    # Sales that older software received: `tell_old` gives them the rest.
    "ALTER TABLE received_sale ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX received_sale_receipt ON received_sale (receipt_number)",
    "CREATE INDEX received_sale_untold ON received_sale (arrival) WHERE told = 0",
    """CREATE TABLE return_line (
         transaction_id TEXT NOT NULL,
         line_id TEXT NOT NULL,
         by_transaction_id TEXT NOT NULL,
         by_line_id TEXT NOT NULL,
         quantity_milli INTEGER NOT NULL,
         PRIMARY KEY (transaction_id, line_id, by_transaction_id, by_line_id))
         STRICT, WITHOUT ROWID""",
    """CREATE TABLE line_returned (
         transaction_id TEXT NOT NULL,
         line_id TEXT NOT NULL,
         returned_milli INTEGER NOT NULL,
         sold_milli INTEGER,
         PRIMARY KEY (transaction_id, line_id)) STRICT, WITHOUT ROWID""",
    """CREATE INDEX line_over_returned ON line_returned (transaction_id, line_id)
         WHERE returned_milli > sold_milli""",
)
"""The statements that make the tables, on top of those of `received`."""

OLD_BATCH = 100
"""At most so many sales of older software are told in one transaction."""


@dataclass(frozen=True, slots=True)
class OverReturn:
    """A line of which more was returned than sold."""

    transaction_id: str
    receipt_number: str
    line_id: str
    sold_milli: int
    backs: tuple[Back, ...]


def note(session: Session, sale: Sale) -> None:
    """Notes what a final sale gives back, and how much it sold of what was given back before."""
    if sale.state is SaleState.COMPLETED:
        for back in backs_of(sale):
            _note_back(session, back)
    early = session.all(
        "SELECT line_id FROM line_returned WHERE transaction_id = ?", sale.transaction_id
    )
    session.run_many(
        "UPDATE line_returned SET sold_milli = ? WHERE transaction_id = ? AND line_id = ?",
        [(sold_milli(sale, row[0]), sale.transaction_id, row[0]) for row in early],
    )


def _note_back(session: Session, back: Back) -> None:
    new = session.run(
        "INSERT INTO return_line VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
        back.transaction_id,
        back.line_id,
        back.by_transaction_id,
        back.by_line_id,
        back.quantity_milli,
    )
    if not new:
        return
    known = session.run(
        "UPDATE line_returned SET returned_milli = returned_milli + ?"
        " WHERE transaction_id = ? AND line_id = ?",
        back.quantity_milli,
        back.transaction_id,
        back.line_id,
    )
    if not known:
        session.run(
            "INSERT INTO line_returned VALUES (?,?,?,?)",
            back.transaction_id,
            back.line_id,
            back.quantity_milli,
            _sold(session, back.transaction_id, back.line_id),
        )


def _sold(session: Session, transaction_id: str, line_id: str) -> int | None:
    row = session.one(
        "SELECT payload FROM received_sale JOIN entry USING (arrival) WHERE transaction_id = ?",
        transaction_id,
    )
    if row is None:
        return None
    return sold_milli(sale_from(types_pb2.JournalRecord.FromString(row[0]).sale), line_id)


def backs(session: Session, transaction_id: str) -> list[Back]:
    """What was given back of a sale."""
    rows = session.all(
        "SELECT transaction_id, line_id, by_transaction_id, by_line_id, quantity_milli"
        " FROM return_line WHERE transaction_id = ?",
        transaction_id,
    )
    return [Back(*row) for row in rows]


def over_returns(session: Session, after: tuple[str, str], limit: int) -> list[OverReturn]:
    """Lines of which more was returned than sold, by sale and line, from the one behind `after`."""
    rows = session.all(
        "SELECT transaction_id, line_id, sold_milli, receipt_number FROM line_returned"
        " JOIN received_sale USING (transaction_id)"
        " WHERE returned_milli > sold_milli AND (transaction_id, line_id) > (?, ?)"
        " ORDER BY transaction_id, line_id LIMIT ?",
        *after,
        limit,
    )
    return [
        OverReturn(
            row[0],
            row[3],
            row[1],
            row[2],
            tuple(back for back in backs(session, row[0]) if back.line_id == row[1]),
        )
        for row in rows
    ]


def tell_old(session: Session) -> bool:
    """Gives sales that older software received their receipt number and returns; whether any."""
    rows = session.all(
        "SELECT arrival, payload FROM received_sale JOIN entry USING (arrival)"
        " WHERE told = 0 ORDER BY arrival LIMIT ?",
        OLD_BATCH,
    )
    for arrival, payload in rows:
        record = types_pb2.JournalRecord.FromString(payload)
        session.run(
            "UPDATE received_sale SET told = 1, receipt_number = ? WHERE arrival = ?",
            record.receipt_number,
            arrival,
        )
        with contextlib.suppress(StillopenError):  # what cannot be read now gives nothing back
            note(session, sale_from(record.sale))
    return bool(rows)
