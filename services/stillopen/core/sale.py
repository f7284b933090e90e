"""A sale: lines, tenders, and what they come to.

Every function takes a sale and returns the next version of it, or raises and changes nothing.
COMPLETED and VOIDED are final. Line ids are never reused; a voided line stays and counts for
nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_id, check_name, check_transaction_id
from stillopen.core.money import Money, check_money, check_quantity, line_minor, line_total
from stillopen.core.products import Product

LINES_MAX = 5_000
TENDERS_MAX = 100


class SaleState(StrEnum):
    """Where a sale stands."""

    OPEN = "OPEN"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    VOIDED = "VOIDED"


class TenderKind(StrEnum):
    """What a tender pays with."""

    CASH = "CASH"
    GIFT_CARD = "GIFT_CARD"


@dataclass(frozen=True, slots=True)
class ReturnOf:
    """What a return line gives back: a reason, and the line it was bought in where known."""

    reason: str
    transaction_id: str = ""
    line_id: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A product, a quantity and its price. Nothing re-prices it but the cashier."""

    line_id: str
    product_id: str
    name: str
    quantity_milli: int
    unit_price: Money
    list_price: Money
    catalogue_sequence: int
    price_reason: str = ""
    return_of: ReturnOf | None = None
    voided: bool = False

    @property
    def total(self) -> Money:
        """Quantity times price, rounded once."""
        return line_total(self.unit_price, self.quantity_milli)


@dataclass(frozen=True, slots=True)
class CardTender:
    """The card behind a tender; never its number."""

    lock_key: bytes
    card_id: str
    last_four: str
    balance: Money


@dataclass(frozen=True, slots=True)
class Tender:
    """A payment."""

    line_id: str
    kind: TenderKind
    amount: Money
    card: CardTender | None = None
    voided: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is printed; it exists only once the sale is durable."""

    receipt_number: str
    register_id: str
    epoch: int
    sequence: int
    digest_prefix: str
    wall_s: float
    offline: bool


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale as it stands."""

    transaction_id: str
    store_id: str
    register_id: str
    staff_id: str
    currency: str
    begin_wall_s: float
    version: int = 1
    state: SaleState = SaleState.OPEN
    lines: tuple[Line, ...] = ()
    tenders: tuple[Tender, ...] = ()
    receipt: Receipt | None = None

    @property
    def total(self) -> Money:
        """The sum of the lines; negative when more is returned than sold."""
        return Money(
            self.currency,
            sum(
                line_minor(x.unit_price.minor, x.quantity_milli) for x in self.lines if not x.voided
            ),
        )

    @property
    def tendered(self) -> Money:
        """The sum of the tenders, before change."""
        return Money(self.currency, sum(t.amount.minor for t in self.live_tenders))

    @property
    def due(self) -> Money:
        """What is still to be paid; negative is to be given out."""
        return self.total - self.tendered

    @property
    def change(self) -> Money:
        """What is given back from cash when the sale completes now."""
        return change_of(self.total, self.due)

    @property
    def live_tenders(self) -> tuple[Tender, ...]:
        """The tenders that were not taken back."""
        return tuple(t for t in self.tenders if not t.voided)

    @property
    def cards(self) -> tuple[CardTender, ...]:
        """The cards that pay for it."""
        return tuple(t.card for t in self.live_tenders if t.card)


def change_of(total: Money, due: Money) -> Money:
    """What is given back: what was tendered above a total that is not to be given out."""
    return Money(total.currency, max(0, -due.minor) if total.minor >= 0 else 0)


