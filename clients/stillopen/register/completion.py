"""Completing and voiding: the sale, its journal entry and its intents in one transaction."""

from dataclasses import replace

from stillopen.core import sale as rules
from stillopen.core.journal import DIGEST_PREFIX_BYTES
from stillopen.core.ports import Clock
from stillopen.core.sale import Receipt, Sale, SaleState
from stillopen.register import intents
from stillopen.register.cards import Cards
from stillopen.register.journal import Journal, Noted
from stillopen.register.sales import Made
from stillopen.register.server_time import ServerTime
from stillopen.rpc.wire import time_to
from stillopen.rpc.wire_sale import receipt_to, sale_to
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2


class Completion:
    """How a sale becomes final."""

    def __init__(
        self, journal: Journal, cards: Cards, clock: Clock, server_time: ServerTime
    ) -> None:
        self._journal = journal
        self._cards = cards
        self._clock = clock
        self._server_time = server_time

    def complete(self, session: Session, sale: Sale, *, offline: bool) -> Made:
        """Journals the sale as COMPLETED; with the commit it is durable and may be printed."""
        final = rules.complete(sale)
        for card in final.cards:
            intents.done(session, card.lock_key)
        return self._append(session, final, offline=offline)

    def void(self, session: Session, sale: Sale, *, offline: bool) -> Made:
        """Gives up the sale's locks, then journals it as VOIDED."""
        for card in sale.cards:
            self._cards.give_up(session, card.lock_key, sale.transaction_id)
        return self._append(session, rules.void(sale), offline=offline)

    def _append(self, session: Session, final: Sale, *, offline: bool) -> Made:
        wall_s = self._clock.wall_s()
        number = self._next_receipt(session, final.register_id)
        record = types_pb2.JournalRecord(
            wall_time=time_to(wall_s),
            receipt_number=number,
            offline=offline,
            clock_suspect=self._server_time.suspect,
            sale=sale_to(final),
        )
        if (server_wall_s := self._server_time.wall_s) is not None:
            record.server_time.CopyFrom(time_to(server_wall_s))
        total = final.total if final.state is SaleState.COMPLETED else None
        entry = self._journal.append(
            session, record, Noted(str(final.state), final.transaction_id, wall_s, number, total)
        )
        receipt = Receipt(
            receipt_number=number,
            register_id=entry.lane.register_id,
            epoch=entry.lane.epoch,
            sequence=entry.sequence,
            digest_prefix=entry.digest[:DIGEST_PREFIX_BYTES].hex(),
            wall_s=wall_s,
            offline=offline,
        )
        record.sale.receipt.CopyFrom(receipt_to(receipt))
        return Made(replace(final, receipt=receipt), record.sale)

    @staticmethod
    def _next_receipt(session: Session, register_id: str) -> str:
        row = session.one("SELECT value FROM setting WHERE name = 'receipts'")
        count = int(row[0]) + 1 if row else 1
        session.run(
            "INSERT INTO setting VALUES ('receipts', ?1)"
            " ON CONFLICT (name) DO UPDATE SET value = ?1",
            str(count),
        )
        return f"{register_id}-{count:06d}"
