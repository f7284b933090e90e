"""This register's own final sales by their receipts, and what its own sales gave back."""

from stillopen.core.returns import Back, backs_of
from stillopen.core.sale import Sale, SaleState
from stillopen.rpc.wire_sale import sale_from
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

TABLES: tuple[str, ...] = (
    """CREATE TABLE own_return (
         transaction_id TEXT NOT NULL,
         line_id TEXT NOT NULL,
         by_transaction_id TEXT NOT NULL,
         by_line_id TEXT NOT NULL,
         quantity_milli INTEGER NOT NULL,
         PRIMARY KEY (transaction_id, line_id, by_transaction_id, by_line_id))
         STRICT, WITHOUT ROWID""",
    "CREATE INDEX journal_entry_receipt ON journal_entry (receipt_number)",
)
"""The statements that make the tables; a step of the register's schema includes them."""


def note(session: Session, sale: Sale) -> None:
    """Notes what a sale gives back, once it is completed."""
    if sale.state is SaleState.COMPLETED:
        session.run_many(
            "INSERT INTO own_return VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
            [
                (b.transaction_id, b.line_id, b.by_transaction_id, b.by_line_id, b.quantity_milli)
                for b in backs_of(sale)
            ],
        )


def find(session: Session, transaction_id: str, receipt_number: str) -> Sale | None:
    """A final sale of this register, by its id or receipt number."""
    row = session.one(
        "SELECT data FROM sale WHERE transaction_id = ? AND state IN ('COMPLETED', 'VOIDED')",
        transaction_id,
    )
    if row is None and receipt_number:
        row = session.one(
            "SELECT data FROM journal_entry JOIN sale USING (transaction_id)"
            " WHERE receipt_number = ? ORDER BY number DESC LIMIT 1",
            receipt_number,
        )
    return sale_from(types_pb2.Sale.FromString(row[0])) if row else None


def backs(session: Session, transaction_id: str) -> list[Back]:
    """What this register gave back of a sale, wherever that was bought."""
    rows = session.all(
        "SELECT transaction_id, line_id, by_transaction_id, by_line_id, quantity_milli"
        " FROM own_return WHERE transaction_id = ?",
        transaction_id,
    )
    return [Back(*row) for row in rows]
