"""Imports by client stream: rows are numbered, checked one by one, and reported."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from stillopen.core.errors import StillopenError, invalid
from stillopen.rpc.context import Context
from stillopen.v1 import types_pb2

ROWS_MAX = 1_000_000
ROWS_PER_MESSAGE_MAX = 5_000
REFUSALS_MAX = 100

Row = TypeVar("Row")
Value = TypeVar("Value")


async def collect(
    batches: AsyncIterator[Iterable[Row]], check: Callable[[Row], Value]
) -> tuple[list[tuple[int, Value]], types_pb2.ImportReport]:
    """All rows that pass `check`, numbered from 1, and a report of those that do not.

    Raises Misuse when a message or the import is too large; the caller then changes nothing.
    """
    report = types_pb2.ImportReport()
    right: list[tuple[int, Value]] = []
    number = 0
    async for rows in batches:
        for in_message, row in enumerate(rows):
            number += 1
            if number > ROWS_MAX or in_message >= ROWS_PER_MESSAGE_MAX:
                raise invalid(
                    "rows", f"at most {ROWS_MAX}, and {ROWS_PER_MESSAGE_MAX} in a message"
                )
            try:
                right.append((number, check(row)))
            except StillopenError as error:
                refuse(report, number, error)
    report.accepted = len(right)
    return right, report


async def check_whole(context: Context) -> None:
    """Ends the call here when its caller is gone, so that nothing of a broken import is kept.

    grpc.aio ends the request iterator of a call whose deadline passed as if the stream were whole;
    only an attempt to answer finds out.
    """
    await context.send_initial_metadata(())


def refuse(report: types_pb2.ImportReport, row: int, error: StillopenError) -> None:
    """Adds a refused row to the report."""
    report.refused += 1
    if len(report.refusals) < REFUSALS_MAX:
        report.refusals.add(
            row=row, field=error.field, reason=str(error.reason), message=error.message
        )
