"""A file of sales as a shop exports it, read into invoices; what is no sale is named."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from stillopen.cli.csv_rows import rows
from stillopen.core.errors import StillopenError, invalid
from stillopen.core.ids import check_id, fold_code
from stillopen.core.money import Money, check_quantity, line_total, parse_money

COLUMNS = ["InvoiceNo", "StockCode", "Quantity", "UnitPrice"]
CURRENCY = "GBP"
LINES_PER_INVOICE_MAX = 5_000


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line that can be sold, or returned when its quantity is negative."""

    code: str
    quantity_milli: int
    price: Money

    @property
    def total_minor(self) -> int:
        """Quantity times price."""
        return line_total(self.price, self.quantity_milli).minor


@dataclass(slots=True)
class Invoice:
    """An invoice; a cancellation is a return."""

    number: str
    cancelled: bool
    lines: list[FileLine] = field(default_factory=list[FileLine])

    @property
    def total_minor(self) -> int:
        """The sum of its lines."""
        return sum(line.total_minor for line in self.lines)


@dataclass(slots=True)
class SalesFile:
    """What a file holds: invoices in file order, products by code, and what is no sale and why."""

    invoices: list[Invoice] = field(default_factory=list[Invoice])
    not_sales: list[str] = field(default_factory=list[str])
    """Numbers of invoices without any line that is a sale."""
    lines: int = 0
    lines_not_sales: Counter[str] = field(default_factory=Counter[str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    prices: dict[str, Money] = field(default_factory=dict[str, Money])

    @property
    def total_minor(self) -> int:
        """The sum of all lines that are sales or returns."""
        return sum(invoice.total_minor for invoice in self.invoices)


def read_sales(path: Path) -> SalesFile:
    """Reads a file with the columns InvoiceNo, StockCode, Quantity, UnitPrice, in any order.

    Misuse when a column is missing; a line that cannot be a sale is counted under its reason.
    """
    found = SalesFile()
    invoices: dict[str, Invoice] = {}
    for _, values in rows(path, COLUMNS, ["Description"]):
        found.lines += 1
        number = values["InvoiceNo"].upper()
        invoice = invoices.setdefault(number, Invoice(number, number.startswith("C")))
        try:
            line = _line(invoice, values)
        except StillopenError as error:
            found.lines_not_sales[error.message] += 1
            continue
        invoice.lines.append(line)
        code = fold_code(line.code)
        name = "".join(c for c in values.get("Description", "") if c.isprintable())[:200].strip()
        if name and found.names.get(code, code) == code:
            found.names[code] = name
        found.names.setdefault(code, code)
        found.prices.setdefault(code, line.price)
    if not found.lines:
        raise invalid("file", f"{path} has no lines")
    found.invoices = [invoice for invoice in invoices.values() if invoice.lines]
    found.not_sales = [invoice.number for invoice in invoices.values() if not invoice.lines]
    return found


def _line(invoice: Invoice, values: dict[str, str]) -> FileLine:
    if not invoice.number:
        raise _no_sale("no invoice number")
    if len(invoice.lines) >= LINES_PER_INVOICE_MAX:
        raise _no_sale("more lines than a sale can have")
    try:
        code = check_id(values["StockCode"], "code")
    except StillopenError:
        raise _no_sale("no usable stock code") from None
    quantity, price = _number(values["Quantity"]) * 1000, _number(values["UnitPrice"])
    if price <= 0:
        raise _no_sale("price below zero" if price else "price zero")
    if quantity == 0:
        raise _no_sale("quantity zero")
    if invoice.cancelled != (quantity < 0):
        raise _no_sale(
            "positive quantity in a cancellation"
            if invoice.cancelled
            else "negative quantity outside a cancellation"
        )
    try:
        if quantity != quantity.to_integral_value():
            raise invalid("quantity", "finer than a thousandth")
        money = parse_money(str(price), CURRENCY, "price")
        return FileLine(code, check_quantity(int(quantity)), money)
    except StillopenError:
        raise _no_sale("quantity or price out of range") from None


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise _no_sale("quantity or price is no number") from None
    if not value.is_finite():
        raise _no_sale("quantity or price is no number")
    return value


def _no_sale(why: str) -> StillopenError:
    error = invalid("line", why)
    error.message = why
    return error
