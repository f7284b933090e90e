"""Settling: what the card operations of a journal entry do to the ledger, each once."""

from dataclasses import dataclass

from stillopen.core.card import Card, CardState
from stillopen.core.card_number import card_id, look_up_digest
from stillopen.core.journal import Lane
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, NewMemo, Purpose
from stillopen.core.settle import CARD_UNKNOWN, KEY_REUSED, Applied, Operation, decide_settle
from stillopen.realtime.store import CardStore
from stillopen.realtime.tables import (
    card_by_id,
    locks_against,
    locks_of,
    move_money,
    put_card,
    put_locks,
    put_state,
    save_clock,
)
from stillopen.storage.engine import Row, Session


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an operation; `repeated` when it had been settled before."""

    line_id: str
    applied: bool
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """A card operation that could not be paid."""

    exception_id: int
    operation: Operation
    shortfall: Money
    reason: str
    lane: Lane
    sequence: int
    resolution: str = ""
    """APPLIED or WRITTEN_OFF; empty while it is open."""


_EXCEPTION = (
    "exception_id, transaction_id, line_id, lock_key, card_id, currency, amount_minor,"
    " shortfall_minor, reason, register_id, epoch, sequence, resolution, purpose, kind,"
    " memo_sha256, memo_last_four, memo_minor"
)


async def settle(
    store: CardStore, lane: Lane, sequence: int, operations: list[Operation]
) -> list[Settled]:
    """Applies the operations of one entry in one transaction; repeats move nothing.

    Same key and digest: settled already. Same key, other digest: an exception with both copies.
    """
    now_s, wall_s = store.now_s(), store.wall_s()

    def apply(session: Session) -> list[Settled]:
        save_clock(session, now_s)
        return [_settle_one(store, session, lane, sequence, o, now_s, wall_s) for o in operations]

    return await store.engine.write(apply)


def _settle_one(
    store: CardStore,
    session: Session,
    lane: Lane,
    sequence: int,
    operation: Operation,
    now_s: float,
    wall_s: float,
) -> Settled:
    digest = operation.digest()
    before = session.one(
        "SELECT digest, applied FROM settled WHERE transaction_id = ? AND line_id = ?",
        operation.transaction_id,
        operation.line_id,
    )
    if before and before[0] == digest:
        return Settled(operation.line_id, applied=bool(before[1]), repeated=True)
    if before:
        _raise(session, lane, sequence, operation, operation.amount, KEY_REUSED)
        return Settled(operation.line_id, applied=False)
    card = card_by_id(session, operation.card_id)
    sale, key = operation.transaction_id, operation.lock_key
    locks = locks_against(session, operation.card_id, sale, key, now_s)
    decided = decide_settle(operation, card, locks, now_s)
    applied = isinstance(decided, Applied)
    if isinstance(decided, Applied):
        put_applied(store, session, operation, decided, now_s, wall_s)
    else:
        put_locks(session, decided.changed)
        _raise(session, lane, sequence, operation, decided.shortfall, decided.reason)
        if operation.remainder:
            _put_memo(store, session, operation.remainder, CardState.PENDING)
    session.run(
        "INSERT INTO settled VALUES (?,?,?,?)",
        operation.transaction_id,
        operation.line_id,
        digest,
        int(applied),
    )
    return Settled(operation.line_id, applied=applied)


def put_applied(
    store: CardStore,
    session: Session,
    operation: Operation,
    applied: Applied,
    now_s: float,
    wall_s: float,
    *,
    kind: str = "",
    source: str = "",
) -> None:
    """Changes its locks, then moves the money; a memo that is used opens its remainder."""
    put_locks(session, applied.changed)
    source = source or f"sale:{operation.transaction_id}:{operation.line_id}"
    kind = kind or str(operation.purpose)
    transaction = operation.transaction_id
    name = operation.card_id
    opened = ""
    if operation.purpose is Purpose.ISSUE:
        if operation.new_memo:  # a restored headquarters does not know it any more
            _put_memo(store, session, operation.new_memo, CardState.OPEN)
        put_state(session, name, CardState.OPEN)
        opened = name
    elif applied.state is CardState.USED:
        put_state(session, name, CardState.USED)
    move_money(session, name, applied.change, kind, source, transaction, wall_s)
    if (left := applied.remainder) is not None:
        to = _put_memo(store, session, left, CardState.OPEN)
        put_state(session, to, CardState.OPEN)
        move_money(session, name, -left.amount, "REMAINDER", f"{source}:from", transaction, wall_s)
        move_money(session, to, left.amount, "REMAINDER", f"{source}:to", transaction, wall_s)
        opened = to
    if opened:
        _judge_again(store, session, opened, now_s, wall_s)


def _judge_again(
    store: CardStore, session: Session, opened: str, now_s: float, wall_s: float
) -> None:
    """What was spent of a memo before its making came home, as after a restore, is paid now."""
    rows = session.all(
        f"SELECT {_EXCEPTION} FROM card_exception WHERE card_id = ? AND resolution = ''"  # noqa: S608
        " AND reason = ?",
        opened,
        CARD_UNKNOWN,
    )
    for found in map(_exception, rows):
        operation = found.operation
        locks = locks_of(session, opened, operation.transaction_id)
        decided = decide_settle(operation, card_by_id(session, opened), locks, now_s)
        if not isinstance(decided, Applied):
            continue
        session.run(
            "UPDATE card_exception SET resolution = 'APPLIED' WHERE exception_id = ?",
            found.exception_id,
        )
        source = f"exception:{found.exception_id}"
        put_applied(store, session, operation, decided, now_s, wall_s, source=source)


def _put_memo(store: CardStore, session: Session, memo: NewMemo, state: CardState) -> str:
    """Makes a memo that a register drew, without money; returns its name."""
    look_up = look_up_digest(store.key, memo.number_sha256)
    nothing = Money(memo.amount.currency, 0)
    card = Card(card_id(look_up), memo.last_four, nothing, kind=CardKind.CREDIT_MEMO, state=state)
    put_card(session, look_up, card)
    return card.card_id


def _raise(
    session: Session,
    lane: Lane,
    sequence: int,
    operation: Operation,
    shortfall: Money,
    reason: str,
) -> None:
    session.run(
        "INSERT INTO card_exception (transaction_id, line_id, digest, lock_key, card_id, currency,"
        " amount_minor, shortfall_minor, reason, register_id, epoch, sequence, purpose, kind,"
        " memo_sha256, memo_last_four, memo_minor)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
        operation.transaction_id,
        operation.line_id,
        operation.digest(),
        operation.lock_key,
        operation.card_id,
        operation.amount.currency,
        operation.amount.minor,
        shortfall.minor,
        reason,
        lane.register_id,
        f"{lane.epoch:016x}",
        sequence,
        str(operation.purpose),
        str(operation.kind),
        operation.new_memo.number_sha256 if operation.new_memo else b"",
        operation.new_memo.last_four if operation.new_memo else "",
        operation.new_memo.amount.minor if operation.new_memo else 0,
    )


async def settled_lines(store: CardStore, transaction_id: str) -> list[Settled]:
    """What became of a sale's card operations."""

    def read(session: Session) -> list[Settled]:
        rows = session.all(
            "SELECT line_id, applied FROM settled WHERE transaction_id = ? ORDER BY line_id",
            transaction_id,
        )
        return [Settled(row[0], applied=bool(row[1]), repeated=True) for row in rows]

    return await store.engine.read(read)


