"""Who may hold a card and for how long; what sales do to it is in test_card_settle.py."""

from dataclasses import replace

import pytest
from tests.support.card_cases import (
    GRACE_S,
    KNOWN,
    LEASE_S,
    OFF,
    ON,
    UNKNOWN,
    card_with,
    eur,
    granted,
    key_of,
    request_of,
)

from stillopen.core.card import (
    Card,
    EndReason,
    Lock,
    LockRequest,
    LockState,
    decide_lock,
    decide_renew,
    decide_unlock,
    free_minor,
    repeated_lock,
    tombstone,
)
from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.standing import Standing

FULL = card_with(10_000)
HELD = granted(request_of(1, 10_000), FULL, [], 0.0)
SETTLED = replace(HELD, state=LockState.SETTLED)
ENDED = HELD.ended(EndReason.UNLOCKED)


def test_a_lock_holds_what_was_asked_for_whom_it_was_asked() -> None:
    request = request_of(1, 5_000)
    lock = granted(request, FULL, [], 10.0)
    assert (lock.lock_key, lock.holder) == (request.lock_key, request.holder)
    assert (lock.transaction_id, lock.line_id) == (request.transaction_id, request.line_id)
    assert (lock.card_id, lock.amount) == (FULL.card_id, eur(5_000))
    assert (lock.state, lock.granted_s, lock.until_s) == (LockState.OPEN, 10.0, 10.0 + LEASE_S)


@pytest.mark.parametrize(
    ("request_", "card", "locks", "reason", "field"),
    [
        (request_of(2, 1), None, [], Reason.CARD_UNKNOWN, "number"),
        (
            request_of(2, 1, currency="USD"),
            FULL,
            [],
            Reason.CURRENCY_MISMATCH,
            "currency_code",
        ),
        (request_of(2, 1), FULL, [HELD], Reason.CARD_LOCKED, "number"),
        (request_of(2, 10_001), FULL, [], Reason.INSUFFICIENT_BALANCE, "amount"),
        (request_of(2, 1), card_with(0), [], Reason.INSUFFICIENT_BALANCE, "amount"),
        (
            request_of(2, 1, transaction_id="sale-1"),
            FULL,
            [HELD],
            Reason.CARD_TWICE,
            "number",
        ),
        (
            request_of(2, 1, transaction_id="sale-1"),
            FULL,
            [SETTLED],
            Reason.CARD_TWICE,
            "number",
        ),
    ],
)
def test_each_refusal_has_its_reason(
    request_: LockRequest, card: Card | None, locks: list[Lock], reason: Reason, field: str
) -> None:
    refusal = decide_lock(request_, card, locks, 0.0, ON, KNOWN)
    assert isinstance(refusal, Refused)
    assert (refusal.reason, refusal.field) == (reason, field)


def test_a_small_lock_holds_the_whole_card() -> None:
    small = granted(request_of(1, 1), FULL, [], 0.0)
    assert free_minor(FULL, [small], key_of(2), 0.0) == 0
    assert free_minor(FULL, [small], key_of(1), 0.0) == 10_000


@pytest.mark.parametrize(("now_s", "free"), [(0.0, False), (119.9, False), (120.0, True)])
def test_a_lock_blocks_until_its_time_and_not_after(now_s: float, *, free: bool) -> None:
    decision = decide_lock(request_of(2, 1), FULL, [HELD], now_s, OFF, KNOWN)
    assert isinstance(decision, Lock) is free
    assert HELD.blocks(now_s) is not free
    assert HELD.blocks_for_s(now_s) == pytest.approx(LEASE_S - now_s)


@pytest.mark.parametrize("lock", [SETTLED, ENDED], ids=["settled", "ended"])
def test_a_lock_that_is_over_blocks_nobody(lock: Lock) -> None:
    assert lock.blocks_for_s(0.0) == 0.0
    assert granted(request_of(2, 10_000), FULL, [lock], 0.0).state is LockState.OPEN


def test_the_card_may_come_back_into_a_sale_it_was_taken_off() -> None:
    again = request_of(2, 1, transaction_id="sale-1", holder="R1")
    assert granted(again, FULL, [ENDED], 0.0).lock_key == key_of(2)


@pytest.mark.parametrize(
    ("allowed", "lane_known", "terms_s", "until_s"),
    [
        (False, True, 0.0, LEASE_S),
        (False, False, 0.0, LEASE_S),
        (True, True, 100.0, LEASE_S + GRACE_S),
        (True, False, 0.0, LEASE_S),
    ],
)
def test_terms_and_grace_go_to_known_lanes_while_the_parameter_is_on(
    *, allowed: bool, lane_known: bool, terms_s: float, until_s: float
) -> None:
    lock = granted(request_of(1, 1), FULL, [], 0.0, ON if allowed else OFF, lane_known=lane_known)
    assert (lock.terms_s, lock.until_s) == (terms_s, until_s)


def test_a_repeated_lock_tells_the_truth_of_today() -> None:
    renewed = decide_renew(HELD, FULL, [HELD], 50.0, KNOWN, confirm=False)
    assert repeated_lock(request_of(1, 10_000), "card-1", renewed) is renewed
    assert repeated_lock(request_of(1, 10_000), "card-1", SETTLED) is SETTLED


@pytest.mark.parametrize("reason", list(EndReason))
def test_an_ended_key_is_never_granted_again(reason: EndReason) -> None:
    refusal = repeated_lock(request_of(1, 10_000), "card-1", HELD.ended(reason))
    assert isinstance(refusal, Refused)
    assert refusal.reason is Reason.LOCK_ENDED


