"""P3 and P4: money is conserved, and a card is spent by whoever holds it.

An exception is excused where a rule names it: a person freed the card (H16), headquarters was
restored and does not know the lock (docs/design.md, Open by nature), or the register's disk went
back, so that it ended a lock whose sale it had forgotten (H10).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from tests.sim.concluding import concluded_too_late
from tests.sim.history import Event, Kind
from tests.sim.ledgers import Move, cards_of, moves_of, takes
from tests.sim.losses import Fate, Losses
from tests.sim.record import Record

from stillopen.v1 import realtime_pb2, types_pb2

COMPLETED = types_pb2.SALE_STATE_COMPLETED
BY_HAND = "ADJUST"


def p3_money_is_conserved(record: Record) -> Iterator[str]:
    """A card's balance is the sum of its ledger, never negative, and what sales made of it."""
    opened = {card.number: card.opening_minor for card in record.cards}
    moved: Counter[str] = Counter()
    for move in moves_of(record.answers):
        moved[move.card_id] += move.minor
    for number, ledger in record.answers.ledgers.items():
        balance = ledger.balance.minor_units
        added = sum(entry.amount.minor_units for entry in ledger.entries)
        if balance != added:
            yield f"card {number}: balance {balance}, ledger {added}"
        if balance < 0:
            yield f"card {number}: balance {balance}"
        openings = [e.amount.minor_units for e in ledger.entries if e.kind == "OPENING"]
        if openings != ([opened[number]] if number in opened else []):
            yield f"card {number}: opened with {openings}, imported with {opened.get(number)}"
        by_hand = [e.amount.minor_units for e in ledger.entries if e.kind == BY_HAND]
        yield from _adjusted(record, number, Counter(by_hand))
        if balance != opened.get(number, 0) + moved[ledger.card_id] + sum(by_hand):
            yield f"card {number}: {moved[ledger.card_id]} was moved and {balance} is on it"


def _adjusted(record: Record, number: str, found: Counter[int]) -> Iterator[str]:
    """What people put onto a card is there once, unless headquarters went back behind it."""
    backs = Losses(record.history.losses).of(Fate.HEADQUARTERS_RESTORED)
    asked, sure = Counter[int](), Counter[int]()
    for each in record.history.adjustments:
        if each.number != number:
            continue
        asked[each.minor] += 1
        done_s = each.done_s
        # What was done before the disk went back may be answered after.
        if done_s is not None and not any(
            each.asked_s <= x.time_s and x.image_s <= done_s for x in backs
        ):
            sure[each.minor] += 1
    yield from (f"card {number}: {n} was put on by nobody" for n in found - asked)
    yield from (f"card {number}: {n} was put on by hand and is not there" for n in sure - found)


def p4_one_holder(record: Record) -> Iterator[str]:
    """Every entry is an operation of a completed sale, once; no two sales held a card at once."""
    debits = Counter(
        Move(
            entry.transaction_id,
            ledger.card_id,
            entry.amount.minor_units,
            remainder=entry.kind == "REMAINDER",
        )
        for ledger in record.answers.ledgers.values()
        for entry in ledger.entries
        if entry.kind not in {"OPENING", BY_HAND}
    )
    wanted = Counter(moves_of(record.answers))
    yield from (f"entry {debit} belongs to no sale" for debit in sorted((debits - wanted).keys()))
    yield from (f"{tender} is in no ledger" for tender in sorted((wanted - debits).keys()))
    yield from concluded_too_late(record.history.events, record.heard.calls)
    if record.exceptional:
        return
    since = _since(record.history.events)
    for each in record.answers.exceptions:
        key = (each.transaction_id, each.operation.line_id)
        register, (from_s, _) = each.position.register_id, since.get(key, (0.0, 0.0))
        if not excuse(record, each.operation.card_id, register, from_s, each):
            yield f"exception {each.reason} for sale {each.transaction_id}"
    for card_id, spans in _held(record.history.events).items():
        for first, second in combinations(sorted(spans), 2):
            # Only a debit ends locks that have lapsed: after a credit one may be renewed.
            ended_first = min(first, second, key=lambda span: span.until_s)
            if second.from_s >= first.until_s or not ended_first.takes:
                continue
            who = [(_register_of(record, each.register), each.asked_s) for each in (first, second)]
            if not any(excuse(record, card_id, *each) for each in who):
                yield (
                    f"card {card_id} was held by sale {first.name} and by {second.name}"
                    f" at {second.from_s:.3f} s"
                )


def excuse(
    record: Record,
    card_id: str,
    register_id: str,
    from_s: float,
    raised: realtime_pb2.CardException | None = None,
) -> str:
    """The rule by which a card may be spent by whoever did not hold it; nothing when none does.

    `from_s` is when the sale of that register may have come to hold it.
    """
    losses, history = Losses(record.history.losses), record.history
    ledgers = record.answers.ledgers
    freed = {ledgers[number].card_id for number in history.unlocked if number in ledgers}
    if card_id in freed or (raised and raised.operation.lock_key in history.ended_by_hand):
        return "H16: a person freed it"
    backs = losses.of(Fate.HEADQUARTERS_RESTORED)
    if any(from_s <= each.time_s for each in backs):
        return "Open by nature: headquarters was restored, and did not know the lock"
    if losses.repeats(register_id):
        return "H10: the disk of its register went back, and ended the lock"
    return ""


def _since(events: list[Event]) -> dict[tuple[str, str], tuple[float, float]]:
    """By sale and line: when it was asked for its card, and when it was first seen to hold it."""
    asked: dict[tuple[str, int], float] = {}
    since: dict[tuple[str, str], tuple[float, float]] = {}
    for event in events:
        name, sale = event.transaction_id, event.sale
        if event.kind is Kind.SENT:
            asked.setdefault((name, event.version), event.time_s)
        for line_id, _, _ in cards_of(sale) if sale is not None else ():
            asked_s = asked.get((name, event.version - 1), event.time_s)
            since.setdefault((name, line_id), (asked_s, event.time_s))
    return since


def _register_of(record: Record, place: str) -> str:
    found = {x.place: x.register_id for x in record.history.losses if x.register_id}
    return found.get(place, place)


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """From when until when a completed sale surely held a card, and whether it took money off."""

    from_s: float
    until_s: float
    name: str
    takes: bool
    register: str
    asked_s: float


def _held(events: list[Event]) -> dict[str, list[_Span]]:
    """By card: from when until when a completed sale surely held it, and which sale."""
    since = _since(events)
    completing: dict[str, float] = {}
    held: dict[str, list[_Span]] = defaultdict(list)
    done: set[str] = set()
    for event in events:
        name, sale = event.transaction_id, event.sale
        if event.kind is Kind.SENT and event.method == "Complete":
            completing[name] = event.time_s
        if sale is None or sale.state != COMPLETED or name in done:
            continue
        done.add(name)
        for line_id, card, _ in cards_of(sale):
            (asked_s, from_s), until_s = since[name, line_id], completing.get(name, 0.0)
            if from_s < until_s:
                span = _Span(from_s, until_s, name, takes(card), event.register, asked_s)
                held[card.card_id].append(span)
    return held
