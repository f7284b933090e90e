"""The promises, as checks of what people saw and of what the estate says of itself.

They know nothing of the simulation: a record goes in, violations come out. Each is a function of
its own, named by its promise; `violations` runs them all.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

from tests.sim.history import Answers, Card, Event, History, Kind
from tests.sim.ledgers import Move, cards_of, memos_used_wrongly, moves_of, takes

from stillopen.v1 import types_pb2

COMPLETED, VOIDED = types_pb2.SALE_STATE_COMPLETED, types_pb2.SALE_STATE_VOIDED
SUSPENDED = types_pb2.SALE_STATE_SUSPENDED
_FINAL = {"COMPLETED": COMPLETED, "VOIDED": VOIDED}


@dataclass(frozen=True, slots=True)
class Record:
    """What is checked. `exceptional` says that locks may lapse before a sale is home."""

    history: History
    answers: Answers
    cards: tuple[Card, ...]
    exceptional: bool = False


Check = Callable[[Record], Iterator[str]]


def p1_nothing_printed_is_lost(record: Record) -> Iterator[str]:
    """Every receipt that was handed out is at headquarters, the same in every line."""
    home = {each.sale.transaction_id: each for each in record.answers.transactions}
    for name, printed in record.history.receipts.items():
        found = home.get(name)
        if found is None:
            yield f"receipt {printed.receipt.receipt_number} of sale {name} is not at headquarters"
            continue
        position, receipt = found.position, printed.receipt
        if (position.register_id, position.epoch, position.sequence) != (
            receipt.register_id,
            receipt.epoch,
            receipt.sequence,
        ):
            yield f"sale {name} is not where its receipt says"
        copy = types_pb2.Sale()
        copy.CopyFrom(printed)
        copy.ClearField("receipt")
        for tender in copy.tenders:  # numbers are on paper only
            if tender.card.new_memo.number:
                tender.card.new_memo.ClearField("number")
        if found.sale != copy:
            yield f"sale {name} at headquarters is not what was printed"


def p2_exactly_once(record: Record) -> Iterator[str]:
    """Every final sale of every journal is at headquarters once, and nothing else is."""
    answers = record.answers
    if not answers.completeness.complete:
        for lane in answers.completeness.lanes:
            if lane.claimed_head != lane.applied or lane.claimed_head != lane.stored_through:
                yield f"lane {lane.register_id}/{lane.epoch:016x} is not complete: {_brief(lane)}"
        yield "headquarters is not complete"
    for lane in answers.completeness.lanes:
        if lane.conflicts or lane.quarantined or lane.damaged:
            yield f"lane {lane.register_id}/{lane.epoch:016x} has alarms: {_brief(lane)}"
    home = Counter(each.sale.transaction_id for each in answers.transactions)
    yield from (f"sale {name} is at headquarters {n} times" for name, n in home.items() if n > 1)
    final = Counter(
        (line.transaction_id, _FINAL[line.kind])
        for lines in answers.journals.values()
        for line in lines
        if line.kind in _FINAL
    )
    yield from (f"sale {name[0]} is {n} times in journals" for name, n in final.items() if n > 1)
    arrived = {(each.sale.transaction_id, each.sale.state) for each in answers.transactions}
    yield from (f"sale {name} did not come home" for name, _ in sorted(final.keys() - arrived))
    yield from (f"sale {name} came from nowhere" for name, _ in sorted(arrived - final.keys()))
    entries = sum(len(lines) for lines in answers.journals.values())
    stored = sum(lane.stored for lane in answers.completeness.lanes)
    if entries != stored:
        yield f"journals have {entries} entries, headquarters has {stored}"


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
        if balance != opened.get(number, 0) + moved[ledger.card_id]:
            yield f"card {number}: {moved[ledger.card_id]} was moved and {balance} is on it"


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
        if entry.kind != "OPENING"
    )
    wanted = Counter(moves_of(record.answers))
    yield from (f"entry {debit} belongs to no sale" for debit in sorted((debits - wanted).keys()))
    yield from (f"{tender} is in no ledger" for tender in sorted((wanted - debits).keys()))
    if record.exceptional:
        return
    for each in record.answers.exceptions:
        yield f"exception {each.reason} for sale {each.transaction_id}"
    for card_id, spans in _held(record.history.events).items():
        for first, second in combinations(sorted(spans), 2):
            # Only a debit ends locks that have lapsed: after a credit one may be renewed.
            ended_first = min(first, second, key=lambda span: span.until_s)
            if second.from_s < first.until_s and ended_first.takes:
                yield (
                    f"card {card_id} was held by sale {first.name} and by {second.name}"
                    f" at {second.from_s:.3f} s"
                )


def p5_every_lock_ends(record: Record) -> Iterator[str]:
    """A lease after the last sale was closed no lock keeps a card."""
    for each in record.answers.locks:
        if each.lock.blocks_for.ToTimedelta().total_seconds() > 0:
            yield (
                f"a lock of {each.register_id} for sale {each.transaction_id} still blocks for"
                f" {each.lock.blocks_for.seconds} s"
            )


def p6_replicas_are_what_headquarters_has(record: Record) -> Iterator[str]:
    """Once everything is carried, every row of every channel and register is headquarters'."""
    yield from record.answers.differences


