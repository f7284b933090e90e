"""What people do to cards at headquarters: end a lock, block, resolve; and who may not."""

from dataclasses import replace

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import (
    HEADQUARTERS,
    R1,
    R2,
    ask,
    key_of,
    lock_of,
    renew_of,
    settle_of,
    transaction_of,
    unlock_of,
)
from tests.support.estate_parts import GIFT, ME, UNKNOWN, eur

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.guessing import UNKNOWN_MAX
from stillopen.rpc.identity import Caller
from stillopen.v1 import realtime_pb2

APPLIED = realtime_pb2.EXCEPTION_RESOLUTION_APPLIED
WRITTEN_OFF = realtime_pb2.EXCEPTION_RESOLUTION_WRITTEN_OFF
ENDED = realtime_pb2.LOCK_STATE_ENDED
BALANCE = 5_000


async def spent(estate: Estate, number: int, minor: int, caller: Caller = R1) -> None:
    """A sale under its own lock that came home."""
    lock = (await ask(estate.cards.LockCard, lock_of(number, minor), caller)).lock
    await ask(estate.cards.SettleTransaction, settle_of(number, lock.card_id, minor), HEADQUARTERS)


async def an_exception(estate: Estate) -> int:
    """R1 holds the card, a person ends that, R2 spends all of it, then R1's sale comes home."""
    lock = (await ask(estate.cards.LockCard, lock_of(1, 300), R1)).lock
    await estate.people.end_lock(key_of(1), "the customer phoned", force=True)
    await spent(estate, 2, BALANCE - 100, R2)
    await ask(estate.cards.SettleTransaction, settle_of(1, lock.card_id, 300), HEADQUARTERS)
    [found] = await estate.people.exceptions()
    assert (found.reason, found.shortfall) == ("SHORT", eur(200))
    return found.exception_id


async def test_a_person_ends_a_lock_with_force_and_the_holder_is_told(estate: Estate) -> None:
    await ask(estate.cards.LockCard, lock_of(1), R1)
    async with estate.refuses(Reason.LOCK_BLOCKS):
        await estate.people.end_lock(key_of(1), "the customer phoned", force=False)
    ended = await estate.people.end_lock(key_of(1), "the customer phoned", force=True)
    assert (ended.state, ended.end_reason) == (ENDED, "PERSON")
    [told] = (await ask(estate.cards.RenewLocks, renew_of(1, confirm=True), R1)).locks
    assert (told.state, told.end_reason) == (ENDED, "PERSON")
    await ask(estate.cards.LockCard, lock_of(2), R2)
    [action] = (await estate.people.ledger(number=GIFT)).actions
    assert (action.action, action.reason) == ("UNLOCK", "the customer phoned")


async def test_an_unlock_by_a_person_needs_a_reason_and_a_known_lock(estate: Estate) -> None:
    await ask(estate.cards.LockCard, lock_of(1), R1)
    async with estate.refuses(Reason.INVALID_ARGUMENT, "reason"):
        await estate.people.end_lock(key_of(1), " ", force=True)
    async with estate.refuses(Reason.LOCK_ENDED):
        await estate.people.end_lock(key_of(9), "why not", force=True)


async def test_a_fact_after_a_persons_unlock_is_paid_from_what_is_free(estate: Estate) -> None:
    lock = (await ask(estate.cards.LockCard, lock_of(1, 300), R1)).lock
    await estate.people.end_lock(key_of(1), "the till was stolen", force=True)
    await ask(estate.cards.SettleTransaction, settle_of(1, lock.card_id, 300), HEADQUARTERS)
    assert (await estate.balance(GIFT)).balance == eur(BALANCE - 300)
    assert await estate.people.exceptions() == []


async def test_an_exception_is_applied_once_when_the_money_is_there(estate: Estate) -> None:
    number = await an_exception(estate)
    async with estate.refuses(Reason.INSUFFICIENT_BALANCE):
        await estate.people.resolve(number, APPLIED, "try")
    written = await estate.people.resolve(number, WRITTEN_OFF, "goodwill")
    assert written.resolution == WRITTEN_OFF
    async with estate.refuses(Reason.RESOLVED):
        await estate.people.resolve(number, APPLIED, "again")
    assert await estate.people.exceptions() == []
    request = realtime_pb2.ListExceptionsRequest(resolved=True)
    assert len((await ask(estate.cards.ListExceptions, request, ME)).exceptions) == 1


