"""Any sequence of all that is done with a few cards by many holders, and facts that come late.

The shop below keeps what headquarters keeps and asks the rules; after every step the promises hold.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.card_cases import OFF, ON, eur, key_of

from stillopen.core.card import (
    Card,
    CardState,
    EndReason,
    Lock,
    LockRequest,
    LockState,
    decide_end,
    decide_lock,
    decide_renew,
    decide_unlock,
    tombstone,
    visible,
)
from stillopen.core.errors import Reason, Refused
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, NewMemo, Purpose
from stillopen.core.settle import Applied, Exceptional, Operation, decide_settle
from stillopen.core.standing import Standing

GIFTS, MEMOS = ("G1", "G2"), ("M1", "M2")
OPENING = 100


@dataclass(frozen=True, slots=True)
class Ask:
    """A register asks for a lock; each is another register's, for another sale."""

    card: str
    purpose: Purpose
    minor: int
    part: bool
    terms: bool
    lane_known: bool


@dataclass(frozen=True, slots=True)
class Renew:
    """Of what was granted, the one of that number; the same below."""

    which: int
    confirm: bool


@dataclass(frozen=True, slots=True)
class Unlock:
    which: int


@dataclass(frozen=True, slots=True)
class End:
    """A person ends a lock."""

    which: int
    force: bool


@dataclass(frozen=True, slots=True)
class Settle:
    """A sale comes home with what its lock was granted for, or with another amount."""

    which: int
    more: int = 0


@dataclass(frozen=True, slots=True)
class Pass:
    seconds: float


Step = Ask | Renew | Unlock | End | Settle | Pass

WHICH = st.integers(0, 5)


def _asks(card: str, part: bool | None) -> st.SearchStrategy[Step]:  # noqa: FBT001 - both or one
    mostly = Purpose.REDEEM if card in {"G1", "M1"} else Purpose.ISSUE
    others = [Purpose.REDEEM, Purpose.ISSUE] if card in MEMOS else list(Purpose)
    purposes = [*others, *(mostly for _ in others)]
    return st.builds(
        Ask,
        st.just(card),
        st.sampled_from(purposes),
        st.sampled_from([40, 60, 100]),
        st.booleans() if part is None else st.just(part),
        st.booleans(),
        st.booleans(),
    )


