"""Cards and their locks: who may hold a card, for how long, and what a sale that comes home does.

Pure: the store brings what it knows, gets a decision and writes it. Times are seconds on
headquarters' service clock (seconds served; down-time and wall-clock jumps do not count).

1. A lock blocks while it is OPEN and the clock is before `until_s`. Lapsing is not an event.
2. free(card) = balance less what blocking locks of others hold: a whole lock holds everything, an
   amount lock what its tender pays.
3. A key is granted at most once. A refused or unlocked key is ENDED for ever.
4. A settlement is a fact and never refused: applied when its own lock blocks and the balance
   suffices, else when its amount is free, else an exception with the shortfall.
5. Every debit ends the card's lapsed locks. Ending a lock never moves money.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from stillopen.core.errors import Misuse, Reason, Refused, invalid
from stillopen.core.money import Money
from stillopen.core.parameters import GiftCardParameters

MAX_LOCK_S = 43_200.0
"""For how long after its grant a lock is renewed."""


class LockState(StrEnum):
    """Where a lock stands."""

    OPEN = "OPEN"
    SETTLED = "SETTLED"
    ENDED = "ENDED"


class EndReason(StrEnum):
    """Why a lock ended without money having moved under it."""

    UNLOCKED = "UNLOCKED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"
    EXCEPTION = "EXCEPTION"
    PERSON = "PERSON"


@dataclass(frozen=True, slots=True)
class Card:
    """A card: its balance is the sum of its ledger."""

    card_id: str
    last_four: str
    balance: Money
    blocked: bool = False
    """Blocked by a person: not locked again; what was locked before goes on."""


@dataclass(frozen=True, slots=True)
class LockRequest:
    """What a register asks for, for one tender of one sale: a whole card, or the amount only."""

    lock_key: bytes
    holder: str
    transaction_id: str
    line_id: str
    amount: Money
    amount_only: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock. Lease, grace and terms are fixed at the grant."""

    lock_key: bytes
    holder: str
    state: LockState
    end_reason: str = ""
    card_id: str = ""
    transaction_id: str = ""
    line_id: str = ""
    amount: Money | None = None
    terms_s: float = 0.0
    lease_s: float = 0.0
    grace_s: float = 0.0
    granted_s: float = 0.0
    until_s: float = 0.0
    amount_only: bool = False

    def blocks(self, now_s: float) -> bool:
        """Whether it keeps the card from others now (rule 1)."""
        return self.state is LockState.OPEN and now_s < self.until_s

    def blocks_for_s(self, now_s: float) -> float:
        """How much longer it does."""
        return max(0.0, self.until_s - now_s) if self.state is LockState.OPEN else 0.0

    def ended(self, reason: EndReason) -> "Lock":
        """The same lock, ended."""
        return replace(self, state=LockState.ENDED, end_reason=str(reason))


def tombstone(lock_key: bytes, holder: str, reason: EndReason) -> Lock:
    """A key that was never granted and never will be."""
    return Lock(lock_key, holder, LockState.ENDED, str(reason))


def blocker(locks: Iterable[Lock], mine: bytes, now_s: float) -> Lock | None:
    """The lock of another that blocks the card now."""
    return next((k for k in locks if k.lock_key != mine and k.blocks(now_s)), None)


def free_minor(card: Card, locks: Iterable[Lock], mine: bytes, now_s: float) -> int:
    """What the holder of `mine` could have of the card now (rule 2)."""
    held = sum(
        lock.amount.minor if lock.amount_only and lock.amount else card.balance.minor
        for lock in locks
        if lock.lock_key != mine and lock.blocks(now_s)
    )
    return max(0, card.balance.minor - held)


def can_hold(card: Card, locks: list[Lock], lock: LockRequest | Lock, now_s: float) -> bool:
    """Whether the card could be held so now: an amount needs it free, a whole card nobody else."""
    amount = lock.amount.minor if lock.amount else 0
    if not lock.amount_only and blocker(locks, lock.lock_key, now_s):
        return False
    return amount <= free_minor(card, locks, lock.lock_key, now_s)


