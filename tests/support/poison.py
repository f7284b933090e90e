"""Entries that nobody can apply: no register of ours writes them, and one in a hundred may come."""

from tests.support.estate_messages import sale_of
from tests.support.estate_parts import eur

from stillopen.core.journal import NO_PARENT, Entry, Lane, append
from stillopen.rpc.wire_sale import sale_to
from stillopen.v1 import types_pb2


def sold(number: int) -> types_pb2.JournalRecord:
    """The record of a good sale for cash, for a poison to be made of."""
    return types_pb2.JournalRecord(receipt_number=f"no {number}", sale=sale_to(sale_of(number)))


def unknown_kind(number: int) -> bytes:
    """A record of a kind that newer software knows."""
    return (
        types_pb2.JournalRecord(receipt_number=f"no {number}").SerializeToString() + b"\x9a\x06\x00"
    )


def no_message(number: int) -> bytes:
    """Bytes that are no message."""
    return b"\xff\xff\xff from the future, %d" % number


def out_of_bounds(number: int) -> bytes:
    """A sale whose sum no database holds."""
    record = sold(number)
    record.sale.lines[0].quantity_milli = 2**62
    record.sale.lines[0].unit_price.minor_units = 2**62
    return record.SerializeToString()


def cash_by_card(number: int) -> bytes:
    """A payment in cash that has a card."""
    record = sold(number)
    card = types_pb2.HeldCard(lock_key=b"k" * 16, card_id="c", last_four="0001", balance=eur(1))
    record.sale.tenders[0].card.CopyFrom(card)
    return record.SerializeToString()


def still_open(number: int) -> bytes:
    """A sale that is not final."""
    record = sold(number)
    record.sale.state = types_pb2.SALE_STATE_OPEN
    return record.SerializeToString()


def long_after_all_years(number: int) -> bytes:
    """A record of no known kind, of a time that no calendar has."""
    record = types_pb2.JournalRecord(receipt_number=f"no {number}")
    record.wall_time.seconds = 2**62
    return record.SerializeToString() + b"\x9a\x06\x00"


POISON = {
    "unknown kind": unknown_kind,
    "no message": no_message,
    "out of bounds": out_of_bounds,
    "still open": still_open,
    "long after all years": long_after_all_years,
}


def lane_of(lane: Lane, payloads: list[bytes]) -> list[Entry]:
    """A lane of entries with these bytes, each naming the one before."""
    found: list[Entry] = []
    for number, payload in enumerate(payloads, 1):
        parent = found[-1].digest if found else NO_PARENT
        found.append(append(lane, number, parent, payload))
    return found
