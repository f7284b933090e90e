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
from stillopen.core.overrides import Override
from stillopen.core.products import Product
from stillopen.core.purpose import CardKind, NewMemo, Purpose
from stillopen.core.tax import NO_TAX, Tax

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
    CREDIT_MEMO = "CREDIT_MEMO"

    @property
    def card_kind(self) -> CardKind:
        """What its card is."""
        memo = self is TenderKind.CREDIT_MEMO
        return CardKind.CREDIT_MEMO if memo else CardKind.GIFT_CARD


@dataclass(frozen=True, slots=True)
class ReturnOf:
    """What a return line gives back: a reason, and the line it was bought in where known."""

    reason: str
    transaction_id: str = ""
    line_id: str = ""


@dataclass(frozen=True, slots=True)
class HeldCard:
    """The card behind a tender or a line; never its number."""

    lock_key: bytes
    card_id: str
    last_four: str
    balance: Money
    purpose: Purpose = Purpose.REDEEM
    new_memo: NewMemo | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A product, a quantity and its price. Nothing re-prices it but the cashier.

    A line with a card has no product: it issues, reloads or cashes out a gift card.
    """

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
    card: HeldCard | None = None
    tax: Tax = NO_TAX

    @property
    def total(self) -> Money:
        """Quantity times price, rounded once."""
        return line_total(self.unit_price, self.quantity_milli)

    @property
    def tax_included(self) -> Money:
        """How much of the total is tax."""
        return Money(self.unit_price.currency, self.tax.included_minor(self.total.minor))


@dataclass(frozen=True, slots=True)
class Tender:
    """A payment."""

    line_id: str
    kind: TenderKind
    amount: Money
    card: HeldCard | None = None
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
    recalled_from: str = ""
    """The suspended sale that it goes on from; empty for none."""
    overrides: tuple[Override, ...] = ()
    """What others allowed in it."""
    customer_id: str = ""
    """Who buys; empty when nobody said."""

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
    def tax(self) -> Money:
        """How much of the total is tax: the sum of the lines' taxes."""
        return Money(
            self.currency,
            sum(
                x.tax.included_minor(line_minor(x.unit_price.minor, x.quantity_milli))
                for x in self.lines
                if x.tax.percent_milli and not x.voided
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
    def held(self) -> dict[str, HeldCard]:
        """The card of each line and tender that has, or had, one."""
        lines = {x.line_id: x.card for x in self.lines if x.card}
        return lines | {t.line_id: t.card for t in self.tenders if t.card}

    @property
    def cards(self) -> tuple[HeldCard, ...]:
        """The cards that are held for it, by its lines and its tenders."""
        lines = (x.card for x in self.lines if x.card and not x.voided)
        return (*lines, *(t.card for t in self.live_tenders if t.card))


def set_customer(sale: Sale, customer_id: str) -> Sale:
    """Says who buys; empty takes that back."""
    check_open(sale)
    return replace(changed(sale), customer_id=customer_id)


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
    check_open(sale)
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
        tax=product.tax,
    )
    if line.list_price.currency != sale.currency:
        raise Refused(Reason.CURRENCY_MISMATCH, f"the product's price is not in {sale.currency}")
    check_money(line.total, "total")
    return check_held(changed(sale, lines=(*sale.lines, line)))


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
        if line.card:
            raise Refused(Reason.TENDERS_PRESENT, "a line with a card never changes; take it off")
        quantity = line.quantity_milli
        if quantity_milli is not None:
            quantity = check_quantity(quantity_milli)
            if (quantity < 0) != (line.quantity_milli < 0):
                raise invalid("quantity_milli", "a line cannot change between sale and return")
            if quantity < line.quantity_milli and line.return_of and line.return_of.line_id:
                raise Refused(Reason.RETURN_TOO_MUCH, "more is returned by a line of its own")
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


def check_complete(sale: Sale) -> None:
    """Refuses a sale that is empty, or not paid, or not paid out."""
    check_open(sale)
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
    return changed(sale, state=SaleState.COMPLETED)


def void(sale: Sale) -> Sale:
    """The sale, given up; its tenders are taken back and no card is sold."""
    check_open(sale)
    tenders = tuple(replace(t, voided=True) for t in sale.tenders)
    lines = tuple(replace(x, voided=True) if x.card else x for x in sale.lines)
    return changed(sale, state=SaleState.VOIDED, lines=lines, tenders=tenders)


def check_version(sale: Sale, version: int) -> None:
    """Refuses a write that saw another version."""
    if version != sale.version:
        raise Refused(
            Reason.VERSION_OLD,
            f"the sale is at version {sale.version}, the request saw {version}",
            "version",
        )


def changed(
    sale: Sale,
    *,
    lines: tuple[Line, ...] | None = None,
    tenders: tuple[Tender, ...] | None = None,
    state: SaleState | None = None,
) -> Sale:
    """The next version of a sale."""
    return replace(
        sale,
        version=sale.version + 1,
        lines=sale.lines if lines is None else lines,
        tenders=sale.tenders if tenders is None else tenders,
        state=sale.state if state is None else state,
    )


def _with_line(sale: Sale, line_id: str, change: Callable[[Line], Line]) -> Sale:
    check_open(sale)
    found = next((x for x in sale.lines if x.line_id == line_id and not x.voided), None)
    if found is None:
        raise Refused(Reason.LINE_UNKNOWN, f"no line {line_id[:40]!r} on this sale", "line_id")
    lines = tuple(change(x) if x is found else x for x in sale.lines)
    return check_held(changed(sale, lines=lines))


def check_held(sale: Sale) -> Sale:
    """Refuses a sale whose cards pay, or get, more than it comes to: they give no change."""
    total = sale.total.minor
    paid = sum(t.amount.minor for t in sale.live_tenders if t.card and t.amount.minor > 0)
    given = sum(t.amount.minor for t in sale.live_tenders if t.card and t.amount.minor < 0)
    if paid > max(0, total) or given < min(0, total):
        raise Refused(
            Reason.TENDERS_PRESENT,
            "cards would have paid or got more than the sale comes to; take one back first",
        )
    return sale


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


def check_open(sale: Sale) -> None:
    """Refuses a change of a sale that is not open."""
    if sale.state is not SaleState.OPEN:
        raise Refused(Reason.SALE_FINAL, f"the sale is {sale.state}")
