"""What each purpose does to its card when the sale comes home, in time or late."""

from dataclasses import replace

import pytest
from tests.support.card_cases import (
    LEASE_S,
    OFF,
    card_with,
    eur,
    granted,
    key_of,
    operation_of,
    request_of,
)

from stillopen.core.card import Card, CardState, EndReason, Lock, LockState, tombstone
from stillopen.core.errors import Misuse
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, NewMemo, Purpose
from stillopen.core.settle import Applied, Exceptional, Operation, decide_settle

GIFT, MEMO = CardKind.GIFT_CARD, CardKind.CREDIT_MEMO
ISSUE, RELOAD, REFUND = Purpose.ISSUE, Purpose.RELOAD, Purpose.REFUND
REDEEM, CASH_OUT = Purpose.REDEEM, Purpose.CASH_OUT
LATE_S = LEASE_S + 1

FULL = card_with(1_000)
EMPTY = card_with(0)
NEW = replace(EMPTY, state=CardState.NEW)
NEW_MEMO = replace(NEW, kind=MEMO)
A_MEMO = replace(FULL, kind=MEMO)
USED = replace(EMPTY, kind=MEMO, state=CardState.USED)
PENDING = replace(EMPTY, kind=MEMO, state=CardState.PENDING)
LEFT = NewMemo(bytes(32), "WXYZ", eur(400))


def locked(purpose: Purpose, card: Card = FULL, number: int = 1, minor: int = 1_000) -> Lock:
    """A lock for that purpose, granted at nought."""
    rules = replace(OFF, cash_out_up_to_minor=1_000)
    asked = replace(request_of(number, minor), purpose=purpose, kind=card.kind)
    return replace(granted(asked, card, [], 0.0, rules), card_id=card.card_id)


def fact(
    purpose: Purpose,
    minor: int = 1_000,
    *,
    number: int = 1,
    kind: CardKind = GIFT,
    memo: NewMemo | None = None,
) -> Operation:
    """What a journal says of the lock of that number."""
    return replace(operation_of(number, minor), purpose=purpose, kind=kind, new_memo=memo)


def settled(lock: Lock) -> Lock:
    """The lock, its money moved."""
    return replace(lock, state=LockState.SETTLED)


@pytest.mark.parametrize(
    ("purpose", "card", "minor", "change"),
    [
        (ISSUE, NEW, 700, 700),
        (RELOAD, FULL, 700, 700),
        (RELOAD, EMPTY, 700, 700),
        (REFUND, FULL, 700, 700),
        (REDEEM, FULL, 700, -700),
        (CASH_OUT, FULL, 1_000, -1_000),
    ],
)
@pytest.mark.parametrize("now_s", [1.0, LATE_S], ids=["in time", "late"])
def test_each_purpose_moves_money_its_way_and_settles_its_lock(
    purpose: Purpose, card: Card, minor: int, change: int, now_s: float
) -> None:
    lock = locked(purpose, card)
    decided = decide_settle(fact(purpose, minor), card, [lock], now_s)
    assert decided == Applied(eur(change), (settled(lock),))


@pytest.mark.parametrize(
    ("purpose", "card"), [(ISSUE, NEW), (RELOAD, FULL), (REFUND, FULL), (REDEEM, FULL)]
)
@pytest.mark.parametrize("reason", [EndReason.PERSON, EndReason.UNLOCKED, EndReason.LAPSED])
def test_under_an_ended_lock_a_fact_is_applied_while_nobody_else_holds_the_card(
    purpose: Purpose, card: Card, reason: EndReason
) -> None:
    ended = locked(purpose, card).ended(reason)
    decided = decide_settle(fact(purpose), card, [ended], 1.0)
    assert isinstance(decided, Applied)
    assert decided.changed == ()


@pytest.mark.parametrize("purpose", [RELOAD, REFUND])
@pytest.mark.parametrize("other", [REDEEM, RELOAD, CASH_OUT])
def test_money_that_is_brought_is_taken_whoever_holds_the_card(
    purpose: Purpose, other: Purpose
) -> None:
    mine, theirs = locked(purpose).ended(EndReason.PERSON), locked(other, number=2)
    decided = decide_settle(fact(purpose, 5), FULL, [mine, theirs], 1.0)
    assert decided == Applied(eur(5), ())


