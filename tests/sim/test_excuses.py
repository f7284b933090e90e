"""What calamities excuse in a record, and that each excuse covers nothing else."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
from tests.sim.checkers import CHECKS
from tests.sim.coming_home import FINAL, on_paper, place_of
from tests.sim.history import Adjustment, Event, Kind
from tests.sim.losses import Fate, Key, Loss, Written
from tests.sim.record import Record
from tests.sim.scene import CARD
from tests.sim.test_checkers import calm, deepcopied

from stillopen.v1 import headquarters_pb2, realtime_pb2, types_pb2

LATER_S = 1_000.0
RESTORED = types_pb2.LANE_ALARM_KIND_RESTORED
Doctor = Callable[[Record], None]


# Receipts and entries that went with a disk


def lose_the_last(record: Record, *, claimed: bool = True) -> Loss:
    """The last receipt was on a disk that went, and nowhere else; headquarters says so."""
    printed = list(record.history.printed.values())[-1]
    name = printed.transaction_id
    [found] = [x for x in record.answers.transactions if x.sale.transaction_id == name]
    key = place_of(found.position)
    record.answers.transactions.remove(found)
    for ledger in record.answers.ledgers.values():
        for entry in [x for x in ledger.entries if x.transaction_id == name]:
            ledger.balance.minor_units -= entry.amount.minor_units
            ledger.entries.remove(entry)
    lane = next(x for x in record.answers.completeness.lanes if (x.register_id, x.epoch) == key[:2])
    assert lane.claimed_head == key[2]
    lane.stored, lane.applied, lane.stored_through = key[2] - 1, key[2] - 1, key[2] - 1
    lane.declared_lost = claimed
    lane.claimed_head = key[2] if claimed else key[2] - 1
    for lines in record.answers.journals.values():
        for line in [x for x in lines if place_of(x.position) == key]:
            lines.remove(line)
    loss = Loss(
        LATER_S,
        Fate.REINSTALLED,
        key[0],
        key[0],
        had={key: Written("COMPLETED", name)},
        only=frozenset({key}),
        claimed={key[:2]: key[2]} if claimed else {},
        sales=frozenset({name}),
    )
    record.history.losses = [loss]
    return loss


def test_a_receipt_that_only_a_lost_disk_held_is_excused() -> None:
    for claimed in (True, False):
        record = deepcopied(calm())
        lose_the_last(record, claimed=claimed)
        assert [x for name in ("P1", "P2", "P3", "P4") for x in CHECKS[name](record)] == []


def have_it_elsewhere(record: Record) -> None:
    record.history.losses = [replace(lose_the_last(record), only=frozenset())]


def keep_silent(record: Record) -> None:
    loss = lose_the_last(record)
    for lane in record.answers.completeness.lanes:
        lane.declared_lost = False
        lane.claimed_head = lane.stored
    assert loss.claimed


def lose_another(record: Record) -> None:
    lose_the_last(record)
    home = record.answers.transactions
    home.remove(next(x for x in home if x.sale.state == FINAL["COMPLETED"]))


def lose_it_at_a_server(record: Record) -> None:
    loss = lose_the_last(record)
    record.history.losses = [replace(loss, fate=Fate.CHANNEL_RESTORED, register_id="", had={})]


# A sale that two disks had open, and an image that was put back


def end_twice(record: Record) -> tuple[Key, types_pb2.Sale]:
    """The first sale of a register was open on an image, and ended on the restored disk too."""
    found = next(
        x
        for x in record.answers.transactions
        if x.sale.state == FINAL["COMPLETED"]
        and not any(t.HasField("card") for t in x.sale.tenders)
    )
    register, name = found.position.register_id, found.sale.transaction_id
    again = deepcopy(found.sale)
    again.state = types_pb2.SALE_STATE_VOIDED
    key = (register, 77, 1)
    position = types_pb2.JournalPosition(register_id=register, epoch=77, sequence=1)
    entry = headquarters_pb2.QuarantinedEntry(
        position=position, state=headquarters_pb2.QUARANTINE_STATE_QUARANTINED
    )
    record.answers.quarantined.append(
        headquarters_pb2.GetQuarantinedResponse(
            entry=entry, record=types_pb2.JournalRecord(sale=again)
        )
    )
    line = deepcopy(next(iter(record.answers.journals[register])))
    line.position.CopyFrom(position)
    line.kind, line.transaction_id = "VOIDED", name
    record.answers.journals[register].append(line)
    record.answers.completeness.lanes.add(
        register_id=register, epoch=77, claimed_head=1, stored=1, stored_through=1, quarantined=1
    )
    record.answers.completeness.complete = False
    loss = Loss(LATER_S, Fate.RESTORED, register, register, sales=frozenset({name}))
    record.history.losses = [loss]
    return key, again


def test_a_sale_that_was_open_on_an_image_may_end_twice() -> None:
    record = deepcopied(calm())
    end_twice(record)
    assert [x for name in CHECKS for x in CHECKS[name](record)] == []


def end_twice_without_an_image(record: Record) -> None:
    end_twice(record)
    record.history.losses = []


def end_twice_without_having_been_open(record: Record) -> None:
    end_twice(record)
    record.history.losses = [replace(record.history.losses[0], sales=frozenset())]


def print_another_end(record: Record) -> None:
    """A receipt of the second end that is not what is in quarantine."""
    key, sale = end_twice(record)
    printed = deepcopy(sale)
    printed.lines[0].total.minor_units += 1
    assert on_paper(printed) != sale
    record.history.printed[key] = printed


def quarantine_without_an_end(record: Record) -> None:
    _, sale = end_twice(record)
    home = record.answers.transactions
    home.remove(next(x for x in home if x.sale.transaction_id == sale.transaction_id))


def alarmed(record: Record, register: str) -> None:
    lane = next(x for x in record.answers.completeness.lanes if x.register_id == register)
    lane.alarms.add(register_id=register, epoch=lane.epoch, kind=RESTORED)


def alarm_for_nothing(record: Record) -> None:
    alarmed(record, "R1-1")


def alarm_for_the_other(record: Record) -> None:
    record.history.losses = [Loss(LATER_S, Fate.RESTORED, "R1-2", "R1-2")]
    alarmed(record, "R1-1")


def lane_beside(record: Record, *, epoch: int, sequence: int) -> None:
    """Two lanes that are home begin after one entry, and nobody says so."""
    names = [(x.register_id, x.epoch) for x in record.answers.completeness.lanes if x.stored]
    register = names[0][0]
    mine = [name for name in names if name[0] == register]
    assert len(mine) > 1
    record.history.losses = [Loss(LATER_S, Fate.RESTORED, register, register)]
    record.history.parents = dict.fromkeys(mine, (epoch, sequence))


def hide_a_clone(record: Record) -> None:
    lane_beside(record, epoch=5, sequence=1)


def hide_a_new_journal(record: Record) -> None:
    lane_beside(record, epoch=0, sequence=0)


def hide_a_restore(record: Record) -> None:
    lanes = [x for x in record.answers.completeness.lanes if x.stored > 1]
    parent = lanes[0]
    record.history.losses = [Loss(LATER_S, Fate.RESTORED, parent.register_id, parent.register_id)]
    child = next(
        x
        for x in record.answers.completeness.lanes
        if x.register_id == parent.register_id and x.epoch != parent.epoch and x.stored
    )
    record.history.parents = {(child.register_id, child.epoch): (parent.epoch, 1)}


def hide_a_lost_tail(record: Record) -> None:
    lane = next(x for x in record.answers.completeness.lanes if x.stored > 1)
    key = (lane.register_id, lane.epoch)
    record.history.losses = [
        Loss(LATER_S, Fate.RESTORED, key[0], key[0], claimed={key: 2}, left={key: 1})
    ]


# Cards


def adjust(record: Record, *, booked: bool, asked: bool) -> None:
    if asked:
        record.history.adjustments.append(Adjustment(CARD, 5, 10.0, 11.0))
    if booked:
        ledger = record.answers.ledgers[CARD]
        ledger.entries.add(kind="ADJUST").amount.minor_units = 5
        ledger.balance.minor_units += 5


def test_an_adjustment_is_on_the_card_once_or_went_with_what_headquarters_was() -> None:
    record = deepcopied(calm())
    adjust(record, booked=True, asked=True)
    assert list(CHECKS["P3"](record)) == []
    record = deepcopied(calm())
    adjust(record, booked=False, asked=True)
    record.history.losses = [Loss(12.0, Fate.HEADQUARTERS_RESTORED, "HQ", image_s=9.0)]
    assert list(CHECKS["P3"](record)) == []


def lose_an_adjustment(record: Record) -> None:
    adjust(record, booked=False, asked=True)


def lose_an_adjustment_that_the_image_had(record: Record) -> None:
    adjust(record, booked=False, asked=True)
    record.history.losses = [Loss(20.0, Fate.HEADQUARTERS_RESTORED, "HQ", image_s=12.0)]


def adjust_by_nobody(record: Record) -> None:
    adjust(record, booked=True, asked=False)


def raise_one(record: Record) -> realtime_pb2.CardException:
    raised = realtime_pb2.CardException(reason="SHORT", transaction_id="e" * 32)
    raised.operation.card_id = record.answers.ledgers[CARD].card_id
    raised.position.register_id = "R1-1"
    record.answers.exceptions.append(raised)
    return raised


@pytest.mark.parametrize("rule", ["H16", "H10", "Open by nature"])
def test_an_exception_is_excused_by_its_rule(rule: str) -> None:
    record = deepcopied(calm())
    raise_one(record)
    assert list(CHECKS["P4"](record)) != []
    if rule == "H16":
        record.history.unlocked = {CARD}
    elif rule == "H10":
        record.history.losses = [Loss(1.0, Fate.RESTORED, "R1-1", "R1-1")]
    else:
        record.history.losses = [Loss(1.0, Fate.HEADQUARTERS_RESTORED, "HQ")]
    assert list(CHECKS["P4"](record)) == []


def raise_one_for_another_card(record: Record) -> None:
    raise_one(record).operation.card_id = "another"
    record.history.unlocked = {CARD}


def raise_one_of_another_register(record: Record) -> None:
    raise_one(record)
    record.history.losses = [Loss(1.0, Fate.RESTORED, "R1-2", "R1-2")]


def raise_one_when_a_channel_was_restored(record: Record) -> None:
    raise_one(record)
    record.history.losses = [Loss(1.0, Fate.CHANNEL_RESTORED, "S1")]


def raise_one_of_a_lock_that_was_taken_after_the_restore(record: Record) -> None:
    sale = next(
        x.sale
        for x in record.answers.transactions
        if any(t.HasField("card") and not t.voided for t in x.sale.tenders)
    )
    raised = raise_one(record)
    raised.transaction_id = sale.transaction_id
    raised.operation.line_id = next(t.line_id for t in sale.tenders if t.HasField("card"))
    record.history.losses = [Loss(0.001, Fate.HEADQUARTERS_RESTORED, "HQ")]


def raise_one_after_a_reinstall(record: Record) -> None:
    raise_one(record)
    record.history.losses = [Loss(1.0, Fate.REINSTALLED, "R1-1", "R1-1")]


# The rest


def wait_for_a_person(record: Record) -> None:
    record.history.given_up = [("R1-1", 5)]


def go_back(record: Record, disk_of: str) -> None:
    """A sale is shown as it was two versions before; the disk of a register went back."""
    events = record.history.events
    place, event = next(
        (n, x) for n, x in enumerate(events) if x.sale is not None and x.version >= 3
    )
    older = deepcopy(event.sale) or types_pb2.Sale()
    older.version -= 2
    name, register = event.transaction_id, event.register
    back = disk_of or register
    events[place + 1 :] = [
        Event(event.time_s, back, Kind.PUT_BACK, "", 0),
        Event(event.time_s, register, Kind.SEEN, name, older.version, "GetSale", older),
    ]


def test_a_sale_begins_anew_when_its_disk_goes_back() -> None:
    record = deepcopied(calm())
    go_back(record, "")
    assert list(CHECKS["P8"](record)) == []


def go_back_when_another_did(record: Record) -> None:
    go_back(record, "R1-9")


def lose_a_cart(record: Record, of: frozenset[str] = frozenset()) -> None:
    cart = deepcopy(record.answers.transactions[0].sale)
    cart.transaction_id, cart.state = "c" * 32, types_pb2.SALE_STATE_SUSPENDED
    shown = Event(1.0, "R1-1", Kind.SEEN, cart.transaction_id, cart.version, "", cart)
    record.history.events.append(shown)
    record.history.losses = [Loss(2.0, Fate.REINSTALLED, "R1-1", "R1-1", carts=of)]


def test_a_cart_that_stood_on_a_lost_disk_may_be_lost() -> None:
    record = deepcopied(calm())
    lose_a_cart(record, frozenset({"c" * 32}))
    assert list(CHECKS["H25"](record)) == []


def lose_a_memo(record: Record) -> None:
    """It was printed, and its sale is at headquarters."""
    printed = next(iter(record.history.printed.values()))
    printed.tenders.add().card.new_memo.number = "M-1"
    record.history.memos.append("M-1")


def test_a_memo_whose_receipt_went_with_its_disk_is_not_there() -> None:
    record = deepcopied(calm())
    lose_the_last(record)
    list(record.history.printed.values())[-1].tenders.add().card.new_memo.number = "M-1"
    record.history.memos.append("M-1")
    assert list(CHECKS["H11"](record)) == []


CASES: list[tuple[str, Doctor]] = [
    ("P1", have_it_elsewhere),
    ("P1", keep_silent),
    ("P1", lose_another),
    ("P1", lose_it_at_a_server),
    ("P1", print_another_end),
    ("P2", have_it_elsewhere),
    ("P2", lose_it_at_a_server),
    ("P2", end_twice_without_an_image),
    ("P2", end_twice_without_having_been_open),
    ("P2", quarantine_without_an_end),
    ("P2", alarm_for_nothing),
    ("P2", alarm_for_the_other),
    ("P2", hide_a_clone),
    ("P2", hide_a_new_journal),
    ("P2", hide_a_restore),
    ("P2", hide_a_lost_tail),
    ("P3", lose_an_adjustment),
    ("P3", lose_an_adjustment_that_the_image_had),
    ("P3", adjust_by_nobody),
    ("P4", raise_one_for_another_card),
    ("P4", raise_one_of_another_register),
    ("P4", raise_one_when_a_channel_was_restored),
    ("P4", raise_one_of_a_lock_that_was_taken_after_the_restore),
    ("P4", raise_one_after_a_reinstall),
    ("P7", wait_for_a_person),
    ("P8", go_back_when_another_did),
    ("H11", lose_a_memo),
    ("H25", lose_a_cart),
]


@pytest.mark.parametrize(("promise", "doctor"), CASES)
def test_an_excuse_covers_nothing_else(promise: str, doctor: Doctor) -> None:
    record = deepcopied(calm())
    doctor(record)
    assert list(CHECKS[promise](record)) != []
