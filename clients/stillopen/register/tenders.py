"""Tenders and card lines of the open sale: what pays, what is given back, what cards are sold.

A card is locked at headquarters before it comes on the sale, whatever is done with it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from stillopen.core import card_line, tender
from stillopen.core.card import LockRequest
from stillopen.core.card_number import last_four
from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, Purpose
from stillopen.core.sale import HeldCard, Sale, TenderKind, check_version
from stillopen.core.tender_types import taken
from stillopen.register import intents
from stillopen.register.cards import Cards
from stillopen.register.journal import Journal
from stillopen.register.memos import Memos, keep, memo_of
from stillopen.register.writes import Writes, digest_of
from stillopen.replication.replica import Replica
from stillopen.storage.engine import Session

OPERATIONS = {
    (TenderKind.GIFT_CARD, Purpose.REDEEM): "TENDER_GIFT_CARD",
    (TenderKind.GIFT_CARD, Purpose.REFUND): "REFUND_TO_GIFT_CARD",
    (TenderKind.CREDIT_MEMO, Purpose.REDEEM): "TENDER_CREDIT_MEMO",
    (TenderKind.CREDIT_MEMO, Purpose.ISSUE): "ISSUE_CREDIT_MEMO",
}
LINE_OPERATIONS = {
    Purpose.ISSUE: "ISSUE_GIFT_CARD",
    Purpose.RELOAD: "RELOAD_GIFT_CARD",
    Purpose.CASH_OUT: "CASH_OUT_GIFT_CARD",
}

Balance = Callable[[str, CardKind], Awaitable[Money]]


class Tenders:
    """The payments of the open sale, and the cards it sells."""

    def __init__(
        self,
        writes: Writes,
        cards: Cards,
        journal: Journal,
        replica: Replica,
        memos: Memos,
        balance: Balance,
    ) -> None:
        self._writes = writes
        self._cards = cards
        self._journal = journal
        self._replica = replica
        self._memos = memos
        self._balance = balance

    async def add_cash(self, transaction_id: str, version: int, amount: Money) -> Sale:
        """Takes cash, or gives it out for a return."""
        return await self._writes.change(
            transaction_id,
            version,
            "TENDER_CASH",
            ("add_cash", amount),
            lambda _, sale: tender.add_cash(self._taken(sale, TenderKind.CASH), amount),
        )

    async def add_card(
        self,
        transaction_id: str,
        version: int,
        amount: Money,
        number: str,
        kind: TenderKind = TenderKind.GIFT_CARD,
    ) -> Sale:
        """Pays with a gift card or credit memo, or gives a return back onto one.

        Below zero a gift card is refunded, and a new credit memo issued: its number is drawn here,
        so `number` is empty then. Numbers given are not kept.
        """
        purpose = tender.purpose_of(kind, amount)
        if (purpose is Purpose.ISSUE) == bool(number):
            raise invalid("card_number", "empty for a memo that is issued, else required")
        request = digest_of("add_card", kind, amount, last_four(number) if number else "")

        async def add(sale: Sale) -> Sale:
            self._writes.check_allowed(sale, OPERATIONS[kind, purpose])
            tender.check_card_amount(self._taken(sale, kind), amount)
            absolute = amount if amount.minor > 0 else -amount
            drawn = number or self._memos.draw()
            line_id = tender.next_tender_id(sale)
            wanted = self._wanted(sale, line_id, absolute, purpose, kind.card_kind)

            def put(session: Session, sale: Sale, card: HeldCard) -> Sale:
                held = self._with_memo(session, card, absolute, drawn, kind.card_kind)
                return tender.add_card(sale, amount, held, kind)

            return await self._with_lock(sale, request, wanted, drawn, put)

        return await self._add(transaction_id, version, request, add)

    async def add_card_line(
        self, transaction_id: str, version: int, purpose: Purpose, amount: Money | None, number: str
    ) -> Sale:
        """Issues, reloads or cashes out a gift card; cashing out takes all that is on it."""
        if (amount is None) != (purpose is Purpose.CASH_OUT):
            raise invalid("amount", "required, but for cashing out, which takes all")
        request = digest_of("add_card_line", purpose, amount, last_four(number))

        async def add(sale: Sale) -> Sale:
            self._writes.check_allowed(sale, LINE_OPERATIONS.get(purpose, "ADD_LINE"))
            exact = amount or await self._balance(number, CardKind.GIFT_CARD)
            if amount is None and exact.minor == 0:
                raise Refused(Reason.INSUFFICIENT_BALANCE, "there is nothing on the card")
            card_line.check_card_line(sale, purpose, exact)
            line_id = card_line.next_line_id(sale)
            wanted = self._wanted(sale, line_id, exact, purpose, CardKind.GIFT_CARD)

            def put(_: Session, sale: Sale, card: HeldCard) -> Sale:
                return card_line.add_card_line(sale, purpose, exact, card)

            return await self._with_lock(sale, request, wanted, number, put)

        return await self._add(transaction_id, version, request, add)

    async def void(self, transaction_id: str, version: int, line_id: str) -> Sale:
        """Takes a payment back; a card's lock is given up in the same transaction."""

        def change(session: Session, sale: Sale) -> Sale:
            card = tender.find_tender(sale, line_id).card
            if card is not None:
                self._cards.give_up(session, card.lock_key, transaction_id)
            return tender.void_tender(sale, line_id)

        sale = await self._writes.change(
            transaction_id, version, "VOID_TENDER", ("void_tender", line_id), change
        )
        self.given_up(sale, {line_id})
        return sale

    async def let_go(self, sale: Sale) -> None:
        """Takes every card off a sale that nobody touches; the sale stays (protocol rule 15)."""

        def change(session: Session, now: Sale) -> Sale:
            for card in now.cards:
                self._cards.give_up(session, card.lock_key, now.transaction_id)
            return tender.without_cards(now)

        name, version = sale.transaction_id, sale.version
        request = digest_of("let_go")
        await self._writes.alone(lambda: self._writes.sales.change(name, version, request, change))
        for card in sale.cards:
            self._cards.release(card.lock_key)
        self._journal.news.tell()

    def _taken(self, sale: Sale, kind: TenderKind) -> Sale:
        """The sale, when the shop takes that kind; Refused TENDER_NOT_TAKEN."""
        if not taken(kind, self._replica.tender_types):
            raise Refused(Reason.TENDER_NOT_TAKEN, f"the shop does not take {kind}", "kind")
        return sale

    def given_up(self, sale: Sale, line_ids: set[str]) -> None:
        """Has the locks of these tenders and lines ended at once, besides the journal."""
        for line_id, card in sale.held.items():
            if line_id in line_ids:
                self._cards.release(card.lock_key)
        self._journal.news.tell()

    def _wanted(
        self, sale: Sale, line_id: str, amount: Money, purpose: Purpose, kind: CardKind
    ) -> LockRequest:
        return LockRequest(
            lock_key=self._cards.new_key(),
            holder=sale.register_id,
            transaction_id=sale.transaction_id,
            line_id=line_id,
            amount=amount,
            amount_only=self._replica.parameters.of(kind).hold_amount_only,
            purpose=purpose,
            kind=kind,
        )

    def _with_memo(
        self, session: Session, card: HeldCard, amount: Money, number: str, kind: CardKind
    ) -> HeldCard:
        """The card with the memo that is issued, or with the one that takes what is left of it."""
        if kind is not CardKind.CREDIT_MEMO:
            return card
        if card.purpose is Purpose.ISSUE:
            keep(session, card.lock_key, number)
            return replace(card, new_memo=memo_of(number, amount))
        left = card.balance - amount
        if left.minor <= 0:
            return card
        remainder = self._memos.draw()
        keep(session, card.lock_key, remainder)
        return replace(card, new_memo=memo_of(remainder, left))

    async def _add(
        self,
        transaction_id: str,
        version: int,
        request: bytes,
        add: Callable[[Sale], Awaitable[Sale]],
    ) -> Sale:
        async def work() -> Sale:
            sales = self._writes.sales
            if done := await sales.repeated(transaction_id, version, request):
                return done
            sale = await sales.sale(transaction_id)
            check_version(sale, version)
            return await add(sale)

        return await self._writes.write(work)

    async def _with_lock(
        self,
        sale: Sale,
        request: bytes,
        wanted: LockRequest,
        number: str,
        put: Callable[[Session, Sale, HeldCard], Sale],
    ) -> Sale:
        """Locks the card, then changes the sale; what does not come on the sale is given up."""
        granted = await self._cards.lock(wanted, number)

        def change(session: Session, now: Sale) -> Sale:
            intents.granted(session, wanted.lock_key, granted.conclude_within_s)
            return put(session, now, granted.card)

        try:
            return await self._writes.sales.change(
                sale.transaction_id, sale.version, request, change
            )
        except BaseException:
            await self._cards.forget(wanted.lock_key, sale.transaction_id, journaled=True)
            raise