def _steps(asks: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    return st.lists(
        st.one_of(
            asks,
            asks,
            asks,
            st.builds(Renew, WHICH, st.booleans()),
            st.builds(Unlock, WHICH),
            st.builds(End, WHICH, st.booleans()),
            st.builds(Settle, WHICH),
            st.builds(Settle, WHICH, st.sampled_from([-30, 30])),
            st.builds(Pass, st.sampled_from([1.0, 119.0, 120.0, 1_120.0, 1_120.0])),
        ),
        min_size=6,
        max_size=30,
    )


STEPS = st.one_of(
    _steps(_asks("G1", part=None)),
    _steps(_asks("G1", part=True)),
    _steps(_asks("G2", part=None)),
    _steps(_asks("M1", part=False)),
    _steps(_asks("M2", part=False)),
    _steps(st.one_of(*(_asks(card, part=None) for card in (*GIFTS, *MEMOS)))),
)


@dataclass(slots=True)
class Shop:
    """What headquarters keeps, and what it says."""

    cards: dict[str, Card] = field(default_factory=dict[str, Card])
    ledger: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    locks: dict[bytes, Lock] = field(default_factory=dict[bytes, Lock])
    asked: dict[int, Ask] = field(default_factory=dict[int, Ask])
    settled: dict[str, bytes] = field(default_factory=dict[str, bytes])
    exceptions: list[Exceptional] = field(default_factory=list[Exceptional])
    spent: Counter[str] = field(default_factory=Counter[str])
    issued: Counter[str] = field(default_factory=Counter[str])
    given: dict[str, int] = field(default_factory=dict[str, int])
    """What each memo was issued for."""
    now_s: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("G1", CardKind.GIFT_CARD), ("M1", CardKind.CREDIT_MEMO)):
            self.cards[name] = Card(name, "4321", eur(OPENING), kind=kind)
            self.ledger[name] = [OPENING]
            self.issued[name], self.given[name] = 1, OPENING

    def of(self, card: str) -> list[Lock]:
        return [lock for lock in self.locks.values() if lock.card_id == card]

    def blocking(self, card: str) -> list[Lock]:
        return [lock for lock in self.of(card) if lock.blocks(self.now_s)]

    def keep(self, *locks: Lock) -> None:
        for lock in locks:
            before = self.locks.get(lock.lock_key)
            if before is not None:
                assert before.state is LockState.OPEN or lock == before, "over means over"
                assert lock.until_s >= before.until_s, "until never shrinks"
            self.locks[lock.lock_key] = lock

    def step(self, step: Step) -> None:  # noqa: C901 - a table
        match step:
            case Ask():
                self._ask(step)
            case Renew(which, confirm):
                if lock := self.granted(which):
                    now = (self.cards[lock.card_id], self.of(lock.card_id), self.now_s)
                    self.keep(decide_renew(lock, *now, Standing(lane_known=True), confirm=confirm))
            case Unlock(which):
                if lock := self.granted(which):
                    self.keep(decide_unlock(lock, lock.lock_key, lock.holder))
            case End(which, force):
                if lock := self.granted(which):
                    decided = decide_end(lock, self.now_s, force=force)
                    assert isinstance(decided, Refused) is (lock.blocks(self.now_s) and not force)
                    if isinstance(decided, Lock):
                        self.keep(decided)
            case Settle():
                self._settle(step)
            case Pass(seconds):
                self.now_s += seconds

    def key(self, which: int) -> int:
        """The number of one of the keys that were granted; 0 while there is none."""
        return list(self.asked)[which % len(self.asked)] if self.asked else 0

    def granted(self, which: int) -> Lock | None:
        return self.locks[key_of(self.key(which))] if self.asked else None

    def _ask(self, ask: Ask) -> None:
        kind = CardKind.CREDIT_MEMO if ask.card in MEMOS else CardKind.GIFT_CARD
        number = len(self.locks) + 1
        card = self.cards.get(ask.card)
        exact = ask.minor
        if ask.purpose is Purpose.CASH_OUT and card:
            exact = max(1, card.balance.minor)
        request = LockRequest(
            key_of(number),
            f"R{number}",
            f"sale-{number}",
            "T1",
            eur(exact),
            amount_only=ask.part,
            purpose=ask.purpose,
            kind=kind,
        )
        rules = replace(ON if ask.terms else OFF, cash_out_up_to_minor=OPENING)
        before = self.blocking(ask.card)
        decided = decide_lock(
            request, card, self.of(ask.card), self.now_s, rules, Standing(ask.lane_known)
        )
        if isinstance(decided, Refused):
            if decided.reason is Reason.CARD_LOCKED:
                assert before, "somebody holds it"
            self.keep(tombstone(request.lock_key, request.holder, EndReason.REFUSED))
            return
        self.asked[number] = replace(ask, minor=exact)
        if ask.purpose is Purpose.ISSUE:
            if visible(card, self.of(ask.card)) is None:
                new = Card(ask.card, "4321", eur(0), kind=kind, state=CardState.NEW)
                self.cards[ask.card] = new
                self.ledger.setdefault(ask.card, [])
            decided = replace(decided, card_id=ask.card)
        self.keep(decided)

    def fact(self, step: Settle) -> Operation | None:
        """What the journal says; the register knew the card, because its lock was granted once."""
        if not self.asked:
            return None
        number = self.key(step.which)
        ask = self.asked[number]
        kind = CardKind.CREDIT_MEMO if ask.card in MEMOS else CardKind.GIFT_CARD
        minor = max(1, ask.minor + step.more)
        memo: NewMemo | None = None
        if kind is CardKind.CREDIT_MEMO:
            left = self.given.get(ask.card, 0) - ask.minor
            if ask.purpose is Purpose.ISSUE:
                memo = NewMemo(number_of(ask.card), "4321", eur(minor))
            elif left > 0:
                memo = NewMemo(number_of(f"left of {number}"), "4321", eur(left))
        sale, key = f"sale-{number}", key_of(number)
        return Operation(sale, "T1", key, ask.card, eur(minor), ask.purpose, kind, memo)

    def _settle(self, step: Settle) -> None:
        fact = self.fact(step)
        if fact is None:
            return
        if before := self.settled.get(fact.transaction_id):
            if before != fact.digest():
                self.exceptions.append(Exceptional("KEY_REUSED", fact.amount))
            return
        self.settled[fact.transaction_id] = fact.digest()
        card, locks = self.cards.get(fact.card_id), self.of(fact.card_id)
        own = self.locks.get(fact.lock_key)
        others = [k for k in self.blocking(fact.card_id) if k.lock_key != fact.lock_key]
        own_blocks = own is not None and own.blocks(self.now_s)
        decided = decide_settle(fact, card, locks, self.now_s)
        if isinstance(decided, Exceptional):
            self.exceptions.append(decided)
            assert fact.purpose.takes or fact.purpose is Purpose.ISSUE, "money is always taken in"
            assert not own_blocks or step.more, "what a blocking lock holds is there"
        else:
            self._apply(fact, decided)
            if not own_blocks and (fact.purpose.takes or fact.purpose is Purpose.ISSUE):
                assert all(k.amount_only for k in others), "nobody takes what another holds"
        self.keep(*decided.changed)
        if isinstance(decided, Applied) and fact.purpose.takes:
            still = [k for k in self.of(fact.card_id) if k.state is LockState.OPEN]
            assert all(k.blocks(self.now_s) for k in still), "a debit ends lapsed locks"

    def _apply(self, fact: Operation, applied: Applied) -> None:
        name = fact.card_id
        if fact.purpose is Purpose.ISSUE:
            self.issued[name] += 1
            self.given[name] = fact.amount.minor
        if fact.kind is CardKind.CREDIT_MEMO and fact.purpose is Purpose.REDEEM:
            self.spent[name] += 1
        self._move(name, applied.change.minor)
        self.cards[name] = replace(self.cards[name], state=applied.state)
        if left := applied.remainder:
            to = f"left of {fact.lock_key[0]}"
            assert to not in self.cards
            assert fact.amount.minor + left.amount.minor == self.given[name]
            nothing = Money("EUR", 0)
            self.cards[to] = Card(to, "4321", nothing, kind=CardKind.CREDIT_MEMO)
            self.ledger[to] = []
            self._move(name, -left.amount.minor)
            self._move(to, left.amount.minor)
            self.given[to] = left.amount.minor

    def _move(self, name: str, minor: int) -> None:
        card = self.cards[name]
        self.ledger[name].append(minor)
        self.cards[name] = replace(card, balance=card.balance + eur(minor))


