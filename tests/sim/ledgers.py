"""What completed sales say should be in the ledgers of cards; only messages and history go in."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.sim.history import Answers

from stillopen.v1 import types_pb2

_TAKES = {types_pb2.CARD_PURPOSE_REDEEM, types_pb2.CARD_PURPOSE_CASH_OUT}
COMPLETED = types_pb2.SALE_STATE_COMPLETED


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """Money that a sale brings to a card, or takes from it below zero."""

    transaction_id: str
    card_id: str
    minor: int
    remainder: bool = False
    """Whether it goes from a memo to what is left of it."""


def takes(card: types_pb2.HeldCard) -> bool:
    """Whether money is taken off the card."""
    return card.purpose in _TAKES or not card.purpose


def cards_of(sale: types_pb2.Sale) -> Iterator[tuple[str, types_pb2.HeldCard, int]]:
    """What a sale does with cards: the line or tender, the card, how much."""
    for line in sale.lines:
        if line.HasField("card") and not line.voided:
            yield line.line_id, line.card, abs(line.total.minor_units)
    for tender in sale.tenders:
        if tender.HasField("card") and not tender.voided:
            yield tender.line_id, tender.card, abs(tender.amount.minor_units)


def moves_of(answers: Answers) -> list[Move]:
    """Every move that is not an exception, of every sale that came home completed.

    Of a sale that ended twice each end moves its money, and what both tell moves it once.
    """
    unpaid = {
        (e.transaction_id, e.operation.line_id, e.operation.lock_key) for e in answers.exceptions
    }
    memo_of = {
        hashlib.sha256(number.replace("-", "").encode()).digest(): ledger.card_id
        for number, ledger in answers.ledgers.items()
    }
    found: list[Move] = []
    done: set[tuple[str, str, bytes]] = set()
    sales = [each.sale for each in answers.transactions]
    for sale in (*sales, *(each.record.sale for each in answers.quarantined)):
        name = sale.transaction_id
        if sale.state != COMPLETED:
            continue
        for line_id, card, minor in cards_of(sale):
            key = (name, line_id, card.lock_key)
            if key in unpaid or key in done:
                continue
            done.add(key)
            found.append(Move(name, card.card_id, -minor if takes(card) else minor))
            if takes(card) and card.HasField("new_memo"):
                left, to = card.new_memo.amount.minor_units, card.new_memo.number_sha256
                found.append(Move(name, card.card_id, -left, remainder=True))
                found.append(Move(name, memo_of.get(to, to.hex()), left, remainder=True))
    return found


def memos_used_wrongly(answers: Answers, memos: list[str]) -> Iterator[str]:
    """A memo is issued once, spent once, and whole or used up; what is left goes to a new one."""
    for number in memos:
        ledger = answers.ledgers.get(number)
        if ledger is None:
            if not answers.exceptions:
                yield f"memo ...{number[-6:]} was printed and is not there"
            continue
        amounts = [entry.amount.minor_units for entry in ledger.entries]
        made = [minor for minor in amounts if minor > 0]
        spent = [e.transaction_id for e in ledger.entries if e.amount.minor_units < 0]
        if len(made) > 1 or (not made and not answers.exceptions):
            yield f"memo ...{number[-6:]} was issued with {made}"
        if len(set(spent)) > 1:
            yield f"memo ...{number[-6:]} was spent in {len(set(spent))} sales"
        if spent and sum(amounts):
            yield f"memo ...{number[-6:]} was used and {sum(amounts)} is on it"
        paid = [e for e in ledger.entries if e.kind == "REDEEM"]
        if spent and len(paid) != 1:
            yield f"memo ...{number[-6:]} has {len(paid)} payments"
    left = [
        entry.amount.minor_units
        for ledger in answers.ledgers.values()
        for entry in ledger.entries
        if entry.kind == "REMAINDER"
    ]
    if sum(left):
        yield f"what is left of memos and what was put on new ones differ by {sum(left)}"