def p7_it_heals(record: Record) -> Iterator[str]:
    """Once links are back everything drains and every replica agrees, without a person, in time."""
    answers = record.answers
    if answers.drained_s is None:
        yield "journals did not drain in time"
    if answers.replicas_agree_s is None:
        yield "replicas do not have headquarters' parameters and catalogue in time"
    yield from answers.failures
    yield from record.history.surprises


def p8_an_open_sale_survives(record: Record) -> Iterator[str]:
    """A sale is what was last answered, or what a write that was sent since makes of it."""
    known: dict[str, types_pb2.Sale] = {}
    asked: Counter[tuple[str, int]] = Counter()
    late: dict[str, Event] = {}
    for event in record.history.events:
        name, sale = event.transaction_id, event.sale
        if event.kind is Kind.SENT:
            asked[name, event.version] += 1
        too_late = event.kind is Kind.REFUSED and event.method == "VERSION_OLD"
        # Another write that saw this version may have come twice; the only one may not fail.
        if too_late and asked[name, event.version] == 1:
            late[name] = event
        if sale is not None:
            if name in late and _gave_up_cards(known.get(name), sale):
                del late[name]  # nobody had touched it for half an hour
            yield from _follows(known.get(name), sale, asked)
            known[name] = sale
    for name, event in late.items():
        yield f"sale {name}: the only write that saw version {event.version} came too late"


def _follows(
    before: types_pb2.Sale | None, sale: types_pb2.Sale, asked: Counter[tuple[str, int]]
) -> Iterator[str]:
    name, version = sale.transaction_id, sale.version
    recalled = before is not None and _is_finished_recall(before)
    if before is None:
        # A recall that was answered late may have been finished by the register meanwhile.
        if version != 1 and not (version == 2 and sale.recalled_from):
            yield f"sale {name} began with version {version}"
    elif version == before.version:
        if sale != before:
            yield f"version {version} of sale {name} is not what it was"
    elif version != before.version + 1:
        yield f"sale {name} went from version {before.version} to {version}"
    elif not asked[name, before.version] and not (recalled and asked[name, 0]):
        yield f"sale {name} has version {version}, and nobody asked for it"
    elif not _grew(before, sale):
        yield f"sale {name} lost lines or payments with version {version}"


def p9_the_cashier_is_told(record: Record) -> Iterator[str]:
    """What the status says to be waiting is what the journal has not delivered."""
    glances = [(each.status, each.lines) for each in record.history.glances]
    last = record.answers.journals
    glances += [(status, tuple(last[name])) for name, status in record.answers.statuses.items()]
    for status, lines in glances:
        waiting = [line for line in lines if not line.at_channel]
        beyond = sum(1 for line in lines if not line.at_headquarters)
        told = (status.waiting_entries, status.waiting_headquarters)
        if told != (len(waiting), beyond):
            yield f"{status.register_id} was told of {told}, waiting {(len(waiting), beyond)}"
        amount = sum(line.total.minor_units for line in waiting)
        if status.waiting_amount.minor_units != amount:
            yield f"{status.register_id} was told of {status.waiting_amount.minor_units}, {amount}"


