"""Cards and their locks: who may hold a card, for what, and for how long.

Pure: the store brings what it knows, gets a decision and writes it. Times are seconds on
headquarters' service clock (seconds served; down-time and wall-clock jumps do not count).
Every operation on a card, credit or debit, begins with a lock (protocol rule 12).

1. A lock blocks while it is OPEN and the clock is before `until_s`. Lapsing is not an event.
2. free(card) = balance less what blocking locks of others hold: a whole lock holds everything, an
   amount lock what it is to take; one that brings money holds none.
3. A key is granted at most once. A refused or unlocked key is ENDED for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters
from stillopen.core.purpose import CardKind, Purpose
from stillopen.core.standing import NotHome, Standing

MAX_LOCK_S = 43_200.0
"""For how long after its grant a lock is renewed."""

IDLE_RELEASE_S = 1_800.0
"""A register gives up the cards of a sale that nobody touched for so long (protocol rule 15)."""


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


class CardState(StrEnum):
    """Where a card stands."""

    NEW = "NEW"
    """Its number is reserved for being issued; nothing is on it."""
    PENDING = "PENDING"
    """The remainder of a redemption that waits for a person."""
    OPEN = "OPEN"
    USED = "USED"
    """A credit memo that was redeemed."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card: its balance is the sum of its ledger."""

    card_id: str
    last_four: str
    balance: Money
    blocked: bool = False
    """Blocked by a person: not locked again; what was locked before goes on."""
    kind: CardKind = CardKind.GIFT_CARD
    state: CardState = CardState.OPEN


@dataclass(frozen=True, slots=True)
class LockRequest:
    """What a register asks for, for one operation of one sale: a whole card, or the amount only."""

    lock_key: bytes
    holder: str
    transaction_id: str
    line_id: str
    amount: Money
    amount_only: bool = False
    purpose: Purpose = Purpose.REDEEM
    kind: CardKind = CardKind.GIFT_CARD

    @property
    def shares(self) -> bool:
        """Whether others may have the rest; a credit memo is good for one sale and held whole."""
        return self.amount_only and self.kind is CardKind.GIFT_CARD


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
    purpose: Purpose = Purpose.REDEEM

    @property
    def shares(self) -> bool:
        """Whether others may have the rest."""
        return self.amount_only

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


def lapsed(locks: Iterable[Lock], now_s: float) -> tuple[Lock, ...]:
    """The open locks that block no more, ended."""
    over = (k for k in locks if k.state is LockState.OPEN and not k.blocks(now_s))
    return tuple(k.ended(EndReason.LAPSED) for k in over)


def free_minor(card: Card, locks: Iterable[Lock], mine: bytes, now_s: float) -> int:
    """What the holder of `mine` could have of the card now (rule 2)."""
    held = sum(
        _held_minor(lock, card) for lock in locks if lock.lock_key != mine and lock.blocks(now_s)
    )
    return max(0, card.balance.minor - held)


def _held_minor(lock: Lock, card: Card) -> int:
    if not lock.amount_only:
        return card.balance.minor
    return lock.amount.minor if lock.amount and lock.purpose.takes else 0


def can_hold(card: Card, locks: list[Lock], lock: LockRequest | Lock, now_s: float) -> bool:
    """Whether the card could be held so now: an amount needs it free, a whole card nobody else."""
    others = [k for k in locks if k.lock_key != lock.lock_key and k.blocks(now_s)]
    if lock.purpose is Purpose.ISSUE and card.state is not CardState.NEW:
        return False
    if any(not (k.shares and lock.shares) for k in others):
        return False
    if not lock.purpose.takes:
        return True
    amount = lock.amount.minor if lock.amount else 0
    return amount <= free_minor(card, locks, lock.lock_key, now_s)


def repeated_lock(request: LockRequest, card_id: str, existing: Lock) -> Lock | Refused:
    """The answer to a key that is known: the lock as it is now, or why it is none (rule 3)."""
    check_holder(existing, request.holder)
    if existing.card_id and (existing.card_id, _asked(existing)) != (card_id, _asked(request)):
        raise Misuse(Reason.KEY_REUSED, "this key was used for another lock", "lock_key")
    if existing.state is LockState.ENDED:
        return Refused(Reason.LOCK_ENDED, f"the lock has ended ({existing.end_reason})")
    return existing


def _asked(lock: LockRequest | Lock) -> tuple[object, ...]:
    return (lock.transaction_id, lock.line_id, lock.amount, lock.shares, lock.purpose)


def decide_lock(
    request: LockRequest,
    card: Card | None,
    locks: list[Lock],
    now_s: float,
    parameters: CardParameters,
    standing: Standing,
) -> Lock | Refused:
    """Grants a new key or says why not; the caller stores a refused key as ENDED.

    `locks` are the card's, open or settled. Terms and grace go only to a register whose lane
    headquarters knows (protocol rule 23). A card that is to be issued may be None: the caller
    creates it NEW.
    """
    if standing.recovering:
        return Refused(Reason.HEADQUARTERS_RECOVERING, standing.recovering)
    if visible(card, locks) is None and request.purpose is not Purpose.ISSUE:
        return unknown(standing.not_home)
    if card is not None and (why_not := _why_not(request, card, locks, now_s, parameters)):
        return why_not
    terms_s = parameters.terms_s if standing.lane_known else 0.0
    lock = Lock(
        lock_key=request.lock_key,
        holder=request.holder,
        state=LockState.OPEN,
        card_id=card.card_id if card else "",
        transaction_id=request.transaction_id,
        line_id=request.line_id,
        amount=request.amount,
        terms_s=terms_s,
        lease_s=parameters.lease_s,
        grace_s=parameters.grace_s,
        granted_s=now_s,
        amount_only=request.shares,
        purpose=request.purpose,
    )
    return _extended(lock, now_s, with_grace=terms_s > 0)


