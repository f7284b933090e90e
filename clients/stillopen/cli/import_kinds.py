"""What can be imported: its columns, and how a row becomes a message."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stillopen.cli.import_values import (
    TENDER_KINDS,
    YES_NO,
    Convert,
    Values,
    amount,
    barcodes,
    moment,
    percent_milli,
    word,
)
from stillopen.core.card_number import read_number
from stillopen.core.errors import invalid
from stillopen.rpc.wire_parameters import kind_from
from stillopen.v1 import realtime_pb2, types_pb2

M = TypeVar("M")

CARD_KINDS: dict[str, types_pb2.CardKind.ValueType] = {
    "": types_pb2.CARD_KIND_GIFT_CARD,
    "gift card": types_pb2.CARD_KIND_GIFT_CARD,
    "credit memo": types_pb2.CARD_KIND_CREDIT_MEMO,
}


@dataclass(frozen=True, slots=True)
class ImportKind(Generic[M]):
    """A file of one kind of master data."""

    required: list[str]
    optional: list[str]
    convert: Convert[M]
    batch: int = 1_000
    """How many rows a message has."""


def products(currency: str, rates: dict[str, int]) -> ImportKind[types_pb2.Product]:
    """Products; `rates` are those of the tax groups that are there."""

    def rate(values: Values) -> int:
        group = values.get("tax_group", "")
        if values.get("tax_percent"):
            return percent_milli(values, "tax_percent")
        if group and group not in rates:
            raise invalid("tax_percent", f"tax group {group[:40]} is not there yet: give its rate")
        return rates.get(group, 0)

    def product(values: Values) -> types_pb2.Product:
        return types_pb2.Product(
            product_id=values["product_id"],
            name=values["name"],
            price=amount(values, "price", currency),
            barcodes=barcodes(values.get("barcodes", "")),
            tax_group=values.get("tax_group", ""),
            tax_percent_milli=rate(values),
        )

    return ImportKind(
        ["product_id", "name", "price"], ["barcodes", "tax_group", "tax_percent"], product
    )


def prices(currency: str) -> ImportKind[types_pb2.Price]:
    """Prices that hold for a time."""

    def price(values: Values) -> types_pb2.Price:
        until = values.get("valid_to", "")
        return types_pb2.Price(
            product_id=values["product_id"],
            price=amount(values, "price", currency),
            valid_from=moment(values["valid_from"], "valid_from"),
            valid_to=moment(until, "valid_to") if until else None,
        )

    return ImportKind(["product_id", "price", "valid_from"], ["valid_to"], price)


def _barcode(values: Values) -> types_pb2.Barcode:
    return types_pb2.Barcode(barcode=values["barcode"], product_id=values["product_id"])


BARCODES = ImportKind(["barcode", "product_id"], [], _barcode)


def _tax_group(values: Values) -> types_pb2.TaxGroup:
    return types_pb2.TaxGroup(
        tax_group=values["tax_group"],
        name=values.get("name") or values["tax_group"],
        percent_milli=percent_milli(values, "percent"),
    )


TAX_GROUPS = ImportKind(["tax_group", "percent"], ["name"], _tax_group)


def _customer(values: Values) -> types_pb2.Customer:
    return types_pb2.Customer(
        customer_id=values["customer_id"],
        name=values["name"],
        email=values.get("email", ""),
        phone=values.get("phone", ""),
    )


CUSTOMERS = ImportKind(["customer_id", "name"], ["email", "phone"], _customer)


def _tender_type(values: Values) -> types_pb2.TenderType:
    return types_pb2.TenderType(
        tender_type_id=values["tender_type_id"],
        name=values["name"],
        kind=word(values, "kind", TENDER_KINDS),
        closed=word(values, "closed", YES_NO),
    )


TENDER_TYPES = ImportKind(["tender_type_id", "name", "kind"], ["closed"], _tender_type)


def staff(
    hashed: Callable[[str], str], blocked: frozenset[str]
) -> ImportKind[types_pb2.StaffMember]:
    """Staff; `blocked` are those who may not sign in now, where a file does not say."""

    def member(values: Values) -> types_pb2.StaffMember:
        password = values.get("password", "")
        said = values.get("blocked", "")
        return types_pb2.StaffMember(
            staff_id=values["staff_id"],
            name=values["name"],
            password_hash=hashed(password) if password else "",
            role_id=values.get("role", ""),
            blocked=word(values, "blocked", YES_NO) if said else values["staff_id"] in blocked,
        )

    # Hashing a password is slow by design: small messages, so that headquarters hears of us.
    return ImportKind(["staff_id", "name"], ["password", "role", "blocked"], member, batch=50)


def cards(currency: str) -> ImportKind[realtime_pb2.CardRow]:
    """Cards, to be created."""

    def card(values: Values) -> realtime_pb2.CardRow:
        kind = word(values, "kind", CARD_KINDS)
        balance = amount(values, "balance", currency)
        if balance.minor_units < 0:
            raise invalid("balance", "must not be negative")
        return realtime_pb2.CardRow(
            number=read_number(values["number"], kind_from(kind)), kind=kind, balance=balance
        )

    return ImportKind(["number", "balance"], ["kind"], card)