@pytest.mark.parametrize("purpose", [REDEEM, CASH_OUT])
@pytest.mark.parametrize("other", [REDEEM, RELOAD, CASH_OUT])
def test_money_is_taken_from_nobody_who_holds_the_card(purpose: Purpose, other: Purpose) -> None:
    mine, theirs = locked(purpose).ended(EndReason.PERSON), locked(other, number=2)
    decided = decide_settle(fact(purpose), FULL, [mine, theirs], 1.0)
    assert decided == Exceptional("SHORT", eur(1_000))


@pytest.mark.parametrize("debit", [fact(REDEEM, 1), fact(CASH_OUT, 1_000), fact(REDEEM, kind=MEMO)])
def test_every_debit_ends_lapsed_locks_of_all_purposes_and_no_credit_does(
    debit: Operation,
) -> None:
    card = A_MEMO if debit.kind is MEMO else FULL
    lapsed = locked(RELOAD, number=2)
    decided = decide_settle(debit, card, [lapsed], LATE_S)
    assert isinstance(decided, Applied)
    assert decided.changed == (lapsed.ended(EndReason.LAPSED),)
    credit = decide_settle(fact(REFUND), FULL, [lapsed], LATE_S)
    assert credit == Applied(eur(1_000), ())


# Issued once


@pytest.mark.parametrize(
    ("card", "locks"),
    [
        (FULL, [locked(ISSUE, NEW)]),
        (EMPTY, []),
        (A_MEMO, []),
        (USED, []),
        (PENDING, []),
        (NEW, [locked(ISSUE, NEW, number=2)]),
        (replace(NEW, balance=Money("USD", 0)), []),
    ],
    ids=["sold since", "empty", "a memo", "a used memo", "a remainder", "reserved", "currency"],
)
def test_a_number_that_another_has_is_not_issued_again(card: Card, locks: list[Lock]) -> None:
    decided = decide_settle(fact(ISSUE), card, locks, 1.0)
    mine = [k.ended(EndReason.EXCEPTION) for k in locks if k.lock_key == key_of(1)]
    assert decided == Exceptional("CARD_EXISTS", eur(1_000), tuple(mine))


def test_the_first_of_two_issues_that_lapsed_has_the_number_and_the_second_is_raised() -> None:
    first, second = locked(ISSUE, NEW), locked(ISSUE, NEW, number=2)
    won = decide_settle(fact(ISSUE), NEW, [first, second], LATE_S)
    assert isinstance(won, Applied)
    assert won.changed == (settled(first), second.ended(EndReason.LAPSED))
    lost = decide_settle(fact(ISSUE, number=2), FULL, list(won.changed), LATE_S)
    assert lost == Exceptional("CARD_EXISTS", eur(1_000))


def test_a_restored_headquarters_makes_a_memo_again_and_no_gift_card() -> None:
    """The entry holds the digest of a memo's number, and nothing of a gift card's."""
    memo = NewMemo(bytes(32), "WXYZ", eur(1_000))
    decided = decide_settle(fact(ISSUE, kind=MEMO, memo=memo), None, [], 1.0)
    assert decided == Applied(eur(1_000), ())
    assert decide_settle(fact(ISSUE), None, [], 1.0) == Exceptional("CARD_UNKNOWN", eur(1_000))


def test_a_memo_that_was_reserved_is_issued() -> None:
    memo = NewMemo(bytes(32), "WXYZ", eur(1_000))
    lock = locked(ISSUE, NEW_MEMO)
    decided = decide_settle(fact(ISSUE, kind=MEMO, memo=memo), NEW_MEMO, [lock], 1.0)
    assert decided == Applied(eur(1_000), (settled(lock),))


# Credit memos


def test_a_memo_paid_whole_is_used_up_and_leaves_nothing() -> None:
    lock = locked(REDEEM, A_MEMO)
    decided = decide_settle(fact(REDEEM, kind=MEMO), A_MEMO, [lock], 1.0)
    assert decided == Applied(eur(-1_000), (settled(lock),), CardState.USED, None)


def test_a_memo_paid_in_part_is_used_up_and_opens_its_remainder() -> None:
    lock = locked(REDEEM, A_MEMO)
    decided = decide_settle(fact(REDEEM, 600, kind=MEMO, memo=LEFT), A_MEMO, [lock], 1.0)
    assert decided == Applied(eur(-600), (settled(lock),), CardState.USED, LEFT)


