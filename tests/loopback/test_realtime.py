"""RealtimeService, at headquarters and through a channel's relay."""

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_messages import (
    HEADQUARTERS,
    R1,
    R2,
    allow_concluding,
    ask,
    key_of,
    lock_of,
    renew_of,
    settle_of,
    transaction_of,
    unlock_of,
)
from tests.support.estate_parts import DOLLARS, GIFT, ME, SECOND, UNKNOWN, eur, one

from stillopen.core.errors import Misuse, Reason
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import send_all
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

Stub = realtime_pb2_grpc.RealtimeServiceStub
OPEN = realtime_pb2.LOCK_STATE_OPEN
SETTLED = realtime_pb2.LOCK_STATE_SETTLED
ENDED = realtime_pb2.LOCK_STATE_ENDED
APPLIED = realtime_pb2.SETTLEMENT_OUTCOME_APPLIED
EXCEPTION = realtime_pb2.SETTLEMENT_OUTCOME_EXCEPTION
DAY_S = 86_400


@pytest.fixture(params=["at headquarters", "through the channel"])
def cards(request: pytest.FixtureRequest, estate: Estate) -> Stub:
    return estate.cards if request.param == "at headquarters" else estate.relay


async def locked(cards: Stub, request: realtime_pb2.LockCardRequest, caller: Caller = R1) -> str:
    """Locks and returns the card's id."""
    lock = (await ask(cards.LockCard, request, caller)).lock
    assert lock.state == OPEN
    assert lock.blocks_for.seconds > 0
    return lock.card_id


async def test_a_locked_card_has_its_balance_and_nothing_free(cards: Stub, estate: Estate) -> None:
    card_id = await locked(cards, lock_of(1))
    seen = await ask(cards.GetCardBalance, realtime_pb2.GetCardBalanceRequest(number=GIFT))
    assert (seen.card_id, seen.last_four, seen.locked_by) == (card_id, "0001", "R1")
    assert (seen.balance, seen.free) == (eur(5_000), eur(0))
    assert [each.lock.lock_key for each in await estate.people.locks()] == [key_of(1)]


async def test_a_repeated_lock_is_the_same_lock(cards: Stub, estate: Estate) -> None:
    await locked(cards, lock_of(1))
    await locked(cards, lock_of(1))
    assert len(await estate.people.locks()) == 1


async def test_a_repeated_lock_tells_the_truth_of_today(cards: Stub, estate: Estate) -> None:
    await locked(cards, lock_of(1))
    ended = (await ask(cards.UnlockCard, unlock_of(1))).lock
    assert (ended.state, ended.end_reason) == (ENDED, "UNLOCKED")
    async with estate.refuses(Reason.LOCK_ENDED):
        await ask(cards.LockCard, lock_of(1))


async def test_an_unlock_is_repeated_without_harm(cards: Stub) -> None:
    await locked(cards, lock_of(1))
    first = await ask(cards.UnlockCard, unlock_of(1))
    assert await ask(cards.UnlockCard, unlock_of(1)) == first


async def test_a_key_unlocked_before_it_was_heard_of_is_never_granted(
    cards: Stub, estate: Estate
) -> None:
    assert (await ask(cards.UnlockCard, unlock_of(1))).lock.state == ENDED
    async with estate.refuses(Reason.LOCK_ENDED):
        await ask(cards.LockCard, lock_of(1))


async def test_a_refused_key_is_never_granted_later(cards: Stub, estate: Estate) -> None:
    async with estate.refuses(Reason.CARD_UNKNOWN):
        await ask(cards.LockCard, lock_of(1, card=UNKNOWN))
    async with estate.refuses(Reason.LOCK_ENDED):
        await ask(cards.LockCard, lock_of(1))


