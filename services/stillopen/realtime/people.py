"""What people do to cards: end a lock, block, resolve an exception; audited with the reason."""

from dataclasses import dataclass, replace

from stillopen.core.card import Card, Exceptional, Lock, decide_end, decide_settle
from stillopen.core.card_number import look_up_value
from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_name
from stillopen.realtime.settlement import ExceptionRow, debit, find_exception
from stillopen.realtime.store import CardStore, LockNow
from stillopen.realtime.tables import (
    card_by_id,
    find_card,
    find_lock,
    locks_of,
    put_lock,
    save_clock,
)
from stillopen.storage.engine import Session

APPLIED, WRITTEN_OFF = "APPLIED", "WRITTEN_OFF"


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
            _apply(session, found, now_s, wall_s)
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
    return look_up_value(store.key, number) if number else b""


def _apply(session: Session, found: ExceptionRow, now_s: float, wall_s: float) -> None:
    """Judges the fact again, now, by the rule for facts."""
    operation = found.operation
    card = card_by_id(session, operation.card_id)
    locks = locks_of(session, operation.card_id, operation.transaction_id)
    decided = decide_settle(operation, card, locks, now_s)
    if isinstance(decided, Exceptional):
        if decided.reason == "CARD_UNKNOWN":
            raise Refused(Reason.CARD_UNKNOWN, "the card is not known, or has another currency")
        raise Refused(Reason.INSUFFICIENT_BALANCE, f"{operation.amount} is needed and less is free")
    for lock in decided.changed:
        put_lock(session, lock)
    debit(session, operation, wall_s, "EXCEPTION", f"exception:{found.exception_id}")


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
