"""Tenders: what pays for a sale, and what is given back for a return.

Money above zero is paid, below zero given back: in cash, onto a gift card, as a credit memo. A
tender never changes; another amount is another tender.
"""

from dataclasses import replace

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.money import Money, check_money
from stillopen.core.purpose import CardKind, Purpose
from stillopen.core.sale import TENDERS_MAX, HeldCard, Sale, Tender, TenderKind, changed, check_open


def add_cash(sale: Sale, amount: Money) -> Sale:
    """Takes cash, possibly more than is due, or gives cash out for a return."""
    check_open(sale)
    _check_amount(sale, amount)
    total, due = sale.total, sale.due
    if amount.minor < 0 and (total.minor >= 0 or amount.minor < due.minor):
        raise Refused(Reason.EXCEEDS_DUE, f"at most {-due} may be given out", "amount")
    if amount.minor > 0 and due.minor <= 0:
        raise Refused(Reason.EXCEEDS_DUE, "nothing is due", "amount")
    return _with_tender(sale, Tender(next_tender_id(sale), TenderKind.CASH, amount))


def purpose_of(kind: TenderKind, amount: Money) -> Purpose:
    """What a tender does with its card: money is paid, refunded, or becomes a memo."""
    if amount.minor > 0:
        return Purpose.REDEEM
    return Purpose.ISSUE if kind.card_kind is CardKind.CREDIT_MEMO else Purpose.REFUND


def check_card_amount(sale: Sale, amount: Money) -> None:
    """Refuses what a card could not pay or get of this sale: asked before the card is locked."""
    check_open(sale)
    _check_amount(sale, amount)
    if amount.minor > 0 and amount.minor > (most := _to_pay(sale)).minor:
        raise Refused(Reason.EXCEEDS_DUE, f"{most} is due and a card gives no change", "amount")
    if amount.minor < 0 and amount.minor < (most := _to_give_back(sale)).minor:
        raise Refused(Reason.EXCEEDS_DUE, f"at most {-most} may be given back", "amount")
    _check_room(sale)


def _to_pay(sale: Sale) -> Money:
    """What cards may still pay: for goods, not for cash that was given out before."""
    paid = sum(t.amount.minor for t in sale.live_tenders if t.card and t.amount.minor > 0)
    most = min(sale.due.minor, sale.total.minor - paid)
    return Money(sale.currency, max(0, most))


def _to_give_back(sale: Sale) -> Money:
    """What cards may still give back, below zero: for goods, not for cash that was paid before."""
    given = sum(t.amount.minor for t in sale.live_tenders if t.card and t.amount.minor < 0)
    least = min(0, sale.total.minor) - given
    return Money(sale.currency, min(0, max(sale.due.minor, least)))


def add_card(
    sale: Sale, amount: Money, card: HeldCard, kind: TenderKind = TenderKind.GIFT_CARD
) -> Sale:
    """Takes a card that is locked for this tender."""
    check_card_amount(sale, amount)
    check_once(sale, card)
    return _with_tender(sale, Tender(next_tender_id(sale), kind, amount, card))


def check_once(sale: Sale, card: HeldCard) -> None:
    """Refuses a second operation on one card in one sale."""
    if any(c.card_id == card.card_id for c in sale.cards):
        raise Refused(Reason.CARD_TWICE, "the card is in this sale already")


def next_tender_id(sale: Sale) -> str:
    """The id the next tender will have."""
    return f"T{len(sale.tenders) + 1}"


def find_tender(sale: Sale, line_id: str) -> Tender:
    """The live tender of that id."""
    for tender in sale.live_tenders:
        if tender.line_id == line_id:
            return tender
    raise Refused(Reason.LINE_UNKNOWN, f"no tender {line_id[:40]!r} on this sale", "line_id")


def void_tender(sale: Sale, line_id: str) -> Sale:
    """Takes a payment back."""
    check_open(sale)
    found = find_tender(sale, line_id)
    voided = replace(found, voided=True)
    return changed(sale, tenders=tuple(voided if t is found else t for t in sale.tenders))


def without_cards(sale: Sale) -> Sale:
    """The sale without what its cards do: nobody touched it for too long (protocol rule 15)."""
    check_open(sale)
    return changed(
        sale,
        lines=tuple(replace(x, voided=True) if x.card else x for x in sale.lines),
        tenders=tuple(replace(t, voided=True) if t.card else t for t in sale.tenders),
    )


def _check_amount(sale: Sale, amount: Money) -> None:
    check_money(amount, "amount")
    if amount.currency != sale.currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"the sale is in {sale.currency}", "amount")
    if amount.minor == 0:
        raise invalid("amount", "must not be zero")


def _with_tender(sale: Sale, tender: Tender) -> Sale:
    _check_room(sale)
    return changed(sale, tenders=(*sale.tenders, tender))


def _check_room(sale: Sale) -> None:
    if len(sale.tenders) >= TENDERS_MAX:
        raise Refused(Reason.SALE_TOO_LARGE, f"a sale has at most {TENDERS_MAX} tenders")