def changed(
    request: realtime_pb2.LockCardRequest, **fields: object
) -> realtime_pb2.LockCardRequest:
    """The request with other fields."""
    for name, value in fields.items():
        setattr(request, name, value)
    return request


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (lock_of(card=UNKNOWN), Reason.CARD_UNKNOWN, "number"),
        (lock_of(card=DOLLARS), Reason.CURRENCY_MISMATCH, "currency_code"),
        (lock_of(minor=0), Reason.INVALID_ARGUMENT, "amount"),
        (lock_of(minor=-1), Reason.INVALID_ARGUMENT, "amount"),
        (lock_of(minor=10**15 + 1), Reason.INVALID_ARGUMENT, "amount"),
        (lock_of(minor=-(2**63)), Reason.INVALID_ARGUMENT, "amount"),
        (lock_of(minor=5_001), Reason.INSUFFICIENT_BALANCE, "amount"),
        (changed(lock_of(), currency_code="USD"), Reason.INVALID_ARGUMENT, "currency_code"),
        (changed(lock_of(), purpose=0), Reason.INVALID_ARGUMENT, "purpose"),
        (changed(lock_of(), purpose=99), Reason.INVALID_ARGUMENT, "purpose"),
        (changed(lock_of(), lock_key=b"short"), Reason.INVALID_ARGUMENT, "lock_key"),
        (changed(lock_of(), lock_key=b""), Reason.INVALID_ARGUMENT, "lock_key"),
        (changed(lock_of(), transaction_id="x"), Reason.INVALID_ARGUMENT, "transaction_id"),
        (changed(lock_of(), line_id="T\x071"), Reason.INVALID_ARGUMENT, "line_id"),
        (changed(lock_of(), line_id=""), Reason.INVALID_ARGUMENT, "line_id"),
        (changed(lock_of(), number="12"), Reason.INVALID_ARGUMENT, "number"),
        (changed(lock_of(), number="6001\x000001"), Reason.INVALID_ARGUMENT, "number"),
    ],
)
async def test_a_lock_that_cannot_be_is_refused_and_changes_nothing(
    cards: Stub,
    estate: Estate,
    request_: realtime_pb2.LockCardRequest,
    reason: Reason,
    field: str,
) -> None:
    async with estate.refuses(reason, field):
        await ask(cards.LockCard, request_)


async def test_a_card_held_by_another_is_refused(cards: Stub, estate: Estate) -> None:
    await locked(cards, lock_of(1))
    async with estate.refuses(Reason.CARD_LOCKED, "number"):
        await ask(cards.LockCard, lock_of(2), R2)


async def test_the_same_card_twice_in_one_sale_is_refused(cards: Stub, estate: Estate) -> None:
    await locked(cards, lock_of(1, sale=7))
    async with estate.refuses(Reason.CARD_TWICE, "number"):
        await ask(cards.LockCard, lock_of(2, sale=7))


@pytest.mark.parametrize(
    "other",
    [
        lock_of(1, minor=301),
        lock_of(1, card=SECOND),
        lock_of(1, sale=2),
        changed(lock_of(1), line_id="T2"),
    ],
    ids=["amount", "card", "sale", "line"],
)
async def test_a_key_used_for_another_request_is_refused(
    cards: Stub, estate: Estate, other: realtime_pb2.LockCardRequest
) -> None:
    await locked(cards, lock_of(1))
    async with estate.refuses(Reason.KEY_REUSED, "lock_key"):
        await ask(cards.LockCard, other)


async def test_the_key_of_another_register_can_do_nothing(cards: Stub, estate: Estate) -> None:
    await locked(cards, lock_of(1))
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(cards.LockCard, lock_of(1), R2)
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(cards.UnlockCard, unlock_of(1), R2)
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(cards.RenewLocks, renew_of(1), R2)


async def test_a_renewal_answers_for_every_key_in_order(cards: Stub) -> None:
    await locked(cards, lock_of(1))
    await locked(cards, lock_of(2, card=SECOND))
    await ask(cards.UnlockCard, unlock_of(2))
    locks = (await ask(cards.RenewLocks, renew_of(3, 2, 1))).locks
    assert [each.lock_key for each in locks] == [key_of(3), key_of(2), key_of(1)]
    assert [each.state for each in locks] == [ENDED, ENDED, OPEN]


async def test_too_many_keys_or_wrong_ones_are_not_renewed(cards: Stub, estate: Estate) -> None:
    async with estate.refuses(Reason.INVALID_ARGUMENT, "lock_keys"):
        await ask(cards.RenewLocks, renew_of(*range(101)))
    async with estate.refuses(Reason.INVALID_ARGUMENT, "lock_keys"):
        await ask(cards.RenewLocks, realtime_pb2.RenewLocksRequest(lock_keys=[b"short"]))


async def test_a_confirm_keeps_the_card_for_the_grace_of_a_known_register(estate: Estate) -> None:
    await estate.till("R1")
    for caller, number, card, least_s, most_s in (
        (R1, 1, GIFT, 3 * DAY_S, 3 * DAY_S + 120),
        (R2, 2, SECOND, 1, 120),  # headquarters has never heard of its lane
    ):
        await locked(estate.relay, lock_of(number, card=card), caller)
        [lock] = (await ask(estate.relay.RenewLocks, renew_of(number, confirm=True), caller)).locks
        assert least_s <= lock.blocks_for.seconds <= most_s


