"""A history of the card service written down by hand, call after call."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from tests.sim.card_calls import NEVER, CardCall, CardCalls, Run
from tests.sim.linear import Restored, order_of_cards

from stillopen.v1 import realtime_pb2, types_pb2

GIFT, MEMO = types_pb2.CARD_KIND_GIFT_CARD, types_pb2.CARD_KIND_CREDIT_MEMO
REDEEM, ISSUE = types_pb2.CARD_PURPOSE_REDEEM, types_pb2.CARD_PURPOSE_ISSUE
OPEN, ENDED = realtime_pb2.LOCK_STATE_OPEN, realtime_pb2.LOCK_STATE_ENDED
SETTLED = realtime_pb2.LOCK_STATE_SETTLED
NUMBER, OPENING = "7000000001", 1_000
LEASE_S = 120.0


def eur(minor: int) -> types_pb2.Money:
    """An amount."""
    return types_pb2.Money(currency_code="EUR", minor_units=minor)


def seconds(span_s: float) -> Duration:
    """A span."""
    return Duration(seconds=int(span_s), nanos=round(span_s % 1 * 1e9))


def name(key: str) -> bytes:
    """A lock's key."""
    return key.encode().ljust(16, b".")


def card_of(number: str) -> str:
    """The id of a card."""
    return f"card-{number}"


def shown(
    key: str,
    balance: int,
    *,
    left_s: float = 0.0,
    state: realtime_pb2.LockState.ValueType = OPEN,
    number: str = NUMBER,
) -> realtime_pb2.CardLock:
    """A lock as an answer shows it."""
    return realtime_pb2.CardLock(
        lock_key=name(key),
        state=state,
        card_id=card_of(number),
        balance=eur(balance),
        blocks_for=seconds(left_s),
    )