def add_line(
    sale: Sale,
    product: Product,
    quantity_milli: int,
    catalogue_sequence: int,
    unit_price: Money | None = None,
    price_reason: str = "",
    return_of: ReturnOf | None = None,
) -> Sale:
    """Rings up a product. A price given by hand needs a reason; only a return line is negative."""
    _check_open(sale)
    check_quantity(quantity_milli)
    if len(sale.lines) >= LINES_MAX:
        raise Refused(Reason.SALE_TOO_LARGE, f"a sale has at most {LINES_MAX} lines")
    if (quantity_milli < 0) != (return_of is not None):
        raise invalid("quantity_milli", "negative on a return line, positive on any other")
    if return_of is not None:
        _check_return(return_of)
    line = Line(
        line_id=f"L{len(sale.lines) + 1}",
        product_id=product.product_id,
        name=product.name,
        quantity_milli=quantity_milli,
        unit_price=_price(sale, product.price, unit_price, price_reason),
        list_price=product.price,
        catalogue_sequence=catalogue_sequence,
        price_reason=price_reason if unit_price else "",
        return_of=return_of,
    )
    if line.list_price.currency != sale.currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"the product's price is not in {sale.currency}")
    check_money(line.total, "total")
    return _check_cards(_changed(sale, lines=(*sale.lines, line)))


def _check_return(return_of: ReturnOf) -> None:
    check_name(return_of.reason, "return_of.reason")
    if return_of.transaction_id:
        check_transaction_id(return_of.transaction_id, "return_of.transaction_id")
    if return_of.line_id:
        check_id(return_of.line_id, "return_of.line_id")


def change_line(
    sale: Sale,
    line_id: str,
    quantity_milli: int | None = None,
    unit_price: Money | None = None,
    price_reason: str = "",
) -> Sale:
    """Changes quantity or price of a line; its sign stays."""
    if quantity_milli is None and unit_price is None and not price_reason:
        raise invalid("quantity_milli", "nothing to change")

    def change(line: Line) -> Line:
        quantity = line.quantity_milli
        if quantity_milli is not None:
            quantity = check_quantity(quantity_milli)
            if (quantity < 0) != (line.quantity_milli < 0):
                raise invalid("quantity_milli", "a line cannot change between sale and return")
        changed = replace(line, quantity_milli=quantity)
        if unit_price is not None:
            price = _price(sale, line.list_price, unit_price, price_reason)
            changed = replace(changed, unit_price=price, price_reason=price_reason)
        elif price_reason:
            raise invalid("price_reason", "a reason without a price")
        check_money(changed.total, "total")
        return changed

    return _with_line(sale, line_id, change)


def void_line(sale: Sale, line_id: str) -> Sale:
    """Takes a line off."""
    return _with_line(sale, line_id, lambda line: replace(line, voided=True))


def add_cash(sale: Sale, amount: Money) -> Sale:
    """Takes cash, possibly more than is due, or gives cash out for a return."""
    _check_open(sale)
    check_money(amount, "amount")
    if amount.currency != sale.currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"the sale is in {sale.currency}", "amount")
    total, due = sale.total, sale.due
    if amount.minor == 0:
        raise invalid("amount", "must not be zero")
    if amount.minor < 0 and (total.minor >= 0 or amount.minor < due.minor):
        raise Refused(Reason.EXCEEDS_DUE, f"at most {-due} may be given out", "amount")
    if amount.minor > 0 and due.minor <= 0:
        raise Refused(Reason.EXCEEDS_DUE, "nothing is due", "amount")
    return _with_tender(sale, Tender(next_tender_id(sale), TenderKind.CASH, amount))


def check_card_amount(sale: Sale, amount: Money) -> None:
    """Refuses what a card could not pay of this sale: asked before the card is locked."""
    _check_open(sale)
    check_money(amount, "amount")
    due = sale.due
    if amount.currency != sale.currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"the sale is in {sale.currency}", "amount")
    if amount.minor <= 0:
        raise invalid("amount", "must be above zero")
    if amount.minor > due.minor:
        raise Refused(Reason.EXCEEDS_DUE, f"{due} is due and a card gives no change", "amount")