@pytest.mark.parametrize(
    ("paid", "left"), [(600, None), (600, 399), (599, 400), (1, 998), (500, 400)]
)
def test_what_is_paid_and_what_is_left_are_the_memo(paid: int, left: int | None) -> None:
    memo = None if left is None else replace(LEFT, amount=eur(left))
    lock = locked(REDEEM, A_MEMO)
    decided = decide_settle(fact(REDEEM, paid, kind=MEMO, memo=memo), A_MEMO, [lock], 1.0)
    assert decided == Exceptional("WRONG_REMAINDER", eur(paid), (lock.ended(EndReason.EXCEPTION),))


@pytest.mark.parametrize(("paid", "left", "short"), [(600, 401, 1), (1_001, 0, 1), (900, 400, 300)])
def test_a_memo_never_gives_more_than_is_on_it(paid: int, left: int, short: int) -> None:
    memo = replace(LEFT, amount=eur(left)) if left else None
    lock = locked(REDEEM, A_MEMO)
    decided = decide_settle(fact(REDEEM, paid, kind=MEMO, memo=memo), A_MEMO, [lock], 1.0)
    assert decided == Exceptional("SHORT", eur(short), (lock.ended(EndReason.EXCEPTION),))


@pytest.mark.parametrize("memo", [None, LEFT])
def test_a_memo_is_spent_once_and_its_remainder_does_not_come_of_nothing(
    memo: NewMemo | None,
) -> None:
    late = fact(REDEEM, 600, kind=MEMO, memo=memo)
    decided = decide_settle(late, USED, [locked(REDEEM, A_MEMO).ended(EndReason.PERSON)], 1.0)
    short = 1_000 if memo else 600
    assert decided == Exceptional("CARD_USED", eur(short))


def test_a_memo_that_another_sale_holds_is_not_taken_in_part() -> None:
    theirs = locked(REDEEM, A_MEMO, number=2)
    decided = decide_settle(fact(REDEEM, 600, kind=MEMO, memo=LEFT), A_MEMO, [theirs], 1.0)
    assert decided == Exceptional("SHORT", eur(1_000))


@pytest.mark.parametrize(
    "card", [None, PENDING, NEW_MEMO, replace(A_MEMO, balance=Money("USD", 9))]
)
@pytest.mark.parametrize("purpose", [REDEEM, RELOAD, REFUND, CASH_OUT])
def test_what_is_not_there_yet_can_neither_pay_nor_be_paid(
    card: Card | None, purpose: Purpose
) -> None:
    decided = decide_settle(fact(purpose, 600), card, [], 1.0)
    assert decided == Exceptional("CARD_UNKNOWN", eur(600))


def test_a_gift_card_has_no_remainder() -> None:
    lock = locked(REDEEM)
    decided = decide_settle(fact(REDEEM, 600), FULL, [lock], 1.0)
    assert decided == Applied(eur(-600), (settled(lock),))


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("minor", [0, -1])
def test_the_purpose_gives_the_direction_and_the_amount_is_above_zero(
    purpose: Purpose, minor: int
) -> None:
    with pytest.raises(Misuse):
        decide_settle(fact(purpose, minor), FULL, [], 1.0)


# What is the same operation

PART = fact(REDEEM, 600, kind=MEMO, memo=LEFT)


@pytest.mark.parametrize(
    "other",
    [
        replace(PART, purpose=CASH_OUT),
        replace(PART, new_memo=None),
        replace(PART, new_memo=replace(LEFT, number_sha256=bytes([1]) * 32)),
        replace(PART, new_memo=replace(LEFT, amount=eur(401))),
        replace(PART, amount=eur(601)),
    ],
    ids=["purpose", "no remainder", "another memo", "another amount", "paid another"],
)
def test_another_remainder_is_another_operation(other: Operation) -> None:
    assert PART.digest() == replace(PART, new_memo=replace(LEFT)).digest()
    assert other.digest() != PART.digest()


def test_the_key_of_another_purpose_opens_nothing() -> None:
    """A fact under a key that was refused, or never granted, has only what is free."""
    never = tombstone(key_of(1), "R1", EndReason.REFUSED)
    theirs = locked(REDEEM, number=2)
    assert decide_settle(fact(CASH_OUT), FULL, [never, theirs], 1.0) == Exceptional(
        "SHORT", eur(1_000)
    )
    assert isinstance(decide_settle(fact(CASH_OUT), FULL, [never], 1.0), Applied)
