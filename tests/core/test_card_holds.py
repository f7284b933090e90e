"""Amount locks beside whole-card locks, the longest lock, and a person's word."""

from dataclasses import replace

import pytest
from tests.support.card_cases import KNOWN, ON, card_with, eur, granted, operation_of, request_of

from stillopen.core.card import (
    MAX_LOCK_S,
    EndReason,
    Lock,
    LockState,
    decide_end,
    decide_lock,
    decide_renew,
    free_minor,
    repeated_lock,
)
from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.settle import Applied, Exceptional, decide_settle

CARD = card_with(100)


def amount_lock(number: int, minor: int, locks: list[Lock], now_s: float = 0.0) -> Lock:
    """An amount lock that was granted."""
    request = replace(request_of(number, minor), amount_only=True)
    return granted(request, CARD, locks, now_s)


def refusal(number: int, minor: int, locks: list[Lock], *, amount_only: bool) -> Reason:
    """Why a lock is refused."""
    request = replace(request_of(number, minor), amount_only=amount_only)
    decided = decide_lock(request, CARD, locks, 0.0, ON, KNOWN)
    assert isinstance(decided, Refused)
    return decided.reason


def test_amount_locks_share_a_card_until_its_money_is_held() -> None:
    first = amount_lock(1, 60, [])
    second = amount_lock(2, 40, [first])
    assert free_minor(CARD, [first, second], b"", 0.0) == 0
    assert refusal(3, 1, [first, second], amount_only=True) is Reason.CARD_LOCKED


def test_an_amount_lock_cannot_have_more_than_is_free() -> None:
    assert refusal(2, 41, [amount_lock(1, 60, [])], amount_only=True) is Reason.CARD_LOCKED
    assert refusal(2, 101, [], amount_only=True) is Reason.INSUFFICIENT_BALANCE


def test_a_whole_lock_and_an_amount_lock_exclude_each_other() -> None:
    whole = granted(request_of(1, 10), CARD, [], 0.0)
    assert refusal(2, 10, [whole], amount_only=True) is Reason.CARD_LOCKED
    assert refusal(2, 10, [amount_lock(1, 10, [])], amount_only=False) is Reason.CARD_LOCKED


def test_a_sale_pays_from_what_it_holds_beside_others() -> None:
    first, second = amount_lock(1, 60, []), amount_lock(2, 40, [amount_lock(1, 60, [])])
    decided = decide_settle(operation_of(1, 60), CARD, [first, second], 1.0)
    assert isinstance(decided, Applied)
    assert [lock.state for lock in decided.changed] == [LockState.SETTLED]


def test_a_fact_without_a_lock_gets_only_what_amount_locks_leave() -> None:
    holds = [amount_lock(1, 60, [])]
    assert isinstance(decide_settle(operation_of(7, 40), CARD, holds, 1.0), Applied)
    short = decide_settle(operation_of(7, 41), CARD, holds, 1.0)
    assert isinstance(short, Exceptional)
    assert short.shortfall == eur(1)


def test_a_sale_that_takes_more_than_it_held_gets_nothing_of_what_others_hold() -> None:
    locks = [amount_lock(1, 60, []), amount_lock(2, 30, [amount_lock(1, 60, [])])]
    assert isinstance(decide_settle(operation_of(1, 70), CARD, locks, 1.0), Applied)
    short = decide_settle(operation_of(1, 71), CARD, locks, 1.0)
    assert isinstance(short, Exceptional)
    assert short.shortfall == eur(1)


def test_settling_less_than_is_held_frees_the_rest() -> None:
    lock = amount_lock(1, 60, [])
    decided = decide_settle(operation_of(1, 25), CARD, [lock], 1.0)
    assert isinstance(decided, Applied)
    [settled] = decided.changed
    assert free_minor(card_with(75), [settled], b"", 1.0) == 75


def test_a_lapsed_amount_lock_is_renewed_only_while_its_amount_is_free() -> None:
    lapsed = amount_lock(1, 60, [])
    late = lapsed.until_s + 1
    other = amount_lock(2, 50, [], late)
    refused = decide_renew(lapsed, CARD, [lapsed, other], late, KNOWN, confirm=False)
    assert refused is lapsed
    smaller = replace(other, amount=eur(40))
    renewed = decide_renew(lapsed, CARD, [lapsed, smaller], late, KNOWN, confirm=False)
    assert renewed.blocks(late)


def test_a_key_for_the_amount_is_not_a_key_for_the_whole_card() -> None:
    with pytest.raises(Misuse) as misused:
        repeated_lock(request_of(1, 60), CARD.card_id, amount_lock(1, 60, []))
    assert misused.value.reason is Reason.KEY_REUSED


def test_a_blocked_card_is_not_locked_but_what_was_locked_goes_on() -> None:
    lock = granted(request_of(1, 10), CARD, [], 0.0)
    blocked = replace(CARD, blocked=True)
    decided = decide_lock(request_of(2, 10), blocked, [], 0.0, ON, KNOWN)
    assert isinstance(decided, Refused)
    assert decided.reason is Reason.CARD_BLOCKED
    assert isinstance(decide_settle(operation_of(1, 10), blocked, [lock], 1.0), Applied)


def test_a_forgotten_lock_is_renewed_no_more_but_a_confirm_is_never_too_late() -> None:
    lock = granted(request_of(1, 10), CARD, [], 0.0)
    late = MAX_LOCK_S + 1
    assert decide_renew(lock, CARD, [lock], late, KNOWN, confirm=False) is lock
    assert decide_renew(lock, CARD, [lock], late, KNOWN, confirm=True).blocks(late)


def test_a_person_needs_force_while_a_lock_blocks_and_is_told_what_is_at_stake() -> None:
    lock = granted(request_of(1, 10), CARD, [], 0.0)
    refused = decide_end(lock, 1.0, force=False)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.LOCK_BLOCKS
    assert all(word in refused.message for word in ("R1", "sale-1", "0.10 EUR", "119 s"))
    ended = decide_end(lock, 1.0, force=True)
    assert isinstance(ended, Lock)
    assert (ended.state, ended.end_reason) == (LockState.ENDED, str(EndReason.PERSON))


def test_a_lapsed_lock_is_ended_by_a_person_without_force() -> None:
    lock = granted(request_of(1, 10), CARD, [], 0.0)
    ended = decide_end(lock, lock.until_s, force=False)
    assert isinstance(ended, Lock)
    assert ended.state is LockState.ENDED


def test_a_person_cannot_end_what_is_settled() -> None:
    lock = replace(granted(request_of(1, 10), CARD, [], 0.0), state=LockState.SETTLED)
    assert decide_end(lock, 1.0, force=True) is lock