def add_card(sale: Sale, amount: Money, card: CardTender) -> Sale:
    """Takes a card that is locked for this tender."""
    check_card_amount(sale, amount)
    if any(c.card_id == card.card_id for c in sale.cards):
        raise Refused(Reason.CARD_TWICE, "the card is in this sale already")
    return _with_tender(sale, Tender(next_tender_id(sale), TenderKind.GIFT_CARD, amount, card))


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
    """Takes a payment back. A tender never changes: another amount is another tender."""
    _check_open(sale)
    found = find_tender(sale, line_id)
    voided = replace(found, voided=True)
    return _changed(sale, tenders=tuple(voided if t is found else t for t in sale.tenders))


def check_complete(sale: Sale) -> None:
    """Refuses a sale that is empty, or not paid, or not paid out."""
    _check_open(sale)
    if all(x.voided for x in sale.lines):
        raise Refused(Reason.SALE_EMPTY, "the sale has no lines")
    total, due = sale.total, sale.due
    cash = sum(t.amount.minor for t in sale.live_tenders if t.kind is TenderKind.CASH)
    if due.minor > 0:
        raise Refused(Reason.NOT_PAID, f"{due} is still to be paid")
    if total.minor < 0 and due.minor != 0:
        raise Refused(Reason.NOT_PAID, f"{-due} is still to be given out")
    if total.minor >= 0 and -due.minor > max(0, cash):
        raise Refused(Reason.EXCEEDS_DUE, "change is given from cash only")


def complete(sale: Sale) -> Sale:
    """The sale, paid and final; the receipt follows when it is durable."""
    check_complete(sale)
    return _changed(sale, state=SaleState.COMPLETED)


def void(sale: Sale) -> Sale:
    """The sale, given up; its tenders are taken back."""
    _check_open(sale)
    tenders = tuple(replace(t, voided=True) for t in sale.tenders)
    return _changed(sale, state=SaleState.VOIDED, tenders=tenders)


def check_version(sale: Sale, version: int) -> None:
    """Refuses a write that saw another version."""
    if version != sale.version:
        raise Refused(
            Reason.VERSION_OLD,
            f"the sale is at version {sale.version}, the request saw {version}",
            "version",
        )


def _changed(
    sale: Sale,
    *,
    lines: tuple[Line, ...] | None = None,
    tenders: tuple[Tender, ...] | None = None,
    state: SaleState | None = None,
) -> Sale:
    return replace(
        sale,
        version=sale.version + 1,
        lines=sale.lines if lines is None else lines,
        tenders=sale.tenders if tenders is None else tenders,
        state=sale.state if state is None else state,
    )


def _with_tender(sale: Sale, tender: Tender) -> Sale:
    if len(sale.tenders) >= TENDERS_MAX:
        raise Refused(Reason.SALE_TOO_LARGE, f"a sale has at most {TENDERS_MAX} tenders")
    return _changed(sale, tenders=(*sale.tenders, tender))


def _with_line(sale: Sale, line_id: str, change: Callable[[Line], Line]) -> Sale:
    _check_open(sale)
    found = next((x for x in sale.lines if x.line_id == line_id and not x.voided), None)
    if found is None:
        raise Refused(Reason.LINE_UNKNOWN, f"no line {line_id[:40]!r} on this sale", "line_id")
    lines = tuple(change(x) if x is found else x for x in sale.lines)
    return _check_cards(_changed(sale, lines=lines))


def _check_cards(changed: Sale) -> Sale:
    by_card = sum(t.amount.minor for t in changed.live_tenders if t.card)
    if by_card > max(0, changed.total.minor):
        raise Refused(
            Reason.TENDERS_PRESENT, "cards would have paid more than the sale; take one back first"
        )
    return changed


def _price(sale: Sale, list_price: Money, given: Money | None, reason: str) -> Money:
    if given is None:
        if reason:
            raise invalid("price_reason", "a reason without a price")
        return list_price
    check_money(given, "unit_price")
    if given.minor < 0:
        raise invalid("unit_price", "must not be negative")
    if given.currency != sale.currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"the sale is in {sale.currency}", "unit_price")
    check_name(reason, "price_reason")
    return given


def _check_open(sale: Sale) -> None:
    if sale.state is not SaleState.OPEN:
        raise Refused(Reason.SALE_FINAL, f"the sale is {sale.state}")