async def exceptions(
    store: CardStore, after: int, limit: int, *, resolved: bool
) -> list[ExceptionRow]:
    """Exceptions in the order they were raised; resolved ones only where asked for."""

    def read(session: Session) -> list[ExceptionRow]:
        rows = session.all(
            f"SELECT {_EXCEPTION} FROM card_exception WHERE exception_id > ?"  # noqa: S608
            " AND (resolution = '' OR ?) ORDER BY exception_id LIMIT ?",
            after,
            int(resolved),
            limit,
        )
        return [_exception(row) for row in rows]

    return await store.engine.read(read)


def find_exception(session: Session, exception_id: int) -> ExceptionRow | None:
    """The exception of that id."""
    row = session.one(
        f"SELECT {_EXCEPTION} FROM card_exception WHERE exception_id = ?",  # noqa: S608
        exception_id,
    )
    return _exception(row) if row else None


def _exception(row: Row) -> ExceptionRow:
    memo = NewMemo(row[15], row[16], Money(row[5], row[17])) if row[15] else None
    purpose, kind = Purpose(row[13]), CardKind(row[14])
    return ExceptionRow(
        row[0],
        Operation(row[1], row[2], row[3], row[4], Money(row[5], row[6]), purpose, kind, memo),
        Money(row[5], row[7]),
        row[8],
        Lane(row[9], int(row[10], 16)),
        row[11],
        row[12],
    )
