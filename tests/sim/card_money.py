"""What may become of a card by facts and by people: a fact is judged once, money is conserved."""

from collections.abc import Iterator
from dataclasses import replace

from tests.sim.card_answers import Holding
from tests.sim.card_state import ISSUE, Card, Lock, Settled, Status, takes
from tests.sim.card_steps import Adjusted, Blocked, Fact, Remainder, Resolved, Step, Voided

from stillopen.v1 import realtime_pb2

MoneyStep = Fact | Remainder | Voided | Resolved | Adjusted | Blocked
_NOT_THERE = {Status.ABSENT, Status.NEW, Status.PENDING}
_APPLIED = realtime_pb2.SETTLEMENT_OUTCOME_APPLIED


def after_money_step(card: Card, what: MoneyStep, step: Step, holding: Holding) -> Iterator[Card]:
    """Every card that may come of a fact, or of what a person does."""
    match what:
        case Fact():
            return _settled(card, what, holding)
        case Resolved():
            return _resolved(card, what.fact, holding)
        case Remainder():
            return _left_over(card, what, holding)
        case Voided():
            return iter([replace(card, status=Status.USED)])
        case Adjusted():
            return _adjusted(card, what, step, holding)
        case Blocked():
            return _blocked(card, what, step)


def _settled(card: Card, fact: Fact, holding: Holding) -> Iterator[Card]:
    """A fact is judged once, by what the card holds when it comes; the same again moves nothing."""
    name = (fact.transaction_id, fact.operation.line_id)
    known = next((x for x in card.settled if (x.transaction_id, x.line_id) == name), None)
    if known is not None:
        is_same_again = known.digest == fact.digest
        if _is_told(fact, paid=known.paid and is_same_again, repeated=is_same_again):
            yield card
        return
    if fact.came_as_another and _is_told(fact, paid=False, repeated=False):
        yield card
    done = _paid(card, fact, holding)
    paid = done is not None
    if not _is_told(fact, paid=paid, repeated=False):
        return
    if done is None:
        own = _own(card, fact)
        done = card.ending(own.key) if own else card
        if card.status in _NOT_THERE:
            done = replace(done, waiting=(*done.waiting, fact))
    yield replace(done, settled=(*done.settled, Settled(*name, fact.digest, paid)))


def _is_told(fact: Fact, *, paid: bool, repeated: bool) -> bool:
    shown = fact.shown
    return shown is None or (shown.outcome == _APPLIED, shown.repeated) == (paid, repeated)


def _own(card: Card, fact: Fact) -> Lock | None:
    lock = card.lock(fact.operation.lock_key)
    name = (fact.transaction_id, fact.operation.line_id)
    return lock if lock and (lock.transaction_id, lock.line_id) == name else None


def _paid(card: Card, fact: Fact, holding: Holding) -> Card | None:
    """The card once the fact is paid; None when it is an exception."""
    own, operation = _own(card, fact), fact.operation
    if operation.purpose == ISSUE:
        return _issued(card, fact, own, holding)
    done = card.settling(own) if own else card
    if card.status in _NOT_THERE:
        return None
    if not takes(operation.purpose):
        return replace(done, minor=card.minor + operation.amount.minor_units)
    needed = operation.amount.minor_units + fact.left_minor
    is_whole = not card.memo or needed == card.minor
    if needed > card.free(own.key if own else b"", holding) or not is_whole:
        return None
    status = Status.USED if card.memo else card.status
    return replace(done.lapsing(holding), minor=card.minor - needed, status=status)


def _issued(card: Card, fact: Fact, own: Lock | None, holding: Holding) -> Card | None:
    """A card is issued once: under its own lock, or when no other holds the number."""
    is_memo = fact.operation.HasField("new_memo")
    is_made = card.status is Status.NEW or (card.status is Status.ABSENT and is_memo)
    if not is_made or (holding and (own is None or own.key not in holding)):
        return None
    done = replace(card.settling(own) if own else card, memo=is_memo)
    done = replace(done.lapsing(holding), minor=fact.operation.amount.minor_units)
    return _opened(done, holding)


def _opened(card: Card, holding: Holding) -> Card:
    """What was spent of a card before it was there is paid now."""
    done = replace(card, status=Status.OPEN, waiting=())
    for fact in card.waiting:
        paid = _paid(done, fact, holding)
        done = paid if paid is not None else replace(done, waiting=(*done.waiting, fact))
    return done


def _resolved(card: Card, fact: Fact, holding: Holding) -> Iterator[Card]:
    """A person applies an exception: judged again, or put onto the card that was issued twice."""
    left = replace(card, waiting=tuple(x for x in card.waiting if x.digest != fact.digest))
    done = _paid(left, fact, holding)
    if done is not None:
        yield done
    elif fact.operation.purpose == ISSUE and card.status is Status.OPEN:
        yield replace(left, minor=card.minor + fact.operation.amount.minor_units)


def _left_over(card: Card, what: Remainder, holding: Holding) -> Iterator[Card]:
    """What is left of a memo is there once it is paid, and waits with its redemption before."""
    if what.paid:
        yield _opened(replace(card, memo=True, minor=card.minor + what.minor), holding)
    elif card.visible:
        yield card
    else:
        yield replace(card, memo=True, status=Status.PENDING)
        yield card  # the same line with other contents makes no memo


def _adjusted(card: Card, what: Adjusted, step: Step, holding: Holding) -> Iterator[Card]:
    """A person adds to a card, or takes what nobody holds: a debit like any other."""
    change = what.request.change.minor_units
    name = (what.request.adjustment_id, change)
    refusals = {
        "INSUFFICIENT_BALANCE": -change > card.free(b"", holding),
        "CARD_LOCKED": card.memo and bool(holding),
        "CARD_UNKNOWN": card.status is Status.ABSENT,
        "CARD_PENDING": card.status in {Status.NEW, Status.PENDING},
        "CARD_USED": card.status is Status.USED,
    }
    done = card
    if name not in card.adjusted:
        if step.refused or any(refusals.values()):
            if refusals.get(step.refused):
                yield card
            return
        # A memo is good for what was on it: a sale that held it for more is not confirmed.
        done = card.lapsing(holding) if change < 0 or card.memo else card
        done = replace(done, minor=card.minor + change, adjusted=card.adjusted | {name})
    if not step.refused and (what.shown is None or what.shown.balance.minor_units == done.minor):
        yield done


def _blocked(card: Card, what: Blocked, step: Step) -> Iterator[Card]:
    if not step.refused and card.status is not Status.ABSENT:
        yield replace(card, blocked=what.blocked)
    elif step.refused == "CARD_UNKNOWN" and card.status is Status.ABSENT:
        yield card
