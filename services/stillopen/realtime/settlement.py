"""Settling: what the card operations of a journal entry do to the ledger, each once."""

from dataclasses import dataclass

from stillopen.core.card import Applied, Operation, decide_settle
from stillopen.core.journal import Lane
from stillopen.core.money import Money
from stillopen.realtime.store import CardStore
from stillopen.realtime.tables import card_by_id, locks_of, put_lock, save_clock
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
    " shortfall_minor, reason, register_id, epoch, sequence, resolution"
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
        return [_settle_one(session, lane, sequence, each, now_s, wall_s) for each in operations]

    return await store.engine.write(apply)


def _settle_one(
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
        _raise(session, lane, sequence, operation, operation.amount, "KEY_REUSED")
        return Settled(operation.line_id, applied=False)
    card = card_by_id(session, operation.card_id)
    locks = locks_of(session, operation.card_id, operation.transaction_id)
    decided = decide_settle(operation, card, locks, now_s)
    for lock in decided.changed:
        put_lock(session, lock)
    applied = isinstance(decided, Applied)
    if isinstance(decided, Applied):
        debit(session, operation, wall_s)
    else:
        _raise(session, lane, sequence, operation, decided.shortfall, decided.reason)
    session.run(
        "INSERT INTO settled VALUES (?,?,?,?)",
        operation.transaction_id,
        operation.line_id,
        digest,
        int(applied),
    )
    return Settled(operation.line_id, applied=applied)


def debit(
    session: Session, operation: Operation, wall_s: float, kind: str = "REDEEM", source: str = ""
) -> None:
    """Takes the operation's money from its card: a ledger entry, once for each source."""
    session.run(
        "UPDATE card SET balance_minor = balance_minor - ? WHERE card_id = ?",
        operation.amount.minor,
        operation.card_id,
    )
    session.run(
        "INSERT INTO ledger (card_id, amount_minor, kind, source, transaction_id, wall_s)"
        " VALUES (?,?,?,?,?,?)",
        operation.card_id,
        -operation.amount.minor,
        kind,
        source or f"sale:{operation.transaction_id}:{operation.line_id}",
        operation.transaction_id,
        wall_s,
    )


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
        " amount_minor, shortfall_minor, reason, register_id, epoch, sequence)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
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
    return ExceptionRow(
        row[0],
        Operation(row[1], row[2], row[3], row[4], Money(row[5], row[6])),
        Money(row[5], row[7]),
        row[8],
        Lane(row[9], int(row[10], 16)),
        row[11],
        row[12],
    )