async def test_terms_hold_from_the_next_lock_and_for_known_registers_only(estate: Estate) -> None:
    await estate.till("R1")
    before = (await ask(estate.relay.LockCard, lock_of(1))).lock
    assert before.conclude_within.seconds == 0
    await ask(estate.relay.UnlockCard, unlock_of(1))
    await allow_concluding(estate.people_stub)
    assert (await ask(estate.relay.LockCard, lock_of(2))).lock.conclude_within.seconds == 8 * 3600
    other = (await ask(estate.relay.LockCard, lock_of(3, card=SECOND), R2)).lock
    assert other.conclude_within.seconds == 0


async def test_a_settlement_moves_the_money_once(estate: Estate) -> None:
    card_id = await locked(estate.cards, lock_of(1))
    for repeated in (False, True):
        answer = await ask(estate.cards.SettleTransaction, settle_of(1, card_id), HEADQUARTERS)
        assert [(s.outcome, s.repeated) for s in answer.settlements] == [(APPLIED, repeated)]
    ledger = await estate.people.ledger(card_id)
    assert [each.amount.minor_units for each in ledger.entries] == [5_000, -300]
    assert (await estate.balance(GIFT)).free == eur(4_700)
    request = realtime_pb2.GetSettlementRequest(transaction_id=transaction_of(1))
    assert len((await ask(estate.relay.GetSettlement, request)).settlements) == 1


async def test_an_unlock_that_meets_a_settled_lock_moves_no_money(estate: Estate) -> None:
    card_id = await locked(estate.cards, lock_of(1))
    await ask(estate.cards.SettleTransaction, settle_of(1, card_id), HEADQUARTERS)
    before = await estate.picture()
    assert (await ask(estate.cards.UnlockCard, unlock_of(1))).lock.state == SETTLED
    assert await estate.picture() == before


async def test_a_fact_that_cannot_be_paid_becomes_an_exception(estate: Estate) -> None:
    card_id = (await estate.balance(GIFT)).card_id
    await locked(estate.cards, lock_of(9), R2)
    short = await ask(estate.cards.SettleTransaction, settle_of(1, card_id), HEADQUARTERS)
    none = await ask(estate.cards.SettleTransaction, settle_of(2, "no-card"), HEADQUARTERS)
    assert [s.outcome for a in (short, none) for s in a.settlements] == [EXCEPTION, EXCEPTION]
    found = await estate.people.exceptions()
    assert [(e.reason, e.shortfall.minor_units) for e in found] == [
        ("SHORT", 300),
        ("CARD_UNKNOWN", 300),
    ]
    assert (await estate.balance(GIFT)).balance == eur(5_000)


async def test_another_operation_under_a_settled_key_is_kept_as_an_exception(
    estate: Estate,
) -> None:
    card_id = await locked(estate.cards, lock_of(1))
    await ask(estate.cards.SettleTransaction, settle_of(1, card_id), HEADQUARTERS)
    other = settle_of(1, card_id, minor=301)
    answer = await ask(estate.cards.SettleTransaction, other, HEADQUARTERS)
    assert [s.outcome for s in answer.settlements] == [EXCEPTION]
    assert [e.reason for e in await estate.people.exceptions()] == ["KEY_REUSED"]
    assert (await estate.balance(GIFT)).balance == eur(4_700)


async def test_settling_needs_headquarters_and_a_journal_position(estate: Estate) -> None:
    card_id = await locked(estate.cards, lock_of(1))
    for caller in (R1, ME, callers.channel("S1")):
        async with estate.refuses(Reason.NOT_ALLOWED):
            await ask(estate.cards.SettleTransaction, settle_of(1, card_id), caller)
    request = settle_of(1, card_id)
    request.ClearField("position")
    async with estate.refuses(Reason.INVALID_ARGUMENT, "position"):
        await ask(estate.cards.SettleTransaction, request, HEADQUARTERS)
    request = settle_of(1, card_id)
    request.operations[0].amount.minor_units = 0
    async with estate.refuses(Reason.INVALID_ARGUMENT, "amount"):
        await ask(estate.cards.SettleTransaction, request, HEADQUARTERS)


