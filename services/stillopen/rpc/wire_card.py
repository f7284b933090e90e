"""Locks and card operations to messages and back."""

from stillopen.core.card import Lock, LockState, Operation
from stillopen.core.errors import invalid
from stillopen.core.ids import check_lock_key
from stillopen.core.money import Money
from stillopen.rpc.wire import duration_to, money_from, money_to
from stillopen.v1 import realtime_pb2

_STATES = {
    LockState.OPEN: realtime_pb2.LOCK_STATE_OPEN,
    LockState.SETTLED: realtime_pb2.LOCK_STATE_SETTLED,
    LockState.ENDED: realtime_pb2.LOCK_STATE_ENDED,
}


def lock_to(
    lock: Lock, now_s: float, last_four: str = "", balance: Money | None = None
) -> realtime_pb2.CardLock:
    """A lock as it is now, as a message: durations from now, never instants."""
    return realtime_pb2.CardLock(
        lock_key=lock.lock_key,
        state=_STATES[lock.state],
        end_reason=lock.end_reason,
        card_id=lock.card_id,
        last_four=last_four,
        balance=money_to(balance) if balance else None,
        blocks_for=duration_to(lock.blocks_for_s(now_s)),
        conclude_within=duration_to(lock.terms_s),
        amount_only=lock.amount_only,
    )


def operation_to(operation: Operation) -> realtime_pb2.CardOperation:
    """A card operation as a message."""
    return realtime_pb2.CardOperation(
        line_id=operation.line_id,
        lock_key=operation.lock_key,
        card_id=operation.card_id,
        purpose=realtime_pb2.CARD_PURPOSE_REDEEM,
        amount=money_to(operation.amount),
    )


def operation_from(message: realtime_pb2.CardOperation, transaction_id: str) -> Operation:
    """A card operation from a message."""
    if message.purpose != realtime_pb2.CARD_PURPOSE_REDEEM:
        raise invalid("purpose", "not a purpose this version knows")
    if message.amount.minor_units <= 0:
        raise invalid("amount", "must be above zero")
    return Operation(
        transaction_id,
        message.line_id,
        check_lock_key(message.lock_key),
        message.card_id,
        money_from(message.amount),
    )
