"""Any sequence of what registers may do to one card, and time passing."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.card_cases import OFF, ON, card_with, key_of, operation_of, request_of

from stillopen.core.card import (
    Card,
    EndReason,
    Lock,
    LockState,
    decide_lock,
    decide_renew,
    decide_unlock,
    repeated_lock,
    tombstone,
)
from stillopen.core.errors import Refused
from stillopen.core.settle import Applied, Exceptional, Operation, decide_settle
from stillopen.core.standing import Standing

OPENING = 100


@dataclass(frozen=True, slots=True)
class Ask:
    key: int
    minor: int
    terms: bool
    lane_known: bool


@dataclass(frozen=True, slots=True)
class Renew:
    key: int
    confirm: bool
    lane_known: bool


@dataclass(frozen=True, slots=True)
class Unlock:
    key: int


@dataclass(frozen=True, slots=True)
class Settle:
    key: int
    minor: int


@dataclass(frozen=True, slots=True)
class Pass:
    seconds: float


Step = Ask | Renew | Unlock | Settle | Pass

KEYS = st.integers(1, 4)
AMOUNTS = st.integers(1, OPENING + 20)
STEPS = st.lists(
    st.one_of(
        st.builds(Ask, KEYS, AMOUNTS, st.booleans(), st.booleans()),
        st.builds(Renew, KEYS, st.booleans(), st.booleans()),
        st.builds(Unlock, KEYS),
        st.builds(Settle, KEYS, AMOUNTS),
        st.builds(Pass, st.sampled_from([1.0, 60.0, 119.0, 120.0, 500.0, 1_120.0])),
    ),
    max_size=40,
)


@dataclass(slots=True)
class Store:
    """What headquarters keeps of one card."""

    card: Card = field(default_factory=lambda: card_with(OPENING))
    locks: dict[bytes, Lock] = field(default_factory=dict[bytes, Lock])
    settled: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    debits: list[int] = field(default_factory=list[int])
    exceptions: list[Operation] = field(default_factory=list[Operation])
    now_s: float = 0.0

    def of_card(self) -> list[Lock]:
        return [lock for lock in self.locks.values() if lock.card_id]

    def keep(self, *locks: Lock) -> None:
        for lock in locks:
            before = self.locks.get(lock.lock_key)
            if before is not None:
                assert before.state is LockState.OPEN or lock == before, "over means over"
                assert lock.until_s >= before.until_s, "until never shrinks"
            self.locks[lock.lock_key] = lock

    def blocking(self) -> list[Lock]:
        return [lock for lock in self.locks.values() if lock.blocks(self.now_s)]

    def step(self, step: Step) -> None:
        match step:
            case Ask():
                self._ask(step)
            case Renew(key, confirm, lane_known):
                lock = self.locks.get(key_of(key))
                if lock is not None:
                    now = (self.card, self.of_card(), self.now_s)
                    self.keep(decide_renew(lock, *now, Standing(lane_known), confirm=confirm))
            case Unlock(key):
                lock = self.locks.get(key_of(key))
                self.keep(decide_unlock(lock, key_of(key), f"R{key}"))
            case Settle(key, minor):
                self._settle(operation_of(key, minor))
            case Pass(seconds):
                self.now_s += seconds

    def _ask(self, ask: Ask) -> None:
        known = self.locks.get(key_of(ask.key))
        if known is not None:
            amount = known.amount or card_with(ask.minor).balance
            request = replace(request_of(ask.key, ask.minor), amount=amount)
            answer = repeated_lock(request, known.card_id, known)
            assert isinstance(answer, Refused) is (known.state is LockState.ENDED)
            return
        request = request_of(ask.key, ask.minor)
        parameters = ON if ask.terms else OFF
        decision = decide_lock(
            request,
            self.card,
            self.of_card(),
            self.now_s,
            parameters,
            Standing(lane_known=ask.lane_known),
        )
        if isinstance(decision, Refused):
            self.keep(tombstone(request.lock_key, request.holder, EndReason.REFUSED))
        else:
            assert not self.blocking(), "one holder"
            self.keep(decision)

    def _settle(self, fact: Operation) -> None:
        key = (fact.transaction_id, fact.line_id)
        if key in self.settled:
            if self.settled[key] != fact.digest():
                self.exceptions.append(fact)
            return
        self.settled[key] = fact.digest()
        own = self.locks.get(fact.lock_key)
        own_blocks = own is not None and own.blocks(self.now_s)
        others_block = any(lock.lock_key != fact.lock_key for lock in self.blocking())
        decision = decide_settle(fact, self.card, self.of_card(), self.now_s)
        if isinstance(decision, Exceptional):
            self.exceptions.append(fact)
            assert 0 < decision.shortfall.minor <= fact.amount.minor
            held = own.amount.minor if own_blocks and own and own.amount else 0
            assert fact.amount.minor > held, "what a blocking lock holds is there"
        else:
            assert own_blocks or not others_block, "nobody spends what another holds"
            self.debits.append(-decision.change.minor)
            self.card = replace(self.card, balance=self.card.balance + decision.change)
        self.keep(*decision.changed)
        if isinstance(decision, Applied):
            open_locks = [k for k in self.locks.values() if k.state is LockState.OPEN]
            assert all(lock.blocks(self.now_s) for lock in open_locks), "a debit ends lapsed locks"


@settings(max_examples=400)
@given(STEPS)
def test_money_is_conserved_and_a_card_has_one_holder(steps: list[Step]) -> None:
    store = Store()
    for step in steps:
        store.step(step)
        assert store.card.balance.minor == OPENING - sum(store.debits) >= 0
        assert len(store.blocking()) <= 1
        for lock in store.blocking():
            assert lock.amount is not None
            assert lock.amount.minor <= store.card.balance.minor


@given(STEPS, st.integers(1, OPENING))
def test_the_same_operation_takes_effect_once(steps: list[Step], minor: int) -> None:
    store = Store()
    for step in steps:
        if not isinstance(step, Settle):
            store.step(step)
    store.step(Settle(1, minor))
    after = (store.card, dict(store.locks), list(store.debits), list(store.exceptions))
    store.step(Settle(1, minor))
    assert (store.card, store.locks, store.debits, store.exceptions) == after
    store.step(Settle(1, minor + 1))
    assert (store.card, store.debits) == (after[0], after[2])
    assert store.exceptions[-1].amount.minor == minor + 1


@given(STEPS)
def test_every_lock_lets_go_by_itself(steps: list[Step]) -> None:
    store = Store()
    for step in steps:
        store.step(step)
    store.step(Pass(ON.lease_s + ON.grace_s))
    assert not store.blocking()


@given(STEPS)
def test_what_a_key_was_granted_for_is_settled_or_ended_or_waiting(steps: list[Step]) -> None:
    """A key that was asked for is kept for ever: it is the fence for what comes late."""
    store = Store()
    asked: set[bytes] = set()
    for step in steps:
        store.step(step)
        if isinstance(step, Ask | Unlock):
            asked.add(key_of(step.key))
        assert asked <= store.locks.keys()
