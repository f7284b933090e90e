"""Which promises a seed could have broken: a check of what never was at stake is no check."""

from tests.sim.calamities import CALAMITIES
from tests.sim.history import Event, Kind
from tests.sim.play import Played
from tests.sim.record import Record

from stillopen.v1 import types_pb2


def at_stake(played: Played) -> set[str]:
    """The promises that were at stake in a seed, and the calamities that were there."""
    record, faults = played.record, played.faults
    history, answers, ledgers = record.history, record.answers, record.answers.ledgers
    tested = {
        "P1": _crashed_after_a_receipt(history.events) or answers.waiting_when_healed > 0,
        "P2": bool(history.receipts)
        and faults["broken"] + faults["break_stream"] + _crashes(played) > 0,
        "P3": any(len(ledger.entries) > 1 for ledger in ledgers.values()),
        "P4": history.refusals["CARD_LOCKED"] > 0 or _shared_cards(record),
        "P5": any(line.kind == "UNLOCK" for lines in answers.journals.values() for line in lines),
        "P6": faults["spoil"] > 0 or _crashes(played) > 0,
        "P7": answers.waiting_when_healed > 0,
        "P8": _crashed_with_an_open_sale(history.events),
        "H25": any(each.sale.recalled_from for each in answers.transactions)
        and sum(faults.values()) > 0,
        "H11": any(len(ledgers[n].entries) > 1 for n in history.memos if n in ledgers),
        "P9": any(glance.status.waiting_entries for glance in history.glances),
        "CARDS": _asked_in_doubt(record),
        "CURSORS": faults["spoil"] + _crashes(played) > 0 or bool(history.losses),
        "GROWTH": sum(faults.values()) > 0,
    }
    promises = {promise for promise, is_tested in tested.items() if is_tested}
    return promises | {what for what in CALAMITIES if faults[what]}


def _asked_in_doubt(record: Record) -> bool:
    """Whether cards were asked for by several, or by one who was not answered or not heard."""
    asked = [call for call in record.heard.calls if call.method == "LockCard"]
    several = len({call.caller for call in asked}) > 1
    return several or len(record.heard.runs) > 1 or any(call.answer is None for call in asked)


def _crashes(played: Played) -> int:
    return sum(count for what, count in played.faults.items() if what.startswith("crash "))


def _crashed_after_a_receipt(events: list[Event]) -> bool:
    printed = {
        event.register
        for event in events
        if event.sale is not None and event.sale.state == types_pb2.SALE_STATE_COMPLETED
    }
    return any(event.kind is Kind.CRASHED and event.register in printed for event in events)


def _crashed_with_an_open_sale(events: list[Event]) -> bool:
    is_open: dict[str, bool] = {}
    for event in events:
        if event.sale is not None:
            is_open[event.register] = event.sale.state == types_pb2.SALE_STATE_OPEN
        elif event.kind is Kind.CRASHED and is_open.get(event.register):
            return True
    return False


def _shared_cards(record: Record) -> bool:
    """Whether registers of several tills were paid with one card."""
    register_of = {
        each.sale.transaction_id: each.sale.register_id for each in record.answers.transactions
    }
    return any(
        len({register_of.get(entry.transaction_id) for entry in ledger.entries} - {None}) > 1
        for ledger in record.answers.ledgers.values()
    )
