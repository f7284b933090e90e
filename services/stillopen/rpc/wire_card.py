"""Locks and card operations to messages and back."""

from stillopen.core.card import Lock, LockState
from stillopen.core.errors import invalid
from stillopen.core.ids import check_lock_key
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, NewMemo, Purpose
from stillopen.core.settle import Operation
from stillopen.rpc.wire import duration_to, money_from, money_to
from stillopen.rpc.wire_parameters import kind_from, kind_to
from stillopen.v1 import realtime_pb2, types_pb2

_STATES = {
    LockState.OPEN: realtime_pb2.LOCK_STATE_OPEN,
    LockState.SETTLED: realtime_pb2.LOCK_STATE_SETTLED,
    LockState.ENDED: realtime_pb2.LOCK_STATE_ENDED,
}
_PURPOSES = {
    Purpose.REDEEM: types_pb2.CARD_PURPOSE_REDEEM,
    Purpose.ISSUE: types_pb2.CARD_PURPOSE_ISSUE,
    Purpose.RELOAD: types_pb2.CARD_PURPOSE_RELOAD,
    Purpose.REFUND: types_pb2.CARD_PURPOSE_REFUND,
    Purpose.CASH_OUT: types_pb2.CARD_PURPOSE_CASH_OUT,
}
_PURPOSES_BACK = {number: purpose for purpose, number in _PURPOSES.items()}
SHA256_BYTES = 32


def purpose_to(purpose: Purpose) -> types_pb2.CardPurpose.ValueType:
    """What is done with a card, as a number."""
    return _PURPOSES[purpose]


def purpose_from(number: types_pb2.CardPurpose.ValueType) -> Purpose:
    """What is done with a card; absent is a redemption, in journals of older software."""
    if number == types_pb2.CARD_PURPOSE_UNSPECIFIED:
        return Purpose.REDEEM
    if number not in _PURPOSES_BACK:
        raise invalid("purpose", "not a purpose this version knows")
    return _PURPOSES_BACK[number]


def memo_to(memo: NewMemo | None) -> types_pb2.NewMemo | None:
    """A credit memo that a sale makes, as a message; never its number."""
    if memo is None:
        return None
    return types_pb2.NewMemo(
        number_sha256=memo.number_sha256, last_four=memo.last_four, amount=money_to(memo.amount)
    )


def memo_from(message: types_pb2.NewMemo) -> NewMemo:
    """A credit memo that a sale makes, from a message."""
    if len(message.number_sha256) != SHA256_BYTES:
        raise invalid("new_memo.number_sha256", f"{SHA256_BYTES} bytes")
    if message.amount.minor_units <= 0:
        raise invalid("new_memo.amount", "must be above zero")
    return NewMemo(message.number_sha256, message.last_four, money_from(message.amount))


def lock_to(
    lock: Lock,
    now_s: float,
    last_four: str = "",
    balance: Money | None = None,
    kind: CardKind | None = None,
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
        kind=kind_to(kind) if kind else types_pb2.CARD_KIND_UNSPECIFIED,
    )


def operation_to(operation: Operation) -> realtime_pb2.CardOperation:
    """A card operation as a message."""
    return realtime_pb2.CardOperation(
        line_id=operation.line_id,
        lock_key=operation.lock_key,
        card_id=operation.card_id,
        purpose=purpose_to(operation.purpose),
        amount=money_to(operation.amount),
        kind=kind_to(operation.kind),
        new_memo=memo_to(operation.new_memo),
    )


def operation_from(message: realtime_pb2.CardOperation, transaction_id: str) -> Operation:
    """A card operation from a message."""
    if message.amount.minor_units <= 0:
        raise invalid("amount", "must be above zero")
    return Operation(
        transaction_id,
        message.line_id,
        check_lock_key(message.lock_key),
        message.card_id,
        money_from(message.amount),
        purpose_from(message.purpose),
        kind_from(message.kind),
        memo_from(message.new_memo) if message.HasField("new_memo") else None,
    )
