"""Messages to values and back: prices, tax groups, customers, tender types."""

from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.core.customers import Customer
from stillopen.core.errors import invalid
from stillopen.core.prices import Price
from stillopen.core.sale import TenderKind
from stillopen.core.tax import TaxGroup
from stillopen.core.tender_types import TenderType
from stillopen.rpc.wire import money_from, money_to
from stillopen.v1 import types_pb2

_KIND = "TENDER_KIND_"


def price_to(price: Price) -> types_pb2.Price:
    """A price as a message."""
    message = types_pb2.Price(
        product_id=price.product_id,
        price=money_to(price.price),
        valid_from=Timestamp(seconds=price.valid_from_s),
    )
    if price.valid_to_s is not None:
        message.valid_to.seconds = price.valid_to_s
    return message


def price_from(message: types_pb2.Price) -> Price:
    """A price from a message; Misuse when its beginning is missing or not a whole second."""
    if not message.HasField("valid_from"):
        raise invalid("valid_from", "missing")
    return Price(
        message.product_id,
        money_from(message.price),
        _whole_s(message.valid_from, "valid_from"),
        _whole_s(message.valid_to, "valid_to") if message.HasField("valid_to") else None,
    )


def tax_group_to(group: TaxGroup) -> types_pb2.TaxGroup:
    """A tax group as a message."""
    return types_pb2.TaxGroup(
        tax_group=group.tax_group, name=group.name, percent_milli=group.percent_milli
    )


def tax_group_from(message: types_pb2.TaxGroup) -> TaxGroup:
    """A tax group from a message."""
    return TaxGroup(message.tax_group, message.name, message.percent_milli)


def customer_to(customer: Customer) -> types_pb2.Customer:
    """A customer as a message."""
    return types_pb2.Customer(
        customer_id=customer.customer_id,
        name=customer.name,
        email=customer.email,
        phone=customer.phone,
    )


def customer_from(message: types_pb2.Customer) -> Customer:
    """A customer from a message."""
    return Customer(message.customer_id, message.name, message.email, message.phone)


def tender_type_to(tender_type: TenderType) -> types_pb2.TenderType:
    """A tender type as a message."""
    return types_pb2.TenderType(
        tender_type_id=tender_type.tender_type_id,
        name=tender_type.name,
        kind=types_pb2.TenderKind.Value(f"{_KIND}{tender_type.kind}"),
        closed=tender_type.closed,
    )


def tender_type_from(message: types_pb2.TenderType) -> TenderType:
    """A tender type from a message; Misuse when its kind is missing or not known here."""
    named = types_pb2.TenderKind.DESCRIPTOR.values_by_number.get(message.kind)
    kind = named.name.removeprefix(_KIND) if named else ""
    if kind not in set(TenderKind):
        raise invalid("kind", "missing, or not known here")
    return TenderType(message.tender_type_id, message.name, TenderKind(kind), message.closed)


def _whole_s(moment: Timestamp, field: str) -> int:
    if moment.nanos:
        raise invalid(field, "whole seconds only")
    return moment.seconds
