"""Digests of rows: two places find out which rows differ without sending them.

A row is written in three parts, with its values in the order of the table's columns at a version of
the description:

1. a letter for each value: T for text, I for an integer, B for bytes, N for nothing;
2. how many bytes each value has, as four bytes, the highest first;
3. the bytes of the values: text in UTF-8, an integer in decimal digits, with a minus if below 0.

The digest of a range is the SHA-256 over its rows, one after another in the order of their keys,
with nothing between them. That of one row is the first eight bytes of the SHA-256 over it. Keys are
ordered by their bytes in UTF-8.

Rows are read one at a time: memory does not grow with a table.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct

from stillopen.replication.frames import cursor_to
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import Table, tables_at
from stillopen.storage.engine import Session, Value
from stillopen.v1 import sync_pb2

BOUNDS_MAX = 1_000
ROWS_NAMED_MAX = 10_000
ROW_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Range:
    """Rows by their keys: after one, or from the beginning, through another, or to the end."""

    after: str = ""
    until: str | None = None

    def condition(self, key: str) -> str:
        """What holds for its keys, as SQL."""
        begins = (
            f"{key} > ?" if self.after else f"{key} >= ?"
        )  # somebody may have made an empty one
        return begins if self.until is None else f"{begins} AND {key} <= ?"

    @property
    def values(self) -> tuple[str, ...]:
        """The values of the condition."""
        return (self.after,) if self.until is None else (self.after, self.until)


@dataclass(frozen=True, slots=True)
class RowDigest:
    """A row, by its key, and what it comes to."""

    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class RangeDigest:
    """What the rows of a range come to."""

    count: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table that a condition holds for."""

    table: Table
    condition: str = "true"
    condition_values: tuple[str, ...] = ()

    def count(self, session: Session, within: Range) -> int:
        """How many there are in a range."""
        select, values = self._select("count(*)", within)
        [(count,)] = session.all(select, *values)
        return int(count)

    def digest(self, session: Session, within: Range) -> RangeDigest:
        """What a range comes to."""
        total, count = hashlib.sha256(), 0
        for _, written in self._written(session, within):
            total.update(written)
            count += 1
        return RangeDigest(count, total.digest())

    def each(self, session: Session, within: Range) -> Iterator[tuple[RowDigest, bytes]]:
        """Every row of a range in the order of the keys, and how it is written."""
        for key, written in self._written(session, within):
            digest = hashlib.sha256(written).digest()[:ROW_DIGEST_BYTES]
            # A damaged replica may hold a key that is no text in UTF-8.
            yield RowDigest(key.decode(errors="replace"), digest), written

    def cut(self, session: Session, within: Range, parts: int) -> list[str]:
        """Keys that end parts of equally many rows, the last part's end left out; they rise.

        No key of headquarters' is empty.
        """
        size = -(-self.count(session, within) // parts)
        bounds: list[str] = []
        rest = within
        while size and len(bounds) < parts - 1:
            select, values = self._select(self.table.key, rest, ordered=True)
            row = session.one(f"{select} LIMIT 1 OFFSET ?", *values, size - 1)
            if row is None:
                break
            bounds.append(row[0])
            rest = Range(row[0], within.until)
        return bounds

    def _written(self, session: Session, within: Range) -> Iterator[tuple[bytes, bytes]]:
        """The key of each row, and the row as it is written."""
        names, columns = self.table.names, self.table.columns
        # Tables are STRICT: the type of a column is that of its values.
        letters = "".join(column.split()[1][0] for column in columns).encode()
        head = Struct(f">{len(names)}s{len(names)}I").pack
        each = ", ".join(f"CAST({self.table.name}.{name} AS BLOB)" for name in names)
        select, values = self._select(each, within, ordered=True)
        for row in session.each(select, *values):
            if None in row:
                said = bytes(
                    ord("N") if value is None else letter
                    for value, letter in zip(row, letters, strict=True)
                )
                there = [value or b"" for value in row]
                yield row[0], head(said, *map(len, there)) + b"".join(there)
            else:
                yield row[0], head(letters, *map(len, row)) + b"".join(row)

    def _select(
        self, columns: str, within: Range, *, ordered: bool = False
    ) -> tuple[str, tuple[Value, ...]]:
        key = f"{self.table.name}.{self.table.key}"
        select = (
            f"SELECT {columns} FROM {self.table.name}"  # noqa: S608 - from the description
            f" WHERE {within.condition(key)} AND {self.condition}"
        )
        order = f" ORDER BY {key}" if ordered else ""
        return select + order, (*within.values, *self.condition_values)


def digests_of(session: Session, asked: sync_pb2.DigestsAsked, at: Cursor) -> sync_pb2.Digests:
    """Answers a question to a replica that stands there; a refusal is part of the answer.

    Where rows are asked for reading ends with the 10,000th: who asks goes on after the last.
    """
    answer = sync_pb2.Digests(number=asked.number, cursor=cursor_to(at))
    tables = {table.name: table for table in tables_at(at.scope.version)}
    answer.refusal = _refusal(asked, tables)
    if answer.refusal:
        return answer
    rows, ranges = Rows(tables[asked.table]), ranges_of(asked)
    if asked.rows:
        _name_rows(session, rows, ranges, answer)
        return answer
    for within in ranges:
        found = rows.digest(session, within)
        answer.ranges.add(count=found.count, digest=found.digest)
    return answer


def ranges_of(asked: sync_pb2.DigestsAsked) -> list[Range]:
    """The ranges of a question."""
    ends: list[str | None] = list(asked.bounds)
    if asked.to_end or not ends:
        ends.append(None)
    begins = [asked.after, *asked.bounds]
    return [Range(after, until) for after, until in zip(begins, ends, strict=False)]


def _refusal(asked: sync_pb2.DigestsAsked, tables: dict[str, Table]) -> str:
    if asked.table not in tables:
        return f"there is no table {asked.table[:40]!r}"
    if len(asked.bounds) > BOUNDS_MAX:
        return f"more than {BOUNDS_MAX} bounds"
    if not _rise([asked.after, *asked.bounds]):
        return "the bounds do not rise"
    return ""


def _rise(bounds: Sequence[str]) -> bool:
    return all(before < after for before, after in pairwise(bounds))


def _name_rows(
    session: Session, rows: Rows, ranges: Sequence[Range], answer: sync_pb2.Digests
) -> None:
    for within in ranges:
        total, count = hashlib.sha256(), 0
        for row, written in rows.each(session, within):
            if len(answer.rows) == ROWS_NAMED_MAX:
                break
            answer.rows.add(key=row.key, digest=row.digest)
            total.update(written)
            count += 1
        answer.ranges.add(count=count, digest=total.digest())
