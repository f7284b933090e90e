"""What each purpose may lock, of each kind of card; what sales do then: test_settle_purposes.py."""

from dataclasses import replace

import pytest
from tests.support.card_cases import (
    KNOWN,
    LEASE_S,
    OFF,
    ON,
    card_with,
    eur,
    granted,
    key_of,
    request_of,
)

from stillopen.core.card import (
    Card,
    CardState,
    EndReason,
    Lock,
    LockRequest,
    LockState,
    can_hold,
    check_state,
    decide_lock,
    decide_renew,
    free_minor,
    repeated_lock,
    visible,
)
from stillopen.core.errors import Reason, Refused
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters
from stillopen.core.purpose import CardKind, Purpose, check_purpose
from stillopen.core.standing import NotHome, Standing

GIFT, MEMO = CardKind.GIFT_CARD, CardKind.CREDIT_MEMO
ISSUE, RELOAD, REFUND = Purpose.ISSUE, Purpose.RELOAD, Purpose.REFUND
REDEEM, CASH_OUT = Purpose.REDEEM, Purpose.CASH_OUT
LATE_S = LEASE_S + 1

FULL = card_with(1_000)
NEW = replace(card_with(0), state=CardState.NEW)
PENDING = replace(card_with(0), kind=MEMO, state=CardState.PENDING)
A_MEMO = replace(FULL, kind=MEMO)
USED = replace(card_with(0), kind=MEMO, state=CardState.USED)
BLOCKED = replace(FULL, blocked=True)
CASHABLE = replace(OFF, cash_out_up_to_minor=1_000)


def wants(
    purpose: Purpose,
    minor: int = 1_000,
    *,
    number: int = 2,
    kind: CardKind = GIFT,
    part: bool = False,
    sale: str = "",
) -> LockRequest:
    """A request; by default each number is another register's and another sale's."""
    asked = request_of(number, minor, transaction_id=sale)
    return replace(asked, purpose=purpose, kind=kind, amount_only=part)


def held(
    purpose: Purpose, card: Card = FULL, minor: int = 1_000, *, part: bool = False, number: int = 1
) -> Lock:
    """A lock that was granted at nought."""
    request = wants(purpose, minor, number=number, kind=card.kind, part=part)
    return granted(request, card, [], 0.0, CASHABLE)


def answer(
    request: LockRequest,
    card: Card | None,
    locks: list[Lock],
    now_s: float = 0.0,
    parameters: CardParameters = CASHABLE,
    standing: Standing = KNOWN,
) -> str:
    """OPEN, or why not."""
    decided = decide_lock(request, card, locks, now_s, parameters, standing)
    return str(decided.reason if isinstance(decided, Refused) else decided.state)


RESERVED = replace(held(ISSUE, NEW), card_id=NEW.card_id)
REDEEMED = replace(held(REDEEM), state=LockState.SETTLED)
GIVEN_UP = RESERVED.ended(EndReason.UNLOCKED)


@pytest.mark.parametrize(
    ("card", "locks", "now_s", "expected"),
    [
        (None, [], 0.0, "OPEN"),
        (NEW, [], 0.0, "OPEN"),
        (NEW, [GIVEN_UP], 0.0, "OPEN"),
        (NEW, [RESERVED], 0.0, "CARD_PENDING"),
        (NEW, [RESERVED], LEASE_S - 1, "CARD_PENDING"),
        (NEW, [RESERVED], LATE_S, "OPEN"),
        (FULL, [], 0.0, "CARD_EXISTS"),
        (FULL, [held(REDEEM)], 0.0, "CARD_EXISTS"),
        (card_with(0), [], 0.0, "CARD_EXISTS"),
        (A_MEMO, [], 0.0, "CARD_EXISTS"),
        (USED, [], 0.0, "CARD_EXISTS"),
        (PENDING, [], 0.0, "CARD_EXISTS"),
        (replace(NEW, blocked=True), [], 0.0, "CARD_BLOCKED"),
        (replace(NEW, balance=Money("USD", 0)), [], 0.0, "OPEN"),
        (replace(NEW, balance=Money("USD", 0)), [RESERVED], LATE_S, "CARD_PENDING"),
        (replace(NEW, kind=MEMO), [], 0.0, "OPEN"),
        (replace(NEW, kind=MEMO), [RESERVED], LATE_S, "CARD_PENDING"),
    ],
)
def test_a_number_is_issued_that_nobody_has(
    card: Card | None, locks: list[Lock], now_s: float, expected: str
) -> None:
    assert answer(wants(ISSUE), card, locks, now_s) == expected


