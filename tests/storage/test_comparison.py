"""Comparing: exactly the rows that differ are named, whatever was done to either side."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.comparing import Pair, put, take

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.headquarters import comparison
from stillopen.headquarters.comparison import Kind, TableComparison
from stillopen.replication.digests import ROWS_NAMED_MAX
from stillopen.replication.tables import CUSTOMER, PRODUCT, REGISTER, STORE
from stillopen.storage.engine import Row
from stillopen.v1 import sync_pb2

MISSING, EXTRA, OTHER = Kind.MISSING, Kind.EXTRA, Kind.OTHER


def product(number: int, minor: int = 100) -> Row:
    """A product."""
    code = f"P{number:06}"
    return (code, code, "x", "EUR", minor, "")


def pair_of(rows: int) -> Pair:
    """Headquarters with so many products, all of them distributed."""
    pair = Pair()
    pair.change(PRODUCT, *(product(number) for number in range(rows)))
    pair.distribute()
    return pair


def test_equal_tables_are_found_equal_with_one_question() -> None:
    pair = pair_of(5_000)
    found = pair.compare(PRODUCT).found
    assert (found.rows, found.compared, found.differences, found.named) == (5_000, 5_000, 0, [])
    assert len(pair.asked) == 1
    assert pair.rows_sent == 0


def test_rows_that_miss_are_extra_or_say_another_thing_are_named() -> None:
    pair = pair_of(5_000)
    take(pair.replica, PRODUCT, product(7)[0])
    put(pair.replica, PRODUCT, product(4_000, 101), ("P000007b", "x", "x", "EUR", 1, ""))
    assert pair.differences(PRODUCT) == [
        ("P000007", MISSING, False),
        ("P000007b", EXTRA, False),
        ("P004000", OTHER, False),
    ]
    assert pair.rows_sent < 1_000


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 3_500),
    st.dictionaries(st.integers(0, 3_500), st.sampled_from(Kind), max_size=60),
)
def test_exactly_the_rows_that_were_changed_behind_its_back_are_named(
    rows: int, edits: dict[int, Kind]
) -> None:
    pair = pair_of(rows)
    expected: list[tuple[str, Kind, bool]] = []
    for number, kind in sorted(edits.items()):
        code = product(number)[0]
        if number >= rows:
            put(pair.replica, PRODUCT, product(number))
            expected.append((code, EXTRA, False))
        elif kind is MISSING:
            take(pair.replica, PRODUCT, code)
            expected.append((code, MISSING, False))
        else:
            put(pair.replica, PRODUCT, product(number, 1))
            expected.append((code, OTHER, False))
    assert pair.differences(PRODUCT) == expected


def test_a_replica_with_another_table_altogether_is_compared_to_its_end() -> None:
    pair = pair_of(3_000)
    more = ROWS_NAMED_MAX + 500
    rows = ((f"X{n:06}", "x", "x", "EUR", 1, "") for n in range(more))
    take(pair.replica, PRODUCT, *(product(number)[0] for number in range(3_000)))
    put(pair.replica, PRODUCT, *rows)
    found = pair.compare(PRODUCT, names_max=10).found
    assert (found.differences, len(found.named)) == (3_000 + more, 10)
    assert found.compared == 3_000


def test_an_empty_replica_is_not_asked_for_rows() -> None:
    pair = pair_of(3_000)
    pair.replica.run("DELETE FROM product")
    assert pair.compare(PRODUCT).found.differences == 3_000
    assert len(pair.asked) == 1


def test_what_is_changed_and_not_distributed_is_on_its_way() -> None:
    pair = pair_of(10)
    pair.change(PRODUCT, product(3, 5), product(20))
    pair.remove(PRODUCT, product(4)[0])
    put(pair.replica, PRODUCT, product(5, 5))
    assert pair.differences(PRODUCT) == [
        ("P000003", OTHER, True),
        ("P000004", EXTRA, True),
        ("P000005", OTHER, False),
        ("P000020", MISSING, True),
    ]
    found = pair.compare(PRODUCT).found
    assert (found.differences, found.on_their_way) == (1, 3)
    pair.distribute()
    assert pair.differences(PRODUCT) == []


def test_a_replica_that_is_behind_misses_what_came_since_and_nothing_else() -> None:
    pair = pair_of(10)
    put(pair.replica, PRODUCT, product(5, 5))
    pair.change(PRODUCT, product(3, 5))
    pair.distribute(arrives=False)
    assert pair.differences(PRODUCT) == [("P000003", OTHER, True), ("P000005", OTHER, False)]


def test_to_a_replica_of_another_log_whatever_was_changed_is_on_its_way() -> None:
    pair = pair_of(10)
    pair.at = replace(pair.at, generation=8)
    take(pair.replica, PRODUCT, product(3)[0])
    put(pair.replica, PRODUCT, product(99))
    assert pair.differences(PRODUCT) == [("P000003", MISSING, True), ("P000099", EXTRA, False)]


def test_registers_of_a_store_that_moved_are_on_their_way() -> None:
    pair = Pair()
    pair.change(STORE, ("S1", "S1", "Default", "Default"), ("S2", "S2", "Default", "Default"))
    pair.change(REGISTER, *((f"R{n}", f"S{n}", "", 1, "ACTIVE", 1, b"") for n in (1, 2)))
    pair.distribute()
    pair.change(STORE, ("S2", "S2", "North", "Default"))
    assert pair.differences(REGISTER) == [("R2", EXTRA, True)]
    assert pair.differences(STORE) == [("S2", EXTRA, True)]


def test_a_table_that_a_replica_does_without_has_no_rows() -> None:
    pair = Pair()
    pair.change(CUSTOMER, ("C1", "Ada", "", ""))
    pair.without("customer")
    pair.distribute()
    compared = pair.compare(CUSTOMER)
    assert (compared.found.rows, compared.found.named) == (0, [])
    put(pair.replica, CUSTOMER, ("C9", "Eve", "", ""))
    assert pair.differences(CUSTOMER) == [("C9", EXTRA, False)]


def test_what_arrives_while_it_is_compared_is_no_difference() -> None:
    pair = pair_of(5_000)
    compared = TableComparison(PRODUCT, "Default", 10)
    compared.begin(pair.office)
    pair.change(PRODUCT, *(product(number, 5) for number in range(0, 5_000, 100)))
    pair.distribute(arrives=False)
    begun = False
    while asked := compared.question():
        compared.answered(pair.office, pair.answer(asked))
        if not begun:  # after the first question everything arrives
            pair.at = replace(pair.at, sequence=pair.at.sequence + 1)
            pair.copy()
            begun = True
    assert compared.found.named == []
    assert compared.at == pair.at


def test_a_replica_that_comes_to_another_log_is_compared_from_the_beginning() -> None:
    pair = pair_of(5_000)
    put(pair.replica, PRODUCT, product(1, 1))
    compared = TableComparison(PRODUCT, "Default", 10)
    compared.begin(pair.office)
    for generation in (8, 9, 9, 9):
        asked = compared.question()
        assert asked is not None
        compared.answered(pair.office, pair.answer(asked))
        pair.at = replace(pair.at, generation=generation)
    while asked := compared.question():
        compared.answered(pair.office, pair.answer(asked))
    assert [each.key for each in compared.found.named] == ["P000001"]
    assert compared.found.compared == 5_000


def test_a_replica_that_begins_anew_without_end_is_given_up() -> None:
    pair = pair_of(5_000)
    put(pair.replica, PRODUCT, product(1, 1))
    compared = TableComparison(PRODUCT, "Default", 10)
    compared.begin(pair.office)

    def moves_on() -> None:
        while asked := compared.question():
            compared.answered(pair.office, pair.answer(asked))
            pair.at = replace(pair.at, generation=pair.at.generation + 1)

    with pytest.raises(Unreachable) as caught:
        moves_on()
    assert caught.value.reason is Reason.TIMED_OUT


def test_an_answer_to_many_rows_is_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "ROWS_ASKED_MAX", 1_000)
    pair = pair_of(2_500)
    found = pair.compare(PRODUCT).found
    assert found.compared == 2_500
    assert len(pair.asked) == 3


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        ("UNREACHABLE: there is no stream", Unreachable, Reason.UNREACHABLE),
        ("it has no time", Refused, Reason.OTHER),
        ("NOT_READY: the copy is damaged", Refused, Reason.NOT_READY),
    ],
    ids=["no stream behind", "in words", "of the trade"],
)
def test_a_refusal_is_raised_as_what_it_was(
    said: str, error: type[Exception], reason: Reason
) -> None:
    pair = pair_of(1)
    compared = TableComparison(PRODUCT, "Default", 10)
    compared.begin(pair.office)
    with pytest.raises(error) as caught:
        compared.answered(pair.office, sync_pb2.Digests(refusal=said))
    assert getattr(caught.value, "reason", None) is reason


def test_older_software_is_not_asked_again_for_a_table_that_it_does_not_know() -> None:
    pair = pair_of(5)
    compared = TableComparison(replace(PRODUCT, name="new_table"), "Default", 10)
    pair.office.run("CREATE TABLE new_table AS SELECT * FROM product")
    compared.begin(pair.office)
    asked = compared.question()
    assert asked is not None
    compared.answered(pair.office, pair.answer(asked))
    assert compared.question() is None
    assert compared.found.rows == 0