async def test_applying_an_exception_takes_the_money_that_is_free(estate: Estate) -> None:
    """The same sale twice with other contents: the second is an exception that can be paid."""
    lock = (await ask(estate.cards.LockCard, lock_of(1, 300), R1)).lock
    for minor in (300, 200):
        settle = settle_of(1, lock.card_id, minor)
        await ask(estate.cards.SettleTransaction, settle, HEADQUARTERS)
    [found] = await estate.people.exceptions()
    assert found.reason == "KEY_REUSED"
    await estate.people.resolve(found.exception_id, APPLIED, "it was two sales")
    ledger = await estate.people.ledger(number=GIFT)
    assert [e.amount.minor_units for e in ledger.entries] == [BALANCE, -300, -200]
    assert ledger.balance == eur(BALANCE - 500)


@pytest.mark.parametrize("resolution", [0, 9])
async def test_an_exception_is_not_resolved_by_nothing(estate: Estate, resolution: int) -> None:
    number = await an_exception(estate)
    request = realtime_pb2.ResolveExceptionRequest(exception_id=number, note="x")
    request.resolution = realtime_pb2.ExceptionResolution.ValueType(resolution)
    async with estate.refuses(Reason.INVALID_ARGUMENT, "resolution"):
        await ask(estate.cards.ResolveException, request, ME)


async def test_a_blocked_card_is_refused_until_the_block_is_lifted(estate: Estate) -> None:
    await estate.people.block(GIFT, "reported stolen", blocked=True)
    async with estate.refuses(Reason.CARD_BLOCKED):
        await ask(estate.cards.LockCard, lock_of(1), R1)
    await estate.people.block(GIFT, "found again", blocked=False)
    await ask(estate.cards.LockCard, lock_of(2), R1)
    ledger = await estate.people.ledger(number=GIFT)
    assert [each.action for each in ledger.actions] == ["BLOCK", "UNBLOCK"]


async def test_a_register_does_none_of_it(estate: Estate) -> None:
    block = realtime_pb2.BlockCardRequest(number=GIFT, blocked=True, reason="mine")
    for stub, reason in ((estate.cards, Reason.NOT_ALLOWED), (estate.relay, Reason.NOT_SERVED)):
        async with estate.refuses(reason):
            await ask(stub.BlockCard, block, R1)
        async with estate.refuses(reason):
            await ask(stub.ResolveException, realtime_pb2.ResolveExceptionRequest(), R1)
    await ask(estate.cards.LockCard, lock_of(1), R1)
    forced = unlock_of(1)
    forced.force, forced.reason = True, "mine"
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(estate.cards.UnlockCard, forced, R2)


async def test_guessing_numbers_is_stopped_and_others_do_not_feel_it(estate: Estate) -> None:
    request = realtime_pb2.GetCardBalanceRequest(number=UNKNOWN)
    reasons: list[Reason] = []
    while Reason.TOO_MANY_UNKNOWN not in reasons:
        with pytest.raises(StillopenError) as refused:
            await ask(estate.relay.GetCardBalance, request, R1)
        reasons.append(refused.value.reason)
        assert len(reasons) < UNKNOWN_MAX + 10  # a few are forgiven while time passes
    assert set(reasons[:UNKNOWN_MAX]) == {Reason.CARD_UNKNOWN}
    await ask(estate.relay.GetCardBalance, realtime_pb2.GetCardBalanceRequest(number=GIFT), R2)


async def test_who_guessed_too_many_numbers_still_gives_cards_back(estate: Estate) -> None:
    request = realtime_pb2.GetCardBalanceRequest(number=UNKNOWN)
    for _ in range(UNKNOWN_MAX + 10):
        with pytest.raises(StillopenError):
            await ask(estate.relay.GetCardBalance, request, R1)
    key = realtime_pb2.UnlockCardRequest(lock_key=b"k" * 16)
    assert (await ask(estate.relay.UnlockCard, key, R1)).lock.end_reason == "UNLOCKED"


async def test_with_the_parameter_on_two_tills_pay_from_one_card_at_once(estate: Estate) -> None:
    card = (await estate.people.parameters()).gift_card
    version = (await estate.people.set_gift_card(replace(card, hold_amount_only=True))).version
    first, second = await estate.till("R1"), await estate.till("R2")
    for till in (first, second):
        await till.until(lambda status: status.parameters_version == version)
    sales = [await till.card(await till.rung_up()) for till in (first, second)]
    for till, sale in zip((first, second), sales, strict=True):
        await till.complete(sale)
    await estate.until_home(first, second)
    assert (await estate.balance(GIFT)).balance.minor_units == BALANCE - sum(
        sale.total.minor_units for sale in sales
    )
    assert {sale.transaction_id for sale in sales}.isdisjoint({transaction_of(1)})
