"""Every checker can fail: a history with one thing wrong is found, by the promise it breaks."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache

import pytest
from tests.sim.checkers import CHECKS, violations
from tests.sim.habits import Habits
from tests.sim.history import Event, Kind
from tests.sim.play import play_with
from tests.sim.record import Record
from tests.sim.scene import CARD, OPENING, small
from tests.sim.weather import Often, Weather
from tests.sim.words import Way, Words

from stillopen.v1 import realtime_pb2, register_pb2, types_pb2

Doctor = Callable[[Record], None]


@cache
def calm() -> Record:
    """A short day on which little goes wrong: cards are spent, a register dies once or twice."""
    weather = Weather(200, often=Often(crash=60, cut=60))
    record = play_with(6, small(), weather, Habits(by_card=0.9, switches=0)).record
    assert violations(record) == []
    return record


def first_receipt(record: Record) -> types_pb2.Sale:
    return next(iter(record.history.receipts.values()))


def first_card_sale(record: Record) -> types_pb2.Sale:
    return next(
        each.sale
        for each in record.answers.transactions
        if each.sale.state == types_pb2.SALE_STATE_COMPLETED
        and any(t.HasField("card") and not t.voided for t in each.sale.tenders)
    )


def find(record: Record, sale: types_pb2.Sale) -> int:
    names = [each.sale.transaction_id for each in record.answers.transactions]
    return names.index(sale.transaction_id)


def settle_again(record: Record) -> None:
    calls = [call for call in record.heard.calls if call.method == "SettleTransaction"]
    answer = realtime_pb2.SettleTransactionResponse.FromString(calls[0].answer or b"")
    answer.settlements[0].repeated = True
    calls[0].answer = answer.SerializeToString()


def show_older_parameters(record: Record) -> None:
    word = next(word for word in reversed(record.words.said) if word.way is Way.STATUS)
    older = register_pb2.GetStatusResponse()
    older.status.parameters_version = 1
    record.words.said.append(replace(word, body=older.SerializeToString()))


def leak_a_task(record: Record) -> None:
    record.weighed.later["R1-1", "tasks"] += 1


def lose_a_sale(record: Record) -> None:
    del record.answers.transactions[find(record, first_receipt(record))]


def change_a_line(record: Record) -> None:
    found = record.answers.transactions[find(record, first_receipt(record))]
    found.sale.lines[0].total.minor_units += 1


def move_a_sale(record: Record) -> None:
    record.answers.transactions[find(record, first_receipt(record))].position.sequence += 1


def bring_a_sale_twice(record: Record) -> None:
    record.answers.transactions.append(record.answers.transactions[0])


def leave_an_entry_behind(record: Record) -> None:
    lane = next(lane for lane in record.answers.completeness.lanes if lane.applied)
    lane.applied -= 1
    record.answers.completeness.complete = False


def keep_a_conflict(record: Record) -> None:
    record.answers.completeness.lanes[0].conflicts = 1


def lose_an_entry(record: Record) -> None:
    record.answers.completeness.lanes[0].stored += 1


def invent_a_sale(record: Record) -> None:
    invented = deepcopy(record.answers.transactions[0])
    invented.sale.transaction_id = "f" * 32
    record.answers.transactions.append(invented)


def change_a_balance(record: Record) -> None:
    record.answers.ledgers[CARD].balance.minor_units += 1


def overdraw(record: Record) -> None:
    ledger = record.answers.ledgers[CARD]
    ledger.entries.add(kind="REDEEM", transaction_id="f" * 32).amount.minor_units = -2 * OPENING
    ledger.balance.minor_units -= 2 * OPENING


def debit_twice(record: Record) -> None:
    ledger = record.answers.ledgers[CARD]
    debit = next(entry for entry in ledger.entries if entry.kind != "OPENING")
    ledger.entries.add().CopyFrom(debit)
    ledger.balance.minor_units += debit.amount.minor_units


def forget_a_debit(record: Record) -> None:
    ledger = record.answers.ledgers[CARD]
    debit = next(entry for entry in ledger.entries if entry.kind != "OPENING")
    ledger.balance.minor_units -= debit.amount.minor_units
    ledger.entries.remove(debit)


def raise_an_exception(record: Record) -> None:
    record.answers.exceptions.append(realtime_pb2.CardException(reason="SHORT"))


def hold_a_card_twice(record: Record) -> None:
    """Another completed sale held the card while the first did."""
    sale = first_card_sale(record)
    other = deepcopy(sale)
    other.transaction_id = "e" * 32
    begun = [e for e in record.history.events if e.transaction_id == sale.transaction_id]
    for event in begun:
        again = deepcopy(event.sale)
        if again is not None:
            again.transaction_id = other.transaction_id
        record.history.events.append(
            Event(
                event.time_s,
                "R1-9",
                event.kind,
                other.transaction_id,
                event.version,
                event.method,
                again,
            )
        )


def leave_a_lock(record: Record) -> None:
    lock = realtime_pb2.OpenLock(register_id="R1-1")
    lock.lock.blocks_for.FromSeconds(1)
    record.answers.locks.append(lock)


def never_drain(record: Record) -> None:
    record.answers.drained_s = None


def never_converge(record: Record) -> None:
    record.answers.replicas_agree_s = None


def fail_by_itself(record: Record) -> None:
    record.answers.failures.append("HQ ended by itself")


def surprise(record: Record) -> None:
    record.history.surprises.append("SignIn answered SIGN_IN_FAILED")


def seen(record: Record) -> list[int]:
    """Where in the history a sale is answered that has two versions at least."""
    return [
        place
        for place, event in enumerate(record.history.events)
        if event.sale is not None and event.version >= 3 and event.sale.lines
    ]


def doctored(record: Record, change: Callable[[types_pb2.Sale], None]) -> None:
    place = seen(record)[0]
    event = record.history.events[place]
    sale = deepcopy(event.sale) or types_pb2.Sale()
    change(sale)
    record.history.events[place] = Event(
        event.time_s, event.register, event.kind, event.transaction_id, sale.version, "", sale
    )


def go_back(record: Record) -> None:
    def change(sale: types_pb2.Sale) -> None:
        sale.version -= 2

    doctored(record, change)


def skip_a_version(record: Record) -> None:
    def change(sale: types_pb2.Sale) -> None:
        sale.version += 1

    doctored(record, change)


def lose_a_line(record: Record) -> None:
    def change(sale: types_pb2.Sale) -> None:
        del sale.lines[0]

    doctored(record, change)


def change_by_itself(record: Record) -> None:
    events = record.history.events
    place = seen(record)[0]
    before = events[place].version - 1
    name = events[place].transaction_id
    record.history.events[:] = [
        e
        for e in events
        if not (e.kind is Kind.SENT and (e.transaction_id, e.version) == (name, before))
    ]


def refuse_a_repeat(record: Record) -> None:
    place, event = next(
        (n, e) for n, e in enumerate(record.history.events) if e.method == "Complete"
    )
    refused = Event(0, "R1-1", Kind.REFUSED, event.transaction_id, event.version, "VERSION_OLD")
    record.history.events.insert(place + 1, refused)


def have_another_row(record: Record) -> None:
    record.answers.differences.append("R1-1: product P1 is another")


def hide_what_waits(record: Record) -> None:
    record.answers.statuses["R1-1"].waiting_entries += 1


def hide_what_headquarters_lacks(record: Record) -> None:
    record.answers.statuses["R1-1"].waiting_headquarters += 1


def tell_another_amount(record: Record) -> None:
    record.answers.statuses["R1-1"].waiting_amount.minor_units += 1


def set_aside(record: Record, *goes_on: int) -> types_pb2.Sale:
    """A cart with the lines of the first sale at headquarters; these sales go on from it."""
    cart = deepcopy(record.answers.transactions[0].sale)
    cart.transaction_id, cart.state = "c" * 32, types_pb2.SALE_STATE_SUSPENDED
    seen_s = record.history.events[-1].time_s
    shown = Event(seen_s, "R1-1", Kind.SEEN, cart.transaction_id, cart.version, "", cart)
    record.history.events.append(shown)
    for place in goes_on:
        sale = record.answers.transactions[place].sale
        sale.recalled_from = cart.transaction_id
        del sale.lines[:]
        sale.lines.extend(cart.lines)
    return cart


def lose_a_cart(record: Record) -> None:
    set_aside(record)


def sell_a_cart_twice(record: Record) -> None:
    set_aside(record, 0, 1)


def sell_a_cart_that_still_waits(record: Record) -> None:
    record.answers.carts["R1-1"] = [set_aside(record, 0)]


def price_a_cart_again(record: Record) -> None:
    set_aside(record, 0)
    record.answers.transactions[0].sale.lines[0].unit_price.minor_units += 1


def memo(record: Record, *entries: tuple[str, str, int]) -> None:
    """A memo with these entries: kind, sale, amount."""
    record.history.memos.append("M-1")
    ledger = realtime_pb2.ListCardEntriesResponse(card_id="memo-1")
    for kind, sale, minor in entries:
        entry = ledger.entries.add(kind=kind, transaction_id=sale)
        entry.amount.minor_units = minor
    record.answers.ledgers["M-1"] = ledger


def print_a_memo_that_is_nowhere(record: Record) -> None:
    record.history.memos.append("M-1")


def issue_a_memo_twice(record: Record) -> None:
    memo(record, ("ISSUE", "a", 300), ("ISSUE", "b", 300))


def spend_a_memo_twice(record: Record) -> None:
    memo(record, ("ISSUE", "a", 300), ("REDEEM", "b", -200), ("REDEEM", "c", -100))


def spend_a_memo_bit_by_bit(record: Record) -> None:
    memo(record, ("ISSUE", "a", 300), ("REDEEM", "b", -200))


def make_a_remainder_of_nothing(record: Record) -> None:
    memo(record, ("REMAINDER", "a", 300))


CASES: list[tuple[str, Doctor]] = [
    ("H11", print_a_memo_that_is_nowhere),
    ("H11", issue_a_memo_twice),
    ("H11", spend_a_memo_twice),
    ("CARDS", settle_again),
    ("CURSORS", show_older_parameters),
    ("GROWTH", leak_a_task),
    ("H11", spend_a_memo_bit_by_bit),
    ("H11", make_a_remainder_of_nothing),
    ("H25", lose_a_cart),
    ("H25", sell_a_cart_twice),
    ("H25", sell_a_cart_that_still_waits),
    ("H25", price_a_cart_again),
    ("P1", lose_a_sale),
    ("P1", change_a_line),
    ("P1", move_a_sale),
    ("P2", bring_a_sale_twice),
    ("P2", leave_an_entry_behind),
    ("P2", keep_a_conflict),
    ("P2", lose_an_entry),
    ("P2", lose_a_sale),
    ("P2", invent_a_sale),
    ("P3", change_a_balance),
    ("P3", overdraw),
    ("P3", debit_twice),
    ("P3", forget_a_debit),
    ("P4", debit_twice),
    ("P4", forget_a_debit),
    ("P4", overdraw),
    ("P4", raise_an_exception),
    ("P4", hold_a_card_twice),
    ("P5", leave_a_lock),
    ("P6", have_another_row),
    ("P7", never_drain),
    ("P7", never_converge),
    ("P7", fail_by_itself),
    ("P7", surprise),
    ("P8", go_back),
    ("P8", skip_a_version),
    ("P8", lose_a_line),
    ("P8", change_by_itself),
    ("P8", refuse_a_repeat),
    ("P9", hide_what_waits),
    ("P9", hide_what_headquarters_lacks),
    ("P9", tell_another_amount),
]


def test_a_cart_may_go_on_twice_when_a_manager_ended_a_claim() -> None:
    record = deepcopied(calm())
    sell_a_cart_twice(record)
    record.history.ended_claims.add("c" * 32)
    assert list(CHECKS["H25"](record)) == []


@pytest.mark.parametrize(("promise", "doctor"), CASES)
def test_a_record_with_one_thing_wrong_is_found(promise: str, doctor: Doctor) -> None:
    record = deepcopied(calm())
    doctor(record)
    assert list(CHECKS[promise](record)) != []


def test_every_promise_has_a_record_that_breaks_it() -> None:
    assert {promise for promise, _ in CASES} == set(CHECKS)


def deepcopied(record: Record) -> Record:
    """A copy to spoil; the digest of a history cannot be copied and is not needed."""
    history = type(record.history)()
    history.events = deepcopy(record.history.events)
    history.receipts = deepcopy(record.history.receipts)
    history.printed = deepcopy(record.history.printed)
    history.glances = deepcopy(record.history.glances)
    history.memos = list(record.history.memos)
    history.ended_claims = set(record.history.ended_claims)
    return replace(
        record,
        history=history,
        answers=deepcopy(record.answers),
        heard=deepcopy(record.heard),
        words=Words(list(record.words.said)),
        weighed=deepcopy(record.weighed),
    )