def number_of(name: str) -> bytes:
    """The digest of a memo's number."""
    return name.encode().ljust(32, b"\0")


def check(shop: Shop) -> None:
    """P3, P4 and P5 of every card, now."""
    for name, card in shop.cards.items():
        assert card.balance.minor == sum(shop.ledger[name]) >= 0
        blocking = shop.blocking(name)
        taking = sum(k.amount.minor for k in blocking if k.amount and k.purpose.takes)
        assert taking <= card.balance.minor, "what locks hold is there"
        assert len(blocking) <= 1 or all(k.amount_only for k in blocking), "one holder"
        assert shop.issued[name] <= 1, "a card is issued once"
        if card.state is CardState.NEW:
            assert card.balance.minor == 0
            assert not shop.ledger[name]
        if card.kind is CardKind.CREDIT_MEMO:
            assert shop.spent[name] <= 1, "a memo is spent once"
            on_it = 0 if card.state is not CardState.OPEN else shop.given[name]
            assert card.balance.minor == on_it, "a memo is whole or used"


@settings(max_examples=800)
@given(STEPS)
def test_money_is_conserved_and_cards_have_one_holder_whatever_is_done_with_them(
    steps: list[Step],
) -> None:
    shop = Shop()
    for step in steps:
        shop.step(step)
        check(shop)


@settings(max_examples=200)
@given(STEPS)
def test_facts_that_all_come_late_and_twice_change_nothing_the_second_time(
    steps: list[Step],
) -> None:
    shop = Shop()
    for step in steps:
        if not isinstance(step, Settle):
            shop.step(step)
    shop.step(Pass(ON.lease_s + ON.grace_s))
    for which in range(len(shop.asked)):
        shop.step(Settle(which))
        check(shop)
    cards, raised = dict(shop.cards), len(shop.exceptions)
    for which in range(len(shop.asked)):
        shop.step(Settle(which))
    assert (shop.cards, len(shop.exceptions)) == (cards, raised)


@given(STEPS)
def test_every_lock_of_every_purpose_lets_go_by_itself(steps: list[Step]) -> None:
    shop = Shop()
    for step in steps:
        shop.step(step)
    shop.step(Pass(ON.lease_s + ON.grace_s))
    assert not any(lock.blocks(shop.now_s) for lock in shop.locks.values())


@settings(max_examples=200)
@given(st.lists(WHICH, unique=True), STEPS)
def test_all_that_was_issued_is_on_cards_or_was_spent(order: list[int], steps: list[Step]) -> None:
    """Remainders included: no order of arrival makes money or loses it."""
    shop = Shop()
    brought = 2 * OPENING
    for step in [*steps, *(Settle(which) for which in order)]:
        before = dict(shop.settled)
        exceptions = len(shop.exceptions)
        shop.step(step)
        if len(shop.settled) > len(before) and len(shop.exceptions) == exceptions:
            assert isinstance(step, Settle)
            fact = shop.fact(step)
            assert fact is not None
            brought += -fact.amount.minor if fact.purpose.takes else fact.amount.minor
        assert sum(card.balance.minor for card in shop.cards.values()) == brought
