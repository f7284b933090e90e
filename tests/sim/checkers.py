"""The promises, as checks of what people saw and of what the estate says of itself.

They know nothing of the simulation: a record goes in, violations come out. Each is a function of
its own, named by its promise; `violations` runs them all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

from tests.sim.coming_home import p1_nothing_printed_is_lost, p2_exactly_once
from tests.sim.cursors import cursors_never_go_back
from tests.sim.growth import nothing_grows
from tests.sim.holding import p3_money_is_conserved, p4_one_holder
from tests.sim.ledgers import memos_used_wrongly
from tests.sim.linear import cards_do_one_thing_after_another
from tests.sim.losses import Losses
from tests.sim.record import Record
from tests.sim.surviving import p8_an_open_sale_survives

from stillopen.v1 import types_pb2

SUSPENDED = types_pb2.SALE_STATE_SUSPENDED

Check = Callable[[Record], Iterator[str]]


def p5_every_lock_ends(record: Record) -> Iterator[str]:
    """A lease after the last sale was closed no lock keeps a card."""
    for each in record.answers.locks:
        if each.lock.blocks_for.ToTimedelta().total_seconds() > 0:
            yield (
                f"a lock of {each.register_id} for sale {each.transaction_id} still blocks for"
                f" {each.lock.blocks_for.seconds} s"
            )


def p6_replicas_are_what_headquarters_has(record: Record) -> Iterator[str]:
    """Once everything is carried, the rows that were compared are headquarters' (audit.py)."""
    yield from record.answers.differences


def p7_it_heals(record: Record) -> Iterator[str]:
    """Once links are back everything drains and every replica agrees, without a person, in time."""
    answers = record.answers
    if answers.drained_s is None:
        yield "journals did not drain in time"
    if answers.replicas_agree_s is None:
        yield "replicas do not have headquarters' parameters and catalogue in time"
    sure = set(record.history.given_up) - Losses(record.history.losses).lanes
    yield from (f"a person had to end the waiting for lane {lane}" for lane in sorted(sure))
    yield from answers.failures
    yield from record.history.surprises


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

    Two may when a manager ended a claim, or a disk that had it went back; none may be lost that was
    on another disk than one that went.
    """
    losses = Losses(record.history.losses)
    excused = losses.carts
    final = {each.sale.transaction_id: each.sale for each in record.answers.transactions}
    waiting = [sale for sales in record.answers.carts.values() for sale in sales]
    shown = [event.sale for event in record.history.events if event.sale is not None]
    carts: dict[str, list[types_pb2.Sale]] = defaultdict(list)
    for sale in (*(s for s in shown if s.state == SUSPENDED), *waiting):
        carts[sale.transaction_id].append(sale)
    after: dict[str, set[str]] = defaultdict(set)
    ends = [*final.values(), *(each.record.sale for each in record.answers.quarantined)]
    for sale in (*ends, *(versions[-1] for versions in carts.values())):
        if sale.recalled_from:
            after[sale.recalled_from].add(sale.transaction_id)
            if not any(_same_goods(cart, sale) for cart in carts.get(sale.recalled_from, ())):
                yield f"sale {sale.transaction_id} is not what was suspended"
    still = {sale.transaction_id for sale in waiting}
    for name in carts:
        ways = len(after[name]) + (name in still) + (name in final)
        if not ways and name not in excused:
            yield f"suspended sale {name} is lost"
        if ways > 1 and name not in record.history.ended_claims | excused | losses.sales:
            yield f"suspended sale {name} is in {ways} places"


def h11_memos(record: Record) -> Iterator[str]:
    """A memo is issued once and spent once; what is left of it is what was not paid.

    One whose receipt went with a disk is not there.
    """
    gone = Losses(record.history.losses).gone
    lost: set[str] = set()
    kept: set[str] = set()
    for place, sale in record.history.printed.items():
        (lost if place in gone else kept).update(t.card.new_memo.number for t in sale.tenders)
    memos = [number for number in record.history.memos if number not in lost - kept]
    yield from memos_used_wrongly(record.answers, memos)


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
    "CARDS": cards_do_one_thing_after_another,
    "CURSORS": cursors_never_go_back,
    "GROWTH": nothing_grows,
}


def violations(record: Record) -> list[str]:
    """Every promise that was broken, and how."""
    return [f"{name}: {line}" for name, check in CHECKS.items() for line in check(record)]


def _same_goods(cart: types_pb2.Sale, sale: types_pb2.Sale) -> bool:
    """Whether the sale begins with the lines of the cart, at their prices; any may be voided."""
    goods = [
        (x.line_id, x.product_id, x.quantity_milli, x.unit_price.minor_units, x.catalogue_sequence)
        for x in (*cart.lines, *sale.lines)
    ]
    return goods[: len(cart.lines)] == goods[len(cart.lines) :][: len(cart.lines)]
