"""What people do to cards: end a lock, block, resolve an exception; audited with the reason."""

from dataclasses import dataclass, replace

from stillopen.core.card import (
    Card,
    CardState,
    Lock,
    LockState,
    blocker,
    check_state,
    decide_end,
    free_minor,
    lapsed,
)
from stillopen.core.card_number import card_id as card_name
from stillopen.core.card_number import look_up_digest, look_up_value, read_any, read_number
from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.ids import check_id, check_name
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, Purpose
from stillopen.core.settle import (
    CARD_EXISTS,
    CARD_UNKNOWN,
    KEY_REUSED,
    Applied,
    Exceptional,
    decide_settle,
)
from stillopen.realtime.settlement import ExceptionRow, find_exception, put_applied
from stillopen.realtime.store import CardStore, LockNow
from stillopen.realtime.tables import (
    card_by_id,
    find_card,
    find_lock,
    locks_of,
    move_money,
    put_lock,
    put_locks,
    put_state,
    save_clock,
)
from stillopen.storage.engine import Session

APPLIED, WRITTEN_OFF = "APPLIED", "WRITTEN_OFF"
USED = CardState.USED


@dataclass(frozen=True, slots=True)
class Person:
    """Who does it and why; the reason is required."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Action:
    """What was done to a card."""

    action: str
    person: Person
    wall_s: float


async def end_lock(store: CardStore, lock_key: bytes, person: Person, *, force: bool) -> LockNow:
    """Ends a register's lock; Refused LOCK_BLOCKS, with what is at stake, without `force`.

    It is no cancel: a sale concluded under the lock is judged when it comes home (rule 16).
    """
    check_name(person.reason, "reason")
    now_s, wall_s = store.now_s(), store.wall_s()

    def end(session: Session) -> LockNow:
        lock = find_lock(session, lock_key)
        if lock is None:
            raise Refused(Reason.LOCK_ENDED, "no lock has this key", "lock_key")
        decided = decide_end(lock, now_s, force=force)
        if isinstance(decided, Refused):
            raise decided
        if decided is not lock:
            put_lock(session, decided)
            save_clock(session, now_s)
            _note(session, lock.card_id, "UNLOCK", person, wall_s)
        return _now(session, decided, now_s)

    return await store.engine.write(end)


async def end_locks_of(
    store: CardStore, number: str, kind: CardKind, person: Person, *, force: bool
) -> list[LockNow]:
    """Ends every open lock of a card, all or none; Refused LOCK_ENDED when there is none."""
    check_name(person.reason, "reason")
    look_up = look_up_value(store.key, read_number(number, kind))
    now_s, wall_s = store.now_s(), store.wall_s()

    def end(session: Session) -> list[LockNow]:
        card = find_card(session, look_up)
        if card is None:
            raise Refused(Reason.CARD_UNKNOWN, "no card has this number", "number")
        found = [k for k in locks_of(session, card.card_id, "") if k.state is LockState.OPEN]
        if not found:
            raise Refused(Reason.LOCK_ENDED, "nothing holds the card", "number")
        decided = [decide_end(lock, now_s, force=force) for lock in found]
        ended: list[LockNow] = []
        for each in decided:
            if isinstance(each, Refused):
                raise each
            put_lock(session, each)
            _note(session, card.card_id, "UNLOCK", person, wall_s)
            ended.append(_now(session, each, now_s))
        save_clock(session, now_s)
        return ended

    return await store.engine.write(end)


async def adjust(
    store: CardStore, name: str, look_up: bytes, card: str, change: Money, person: Person
) -> Card:
    """Adds a ledger entry by hand, with a reason; takes no more than nobody holds (rule 26).

    `name` is the adjustment's: the same again changes nothing.
    """
    check_name(person.reason, "reason")
    source = f"adjust:{check_id(name, 'adjustment_id')}"
    now_s, wall_s = store.now_s(), store.wall_s()

    def put(session: Session) -> Card:
        found = find_card(session, look_up) if look_up else card_by_id(session, card)
        if found is None:
            raise Refused(Reason.CARD_UNKNOWN, "no such card")
        known = session.one("SELECT card_id, amount_minor FROM ledger WHERE source = ?", source)
        if known is not None:
            if known != (found.card_id, change.minor):
                raise Misuse(Reason.KEY_REUSED, "it named another adjustment", "adjustment_id")
            return found
        if refused := check_state(found, found.kind):
            raise refused
        if change.currency != found.balance.currency:
            raise Refused(Reason.CURRENCY_MISMATCH, f"the card is in {found.balance.currency}")
        locks = locks_of(session, found.card_id, "")
        if found.kind is CardKind.CREDIT_MEMO and blocker(locks, b"", now_s):
            # Its remainder may be printed already, for what was on it (protocol rule 11).
            raise Refused(Reason.CARD_LOCKED, "a sale holds the credit memo", "number")
        free = free_minor(found, locks, b"", now_s)
        if -change.minor > free:
            raise Refused(Reason.INSUFFICIENT_BALANCE, "less than that is free on the card")
        if change.minor < 0 or found.kind is CardKind.CREDIT_MEMO:
            # A sale that renewed one later would be confirmed for what is not there any more.
            put_locks(session, lapsed(locks, now_s))
        move_money(session, found.card_id, change, "ADJUST", source, "", wall_s)
        _note(session, found.card_id, "ADJUST", person, wall_s)
        return replace(found, balance=found.balance + change)

    return await store.engine.write(put)


async def block(
    store: CardStore, key: bytes, card_id: str, person: Person, *, blocked: bool
) -> Card:
    """Blocks a card or lifts that; `key` is its look-up value, or empty to use the id."""
    check_name(person.reason, "reason")
    wall_s = store.wall_s()

    def put(session: Session) -> Card:
        card = find_card(session, key) if key else card_by_id(session, card_id)
        if card is None:
            raise Refused(Reason.CARD_UNKNOWN, "no such card")
        if card.blocked != blocked:
            session.run("UPDATE card SET blocked = ? WHERE card_id = ?", int(blocked), card.card_id)
            _note(session, card.card_id, "BLOCK" if blocked else "UNBLOCK", person, wall_s)
        return replace(card, blocked=blocked)

    return await store.engine.write(put)


async def resolve(
    store: CardStore, exception_id: int, resolution: str, person: Person
) -> ExceptionRow:
    """Resolves an exception once: applied from what nobody holds, or written off.

    Refused RESOLVED when it was, INSUFFICIENT_BALANCE when the money is not free.
    """
    check_name(person.reason, "note")
    now_s, wall_s = store.now_s(), store.wall_s()

    def put(session: Session) -> ExceptionRow:
        found = find_exception(session, exception_id)
        if found is None:
            raise Refused(Reason.RESOLVED, "no such exception", "exception_id")
        if found.resolution:
            raise Refused(Reason.RESOLVED, f"it was {found.resolution} before", "exception_id")
        if resolution == APPLIED:
            _apply(store, session, found, now_s, wall_s)
        elif (left := found.operation.remainder) and found.reason != KEY_REUSED:
            # Nothing was taken, so nothing is left; another copy's remainder is not this one's.
            put_state(session, card_name(look_up_digest(store.key, left.number_sha256)), USED)
        session.run(
            "UPDATE card_exception SET resolution = ? WHERE exception_id = ?",
            resolution,
            exception_id,
        )
        action = "APPLY" if resolution == APPLIED else "WRITE_OFF"
        _note(session, found.operation.card_id, action, person, wall_s)
        return replace(found, resolution=resolution)

    return await store.engine.write(put)


async def actions(store: CardStore, card_id: str) -> list[Action]:
    """What people did to a card, oldest first, the last thousand at most."""
    rows = await store.engine.read(
        lambda session: session.all(
            "SELECT action, person, reason, wall_s FROM card_action WHERE card_id = ?"
            " ORDER BY action_id DESC LIMIT 1000",
            card_id,
        )
    )
    return [Action(row[0], Person(row[1], row[2]), row[3]) for row in reversed(rows)]


def look_up_of(store: CardStore, number: str) -> bytes:
    """The look-up value of a number; empty for no number."""
    return look_up_value(store.key, read_any(number)) if number else b""


def _apply(
    store: CardStore, session: Session, found: ExceptionRow, now_s: float, wall_s: float
) -> None:
    """Judges the fact again, now, by the rule for facts."""
    operation = found.operation
    card = card_by_id(session, operation.card_id)
    locks = locks_of(session, operation.card_id, operation.transaction_id)
    decided = decide_settle(operation, card, locks, now_s)
    if isinstance(decided, Exceptional) and decided.reason == CARD_EXISTS and card:
        # A person decided that what was issued twice is to be on the one card.
        alike = (operation.kind, operation.amount.currency) == (card.kind, card.balance.currency)
        if not alike or card.state is not CardState.OPEN:
            raise Refused(Reason.CARD_EXISTS, "the card with this number cannot take the money")
        decided = Applied(operation.amount, decided.changed)
        operation = replace(operation, purpose=Purpose.RELOAD, new_memo=None)
    if isinstance(decided, Exceptional):
        if decided.reason == CARD_UNKNOWN:
            raise Refused(Reason.CARD_UNKNOWN, "the card is not known, or has another currency")
        raise Refused(Reason.INSUFFICIENT_BALANCE, f"{operation.amount} is needed and less is free")
    source = f"exception:{found.exception_id}"
    put_applied(store, session, operation, decided, now_s, wall_s, kind="EXCEPTION", source=source)


def _now(session: Session, lock: Lock, now_s: float) -> LockNow:
    return LockNow(lock, card_by_id(session, lock.card_id), now_s)


def _note(session: Session, card_id: str, action: str, person: Person, wall_s: float) -> None:
    session.run(
        "INSERT INTO card_action (card_id, action, person, reason, wall_s) VALUES (?,?,?,?,?)",
        card_id,
        action,
        person.name,
        person.reason,
        wall_s,
    )
