"""What may be logged of a message."""

import re
from collections.abc import Iterator

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from stillopen.rpc.redact import SECRET_FIELDS, redacted
from stillopen.v1 import (
    channel_data_pb2,
    error_reason_pb2,
    headquarters_pb2,
    realtime_pb2,
    register_pb2,
    sync_pb2,
    types_pb2,
)

FILES = (
    channel_data_pb2.DESCRIPTOR,
    error_reason_pb2.DESCRIPTOR,
    headquarters_pb2.DESCRIPTOR,
    realtime_pb2.DESCRIPTOR,
    register_pb2.DESCRIPTOR,
    sync_pb2.DESCRIPTOR,
    types_pb2.DESCRIPTOR,
)
SECRET = "s3cret"  # noqa: S105 - what must not be seen
OPEN = "open"
NAMES_OF_SECRETS = re.compile(r"(?:card_)?number|\w*password\w*|\w*lock_keys?|\w*secret\w*|pin|cvc")


def messages(descriptor: Descriptor) -> Iterator[Descriptor]:
    """A message's type and those declared inside it."""
    yield descriptor
    for nested in descriptor.nested_types:
        yield from messages(nested)


TYPES = sorted(
    (
        found
        for file in FILES
        for top in file.message_types_by_name.values()
        for found in messages(top)
    ),
    key=lambda descriptor: descriptor.full_name,
)


def filled(descriptor: Descriptor, depth: int = 3) -> Message:
    """A message with something in every field, secrets included."""
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.message_type is None:
            value = _value(field)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
        elif depth:
            child = filled(field.message_type, depth - 1)
            if field.is_repeated:
                getattr(message, field.name).append(child)
            else:
                getattr(message, field.name).CopyFrom(child)
    return message


def _value(field: FieldDescriptor) -> str | bytes | int:
    text = SECRET if NAMES_OF_SECRETS.fullmatch(field.name) else OPEN
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return text.encode()
        case FieldDescriptor.CPPTYPE_STRING:
            return text
        case _:
            return 1


def test_every_secret_of_the_contract_is_known_as_one() -> None:
    names = {field.name for descriptor in TYPES for field in descriptor.fields}
    assert {name for name in names if NAMES_OF_SECRETS.fullmatch(name)} <= SECRET_FIELDS
    assert names >= SECRET_FIELDS, "a name that no message has protects nothing"


@pytest.mark.parametrize("descriptor", TYPES, ids=lambda d: str(getattr(d, "name", d)))
def test_no_secret_is_ever_shown(descriptor: Descriptor) -> None:
    message = filled(descriptor)
    text = redacted(message)
    assert SECRET not in text
    shown = {field.name for field, _ in message.ListFields()}
    assert all(f"{name}: " in text for name in shown)


def test_what_is_no_secret_is_shown() -> None:
    product = types_pb2.Product(product_id="APPLE", price=types_pb2.Money(minor_units=50))
    product.barcodes.append("4011")
    assert redacted(product) == "product_id: 'APPLE' price: {minor_units: 50} barcodes: ['4011']"


def test_messages_inside_lists_are_redacted_too() -> None:
    sale = types_pb2.Sale(transaction_id="t")
    sale.tenders.add(line_id="T1").card.lock_key = SECRET.encode()
    text = redacted(sale)
    assert "T1" in text
    assert SECRET not in text


def test_the_bytes_of_an_entry_show_nothing_of_what_is_in_them() -> None:
    record = types_pb2.JournalRecord(unlock=types_pb2.CardUnlock(lock_key=SECRET.encode()))
    entry = types_pb2.Entry(register_id="R1", sequence=1, payload=record.SerializeToString())
    assert SECRET not in redacted(entry)
    assert "R1" in redacted(entry)


def test_text_from_outside_cannot_begin_a_line_of_its_own() -> None:
    product = types_pb2.Product(product_id="A\nlogged in", name="\x1b[31m")
    assert "\n" not in redacted(product)
    assert "\x1b" not in redacted(product)