@pytest.mark.parametrize("purpose", [REDEEM, RELOAD, REFUND, CASH_OUT])
@pytest.mark.parametrize(
    ("card", "locks", "expected"),
    [
        (None, [], "CARD_UNKNOWN"),
        (NEW, [], "CARD_UNKNOWN"),
        (NEW, [GIVEN_UP], "CARD_UNKNOWN"),
        (NEW, [RESERVED], "CARD_PENDING"),
        (PENDING, [], "CARD_PENDING"),
        (A_MEMO, [], "CARD_KIND"),
        (USED, [], "CARD_KIND"),
        (BLOCKED, [], "CARD_BLOCKED"),
        (replace(FULL, balance=Money("USD", 1_000)), [], "CURRENCY_MISMATCH"),
        (FULL, [held(REDEEM)], "CARD_LOCKED"),
        (FULL, [held(RELOAD)], "CARD_LOCKED"),
        (FULL, [held(REFUND)], "CARD_LOCKED"),
        (FULL, [held(CASH_OUT)], "CARD_LOCKED"),
        (FULL, [held(REDEEM).ended(EndReason.PERSON)], "OPEN"),
        (FULL, [REDEEMED], "OPEN"),
        (FULL, [], "OPEN"),
    ],
)
def test_any_other_purpose_needs_a_card_that_is_there_and_free(
    purpose: Purpose, card: Card | None, locks: list[Lock], expected: str
) -> None:
    assert answer(wants(purpose), card, locks) == expected


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (A_MEMO, "OPEN"),
        (FULL, "CARD_KIND"),
        (USED, "CARD_USED"),
        (PENDING, "CARD_PENDING"),
        (replace(NEW, kind=MEMO), "CARD_UNKNOWN"),
        (replace(A_MEMO, blocked=True), "CARD_BLOCKED"),
    ],
)
def test_a_memo_is_redeemed_while_it_is_open_and_once(card: Card, expected: str) -> None:
    assert answer(wants(REDEEM, kind=MEMO), card, []) == expected


@pytest.mark.parametrize("purpose", list(Purpose))
def test_one_sale_does_one_thing_with_a_card(purpose: Purpose) -> None:
    mine = held(REDEEM)
    for lock in (mine, replace(mine, state=LockState.SETTLED)):
        request = wants(purpose, sale=mine.transaction_id)
        assert answer(request, FULL, [lock]) == "CARD_TWICE"
    ended = mine.ended(EndReason.UNLOCKED)
    again = wants(REDEEM, sale=mine.transaction_id)
    assert answer(again, FULL, [ended]) == "OPEN"


@pytest.mark.parametrize("purpose", [RELOAD, REFUND])
def test_money_that_is_brought_needs_none_on_the_card(purpose: Purpose) -> None:
    assert answer(wants(purpose, 999_999), card_with(0), []) == "OPEN"


@pytest.mark.parametrize(
    ("balance", "asked", "up_to", "expected"),
    [
        (500, 500, 500, "OPEN"),
        (501, 501, 500, "CASH_OUT_TOO_MUCH"),
        (501, 1, 500, "CASH_OUT_TOO_MUCH"),
        (500, 499, 500, "INSUFFICIENT_BALANCE"),
        (499, 500, 500, "INSUFFICIENT_BALANCE"),
        (1, 1, 0, "CASH_OUT_TOO_MUCH"),
    ],
)
def test_a_card_is_cashed_out_whole_and_only_when_little_is_left(
    balance: int, asked: int, up_to: int, expected: str
) -> None:
    rules = replace(OFF, cash_out_up_to_minor=up_to)
    assert answer(wants(CASH_OUT, asked), card_with(balance), [], parameters=rules) == expected


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("card", [None, NEW, FULL, A_MEMO, BLOCKED])
def test_a_recovering_headquarters_locks_nothing_and_says_why(
    purpose: Purpose, card: Card | None
) -> None:
    standing = Standing(lane_known=True, recovering="lane R1 has 7 more")
    decided = decide_lock(wants(purpose), card, [], 0.0, ON, standing)
    assert isinstance(decided, Refused)
    assert (decided.reason, decided.message) == (
        Reason.HEADQUARTERS_RECOVERING,
        "lane R1 has 7 more",
    )


