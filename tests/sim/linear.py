"""Whether the card service did one thing after another: linearizability, card by card.

After Wing and Gong, and Lowe: the history of a card is right when its steps can be put in one order
that keeps what was answered before something else was asked, and in which the rules of a card
(card_rules.py) explain every answer. Steps are put in order only when an answer asks for it, and
what is the same card with the same steps behind it is looked at once; so a quiet moment costs
nothing. One order is enough: it is looked for with as few as possible of the calls that were never
answered, and among all orders only where there is none such. A search that takes too many tries
gives up and says so: undecided is not passed.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from tests.sim.card_answers import Holding
from tests.sim.card_calls import NEVER, CardCall, CardCalls, Run
from tests.sim.card_histories import histories, names_in
from tests.sim.card_names import name_of
from tests.sim.card_rules import after
from tests.sim.card_state import Card, Lock, Status
from tests.sim.card_steps import Served, Step
from tests.sim.losses import Fate
from tests.sim.record import Record

TRIES_MAX = 100_000
"""For one card."""
_NEAR_S = 1e-6


@dataclass(frozen=True, slots=True)
class Restored:
    """The server went on from a copy: what it did between these moments it never did."""

    copied_s: float
    restored_s: float


def cards_do_one_thing_after_another(record: Record) -> Iterator[str]:
    """Every answer of the card service is explained by one order of all that was asked of it."""
    opened = [(card.number, card.opening_minor) for card in record.cards]
    restored = [
        Restored(loss.image_s, loss.time_s)
        for loss in record.history.losses
        if loss.fate is Fate.HEADQUARTERS_RESTORED
    ]
    yield from order_of_cards(record.heard, opened, restored)


def order_of_cards(
    heard: CardCalls, opened: Sequence[tuple[str, int]], restored: Sequence[Restored] = ()
) -> Iterator[str]:
    """Says for which card no order of its calls explains what was answered.

    `opened` are the numbers of cards that were there at the beginning, and what was on them.
    """
    known = {name_of(number): Card(Status.OPEN, minor=minor) for number, minor in opened}
    first_s = min((each.restored_s for each in restored), default=math.inf)
    names = names_in(heard.calls) if restored else None
    for calls, runs in _lives(heard, restored):
        served = Served(runs)
        for name, steps in histories(calls, runs, first_s, names).items():
            search = Search(served)
            for line in search.run(known.get(name, Card()), steps):
                yield f"card {name[:12]}: {line}"


class Undecided(RuntimeError):
    """The search took too many tries."""


Possible = tuple[Card, frozenset[int]]
"""A card as it may be, and which of the open steps it has behind it."""


class Search:
    """Looks for one order of the steps of one card."""

    def __init__(self, served: Served, tries_max: int = TRIES_MAX) -> None:
        self.tries = 0
        self._served = served
        self._tries_max = tries_max
        self._steps: Sequence[Step] = ()
        self._with_few = False

    def run(self, card: Card, steps: Sequence[Step]) -> Iterator[str]:
        """Says what no order explains, or that it gave up."""
        self._steps = steps
        for self._with_few in (True, False):
            self.tries = 0
            wrong = list(self._follow(card, steps))
            if not wrong:
                return
        yield from wrong

    def _follow(self, card: Card, steps: Sequence[Step]) -> Iterator[str]:
        events = [(step.asked, 0, n) for n, step in enumerate(steps)]
        events += [(step.answered, 1, n) for n, step in enumerate(steps) if step.answered < NEVER]
        possible: set[Possible] = {(card, frozenset())}
        waiting: set[int] = set()
        for _, is_answer, n in sorted(events):
            if not is_answer:
                waiting.add(n)
                continue
            try:
                found = self._answered(possible, waiting, n)
            except Undecided:
                yield f"undecided after {self.tries} tries at {steps[n]}"
                return
            if not found:
                yield f"{steps[n]}: nothing explains it; {_told(possible)}"
                return
            possible = found
            waiting.discard(n)

    def _answered(self, possible: set[Possible], waiting: set[int], n: int) -> set[Possible]:
        """What is possible once step `n` is known to be over."""
        if not self._with_few:
            return self._over(possible, waiting, n, len(waiting))
        for unsure_max in range(1 + self._unsure(waiting)):
            if found := self._over(possible, waiting, n, unsure_max):
                return found
        return set()

    def _over(
        self, possible: set[Possible], waiting: set[int], n: int, unsure_max: int
    ) -> set[Possible]:
        found: set[Possible] = set()
        for card, done in possible:
            if n in done:
                found.add((card, done - {n}))
                continue
            if not self._steps[n].sure:
                found.add((card, done))
                if self._with_few:
                    continue
            found |= self._orders(card, done, waiting, n, unsure_max)
        return found

    def _unsure(self, steps: Iterable[int]) -> int:
        return sum(not self._steps[each].sure for each in steps)

    def _orders(
        self, card: Card, done: frozenset[int], waiting: set[int], n: int, unsure_max: int
    ) -> set[Possible]:
        """Every outcome of doing some of the waiting steps, and `n` last."""
        found: set[Possible] = set()
        seen: set[Possible] = {(card, done)}
        left = [(card, done)]
        while left:
            before, behind = left.pop()
            full = self._unsure(behind - done) >= unsure_max
            for each in waiting - behind:
                if full and each != n and not self._steps[each].sure:
                    continue
                for after_it in self._after(before, self._steps[each]):
                    if each == n:
                        found.add((after_it, behind))
                    elif after_it == before and not self._steps[each].sure:
                        continue  # nobody asks whether it was done, and it does nothing
                    elif (then := (after_it, behind | {each})) not in seen:
                        seen.add(then)
                        left.append(then)
        return found

    def _after(self, card: Card, step: Step) -> Iterator[Card]:
        for holding in self._holdings(card, step):
            self.tries += 1
            if self.tries > self._tries_max:
                raise Undecided
            yield from after(card, step, holding, self._left)

    def _holdings(self, card: Card, step: Step) -> Iterator[Holding]:
        """Which locks may keep the card from others: each that may have lapsed, or may not."""
        ways: list[tuple[tuple[bytes, ...], ...]] = []
        for lock in card.locks:
            least, most = self._left(lock, step)
            kept, lapsed = (lock.key,), ()
            ways.append(
                ((kept,) if most > _NEAR_S else ()) + ((lapsed,) if least <= _NEAR_S else ())
            )
        for way in product(*ways):
            yield frozenset(key for keys in way for key in keys)

    def _left(self, lock: Lock, step: Step) -> tuple[float, float]:
        """For how many more seconds a lock may block when a step is done."""
        if lock.left_s is None:
            return 0.0, math.inf
        first_s, last_s = lock.seen_s
        passed = self._served.at_most(first_s, step.answered_s)
        surely = self._served.at_least(last_s, step.asked_s)
        # The clock is read as soon as something is asked, and a lock may be made longer after that.
        early = max(0.0, last_s - step.asked_s)
        most_s = lock.left_s + lock.more_s - surely + early
        return max(0.0, lock.left_s - passed), max(0.0, most_s)


def _lives(
    heard: CardCalls, restored: Sequence[Restored]
) -> Iterator[tuple[list[CardCall], list[Run]]]:
    """What a server that goes on from copies has behind it: at each restore, and at the end."""
    calls: list[CardCall] = []
    runs, from_s = heard.runs, -math.inf
    for each in (*sorted(restored, key=lambda r: r.restored_s), None):
        until_s = math.inf if each is None else each.restored_s
        calls += [call for call in heard.calls if from_s <= call.asked_s < until_s]
        yield calls, runs
        if each is not None:
            calls = [_until(call, each.copied_s) for call in calls if call.asked_s < each.copied_s]
            runs = [_cut(run, each) for run in runs]
            from_s = until_s


def _until(call: CardCall, copied_s: float) -> CardCall:
    """What was not answered when the copy was made is on it or not."""
    if call.answered_s < copied_s:
        return call
    return replace(call, answered=NEVER, answered_s=math.inf, answer=None, refused="")


def _cut(run: Run, restored: Restored) -> Run:
    if run.from_s >= restored.restored_s:
        return run
    if run.from_s >= restored.copied_s:
        return replace(run, heard_s=-math.inf, ended_s=run.from_s)
    return replace(run, ended_s=min(run.ended_s, restored.copied_s))


def _told(possible: set[Possible]) -> str:
    return "the card was " + " or ".join(sorted({_brief(card) for card, _ in possible})[:3])


def _brief(card: Card) -> str:
    held = ", ".join(
        f"{lock.key.hex()[:8]} of {lock.holder} for {lock.minor}" for lock in card.locks
    )
    return f"{card.status} with {card.minor}, held by [{held}]"
