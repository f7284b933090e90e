"""What a card operation that a journal entry carries does to its card: a fact, never refused.

1. Applied when it takes no more than is there and no other lock holds, under its own lock or
   without one; else an exception with the shortfall (protocol rule 2).
2. Money that is brought is always applied; a card can be issued once.
3. Redeeming a credit memo is one operation: it uses the memo up and opens the remainder, or
   neither (protocol rule 11).
4. Every debit ends the card's lapsed locks. Ending a lock never moves money.
"""

import hashlib
from dataclasses import dataclass, replace

from stillopen.core.card import Card, CardState, EndReason, Lock, LockState, blocker, free_minor
from stillopen.core.errors import invalid
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, NewMemo, Purpose

SHORT, CARD_UNKNOWN, CARD_EXISTS = "SHORT", "CARD_UNKNOWN", "CARD_EXISTS"
CARD_USED, WRONG_REMAINDER = "CARD_USED", "WRONG_REMAINDER"
KEY_REUSED = "KEY_REUSED"


@dataclass(frozen=True, slots=True)
class Operation:
    """A card operation of a sale that is final."""

    transaction_id: str
    line_id: str
    lock_key: bytes
    card_id: str
    amount: Money
    purpose: Purpose = Purpose.REDEEM
    kind: CardKind = CardKind.GIFT_CARD
    new_memo: NewMemo | None = None

    @property
    def remainder(self) -> NewMemo | None:
        """What is left of a redeemed memo, as a new one."""
        return self.new_memo if self.purpose is Purpose.REDEEM else None

    def digest(self) -> bytes:
        """What makes it the same operation when it comes again (protocol rule 5b)."""
        parts = [
            b"stillopen.operation.v1",
            self.transaction_id.encode(),
            self.line_id.encode(),
            self.lock_key,
            self.card_id.encode(),
            str(self.purpose).encode(),
            f"{self.amount.minor} {self.amount.currency}".encode(),
        ]
        if memo := self.new_memo:
            parts += [memo.number_sha256, str(memo.amount.minor).encode()]
        return hashlib.sha256(b"".join(len(p).to_bytes(2, "big") + p for p in parts)).digest()


@dataclass(frozen=True, slots=True)
class Applied:
    """The money moves: what the card gains or loses, what becomes of it, and its locks."""

    change: Money
    changed: tuple[Lock, ...]
    state: CardState = CardState.OPEN
    remainder: NewMemo | None = None


@dataclass(frozen=True, slots=True)
class Exceptional:
    """The money cannot be moved; a person decides."""

    reason: str
    shortfall: Money
    changed: tuple[Lock, ...] = ()


def decide_settle(
    operation: Operation, card: Card | None, locks: list[Lock], now_s: float
) -> Applied | Exceptional:
    """What the fact does to its card. `locks` are the card's, open ones at least."""
    if operation.amount.minor <= 0:
        raise invalid("amount", "must be above zero")
    own = next((k for k in locks if _is_own(k, operation)), None)
    if operation.purpose is Purpose.ISSUE:
        return _issued(operation, card, own, locks, now_s)
    wrong = card is None or card.balance.currency != operation.amount.currency
    if card is None or wrong or card.state in {CardState.NEW, CardState.PENDING}:
        return Exceptional(CARD_UNKNOWN, operation.amount, _ended(own))
    if not operation.purpose.takes:
        return Applied(operation.amount, _settled(own))
    return _taken(operation, card, own, locks, now_s)


def _issued(
    operation: Operation, card: Card | None, own: Lock | None, locks: list[Lock], now_s: float
) -> Applied | Exceptional:
    if card is None and operation.new_memo is None:
        return Exceptional(CARD_UNKNOWN, operation.amount)  # only its number could make it again
    if card is not None and card.balance.currency != operation.amount.currency:
        return Exceptional(CARD_EXISTS, operation.amount, _ended(own))
    holds = own is not None and own.blocks(now_s)
    taken = card is not None and card.state is not CardState.NEW
    if taken or (not holds and blocker(locks, operation.lock_key, now_s)):
        return Exceptional(CARD_EXISTS, operation.amount, _ended(own))
    return Applied(operation.amount, (*_settled(own), *_lapsed(locks, own, now_s)))


def _taken(
    operation: Operation, card: Card, own: Lock | None, locks: list[Lock], now_s: float
) -> Applied | Exceptional:
    left = operation.remainder.amount.minor if operation.remainder else 0
    needed = operation.amount.minor + left
    # A fact that names another sale's lock gets nothing of what that lock holds, and one that asks
    # for more than its own lock held gets nothing of what others hold.
    available = free_minor(card, locks, own.lock_key if own else b"", now_s)
    if needed > available:
        reason = CARD_USED if card.state is CardState.USED else SHORT
        short = Money(operation.amount.currency, needed - available)
        return Exceptional(reason, short, _ended(own))
    if card.kind is CardKind.CREDIT_MEMO and needed != card.balance.minor:
        return Exceptional(WRONG_REMAINDER, operation.amount, _ended(own))
    memo = card.kind is CardKind.CREDIT_MEMO
    return Applied(
        -operation.amount,
        (*_settled(own), *_lapsed(locks, own, now_s)),
        CardState.USED if memo else CardState.OPEN,
        operation.remainder if memo else None,
    )


def _settled(own: Lock | None) -> tuple[Lock, ...]:
    if own is None or own.state is not LockState.OPEN:
        return ()
    return (replace(own, state=LockState.SETTLED),)


def _ended(own: Lock | None) -> tuple[Lock, ...]:
    return (own.ended(EndReason.EXCEPTION),) if own and own.state is LockState.OPEN else ()


def _lapsed(locks: list[Lock], own: Lock | None, now_s: float) -> tuple[Lock, ...]:
    return tuple(
        k.ended(EndReason.LAPSED)
        for k in locks
        if k is not own and k.state is LockState.OPEN and not k.blocks(now_s)
    )


def _is_own(lock: Lock, operation: Operation) -> bool:
    return (lock.lock_key, lock.transaction_id, lock.line_id) == (
        operation.lock_key,
        operation.transaction_id,
        operation.line_id,
    )