@pytest.mark.parametrize(
    ("card", "locks", "expected"),
    [
        (None, [], "CARD_PENDING"),
        (replace(NEW, kind=MEMO), [], "CARD_PENDING"),
        (A_MEMO, [], "OPEN"),
        (USED, [], "CARD_USED"),
    ],
)
def test_a_number_that_may_be_in_a_journal_is_pending_and_not_unknown(
    card: Card | None, locks: list[Lock], expected: str
) -> None:
    away = Standing(lane_known=True, not_home=(NotHome("R7", 1_000.0), NotHome("R9", 2_000.0)))
    request = wants(REDEEM, kind=MEMO)
    assert answer(request, card, locks, standing=away) == expected
    decided = decide_lock(request, None, [], 0.0, OFF, away)
    assert isinstance(decided, Refused)
    assert "R7" in decided.message
    assert "R9" in decided.message


def test_a_register_that_is_not_home_issues_no_number_of_anothers() -> None:
    away = Standing(lane_known=True, not_home=(NotHome("R7", 1_000.0),))
    assert answer(wants(ISSUE), None, [], standing=away) == "OPEN"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (held(REDEEM, minor=600, part=True), wants(REDEEM, 400, part=True), "OPEN"),
        (held(REDEEM, minor=600, part=True), wants(REDEEM, 401, part=True), "CARD_LOCKED"),
        (held(REDEEM, minor=600, part=True), wants(REDEEM, 1, part=False), "CARD_LOCKED"),
        (held(REDEEM, minor=600), wants(REDEEM, 1, part=True), "CARD_LOCKED"),
        (held(RELOAD, minor=600, part=True), wants(REDEEM, 1_000, part=True), "OPEN"),
        (held(RELOAD, minor=6, part=True), wants(REDEEM, 1_001, part=True), "INSUFFICIENT_BALANCE"),
        (held(RELOAD, minor=600), wants(REDEEM, 1, part=True), "CARD_LOCKED"),
        (held(REDEEM, minor=1_000, part=True), wants(RELOAD, 5, part=True), "OPEN"),
        (held(REDEEM, minor=1_000, part=True), wants(REFUND, 5, part=True), "OPEN"),
        (held(REDEEM, minor=1, part=True), wants(REFUND, 5, part=False), "CARD_LOCKED"),
        (held(REDEEM, minor=1, part=True), wants(CASH_OUT, 1_000, part=True), "CARD_LOCKED"),
        (held(RELOAD, minor=1, part=True), wants(CASH_OUT, 1_000, part=True), "OPEN"),
        (held(CASH_OUT, part=True), wants(REDEEM, 1, part=True), "CARD_LOCKED"),
        (held(CASH_OUT, part=True), wants(RELOAD, 1, part=True), "OPEN"),
    ],
)  # fmt: skip
def test_whole_and_amount_locks_stand_beside_each_other_where_the_money_allows(
    first: Lock, second: LockRequest, expected: str
) -> None:
    assert answer(second, FULL, [first]) == expected
    assert answer(second, FULL, [first], LATE_S) in {"OPEN", "INSUFFICIENT_BALANCE"}


@pytest.mark.parametrize(
    ("locks", "free"),
    [
        ([], 1_000),
        ([held(RELOAD, minor=300, part=True)], 1_000),
        ([held(REFUND, minor=300, part=True)], 1_000),
        ([held(REDEEM, minor=300, part=True)], 700),
        ([held(CASH_OUT, part=True)], 0),
        ([held(RELOAD, minor=1)], 0),
        (
            [
                held(REDEEM, minor=300, part=True),
                held(RELOAD, minor=9, part=True, number=3),
                held(REDEEM, minor=200, part=True, number=4),
            ],
            500,
        ),
    ],
)
def test_what_is_free_is_what_nobody_is_about_to_take(locks: list[Lock], free: int) -> None:
    assert free_minor(FULL, locks, key_of(9), 0.0) == free
    assert free_minor(FULL, locks, key_of(9), LATE_S) == 1_000


def test_a_memo_is_held_whole_whatever_is_asked_and_a_repeat_of_it_is_the_same() -> None:
    request = wants(REDEEM, 10, kind=MEMO, part=True)
    lock = granted(request, A_MEMO, [], 0.0)
    assert not lock.amount_only
    assert answer(wants(REDEEM, 1, number=3, kind=MEMO, part=True), A_MEMO, [lock]) == "CARD_LOCKED"
    assert repeated_lock(request, A_MEMO.card_id, lock) is lock


