"""Packages as files: what is put in comes out, and what is not a package is refused."""

import contextlib
import sqlite3
import weakref
from collections.abc import Iterator

import pytest
import zstandard

from stillopen.core.errors import Reason, Refused
from stillopen.storage.package import FACTS, REMOVED, Draft, opened

GOODS = "CREATE TABLE goods (code TEXT PRIMARY KEY, minor INTEGER NOT NULL) STRICT, WITHOUT ROWID"
BY_MINOR = "CREATE INDEX goods_by_minor ON goods (minor)"
MADE_BY = (FACTS, REMOVED, GOODS, BY_MINOR)


class Code(str):
    """A text that can be watched."""

    __slots__ = ("__weakref__",)


def package(rows: int = 2, statements: tuple[str, ...] = MADE_BY) -> bytes:
    """A package with some rows."""
    with Draft(statements) as draft:
        assert draft.put("goods", 2, ((f"P{n}", n) for n in range(rows))) == rows
        draft.fact("sequence", "7")
        return draft.finish()


def database(*statements: str) -> bytes:
    """A compressed database that somebody else made."""
    connection = sqlite3.connect(":memory:")  # noqa: TID251 - not by our own code
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    data = connection.serialize()
    connection.close()
    return zstandard.ZstdCompressor().compress(data)


def refused(data: bytes, statements: tuple[str, ...] = MADE_BY, unpacked_max: int = 2**20) -> str:
    """Why a package is refused."""
    with pytest.raises(Refused) as caught, opened(data, statements, unpacked_max) as contents:
        list(contents.rows("goods", ["code"]))
    assert caught.value.reason is Reason.PACKAGE_DAMAGED
    return caught.value.message


def test_what_is_put_in_comes_out() -> None:
    with opened(package(), MADE_BY) as contents:
        assert contents.facts == {"sequence": "7"}
        assert list(contents.rows("goods", ["code", "minor"])) == [("P0", 0), ("P1", 1)]
        assert list(contents.removed()) == []


def test_the_same_rows_make_the_same_bytes() -> None:
    assert package() == package()


def test_a_small_package_is_small() -> None:
    assert len(package()) < 1_000


def test_rows_are_taken_as_they_come_and_not_held() -> None:
    made: list[weakref.ref[Code]] = []

    def rows() -> Iterator[tuple[str, int]]:
        for number in range(1_000):
            code = Code(f"P{number}")
            made.append(weakref.ref(code))
            assert sum(each() is not None for each in made[-20:]) < 10
            yield code, number

    with Draft(MADE_BY) as draft:
        assert draft.put("goods", 2, rows()) == 1_000


def test_bytes_that_are_no_package_are_refused() -> None:
    assert refused(b"")
    assert refused(b"not a package at all")
    assert refused(zstandard.ZstdCompressor().compress(b"not a database" * 100))


def test_every_cut_of_a_package_is_refused() -> None:
    data = package()
    for length in range(0, len(data), 7):
        assert refused(data[:length])


def test_bytes_after_a_package_are_refused() -> None:
    assert refused(package() + b"more")


def test_a_package_that_unpacks_to_more_than_allowed_is_refused_before_it_is_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(2**26))
    assert len(bomb) < 10_000
    assert "unpack" in refused(bomb)
    assert "unpack" in refused(package(50_000))


def test_a_package_that_does_not_say_its_size_is_refused() -> None:
    packer = zstandard.ZstdCompressor(write_content_size=False)
    unsized = packer.compress(zstandard.ZstdDecompressor().decompress(package()))
    assert refused(unsized)


@pytest.mark.parametrize(
    "statements",
    [
        (FACTS, REMOVED, GOODS),
        (FACTS, REMOVED, GOODS, BY_MINOR, "CREATE TABLE more (a)"),
        (FACTS, REMOVED, GOODS.replace("minor INTEGER", "minor ANY"), BY_MINOR),
        (FACTS, REMOVED, "CREATE VIEW goods AS SELECT 'P1' AS code, 1 AS minor"),
        (
            *MADE_BY,
            "CREATE TRIGGER surprise INSERT ON goods BEGIN DELETE FROM goods; END",
        ),
    ],
    ids=["an index less", "a table more", "another column", "a view", "a trigger"],
)
def test_other_tables_than_described_are_refused(statements: tuple[str, ...]) -> None:
    assert "tables" in refused(database(*statements))


def test_a_database_with_a_write_ahead_log_is_refused() -> None:
    data = bytearray(zstandard.ZstdDecompressor().decompress(package()))
    data[18] = data[19] = 2
    assert refused(zstandard.ZstdCompressor().compress(bytes(data)))


def test_a_damaged_page_is_refused_and_raises_nothing_else() -> None:
    whole = zstandard.ZstdDecompressor().decompress(package(2_000))
    page = 4096
    for number in range(1, len(whole) // page):
        data = bytearray(whole)
        data[number * page : number * page + 64] = b"\xff" * 64
        packed = zstandard.ZstdCompressor().compress(bytes(data))
        with contextlib.suppress(Refused), opened(packed, MADE_BY) as contents:
            list(contents.rows("goods", ["code", "minor"]))
