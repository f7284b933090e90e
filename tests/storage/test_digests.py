"""Digests: how rows are written, what ranges come to, and what a replica does not answer."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.comparing import in_memory, put
from tests.support.notes import Opener

from stillopen.replication.digests import ROWS_NAMED_MAX, Range, Rows, digests_of
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import CREATE_STEP, PRICE, PRODUCT, TABLES, Table
from stillopen.storage.engine import Row, Session, Value
from stillopen.storage.schema import Schema
from stillopen.v1 import sync_pb2

APPLE: Row = ("APPLE", "Apple", "Äpfel\x00", "EUR", -100, "")
PEAR: Row = ("PEAR", "Pear", "Pear", "EUR", 250, "food")
THING = Table("thing", 1, ("name TEXT", "colour TEXT", "size INTEGER", "picture BLOB"))
AT = Cursor(7, 3, b"x")
Asked = sync_pb2.DigestsAsked


def written(table: Table, row: Row) -> bytes:
    """A row as the module says that it is written; by other means."""
    letters = lengths = values = b""
    for value, definition in zip(row, table.columns, strict=True):
        match value:
            case None:
                said = b""
            case bytes():
                said = value
            case _:
                said = str(value).encode()
        letters += (definition.split()[1][0] if value is not None else "N").encode()
        lengths += len(said).to_bytes(4, "big")
        values += said
    return letters + lengths + values


def of_rows(table: Table, *rows: Row) -> tuple[int, bytes]:
    """What rows come to."""
    return len(rows), hashlib.sha256(b"".join(written(table, row) for row in rows)).digest()


def things(*rows: Row) -> Session:
    """A table with a column of each type, each of which may be nothing."""
    session = in_memory(*THING.create())
    put(session, THING, *rows)
    return session


def test_rows_are_written_as_is_said() -> None:
    lengths = b"\0\0\0\5\0\0\0\5\0\0\0\7\0\0\0\3\0\0\0\4\0\0\0\0"
    assert written(PRODUCT, APPLE) == b"TTTTIT" + lengths + b"APPLEApple\xc3\x84pfel\0EUR-100"
    session = things(("a", None, 5, b"\x00\xff"))
    [(row, text)] = Rows(THING).each(session, Range())
    assert text == b"TNIB\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\2a5\0\xff"
    assert (row.key, row.digest) == ("a", hashlib.sha256(text).digest()[:8])


async def test_the_same_rows_come_to_the_same_with_every_engine(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "x.db", Schema("x", (CREATE_STEP,)))
    await engine.write(lambda session: put(session, PRODUCT, PEAR, APPLE))
    found = await engine.read(lambda session: Rows(PRODUCT).digest(session, Range()))
    assert (found.count, found.digest) == of_rows(PRODUCT, APPLE, PEAR)


def test_nothing_an_empty_text_a_zero_and_no_bytes_are_different() -> None:
    rows: list[Row] = [
        ("a", None, None, None),
        ("a", "", None, None),
        ("a", None, 0, None),
        ("a", None, None, b""),
        ("a", "1", None, None),
        ("a", None, 1, None),
        ("a", None, None, b"1"),
    ]
    found = {Rows(THING).digest(things(row), Range()).digest for row in rows}
    assert found == {of_rows(THING, row)[1] for row in rows}
    assert len(found) == len(rows)


def test_no_value_can_pass_for_two() -> None:
    ones, others = ("a", "bc", None, None), ("ab", "c", None, None)
    assert Rows(THING).digest(things(ones), Range()) != Rows(THING).digest(things(others), Range())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_of_every_table_matters(table: Table) -> None:
    some: dict[str, Value] = {"TEXT": "a", "INTEGER": 1, "BLOB": b"a"}
    other: dict[str, Value] = {"TEXT": "b", "INTEGER": 2, "BLOB": b"b"}
    types = [definition.split()[1] for definition in table.columns]
    assert set(types) <= set(some), "say how values of another type are written"
    rows: list[list[Value]] = [[some[each] for each in types]]
    for place, each in enumerate(types):
        changed = list(rows[0])
        changed[place] = other[each]
        rows.append(changed)
    found: set[bytes] = set()
    for row in rows:
        session = in_memory(*CREATE_STEP)
        put(session, table, tuple(row))
        found.add(Rows(table).digest(session, Range()).digest)
    assert len(found) == len(rows)


@given(
    st.sets(st.text(st.characters(codec="utf-8"), min_size=1, max_size=3), max_size=40),
    st.integers(1, 12),
)
def test_any_cut_of_a_table_holds_every_row_once_and_equally_many(
    keys: set[str], parts: int
) -> None:
    session = things(*((key, None, None, None) for key in keys))
    rows = Rows(THING)
    bounds = rows.cut(session, Range(), parts)
    ends: list[str | None] = [*bounds, None]
    ranges = [Range(after, until) for after, until in zip(["", *bounds], ends, strict=True)]
    named = [[row.key for row, _ in rows.each(session, each)] for each in ranges]
    assert [key for part in named for key in part] == sorted(keys)
    assert [rows.digest(session, each).count for each in ranges] == [len(each) for each in named]
    assert len(ranges) <= parts
    most = -(-len(keys) // parts)
    assert all(len(each) == most for each in named[:-1])


def test_rows_that_a_condition_leaves_out_are_in_no_range() -> None:
    session = in_memory(*CREATE_STEP)
    put(session, PRODUCT, APPLE, PEAR)
    rows = Rows(PRODUCT, "product.tax_group = ?", ("food",))
    found = rows.digest(session, Range())
    assert (found.count, found.digest) == of_rows(PRODUCT, PEAR)


def products(count: int) -> Session:
    """A replica with many products."""
    session = in_memory(*CREATE_STEP)
    put(session, PRODUCT, *((f"P{n:05}", f"P{n:05}", "x", "EUR", n, "") for n in range(count)))
    return session


def test_a_replica_answers_for_each_range() -> None:
    session = products(10)
    asked = Asked(number=9, table="product", after="P00001", bounds=["P00004", "P00007"])
    answer = digests_of(session, asked, AT)
    assert (answer.number, answer.cursor.generation, answer.cursor.sequence) == (9, 7, 3)
    assert [each.count for each in answer.ranges] == [3, 3]
    asked.to_end = True
    assert [each.count for each in digests_of(session, asked, AT).ranges] == [3, 3, 2]
    whole = digests_of(session, Asked(table="product"), AT)
    assert [each.count for each in whole.ranges] == [10]
    assert not whole.rows


def test_a_replica_names_rows_where_they_are_asked_for() -> None:
    session = products(10)
    asked = Asked(table="product", bounds=["P00001"], rows=True)
    answer = digests_of(session, asked, AT)
    assert [row.key for row in answer.rows] == ["P00000", "P00001"]
    [whole] = digests_of(session, Asked(table="product", bounds=["P00001"]), AT).ranges
    assert list(answer.ranges) == [whole]


def test_no_more_rows_are_named_than_may_be_and_the_rest_follows() -> None:
    session = products(ROWS_NAMED_MAX + 5)
    first = digests_of(session, Asked(table="product", rows=True), AT)
    assert len(first.rows) == first.ranges[0].count == ROWS_NAMED_MAX
    after = first.rows[-1].key
    rest = digests_of(session, Asked(table="product", after=after, rows=True), AT)
    assert len(rest.rows) == 5


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Asked(table="sale"), "no table 'sale'"),
        (Asked(table=""), "no table ''"),
        (Asked(table="price", bounds=["b", "a"]), "do not rise"),
        (Asked(table="price", bounds=["b", "b"]), "do not rise"),
        (Asked(table="price", after="c", bounds=["b"]), "do not rise"),
        (Asked(table="price", bounds=[""]), "do not rise"),
        (Asked(table="price", bounds=[f"{n:05}" for n in range(1_001)]), "more than 1000"),
    ],
    ids=["unknown", "none", "falling", "equal", "before the beginning", "empty", "too many"],
)
def test_what_cannot_be_answered_is_refused_with_the_cursor(asked: Asked, why: str) -> None:
    answer = digests_of(products(1), asked, AT)
    assert why in answer.refusal
    assert not answer.ranges
    assert answer.cursor.generation == AT.generation


def test_a_key_that_is_no_text_does_not_hinder_an_answer() -> None:
    session = products(1)
    session.run("UPDATE product SET code = CAST(x'ff' AS TEXT)")
    answer = digests_of(session, Asked(table="product", rows=True), AT)
    assert [row.key for row in answer.rows] == ["\ufffd"]


def test_a_price_without_an_end_is_not_one_that_ends_at_once() -> None:
    session = in_memory(*CREATE_STEP)
    put(session, PRICE, ("a", "a", "EUR", 1, 0, None))
    before = Rows(PRICE).digest(session, Range())
    put(session, PRICE, ("a", "a", "EUR", 1, 0, 0))
    assert Rows(PRICE).digest(session, Range()) != before