@pytest.mark.parametrize("other", [p for p in Purpose if p is not RELOAD])
def test_a_key_is_good_for_one_purpose(other: Purpose) -> None:
    lock = held(RELOAD)
    same = wants(RELOAD, number=1)
    assert repeated_lock(same, FULL.card_id, lock) is lock
    with pytest.raises(Exception, match=Reason.KEY_REUSED):
        repeated_lock(replace(same, purpose=other), FULL.card_id, lock)


def test_an_issue_that_lapsed_is_renewed_until_another_has_the_number() -> None:
    other = replace(held(ISSUE, NEW, number=2), granted_s=LATE_S, until_s=LATE_S + LEASE_S)
    alone = decide_renew(RESERVED, NEW, [RESERVED], LATE_S, KNOWN, confirm=True)
    assert alone.blocks(LATE_S)
    both = [RESERVED, other]
    assert decide_renew(RESERVED, NEW, both, LATE_S, KNOWN, confirm=True) is RESERVED
    issued = replace(FULL, state=CardState.OPEN)
    assert decide_renew(RESERVED, issued, [RESERVED], LATE_S, KNOWN, confirm=True) is RESERVED
    assert not can_hold(issued, [RESERVED], RESERVED, LATE_S)


@pytest.mark.parametrize("purpose", [RELOAD, REFUND])
def test_money_to_be_brought_is_kept_a_place_however_little_is_on_the_card(
    purpose: Purpose,
) -> None:
    lock = held(purpose)
    assert decide_renew(lock, card_with(0), [lock], LATE_S, KNOWN, confirm=False).blocks(LATE_S)


@pytest.mark.parametrize(
    ("card", "locks", "seen"),
    [
        (None, [], False),
        (NEW, [], False),
        (NEW, [GIVEN_UP], False),
        (NEW, [RESERVED], True),
        (PENDING, [], True),
        (USED, [], True),
        (FULL, [], True),
    ],
)
def test_a_number_that_was_given_up_is_as_if_never_issued(
    card: Card | None, locks: list[Lock], *, seen: bool
) -> None:
    assert (visible(card, locks) is not None) is seen


@pytest.mark.parametrize(
    ("card", "kind", "reason"),
    [
        (FULL, GIFT, None),
        (A_MEMO, MEMO, None),
        (FULL, MEMO, Reason.CARD_KIND),
        (A_MEMO, GIFT, Reason.CARD_KIND),
        (NEW, GIFT, Reason.CARD_PENDING),
        (PENDING, MEMO, Reason.CARD_PENDING),
        (USED, MEMO, Reason.CARD_USED),
        (USED, GIFT, Reason.CARD_KIND),
    ],
)
def test_a_card_says_why_it_is_none(card: Card, kind: CardKind, reason: Reason | None) -> None:
    refused = check_state(card, kind)
    assert (refused.reason if refused else None) is reason


@pytest.mark.parametrize("kind", list(CardKind))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_memos_are_issued_and_redeemed_and_nothing_else(kind: CardKind, purpose: Purpose) -> None:
    if kind is MEMO and purpose in {RELOAD, REFUND, CASH_OUT}:
        with pytest.raises(Refused) as refusal:
            check_purpose(kind, purpose)
        assert (refusal.value.reason, refusal.value.field) == (Reason.CARD_KIND, "purpose")
    else:
        check_purpose(kind, purpose)


def test_each_kind_of_card_has_terms_of_its_own_and_an_issue_gets_them_too() -> None:
    for purpose, card in ((ISSUE, None), (RELOAD, FULL), (REFUND, FULL)):
        decided = decide_lock(wants(purpose), card, [], 5.0, ON, KNOWN)
        assert isinstance(decided, Lock)
        assert decided.terms_s == ON.conclude_within_s
        assert decided.until_s == 5.0 + ON.lease_s + ON.grace_s
        assert decided.purpose is purpose


def test_what_is_asked_for_a_held_card_does_not_tell_what_is_on_it() -> None:
    decided = decide_lock(wants(REDEEM, 5_000), FULL, [held(REDEEM)], 0.0, OFF, KNOWN)
    assert isinstance(decided, Refused)
    assert decided.reason is Reason.CARD_LOCKED
    assert str(eur(1_000)) not in decided.message