def repeated_lock(request: LockRequest, card_id: str, existing: Lock) -> Lock | Refused:
    """The answer to a key that is known: the lock as it is now, or why it is none (rule 3)."""
    check_holder(existing, request.holder)
    if existing.card_id:
        before = (existing.transaction_id, existing.line_id, existing.amount, existing.amount_only)
        now = (request.transaction_id, request.line_id, request.amount, request.amount_only)
        if (existing.card_id, before) != (card_id, now):
            raise Misuse(Reason.KEY_REUSED, "this key was used for another lock", "lock_key")
    if existing.state is LockState.ENDED:
        return Refused(Reason.LOCK_ENDED, f"the lock has ended ({existing.end_reason})")
    return existing


def decide_lock(
    request: LockRequest,
    card: Card | None,
    locks: list[Lock],
    now_s: float,
    parameters: GiftCardParameters,
    *,
    lane_known: bool,
) -> Lock | Refused:
    """Grants a new key or says why not; the caller stores a refused key as ENDED.

    `locks` are the card's, open or settled. Terms and grace go only to a register whose lane
    headquarters knows (protocol rule 23).
    """
    if card is None:
        return Refused(Reason.CARD_UNKNOWN, "no card has this number", "number")
    if why_not := _why_not(request, card, locks, now_s):
        return why_not
    terms_s = parameters.terms_s if lane_known else 0.0
    lock = Lock(
        lock_key=request.lock_key,
        holder=request.holder,
        state=LockState.OPEN,
        card_id=card.card_id,
        transaction_id=request.transaction_id,
        line_id=request.line_id,
        amount=request.amount,
        terms_s=terms_s,
        lease_s=parameters.lease_s,
        grace_s=parameters.grace_s,
        granted_s=now_s,
        amount_only=request.amount_only,
    )
    return _extended(lock, now_s, with_grace=terms_s > 0)


def _why_not(request: LockRequest, card: Card, locks: list[Lock], now_s: float) -> Refused | None:
    if card.balance.currency != request.amount.currency:
        return Refused(
            Reason.CURRENCY_MISMATCH, f"the card is in {card.balance.currency}", "currency_code"
        )
    if card.blocked:
        return Refused(Reason.CARD_BLOCKED, "the card is blocked at headquarters", "number")
    if any(
        k.transaction_id == request.transaction_id and k.state is not LockState.ENDED for k in locks
    ):
        return Refused(Reason.CARD_TWICE, "the card is in this sale already", "number")
    held = blocker(locks, request.lock_key, now_s) is not None
    if request.amount.minor > card.balance.minor and not (held and not request.amount_only):
        return Refused(
            Reason.INSUFFICIENT_BALANCE, f"there is {card.balance} on the card", "amount"
        )
    if not can_hold(card, locks, request, now_s):
        return Refused(Reason.CARD_LOCKED, "another transaction holds the card", "number")
    return None


def decide_renew(
    lock: Lock, card: Card, locks: list[Lock], now_s: float, *, confirm: bool, lane_known: bool
) -> Lock:
    """The lock after a renewal; unchanged when it has ended or others or the money forbid it.

    After `MAX_LOCK_S` it is renewed no more, so that a forgotten sale gives its card back; a
    confirm is never too late (protocol rule 15).
    """
    if lock.state is not LockState.OPEN:
        return lock
    if not confirm and now_s - lock.granted_s > MAX_LOCK_S:
        return lock
    if not lock.blocks(now_s) and not can_hold(card, locks, lock, now_s):
        return lock
    with_grace = lock.terms_s > 0 or (confirm and lane_known)
    return _extended(lock, now_s, with_grace=with_grace)


def decide_unlock(lock: Lock | None, lock_key: bytes, holder: str) -> Lock:
    """The lock after its holder gave it up; a settled one stays as it is (rule 5)."""
    if lock is None:
        return tombstone(lock_key, holder, EndReason.UNLOCKED)
    check_holder(lock, holder)
    return lock.ended(EndReason.UNLOCKED) if lock.state is LockState.OPEN else lock


