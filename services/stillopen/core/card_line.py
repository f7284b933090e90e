"""Lines that issue a gift card, put money on one, or give out what is left of it."""

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.money import Money, check_money
from stillopen.core.purpose import Purpose
from stillopen.core.sale import LINES_MAX, HeldCard, Line, Sale, changed, check_held, check_open
from stillopen.core.tender import check_once

_ONE_MILLI = 1_000
_NAMES = {
    Purpose.ISSUE: "Gift card",
    Purpose.RELOAD: "Gift card reload",
    Purpose.CASH_OUT: "Gift card cash-out",
}


def check_card_line(sale: Sale, purpose: Purpose, amount: Money) -> None:
    """Refuses a line that could not be added: asked before its card is locked."""
    check_open(sale)
    if purpose not in _NAMES:
        raise invalid("purpose", "a line issues, reloads or cashes out a gift card")
    check_money(amount, "amount")
    if amount.currency != sale.currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"the sale is in {sale.currency}", "amount")
    if amount.minor <= 0:
        raise invalid("amount", "must be above zero")
    if len(sale.lines) >= LINES_MAX:
        raise Refused(Reason.SALE_TOO_LARGE, f"a sale has at most {LINES_MAX} lines")


def next_line_id(sale: Sale) -> str:
    """The id the next line will have."""
    return f"L{len(sale.lines) + 1}"


def add_card_line(sale: Sale, purpose: Purpose, amount: Money, card: HeldCard) -> Sale:
    """A line for a card that is locked for it; money given out counts below zero."""
    check_card_line(sale, purpose, amount)
    check_once(sale, card)
    line = Line(
        line_id=next_line_id(sale),
        product_id="",
        name=f"{_NAMES[purpose]} ...{card.last_four}",
        quantity_milli=-_ONE_MILLI if purpose.takes else _ONE_MILLI,
        unit_price=amount,
        list_price=amount,
        catalogue_sequence=0,
        card=card,
    )
    return check_held(changed(sale, lines=(*sale.lines, line)))


def find_line(sale: Sale, line_id: str) -> Line | None:
    """The live line of that id, if any."""
    return next((x for x in sale.lines if x.line_id == line_id and not x.voided), None)
