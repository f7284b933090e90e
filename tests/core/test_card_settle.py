"""What a sale that comes home does to its card."""

from dataclasses import replace

import pytest
from tests.support.card_cases import (
    KNOWN,
    ON,
    card_with,
    eur,
    granted,
    key_of,
    operation_of,
    request_of,
)

from stillopen.core.card import Card, EndReason, Lock, LockState, decide_renew, tombstone
from stillopen.core.money import Money
from stillopen.core.settle import Applied, Exceptional, Operation, decide_settle

FULL = card_with(10_000)
HELD = granted(request_of(1, 6_000), FULL, [], 0.0)
SETTLED = replace(HELD, state=LockState.SETTLED)
LAPSED_S = 500.0
TAKEN = granted(request_of(2, 1), FULL, [], LAPSED_S)
DEBIT = operation_of(1, 6_000)


def test_a_debit_settles_its_lock() -> None:
    decision = decide_settle(DEBIT, FULL, [HELD], 1.0)
    assert decision == Applied(eur(-6_000), (SETTLED,))


def test_a_confirmed_sale_gets_its_money_however_late_within_the_grace() -> None:
    confirmed = decide_renew(HELD, FULL, [HELD], 0.0, KNOWN, confirm=True)
    decision = decide_settle(DEBIT, FULL, [confirmed], confirmed.until_s - 1)
    assert isinstance(decision, Applied)


@pytest.mark.parametrize("minor", [1, 6_000, 10_000])
def test_the_sale_says_how_much_not_the_lock(minor: int) -> None:
    decision = decide_settle(operation_of(1, minor), FULL, [HELD], 1.0)
    assert isinstance(decision, Applied)
    assert decision.change == eur(-minor)


def test_a_debit_ends_lapsed_locks_and_only_those() -> None:
    ended = tombstone(key_of(3), "R3", EndReason.REFUSED)
    settled = replace(TAKEN, lock_key=key_of(4), state=LockState.SETTLED)
    locks = [HELD, TAKEN, ended, settled]
    decision = decide_settle(operation_of(2, 9_000), FULL, locks, LAPSED_S)
    assert isinstance(decision, Applied)
    assert decision.changed == (
        replace(TAKEN, state=LockState.SETTLED),
        HELD.ended(EndReason.LAPSED),
    )


def test_a_lapsed_lock_cannot_be_revived_after_the_money_went() -> None:
    late = operation_of(9, 9_000)
    decision = decide_settle(late, FULL, [HELD], LAPSED_S)
    assert isinstance(decision, Applied)
    [ended] = decision.changed
    poor = card_with(1_000)
    assert decide_renew(ended, poor, [ended], LAPSED_S, KNOWN, confirm=True) is ended


@pytest.mark.parametrize(
    ("own", "changed"),
    [
        (HELD, (SETTLED,)),
        (HELD.ended(EndReason.UNLOCKED), ()),
        (tombstone(key_of(1), "R1", EndReason.UNLOCKED), ()),
        (None, ()),
    ],
    ids=["lapsed", "ended", "tombstone", "unknown"],
)
def test_a_late_fact_is_paid_from_free_money(own: Lock | None, changed: tuple[Lock, ...]) -> None:
    decision = decide_settle(DEBIT, FULL, [own] if own else [], LAPSED_S)
    assert decision == Applied(eur(-6_000), changed)


@pytest.mark.parametrize(
    ("own", "changed"),
    [
        (HELD, (HELD.ended(EndReason.EXCEPTION),)),
        (HELD.ended(EndReason.UNLOCKED), ()),
        (tombstone(key_of(1), "R1", EndReason.UNLOCKED), ()),
        (None, ()),
    ],
    ids=["lapsed", "ended", "tombstone", "unknown"],
)
def test_a_late_fact_never_takes_what_another_holds(
    own: Lock | None, changed: tuple[Lock, ...]
) -> None:
    locks = [TAKEN, own] if own else [TAKEN]
    decision = decide_settle(DEBIT, FULL, locks, LAPSED_S)
    assert decision == Exceptional("SHORT", eur(6_000), changed)


@pytest.mark.parametrize(
    "fact",
    [
        operation_of(2, 6_000, sale="sale-1"),
        operation_of(2, 6_000, line_id="T9"),
    ],
    ids=["of another sale", "of another line"],
)
def test_naming_anothers_lock_does_not_open_the_card(fact: Operation) -> None:
    decision = decide_settle(fact, FULL, [TAKEN], LAPSED_S)
    assert decision == Exceptional("SHORT", eur(6_000))


@pytest.mark.parametrize(("balance", "shortfall"), [(5_999, 1), (1_000, 5_000), (0, 6_000)])
@pytest.mark.parametrize("now_s", [1.0, LAPSED_S], ids=["blocking", "lapsed"])
def test_an_exception_states_the_shortfall(balance: int, shortfall: int, now_s: float) -> None:
    decision = decide_settle(DEBIT, card_with(balance), [HELD], now_s)
    assert decision == Exceptional("SHORT", eur(shortfall), (HELD.ended(EndReason.EXCEPTION),))


@pytest.mark.parametrize(
    "card", [None, Card("card-1", "4321", Money("USD", 10_000))], ids=["unknown", "currency"]
)
def test_a_fact_about_no_card_of_that_currency_is_an_exception(card: Card | None) -> None:
    assert decide_settle(DEBIT, card, [], 0.0) == Exceptional("CARD_UNKNOWN", eur(6_000))


def test_exactly_what_is_there_can_be_spent() -> None:
    decision = decide_settle(operation_of(1, 10_000), FULL, [HELD], LAPSED_S)
    assert isinstance(decision, Applied)


def test_a_fact_under_terms_is_paid_while_the_grace_lasts() -> None:
    lock = granted(request_of(1, 6_000), FULL, [], 0.0, ON)
    decision = decide_settle(DEBIT, FULL, [lock], lock.until_s - 1)
    assert isinstance(decision, Applied)


@pytest.mark.parametrize(
    "other",
    [
        replace(DEBIT, transaction_id="sale-2"),
        replace(DEBIT, line_id="T2"),
        replace(DEBIT, lock_key=key_of(2)),
        replace(DEBIT, card_id="card-2"),
        replace(DEBIT, amount=eur(6_001)),
        replace(DEBIT, amount=Money("USD", 6_000)),
        replace(DEBIT, transaction_id="sale-1T", line_id="1"),
    ],
)
def test_an_operation_is_the_same_only_when_every_field_is(other: Operation) -> None:
    assert DEBIT.digest() == replace(DEBIT).digest()
    assert len(DEBIT.digest()) == 32
    assert other.digest() != DEBIT.digest()


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_facts_whose_locks_lapsed_the_first_to_arrive_is_paid(
    order: tuple[int, int],
) -> None:
    """H33: which one becomes the exception depends on the order; what is left does not."""
    card = FULL
    locks = [HELD, replace(TAKEN, until_s=HELD.until_s)]
    first, second = (operation_of(number, 6_000) for number in order)
    paid = decide_settle(first, card, locks, LAPSED_S)
    assert isinstance(paid, Applied)
    assert all(lock.state is not LockState.OPEN for lock in paid.changed)
    card = replace(card, balance=card.balance + paid.change)
    assert decide_settle(second, card, list(paid.changed), LAPSED_S) == Exceptional(
        "SHORT", eur(2_000)
    )
    assert card.balance == eur(4_000)
