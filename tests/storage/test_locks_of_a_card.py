"""Locks of others that share a card are read as one: no decision may tell the difference."""

import random
from collections.abc import Iterator
from contextlib import closing

import pytest

from stillopen.core.card import Card, CardState, Lock, LockRequest, LockState, decide_lock
from stillopen.core.errors import Refused
from stillopen.core.ids import new_lock_key
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters
from stillopen.core.purpose import Purpose
from stillopen.core.settle import Operation, decide_settle
from stillopen.core.standing import Standing
from stillopen.realtime.tables import SCHEMA, locks_against, locks_of, put_lock
from stillopen.storage.engine import Session
from stillopen.storage.files import open_writer

CARD, NOW_S = "c", 100.0
KNOWN = Standing(lane_known=True)
SALES = [f"{n:032x}" for n in range(6)]


@pytest.fixture
def session() -> Iterator[Session]:
    with closing(open_writer(":memory:", SCHEMA, durable=False)) as connection:
        yield Session(connection)


def locks(rng: random.Random, count: int) -> list[Lock]:
    return [
        Lock(
            new_lock_key(rng),
            f"R{n}",
            rng.choice([LockState.OPEN, LockState.OPEN, LockState.SETTLED]),
            card_id=CARD,
            transaction_id=rng.choice(SALES),
            line_id="T1",
            amount=Money("EUR", rng.randrange(1, 40)),
            until_s=rng.choice([NOW_S - 1, NOW_S, NOW_S + 1]),
            amount_only=rng.random() < 0.9,
            purpose=rng.choice(list(Purpose)),
        )
        for n in range(count)
    ]


def granted(key: bytes, sale: str, rng: random.Random) -> LockRequest:
    amount = Money("EUR", rng.randrange(1, 120))
    purpose = rng.choice(list(Purpose))
    return LockRequest(key, "R9", sale, "T1", amount, rng.random() < 0.8, purpose)


def said(decided: object) -> object:
    return (decided.reason, decided.message) if isinstance(decided, Refused) else decided


def test_a_decision_is_the_same_whether_others_are_read_one_by_one_or_as_their_sum(
    session: Session,
) -> None:
    rng = random.Random(7)  # noqa: S311 - a test, not a secret
    outcomes: set[str] = set()
    for _ in range(600):
        session.run("DELETE FROM card_lock")
        there = locks(rng, rng.randrange(8))
        for each in there:
            put_lock(session, each)
        state = rng.choice([CardState.OPEN, CardState.OPEN, CardState.NEW])
        card = Card(CARD, "0001", Money("EUR", 100), state=state)
        sale = rng.choice(SALES)
        own = rng.choice([*(k.lock_key for k in there), new_lock_key(rng)])
        both = (
            locks_of(session, CARD, sale),
            locks_against(session, CARD, sale, own, NOW_S),
        )
        request = granted(new_lock_key(rng), sale, rng)
        one, other = (
            said(decide_lock(request, card, read, NOW_S, CardParameters(), KNOWN)) for read in both
        )
        assert one == other
        fact = Operation(sale, "T1", own, CARD, request.amount, request.purpose)
        for read in both:
            assert len({each.lock_key for each in read}) == len(read)
        first, second = (decide_settle(fact, card, read, NOW_S) for read in both)
        assert first == second
        outcomes |= {type(one).__name__, type(first).__name__}
    assert outcomes == {"Lock", "tuple", "Applied", "Exceptional"}


def test_many_that_share_a_card_are_one_row(session: Session) -> None:
    rng = random.Random(1)  # noqa: S311 - a test, not a secret
    for number in range(64):
        sale = f"{number:032x}"
        amount = Money("EUR", 2)
        put_lock(
            session,
            Lock(
                new_lock_key(rng),
                "R1",
                LockState.OPEN,
                card_id=CARD,
                transaction_id=sale,
                line_id="T1",
                amount=amount,
                until_s=NOW_S + 1,
                amount_only=True,
            ),
        )
    [only] = locks_against(session, CARD, "f" * 32, b"k" * 16, NOW_S)
    assert (only.amount, only.shares, only.blocks(NOW_S)) == (Money("EUR", 128), True, True)


def test_a_card_that_nobody_holds_has_no_lock(session: Session) -> None:
    assert locks_against(session, CARD, SALES[0], b"k" * 16, NOW_S) == []
