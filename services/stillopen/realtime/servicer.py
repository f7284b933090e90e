"""RealtimeService: messages in, decisions of the store out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from stillopen.core.card import LockRequest
from stillopen.core.card_number import read_number
from stillopen.core.errors import Reason, Refused, StillopenError, invalid
from stillopen.core.guessing import Guesses
from stillopen.core.ids import check_id, check_lock_key, check_transaction_id
from stillopen.core.memo_number import PREFIX_LENGTH, is_memo_number
from stillopen.core.money import check_money
from stillopen.core.permissions import Permission
from stillopen.core.purpose import check_purpose
from stillopen.core.standing import Standing
from stillopen.realtime import people
from stillopen.realtime.imports import import_cards
from stillopen.realtime.settlement import ExceptionRow, Settled, exceptions, settle, settled_lines
from stillopen.realtime.store import CardNow, CardStore, LockNow
from stillopen.realtime.terms import Terms
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller, CallerKind, Gate
from stillopen.rpc.paging import bytes_token, number_token, page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.rpc.wire import lane_from, money_from, money_to, position_to, time_to
from stillopen.rpc.wire_card import lock_to, operation_from, operation_to, purpose_from
from stillopen.rpc.wire_parameters import kind_from, kind_to
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

LOG = logging.getLogger("stillopen.realtime")
SERVICE = "stillopen.v1.RealtimeService"
Found = TypeVar("Found")
CLOCK_SAVE_S = 10.0
KEYS_MAX = 100
PAGE_MAX = 1_000
_REGISTER = CallerKind.REGISTER


RESOLUTIONS = {
    realtime_pb2.EXCEPTION_RESOLUTION_APPLIED: people.APPLIED,
    realtime_pb2.EXCEPTION_RESOLUTION_WRITTEN_OFF: people.WRITTEN_OFF,
}
_RESOLUTIONS_BACK = {
    "": realtime_pb2.EXCEPTION_RESOLUTION_UNSPECIFIED,
    **{word: number for number, word in RESOLUTIONS.items()},
}


class RealtimeServicer(realtime_pb2_grpc.RealtimeServiceServicer):
    """Cards for registers, and for headquarters what people need to see."""

    def __init__(self, store: CardStore, terms: Terms, gate: Gate) -> None:
        self._gate = gate
        self._store = store
        self._terms = terms
        self._guesses = Guesses()

    async def keep_time(self) -> None:
        """Saves the service clock for as long as the process runs."""
        while True:
            await asyncio.sleep(CLOCK_SAVE_S)
            try:
                await self._store.save_clock()
            except StillopenError as error:  # saved with the next write, or in ten seconds
                LOG.error("the service clock was not saved: %s", error)  # noqa: TRY400

    async def _guarded(self, caller: Caller, work: Callable[[], Awaitable[Found]]) -> Found:
        """Counts a caller's unknown numbers, and refuses one that guesses."""
        now_s = self._store.now_s()
        self._guesses.check(caller.name, now_s)
        try:
            return await work()
        except Refused as error:
            if error.reason is Reason.CARD_UNKNOWN:
                self._guesses.unknown(caller.name, now_s)
            raise

    async def _standing(self, caller: Caller, number: str) -> Standing:
        """How the caller stands, and who may have drawn the number if it is a memo's."""
        prefix = number[:PREFIX_LENGTH] if is_memo_number(number) else ""
        return await self._terms.standing(caller.name, prefix)

    @answers
    async def GetCardBalance(
        self, request: realtime_pb2.GetCardBalanceRequest, context: Context
    ) -> realtime_pb2.GetCardBalanceResponse:
        """Says what is on a card."""
        caller = self._gate.person(context, Permission.VIEW, _REGISTER)
        kind = kind_from(request.kind)
        number = read_number(request.number, kind)

        async def look() -> CardNow:
            drawn = await self._standing(caller, number) if is_memo_number(number) else None
            return await self._store.card(number, kind, drawn.not_home if drawn else ())

        found = await self._guarded(caller, look)
        return realtime_pb2.GetCardBalanceResponse(
            card_id=found.card.card_id,
            last_four=found.card.last_four,
            balance=money_to(found.card.balance),
            free=money_to(found.free),
            locked_by=found.held_by,
        )

    @answers
    async def LockCard(
        self, request: realtime_pb2.LockCardRequest, context: Context
    ) -> realtime_pb2.LockCardResponse:
        """Locks a card for one tender."""
        caller = self._gate.caller(context, _REGISTER)
        if not request.purpose:
            raise invalid("purpose", "missing")
        purpose, kind = purpose_from(request.purpose), kind_from(request.kind)
        check_purpose(kind, purpose)
        number = read_number(request.number, kind)
        amount = check_money(money_from(request.amount), "amount")
        if amount.minor <= 0:
            raise invalid("amount", "must be above zero")
        if request.currency_code != amount.currency:
            raise invalid("currency_code", "not the currency of the amount")
        wanted = LockRequest(
            lock_key=check_lock_key(request.lock_key),
            holder=caller.name,
            transaction_id=check_transaction_id(request.transaction_id),
            line_id=check_id(request.line_id, "line_id"),
            amount=amount,
            amount_only=request.amount_only,
            purpose=purpose,
            kind=kind,
        )

        async def lock() -> LockNow:
            parameters = await self._terms.cards(kind)
            standing = await self._standing(caller, number)
            return await to_its_end(self._store.lock(wanted, number, parameters, standing))

        locked = await self._guarded(caller, lock)
        return realtime_pb2.LockCardResponse(lock=_lock_message(locked))

    @answers
    async def RenewLocks(
        self, request: realtime_pb2.RenewLocksRequest, context: Context
    ) -> realtime_pb2.RenewLocksResponse:
        """Makes locks block again."""
        caller = self._gate.caller(context, _REGISTER)
        if len(request.lock_keys) > KEYS_MAX:
            raise invalid("lock_keys", f"at most {KEYS_MAX}")
        keys = [check_lock_key(key, "lock_keys") for key in request.lock_keys]
        standing = await self._terms.standing(caller.name)
        if request.confirm and standing.recovering:
            raise Refused(Reason.HEADQUARTERS_RECOVERING, standing.recovering)
        renewed = await to_its_end(
            self._store.renew(keys, caller.name, standing, confirm=request.confirm)
        )
        return realtime_pb2.RenewLocksResponse(locks=[_lock_message(each) for each in renewed])

    @answers
    async def UnlockCard(
        self, request: realtime_pb2.UnlockCardRequest, context: Context
    ) -> realtime_pb2.UnlockCardResponse:
        """Ends a lock, known or not."""
        caller = self._gate.person(context, Permission.UNLOCK_CARD, _REGISTER)

        def end() -> Awaitable[list[LockNow]]:
            return to_its_end(self._end(caller, request))

        # A key cannot be guessed: a register that guessed numbers still gives its cards back.
        ended = await (end() if caller.kind is _REGISTER else self._guarded(caller, end))
        return realtime_pb2.UnlockCardResponse(
            lock=_lock_message(ended[0]), locks=[_lock_message(each) for each in ended]
        )

    async def _end(self, caller: Caller, request: realtime_pb2.UnlockCardRequest) -> list[LockNow]:
        if caller.kind is _REGISTER:
            return [await self._store.unlock(check_lock_key(request.lock_key), caller.name)]
        person = people.Person(caller.name, request.reason)
        if not request.number:
            key = check_lock_key(request.lock_key)
            return [await people.end_lock(self._store, key, person, force=request.force)]
        kind = kind_from(request.kind)
        return await people.end_locks_of(
            self._store, request.number, kind, person, force=request.force
        )

    @answers
    async def SettleTransaction(
        self, request: realtime_pb2.SettleTransactionRequest, context: Context
    ) -> realtime_pb2.SettleTransactionResponse:
        """Applies the card operations of a journal entry."""
        self._gate.caller(context, CallerKind.HEADQUARTERS)
        position = request.position
        if not position.register_id or not position.epoch or not position.sequence:
            raise invalid("position", "settling needs a journal position")
        transaction = check_transaction_id(request.transaction_id)
        operations = [operation_from(each, transaction) for each in request.operations]
        settled = await to_its_end(
            settle(self._store, lane_from(position), position.sequence, operations)
        )
        return realtime_pb2.SettleTransactionResponse(
            settlements=[_settlement(each) for each in settled]
        )

    @answers
    async def GetSettlement(
        self, request: realtime_pb2.GetSettlementRequest, context: Context
    ) -> realtime_pb2.GetSettlementResponse:
        """Says what became of a sale's card operations."""
        self._gate.person(context, Permission.VIEW, _REGISTER)
        settled = await settled_lines(self._store, request.transaction_id)
        return realtime_pb2.GetSettlementResponse(
            settlements=[_settlement(each) for each in settled]
        )

    @answers
    async def ImportCards(
        self, request_iterator: AsyncIterator[realtime_pb2.ImportCardsRequest], context: Context
    ) -> realtime_pb2.ImportCardsResponse:
        """Creates cards."""
        self._gate.person(context, Permission.CARDS)
        report = await import_cards(self._store, request_iterator, context)
        return realtime_pb2.ImportCardsResponse(report=report)

    @answers
    async def BlockCard(
        self, request: realtime_pb2.BlockCardRequest, context: Context
    ) -> realtime_pb2.BlockCardResponse:
        """Blocks a card, or lifts that."""
        caller = self._gate.person(context, Permission.CARDS)
        card = await to_its_end(
            people.block(
                self._store,
                people.look_up_of(self._store, request.number),
                request.card_id,
                people.Person(caller.name, request.reason),
                blocked=request.blocked,
            )
        )
        return realtime_pb2.BlockCardResponse(card_id=card.card_id, blocked=card.blocked)

    @answers
    async def AdjustCard(
        self, request: realtime_pb2.AdjustCardRequest, context: Context
    ) -> realtime_pb2.AdjustCardResponse:
        """Adds a ledger entry by hand."""
        caller = self._gate.person(context, Permission.CARDS)
        change = check_money(money_from(request.change), "change")
        if not change.minor:
            raise invalid("change", "must not be zero")
        card = await to_its_end(
            people.adjust(
                self._store,
                request.adjustment_id,
                people.look_up_of(self._store, request.number),
                request.card_id,
                change,
                people.Person(caller.name, request.reason),
            )
        )
        return realtime_pb2.AdjustCardResponse(card_id=card.card_id, balance=money_to(card.balance))

    @answers
    async def ResolveException(
        self, request: realtime_pb2.ResolveExceptionRequest, context: Context
    ) -> realtime_pb2.ResolveExceptionResponse:
        """Resolves an exception, once."""
        caller = self._gate.person(context, Permission.CARDS)
        if request.resolution not in RESOLUTIONS:
            raise invalid("resolution", "apply it or write it off")
        resolved = await to_its_end(
            people.resolve(
                self._store,
                request.exception_id,
                RESOLUTIONS[request.resolution],
                people.Person(caller.name, request.note),
            )
        )
        return realtime_pb2.ResolveExceptionResponse(exception=_exception(resolved))

    @answers
    async def ListCardEntries(
        self, request: realtime_pb2.ListCardEntriesRequest, context: Context
    ) -> realtime_pb2.ListCardEntriesResponse:
        """Lists a card's ledger."""
        self._gate.person(context, Permission.VIEW)
        card, entries = await self._store.ledger(request.number, request.card_id)
        done = await people.actions(self._store, card.card_id)
        return realtime_pb2.ListCardEntriesResponse(
            card_id=card.card_id,
            balance=money_to(card.balance),
            entries=[
                realtime_pb2.CardEntry(
                    entry_id=entry.entry_id,
                    amount=money_to(entry.amount),
                    kind=entry.kind,
                    transaction_id=entry.transaction_id,
                    time=time_to(entry.wall_s),
                )
                for entry in entries
            ],
            blocked=card.blocked,
            kind=kind_to(card.kind),
            state=str(card.state),
            actions=[
                realtime_pb2.CardAction(
                    action=each.action,
                    person=each.person.name,
                    reason=each.person.reason,
                    time=time_to(each.wall_s),
                )
                for each in done
            ],
        )

    @answers
    async def ListLocks(
        self, request: realtime_pb2.ListLocksRequest, context: Context
    ) -> realtime_pb2.ListLocksResponse:
        """Lists open locks."""
        self._gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_MAX, PAGE_MAX)
        found = await self._store.open_locks(bytes_token(request.page_token), limit)
        return realtime_pb2.ListLocksResponse(
            locks=[
                realtime_pb2.OpenLock(
                    lock=_lock_message(each),
                    register_id=each.lock.holder,
                    transaction_id=each.lock.transaction_id,
                )
                for each in found
            ],
            next_page_token=found[-1].lock.lock_key.hex() if len(found) == limit else "",
        )

    @answers
    async def ListExceptions(
        self, request: realtime_pb2.ListExceptionsRequest, context: Context
    ) -> realtime_pb2.ListExceptionsResponse:
        """Lists card operations that could not be paid."""
        self._gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_MAX, PAGE_MAX)
        found = await exceptions(
            self._store, number_token(request.page_token), limit, resolved=request.resolved
        )
        return realtime_pb2.ListExceptionsResponse(
            exceptions=[_exception(each) for each in found],
            next_page_token=str(found[-1].exception_id) if len(found) == limit else "",
        )


def _exception(row: ExceptionRow) -> realtime_pb2.CardException:
    return realtime_pb2.CardException(
        exception_id=row.exception_id,
        operation=operation_to(row.operation),
        transaction_id=row.operation.transaction_id,
        position=position_to(row.lane, row.sequence),
        shortfall=money_to(row.shortfall),
        reason=row.reason,
        resolution=_RESOLUTIONS_BACK[row.resolution],
    )


def _lock_message(now: LockNow) -> realtime_pb2.CardLock:
    if now.card is None:
        return lock_to(now.lock, now.now_s)
    card = now.card
    return lock_to(now.lock, now.now_s, card.last_four, card.balance, card.kind)


def _settlement(settled: Settled) -> realtime_pb2.Settlement:
    outcome = realtime_pb2.SETTLEMENT_OUTCOME_EXCEPTION
    if settled.applied:
        outcome = realtime_pb2.SETTLEMENT_OUTCOME_APPLIED
    return realtime_pb2.Settlement(
        line_id=settled.line_id, outcome=outcome, repeated=settled.repeated
    )
