"""How a row of a file is read: each column's text as the contract wants it."""

import csv
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.core.errors import invalid
from stillopen.core.money import parse_money
from stillopen.core.tax import PERCENT_MILLI_MAX
from stillopen.rpc.wire import money_to
from stillopen.v1 import types_pb2

Values = Mapping[str, str]
"""A row of a file, by column name."""
Word = TypeVar("Word")

YES_NO = {"": False, "no": False, "yes": True, "0": False, "1": True, "false": False, "true": True}
TENDER_KINDS: dict[str, types_pb2.TenderKind.ValueType] = {
    "cash": types_pb2.TENDER_KIND_CASH,
    "gift card": types_pb2.TENDER_KIND_GIFT_CARD,
    "credit memo": types_pb2.TENDER_KIND_CREDIT_MEMO,
}


def amount(values: Values, column: str, currency: str) -> types_pb2.Money:
    """An amount: 12.34."""
    if not values[column]:
        raise invalid(column, "missing")
    return money_to(parse_money(values[column], currency, column))


def barcodes(text: str) -> list[str]:
    """Barcodes apart by spaces; one that holds a space stands in quotes."""
    if '"' not in text:
        return text.split()
    try:
        cells = next(csv.reader([text], delimiter=" ", skipinitialspace=True, strict=True))
    except csv.Error:
        raise invalid("barcodes", "a quotation mark is open or one too many") from None
    return [cell for cell in cells if cell]


def percent_milli(values: Values, column: str) -> int:
    """A percentage with at most three decimals, in thousandths."""
    try:
        milli = Decimal(values[column] or "nothing") * 1000
    except InvalidOperation:
        raise invalid(column, "not a number") from None
    if not 0 <= milli <= PERCENT_MILLI_MAX or milli != milli.to_integral_value():
        raise invalid(column, "between 0 and 100, with at most three decimals")
    return int(milli)


def moment(text: str, column: str) -> Timestamp:
    """A moment in ISO 8601; a bare date is its midnight, and without a zone it is UTC."""
    if not text:
        raise invalid(column, "missing")
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(column, "not a date: 2026-01-31, or 2026-01-31T06:00:00Z") from None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    if read.microsecond:
        raise invalid(column, "whole seconds only")
    try:
        return Timestamp(seconds=int(read.timestamp()))
    except (OverflowError, ValueError):
        raise invalid(column, "out of range") from None


def word(values: Values, column: str, words: Mapping[str, Word]) -> Word:
    """One of a few words."""
    said = values.get(column, "").lower()
    if said not in words:
        raise invalid(column, "one of " + ", ".join(filter(None, words)))
    return words[said]


Convert = Callable[[Values], Word]
"""A row of a file as a message; raises StillopenError for one that is wrong."""