def unknown(not_home: tuple[NotHome, ...]) -> Refused:
    """Why a number is not known: it may be in a journal that is not home yet (protocol rule 11)."""
    if not not_home:
        return Refused(Reason.CARD_UNKNOWN, "no card has this number", "number")
    where = ", ".join(map(_heard, not_home))
    return Refused(
        Reason.CARD_PENDING,
        f"register {where} may have made it and has not delivered everything yet",
        "number",
    )


def _heard(register: NotHome) -> str:
    if register.contact_wall_s is None:
        return register.register_id
    last = datetime.fromtimestamp(register.contact_wall_s, UTC)
    return f"{register.register_id} (last heard {last:%Y-%m-%d %H:%M} UTC)"


def visible(card: Card | None, locks: list[Lock]) -> Card | None:
    """The card; none while its number is only left over from an issue that was given up."""
    if card and card.state is CardState.NEW and not any(k.state is LockState.OPEN for k in locks):
        return None
    return card


def check_state(card: Card, kind: CardKind) -> Refused | None:
    """Why a card is none of its kind that can be used; nothing when it is."""
    if card.state is CardState.NEW:
        return Refused(Reason.CARD_PENDING, "the card is being issued", "number")
    if card.state is CardState.PENDING:
        return Refused(
            Reason.CARD_PENDING, "it is what is left of a memo that a person must look at", "number"
        )
    if card.kind is not kind:
        word = "credit memo" if card.kind is CardKind.CREDIT_MEMO else "gift card"
        return Refused(Reason.CARD_KIND, f"it is a {word}", "number")
    if card.state is CardState.USED:
        return Refused(Reason.CARD_USED, "the credit memo was used", "number")
    return None


def _why_not(
    request: LockRequest, card: Card, locks: list[Lock], now_s: float, parameters: CardParameters
) -> Refused | None:
    if any(
        k.transaction_id == request.transaction_id and k.state is not LockState.ENDED for k in locks
    ):
        return Refused(Reason.CARD_TWICE, "the card is in this sale already", "number")
    if request.purpose is Purpose.ISSUE:
        return _not_issuable(request, card, locks, now_s)
    refused = check_state(card, request.kind) or _not_usable(request, card)
    if refused or (refused := _not_enough(request, card, locks, now_s, parameters)):
        return refused
    if not can_hold(card, locks, request, now_s):
        return Refused(Reason.CARD_LOCKED, "another transaction holds the card", "number")
    return None


def _not_issuable(
    request: LockRequest, card: Card, locks: list[Lock], now_s: float
) -> Refused | None:
    if card.state is not CardState.NEW:
        return Refused(Reason.CARD_EXISTS, "a card with this number is in use", "number")
    # A sale whose lock has lapsed may still come home: until then it says what the card will be.
    as_reserved = (card.kind, card.balance.currency) == (request.kind, request.amount.currency)
    if blocker(locks, request.lock_key, now_s) or (visible(card, locks) and not as_reserved):
        return Refused(Reason.CARD_PENDING, "the card is being issued elsewhere", "number")
    return _blocked(card)


def _not_usable(request: LockRequest, card: Card) -> Refused | None:
    if card.balance.currency != request.amount.currency:
        return Refused(
            Reason.CURRENCY_MISMATCH, f"the card is in {card.balance.currency}", "currency_code"
        )
    return _blocked(card)


def _blocked(card: Card) -> Refused | None:
    if card.blocked:
        return Refused(Reason.CARD_BLOCKED, "the card is blocked at headquarters", "number")
    return None


def _not_enough(
    request: LockRequest, card: Card, locks: list[Lock], now_s: float, parameters: CardParameters
) -> Refused | None:
    if request.purpose is Purpose.CASH_OUT:
        if card.balance.minor > parameters.cash_out_up_to_minor:
            most = Money(card.balance.currency, parameters.cash_out_up_to_minor)
            return Refused(
                Reason.CASH_OUT_TOO_MUCH, f"there is {card.balance}, at most {most} is given out"
            )
        return _there_is(card) if request.amount != card.balance else None
    # Who may not have the card at all is not told what is on it.
    held = blocker(locks, request.lock_key, now_s) is not None and not request.shares
    short = request.purpose.takes and request.amount.minor > card.balance.minor
    return _there_is(card) if short and not held else None


def _there_is(card: Card) -> Refused:
    return Refused(Reason.INSUFFICIENT_BALANCE, f"there is {card.balance} on the card", "amount")


def decide_renew(
    lock: Lock, card: Card, locks: list[Lock], now_s: float, standing: Standing, *, confirm: bool
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
    with_grace = lock.terms_s > 0 or (confirm and standing.lane_known)
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
