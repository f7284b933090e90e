"""What was given back of a sale's lines, to messages and back."""

from collections.abc import Iterable
from itertools import groupby

from stillopen.core.returns import Back
from stillopen.v1 import types_pb2


def returned_to(backs: Iterable[Back]) -> list[types_pb2.LineReturned]:
    """What was given back of one sale, line by line."""
    found: list[types_pb2.LineReturned] = []
    for line_id, of_line in groupby(sorted(backs), lambda back: back.line_id):
        returns = [
            types_pb2.ReturnLine(
                transaction_id=back.by_transaction_id,
                line_id=back.by_line_id,
                quantity_milli=back.quantity_milli,
            )
            for back in of_line
        ]
        returned_milli = sum(each.quantity_milli for each in returns)
        found.append(
            types_pb2.LineReturned(line_id=line_id, returned_milli=returned_milli, returns=returns)
        )
    return found


def returned_from(transaction_id: str, messages: Iterable[types_pb2.LineReturned]) -> list[Back]:
    """What was given back of that sale, from messages."""
    return [
        Back(transaction_id, line.line_id, by.transaction_id, by.line_id, by.quantity_milli)
        for line in messages
        for by in line.returns
    ]