@pytest.mark.parametrize("reason", [EndReason.UNLOCKED, EndReason.REFUSED])
def test_a_refused_key_is_never_granted_later(reason: EndReason) -> None:
    never = tombstone(key_of(1), "R1", reason)
    assert never.state is LockState.ENDED
    refusal = repeated_lock(request_of(1, 1), "card-1", never)
    assert isinstance(refusal, Refused)
    assert refusal.reason is Reason.LOCK_ENDED


@pytest.mark.parametrize("existing", [HELD, SETTLED, ENDED], ids=["open", "settled", "ended"])
@pytest.mark.parametrize(
    ("request_", "card_id"),
    [
        (request_of(1, 10_000), "card-2"),
        (request_of(1, 9_999), "card-1"),
        (request_of(1, 10_000, currency="USD"), "card-1"),
        (request_of(1, 10_000, transaction_id="sale-9"), "card-1"),
        (request_of(1, 10_000, line_id="T2"), "card-1"),
    ],
)
def test_a_key_is_good_for_one_request(request_: LockRequest, card_id: str, existing: Lock) -> None:
    with pytest.raises(Misuse) as refusal:
        repeated_lock(request_, card_id, existing)
    assert refusal.value.reason is Reason.KEY_REUSED


@pytest.mark.parametrize("existing", [HELD, ENDED, tombstone(key_of(1), "R1", EndReason.UNLOCKED)])
def test_anothers_key_says_nothing_and_does_nothing(existing: Lock) -> None:
    with pytest.raises(Misuse) as repeated:
        repeated_lock(request_of(1, 10_000, holder="R2"), "card-1", existing)
    with pytest.raises(Misuse) as unlocked:
        decide_unlock(existing, key_of(1), "R2")
    assert repeated.value.reason is unlocked.value.reason is Reason.NOT_ALLOWED


def test_a_renewal_blocks_for_a_lease_from_now() -> None:
    lock = decide_renew(HELD, FULL, [HELD], 100.0, KNOWN, confirm=False)
    assert lock == replace(HELD, until_s=100.0 + LEASE_S)


@pytest.mark.parametrize(
    ("confirm", "lane_known", "until_s"),
    [
        (False, False, 100.0 + LEASE_S),
        (False, True, 100.0 + LEASE_S),
        (True, False, 100.0 + LEASE_S),
        (True, True, 100.0 + LEASE_S + GRACE_S),
    ],
)
def test_a_confirm_gives_grace_to_known_lanes_only(
    *, confirm: bool, lane_known: bool, until_s: float
) -> None:
    lock = decide_renew(HELD, FULL, [HELD], 100.0, Standing(lane_known), confirm=confirm)
    assert lock.until_s == until_s


def test_a_lock_with_terms_keeps_its_grace_whatever_the_parameter_is_now() -> None:
    lock = granted(request_of(1, 1), FULL, [], 0.0, ON)
    later = decide_renew(lock, FULL, [lock], 500.0, UNKNOWN, confirm=False)
    assert later.until_s == 500.0 + LEASE_S + GRACE_S
    assert later.terms_s == lock.terms_s


def test_a_renewal_never_shortens_what_a_confirm_gave() -> None:
    confirmed = decide_renew(HELD, FULL, [HELD], 0.0, KNOWN, confirm=True)
    renewed = decide_renew(confirmed, FULL, [confirmed], 1.0, KNOWN, confirm=False)
    assert renewed.until_s == confirmed.until_s == LEASE_S + GRACE_S


@pytest.mark.parametrize("confirm", [False, True])
def test_a_lapsed_lock_is_renewed_while_nobody_else_blocks_and_the_money_is_there(
    *, confirm: bool
) -> None:
    lock = decide_renew(HELD, FULL, [HELD], 500.0, UNKNOWN, confirm=confirm)
    assert lock.until_s == 500.0 + LEASE_S


@pytest.mark.parametrize("confirm", [False, True])
def test_a_lapsed_lock_stays_lapsed_when_another_holds_the_card(*, confirm: bool) -> None:
    other = granted(request_of(2, 1), FULL, [HELD], 200.0)
    locks = [HELD, other]
    assert decide_renew(HELD, FULL, locks, 200.0, KNOWN, confirm=confirm) is HELD
    lapsed_too = decide_renew(HELD, FULL, locks, 320.0, KNOWN, confirm=confirm)
    assert lapsed_too.blocks(320.0)


def test_a_lapsed_lock_stays_lapsed_when_the_money_is_gone() -> None:
    poor = card_with(9_999)
    assert decide_renew(HELD, poor, [HELD], 200.0, KNOWN, confirm=True) is HELD


@pytest.mark.parametrize("lock", [SETTLED, ENDED, tombstone(key_of(1), "R1", EndReason.REFUSED)])
def test_nothing_renews_a_lock_that_is_over(lock: Lock) -> None:
    assert decide_renew(lock, FULL, [lock], 1.0, KNOWN, confirm=True) is lock


def test_an_unlocked_lock_has_ended_and_frees_the_card() -> None:
    lock = decide_unlock(HELD, HELD.lock_key, "R1")
    assert (lock.state, lock.end_reason) == (LockState.ENDED, "UNLOCKED")
    assert free_minor(FULL, [lock], key_of(2), 0.0) == 10_000


def test_an_unlock_of_an_unknown_key_is_remembered() -> None:
    lock = decide_unlock(None, key_of(1), "R1")
    assert (lock.lock_key, lock.holder, lock.state) == (key_of(1), "R1", LockState.ENDED)
    assert lock.card_id == ""


def test_an_unlock_of_a_settled_lock_changes_nothing() -> None:
    assert decide_unlock(SETTLED, SETTLED.lock_key, "R1") is SETTLED


def test_a_second_unlock_keeps_the_first_reason() -> None:
    lapsed = HELD.ended(EndReason.LAPSED)
    assert decide_unlock(lapsed, lapsed.lock_key, "R1") is lapsed