def decide_end(lock: Lock, now_s: float, *, force: bool) -> Lock | Refused:
    """The lock after a person ended it: no cancel, a fact that comes later is judged by rule 4.

    `force` is needed while it blocks, because the money may be promised to a customer who has left.
    """
    if lock.state is not LockState.OPEN:
        return lock
    if lock.blocks(now_s) and not force:
        return Refused(
            Reason.LOCK_BLOCKS,
            f"register {lock.holder} holds the card for sale {lock.transaction_id},"
            f" {lock.amount or 'all of it'}, for {lock.blocks_for_s(now_s):.0f} s more; it may have"
            " been concluded there already: ending it needs force",
        )
    return lock.ended(EndReason.PERSON)


def check_holder(lock: Lock, caller: str) -> None:
    """Refuses anybody but the holder."""
    if lock.holder != caller:
        raise Misuse(Reason.NOT_ALLOWED, "this lock belongs to another register", "lock_key")


def _extended(lock: Lock, now_s: float, *, with_grace: bool) -> Lock:
    until_s = now_s + lock.lease_s + (lock.grace_s if with_grace else 0.0)
    return replace(lock, until_s=max(lock.until_s, until_s))


@dataclass(frozen=True, slots=True)
class Operation:
    """A card operation that a journal entry carries: a fact."""

    transaction_id: str
    line_id: str
    lock_key: bytes
    card_id: str
    amount: Money

    def digest(self) -> bytes:
        """What makes it the same operation when it comes again (protocol rule 5b)."""
        parts = (
            b"stillopen.operation.v1",
            self.transaction_id.encode(),
            self.line_id.encode(),
            self.lock_key,
            self.card_id.encode(),
            b"REDEEM",
            f"{self.amount.minor} {self.amount.currency}".encode(),
        )
        return hashlib.sha256(b"".join(len(p).to_bytes(2, "big") + p for p in parts)).digest()


@dataclass(frozen=True, slots=True)
class Applied:
    """The money moves: a ledger entry, and the locks that change with it."""

    debit: Money
    changed: tuple[Lock, ...]


@dataclass(frozen=True, slots=True)
class Exceptional:
    """The money cannot be moved; a person decides."""

    reason: str
    shortfall: Money
    changed: tuple[Lock, ...] = ()


def decide_settle(
    operation: Operation, card: Card | None, locks: list[Lock], now_s: float
) -> Applied | Exceptional:
    """What a fact does to its card (rule 4). `locks` are the card's, open ones at least."""
    amount = operation.amount
    if amount.minor <= 0:
        raise invalid("amount", "must be above zero")
    if card is None or card.balance.currency != amount.currency:
        return Exceptional("CARD_UNKNOWN", amount)
    own = next((k for k in locks if _is_own(k, operation)), None)
    holds = own is not None and own.blocks(now_s)
    # A fact that names another sale's lock gets nothing of what that lock holds.
    mine = own.lock_key if own else b""
    available = card.balance.minor if holds else free_minor(card, locks, mine, now_s)
    if amount.minor > available:
        ended = (own.ended(EndReason.EXCEPTION),) if own and own.state is LockState.OPEN else ()
        return Exceptional("SHORT", Money(amount.currency, amount.minor - available), ended)
    lapsed = tuple(
        k.ended(EndReason.LAPSED)
        for k in locks
        if k is not own and k.state is LockState.OPEN and not k.blocks(now_s)
    )
    settled: tuple[Lock, ...] = ()
    if own is not None and own.state is LockState.OPEN:
        settled = (replace(own, state=LockState.SETTLED),)
    return Applied(amount, (*settled, *lapsed))


def _is_own(lock: Lock, operation: Operation) -> bool:
    return (lock.lock_key, lock.transaction_id, lock.line_id) == (
        operation.lock_key,
        operation.transaction_id,
        operation.line_id,
    )