async def test_a_channel_serves_only_what_registers_need(estate: Estate) -> None:
    async with estate.refuses(Reason.NOT_SERVED):
        await ask(estate.relay.SettleTransaction, realtime_pb2.SettleTransactionRequest())
    async with estate.refuses(Reason.NOT_SERVED):
        await ask(estate.relay.ListCardEntries, realtime_pb2.ListCardEntriesRequest())
    async with estate.refuses(Reason.NOT_SERVED):
        await ask(estate.relay.ListLocks, realtime_pb2.ListLocksRequest())
    async with estate.refuses(Reason.NOT_SERVED):
        await ask(estate.relay.ListExceptions, realtime_pb2.ListExceptionsRequest())
    async with estate.refuses(Reason.NOT_SERVED):
        rows = realtime_pb2.ImportCardsRequest(import_id="x")
        await send_all(estate.relay.ImportCards, one(rows), R1, 5.0)


async def test_an_import_creates_cards_and_never_changes_one(estate: Estate) -> None:
    def rows(import_id: str, minor: int) -> realtime_pb2.ImportCardsRequest:
        cards = [("6002-0001", 100), (GIFT, minor), ("6002-0002", -1), ("x", 1)]
        return realtime_pb2.ImportCardsRequest(
            import_id=import_id,
            rows=[realtime_pb2.CardRow(number=n, balance=eur(m)) for n, m in cards],
        )

    for import_id in ("again", "again", "another"):
        answer = await send_all(estate.cards.ImportCards, one(rows(import_id, 9_999)), ME, 5.0)
        refused = {each.row: each.reason for each in answer.report.refusals}
        assert (
            refused.items()
            >= {
                2: "ALREADY_EXISTS",
                3: "INVALID_ARGUMENT",
                4: "INVALID_ARGUMENT",
            }.items()
        )
        assert answer.report.accepted == (0 if import_id == "another" else 1)
    assert (await estate.balance(GIFT)).balance == eur(5_000)
    assert (await estate.balance("6002-0001")).balance == eur(100)
    with pytest.raises(Misuse):
        await send_all(
            estate.cards.ImportCards, one(realtime_pb2.ImportCardsRequest(rows=[])), ME, 5.0
        )


async def test_what_nobody_knows_is_not_found(estate: Estate) -> None:
    async with estate.refuses(Reason.CARD_UNKNOWN):
        await ask(estate.relay.GetCardBalance, realtime_pb2.GetCardBalanceRequest(number=UNKNOWN))
    async with estate.refuses(Reason.CARD_UNKNOWN):
        await estate.people.ledger("no-card")
    request = realtime_pb2.GetSettlementRequest(transaction_id=transaction_of(1))
    assert not (await ask(estate.relay.GetSettlement, request)).settlements


async def test_a_restarted_headquarters_knows_its_locks(estate: Estate) -> None:
    await locked(estate.relay, lock_of(1))
    await estate.headquarters.stop()
    await estate.headquarters.start()
    lock = (await ask(estate.cards.LockCard, lock_of(1))).lock
    assert (lock.state, lock.lock_key) == (OPEN, key_of(1))
    assert 0 < lock.blocks_for.seconds <= 120
    async with estate.refuses(Reason.CARD_LOCKED):
        await ask(estate.cards.LockCard, lock_of(2), R2)


async def test_only_registers_lock_cards(cards: Stub, estate: Estate) -> None:
    known = cards is estate.cards  # a channel knows nobody but registers
    for caller in (ME, HEADQUARTERS, callers.channel("S1")):
        async with estate.refuses(Reason.NOT_ALLOWED if known else Reason.CALLER_UNKNOWN):
            await ask(cards.LockCard, lock_of(1), caller)


async def test_keys_are_known_for_ever(estate: Estate) -> None:
    card_id = await locked(estate.cards, lock_of(1))
    await ask(estate.cards.SettleTransaction, settle_of(1, card_id), HEADQUARTERS)
    await locked(estate.cards, lock_of(2))
    await ask(estate.cards.UnlockCard, unlock_of(2))
    estate.clock.ahead_s = 10 * 366 * DAY_S
    await estate.headquarters.stop()
    await estate.headquarters.start()
    answer = await ask(estate.cards.SettleTransaction, settle_of(1, card_id), HEADQUARTERS)
    assert [(s.outcome, s.repeated) for s in answer.settlements] == [(APPLIED, True)]
    assert (await ask(estate.cards.LockCard, lock_of(1))).lock.state == SETTLED
    async with estate.refuses(Reason.LOCK_ENDED):
        await ask(estate.cards.LockCard, lock_of(2))
    assert (await estate.balance(GIFT)).balance == eur(4_700)