def h25_one_owner(record: Record) -> Iterator[str]:
    """Every suspended sale waits, or one sale goes on from it, with its lines as they were.

    Two may when a manager ended a claim; none may be lost.
    """
    final = {each.sale.transaction_id: each.sale for each in record.answers.transactions}
    waiting = {s.transaction_id: s for sales in record.answers.carts.values() for s in sales}
    shown = [event.sale for event in record.history.events if event.sale is not None]
    carts = {s.transaction_id: s for s in shown if s.state == SUSPENDED} | waiting
    after: dict[str, set[str]] = defaultdict(set)
    for sale in (*final.values(), *carts.values()):
        if sale.recalled_from:
            after[sale.recalled_from].add(sale.transaction_id)
            if not _same_goods(carts.get(sale.recalled_from), sale):
                yield f"sale {sale.transaction_id} is not what was suspended"
    for name in carts:
        ways = len(after[name]) + (name in waiting) + (name in final)
        if not ways:
            yield f"suspended sale {name} is lost"
        if ways > 1 and name not in record.history.ended_claims:
            yield f"suspended sale {name} is in {ways} places"


def h11_memos(record: Record) -> Iterator[str]:
    """A memo is issued once and spent once; what is left of it is what was not paid."""
    yield from memos_used_wrongly(record.answers, record.history.memos)


CHECKS: dict[str, Check] = {
    "P1": p1_nothing_printed_is_lost,
    "P2": p2_exactly_once,
    "P3": p3_money_is_conserved,
    "P4": p4_one_holder,
    "P5": p5_every_lock_ends,
    "P6": p6_replicas_are_what_headquarters_has,
    "P7": p7_it_heals,
    "P8": p8_an_open_sale_survives,
    "P9": p9_the_cashier_is_told,
    "H11": h11_memos,
    "H25": h25_one_owner,
}


def violations(record: Record) -> list[str]:
    """Every promise that was broken, and how."""
    return [f"{name}: {line}" for name, check in CHECKS.items() for line in check(record)]


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """From when until when a completed sale surely held a card, and whether it took money off."""

    from_s: float
    until_s: float
    name: str
    takes: bool


def _held(events: list[Event]) -> dict[str, list[_Span]]:
    """By card: from when until when a completed sale surely held it, and which sale."""
    since: dict[tuple[str, str], float] = {}
    completing: dict[str, float] = {}
    held: dict[str, list[_Span]] = defaultdict(list)
    done: set[str] = set()
    for event in events:
        name, sale = event.transaction_id, event.sale
        if event.kind is Kind.SENT and event.method == "Complete":
            completing[name] = event.time_s
        for line_id, _, _ in cards_of(sale) if sale is not None else ():
            since.setdefault((name, line_id), event.time_s)
        if sale is None or sale.state != COMPLETED or name in done:
            continue
        done.add(name)
        for line_id, card, _ in cards_of(sale):
            from_s, until_s = since[name, line_id], completing.get(name, 0.0)
            if from_s < until_s:
                held[card.card_id].append(_Span(from_s, until_s, name, takes(card)))
    return held


def _grew(before: types_pb2.Sale, after: types_pb2.Sale) -> bool:
    """Whether nothing that was on the sale is gone: lines and tenders are voided, never removed."""
    lines = [line.line_id for line in before.lines]
    tenders = [tender.line_id for tender in before.tenders]
    kept_lines = [line.line_id for line in after.lines][: len(lines)]
    kept_tenders = [tender.line_id for tender in after.tenders][: len(tenders)]
    return (lines, tenders) == (kept_lines, kept_tenders)


def _gave_up_cards(before: types_pb2.Sale | None, after: types_pb2.Sale) -> bool:
    """Whether the register ended a card's tender by itself, with the next version."""
    if before is None or after.version != before.version + 1:
        return False
    was = {tender.line_id for tender in before.tenders if not tender.voided}
    return any(t.voided and t.HasField("card") and t.line_id in was for t in after.tenders)


def _is_finished_recall(sale: types_pb2.Sale) -> bool:
    """Whether its register suspended it under the id that a recall had named."""
    return sale.version == 1 and sale.state == SUSPENDED and bool(sale.recalled_from)


def _same_goods(cart: types_pb2.Sale | None, sale: types_pb2.Sale) -> bool:
    """Whether the sale begins with the lines of the cart, at their prices; any may be voided."""
    if cart is None:
        return False
    goods = [
        (x.line_id, x.product_id, x.quantity_milli, x.unit_price.minor_units, x.catalogue_sequence)
        for x in (*cart.lines, *sale.lines)
    ]
    return goods[: len(cart.lines)] == goods[len(cart.lines) :][: len(cart.lines)]


def _brief(message: object) -> str:
    return " ".join(str(message).split())
