"""Imports by client stream: rows are numbered, checked one by one, and reported."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from stillopen.core.errors import StillopenError, invalid
from stillopen.rpc.context import Context
from stillopen.v1 import types_pb2

ROWS_MAX = 10_000_000
COLLECTED_MAX = 1_000_000
ROWS_PER_MESSAGE_MAX = 5_000
REFUSALS_MAX = 1_000
IDLE_S = 120.0

Row = TypeVar("Row")
Value = TypeVar("Value")
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """A row that was not taken, and why."""

    row: int
    field: str
    reason: str
    """A name of `core.errors.Reason`; newer software may have others."""
    message: str


@dataclass(slots=True)
class Refusals:
    """How many rows were refused, and the first of them."""

    count: int = 0
    first: list[Refusal] = field(default_factory=list[Refusal])

    def add(self, count: int, first: Iterable[Refusal]) -> None:
        """Counts more of them."""
        self.count += count
        self.first = sorted([*self.first, *first])[:REFUSALS_MAX]

    def refuse(self, row: int, error: StillopenError) -> None:
        """Counts one row; those after the first thousand are only counted."""
        self.count += 1
        if len(self.first) < REFUSALS_MAX:
            self.first.append(Refusal(row, error.field, error.reason, error.message))

    def report(self, accepted: int) -> types_pb2.ImportReport:
        """What an import did, as a message."""
        return types_pb2.ImportReport(
            accepted=accepted,
            refused=self.count,
            refusals=[
                types_pb2.ImportRefusal(
                    row=each.row, field=each.field, reason=str(each.reason), message=each.message
                )
                for each in self.first
            ],
        )


async def check_rows(
    batches: AsyncIterator[Iterable[Row]],
    check: Callable[[Row], Value],
    put: Callable[[list[tuple[int, Value]]], Awaitable[None]],
    rows_max: int = ROWS_MAX,
) -> Refusals:
    """Gives the rows that pass `check` to `put`, message by message, numbered from 1.

    Raises Misuse when a message or the import is too large; the caller then changes nothing.
    """
    refusals = Refusals()
    number = 0
    async for rows in in_time(batches):
        right: list[tuple[int, Value]] = []
        for in_message, row in enumerate(rows):
            number += 1
            if number > rows_max or in_message >= ROWS_PER_MESSAGE_MAX:
                raise invalid(
                    "rows", f"at most {rows_max}, and {ROWS_PER_MESSAGE_MAX} in a message"
                )
            try:
                right.append((number, check(row)))
            except StillopenError as error:
                refusals.refuse(number, error)
        if right:
            await put(right)
    return refusals


async def in_time(parts: AsyncIterator[Part]) -> AsyncIterator[Part]:
    """The same; an import of which nothing comes any more does not keep others waiting."""
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                part = await anext(parts, None)
        except TimeoutError:
            raise invalid("rows", f"none came for {IDLE_S:.0f} seconds") from None
        if part is None:
            return
        yield part


async def collect(
    batches: AsyncIterator[Iterable[Row]], check: Callable[[Row], Value]
) -> tuple[list[tuple[int, Value]], types_pb2.ImportReport]:
    """All rows that pass `check`, and a report of those that do not."""
    right: list[tuple[int, Value]] = []

    async def put(rows: list[tuple[int, Value]]) -> None:
        right.extend(rows)

    refusals = await check_rows(batches, check, put, COLLECTED_MAX)
    return right, refusals.report(len(right))


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