class Book:
    """Calls in the order in which they were asked; each is answered before the next."""

    def __init__(self) -> None:
        self.heard = CardCalls(runs=[Run(0.0, 0.0)])
        self.now_s = 1.0
        self._number = 0

    def violations(self, *restored: Restored) -> list[str]:
        """What no order explains."""
        return list(order_of_cards(self.heard, [(NUMBER, OPENING)], restored))

    def call(self, caller: str, request: Message, answer: Message | None, refused: str) -> CardCall:
        """A call that is answered or refused; with neither it is not answered."""
        method = type(request).__name__.removesuffix("Request")
        call = CardCall(method, caller, request, len(self.heard.runs) - 1, self._next(), self.now_s)
        self.heard.calls.append(call)
        self.now_s += 0.01
        if answer is not None or refused:
            call.answered, call.answered_s = self._next(), self.now_s
            call.answer = answer.SerializeToString() if answer is not None else None
            call.refused = refused
        return call

    def pause(self, span_s: float) -> None:
        """Time passes."""
        self.now_s += span_s

    def restart(self, down_s: float) -> None:
        """The server dies, and another begins after a while."""
        self.heard.runs[-1].ended, self.heard.runs[-1].ended_s = self._next(), self.now_s
        self.now_s += down_s
        self.heard.runs.append(Run(self.now_s, self.now_s))

    def later(self, call: CardCall) -> None:
        """The call is answered only now."""
        call.answered, call.answered_s = self._next(), self.now_s

    def _next(self) -> int:
        self._number += 1
        assert self._number < NEVER
        return self._number

    # What registers ask

    def lock(
        self,
        key: str,
        *,
        register: str = "R1",
        minor: int = 100,
        balance: int = OPENING,
        left_s: float = LEASE_S,
        refused: str = "",
        unanswered: bool = False,
        sale: str = "",
        number: str = NUMBER,
        purpose: types_pb2.CardPurpose.ValueType = REDEEM,
        kind: types_pb2.CardKind.ValueType = GIFT,
        amount_only: bool = False,
    ) -> CardCall:
        """LockCard for a sale that is named like the key."""
        request = realtime_pb2.LockCardRequest(
            lock_key=name(key),
            number=number,
            purpose=purpose,
            transaction_id=sale or f"sale of {key}",
            line_id="T1",
            amount=eur(minor),
            amount_only=amount_only,
            kind=kind,
        )
        lock = shown(key, balance, left_s=left_s, number=number)
        answer = None if refused or unanswered else realtime_pb2.LockCardResponse(lock=lock)
        return self.call(f"register:{register}", request, answer, refused)

    def renew(
        self,
        key: str,
        *,
        register: str = "R1",
        balance: int = OPENING,
        left_s: float = LEASE_S,
        state: realtime_pb2.LockState.ValueType = OPEN,
        number: str = NUMBER,
    ) -> CardCall:
        """RenewLocks with one key."""
        lock = shown(key, balance, left_s=left_s, state=state, number=number)
        request = realtime_pb2.RenewLocksRequest(lock_keys=[name(key)])
        answer = realtime_pb2.RenewLocksResponse(locks=[lock])
        return self.call(f"register:{register}", request, answer, "")

    def unlock(
        self,
        key: str,
        *,
        caller: str = "register:R1",
        balance: int = OPENING,
        force: bool = False,
        refused: str = "",
        state: realtime_pb2.LockState.ValueType = ENDED,
    ) -> CardCall:
        """UnlockCard with a key."""
        request = realtime_pb2.UnlockCardRequest(lock_key=name(key), force=force)
        answer = realtime_pb2.UnlockCardResponse(lock=shown(key, balance, state=state))
        return self.call(caller, request, None if refused else answer, refused)

    def settle(
        self,
        key: str,
        *,
        minor: int = 100,
        paid: bool = True,
        repeated: bool = False,
        number: str = NUMBER,
        purpose: types_pb2.CardPurpose.ValueType = REDEEM,
        left: int = 0,
        left_on: bytes = b"",
        sale: str = "",
    ) -> CardCall:
        """SettleTransaction of the sale that is named like the key."""
        operation = realtime_pb2.CardOperation(
            line_id="T1",
            lock_key=name(key),
            card_id=card_of(number),
            purpose=purpose,
            amount=eur(minor),
        )
        if left_on:
            memo = types_pb2.NewMemo(number_sha256=left_on, amount=eur(left))
            operation.new_memo.CopyFrom(memo)
        request = realtime_pb2.SettleTransactionRequest(
            transaction_id=sale or f"sale of {key}", operations=[operation]
        )
        outcome = (
            realtime_pb2.SETTLEMENT_OUTCOME_APPLIED
            if paid
            else realtime_pb2.SETTLEMENT_OUTCOME_EXCEPTION
        )
        settled = realtime_pb2.Settlement(line_id="T1", outcome=outcome, repeated=repeated)
        answer = realtime_pb2.SettleTransactionResponse(settlements=[settled])
        return self.call("headquarters:headquarters", request, answer, "")

    # What people ask

    def ledger(self, balance: int, *, number: str = NUMBER, state: str = "OPEN") -> CardCall:
        """ListCardEntries."""
        request = realtime_pb2.ListCardEntriesRequest(number=number)
        answer = realtime_pb2.ListCardEntriesResponse(
            card_id=card_of(number), balance=eur(balance), state=state
        )
        return self.call("person:office", request, answer, "")

    def locks(self, *found: realtime_pb2.CardLock) -> CardCall:
        """ListLocks."""
        listed = [realtime_pb2.OpenLock(lock=lock) for lock in found]
        answer = realtime_pb2.ListLocksResponse(locks=listed)
        return self.call("person:office", realtime_pb2.ListLocksRequest(), answer, "")

    def adjust(self, minor: int, balance: int, *, number: str = NUMBER) -> CardCall:
        """AdjustCard."""
        request = realtime_pb2.AdjustCardRequest(
            adjustment_id="a", number=number, change=eur(minor)
        )
        answer = realtime_pb2.AdjustCardResponse(card_id=card_of(number), balance=eur(balance))
        return self.call("person:office", request, answer, "")
