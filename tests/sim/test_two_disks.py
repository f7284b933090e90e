"""What two disks of one register make of one sale: an image was put back, or a register cloned."""

import pytest
from tests.sim.book import ISSUE, MEMO, Book
from tests.sim.checkers import CHECKS
from tests.sim.history import Event, Kind
from tests.sim.test_checkers import calm, deepcopied

from stillopen.v1 import types_pb2

MEMO_NUMBER = "MAAAAA00000000000000001"


def shown(kind: Kind, version: int, method: str) -> Event:
    """The sale as its register shows it."""
    sale = types_pb2.Sale(transaction_id="S", version=version)
    return Event(1.0, "R1", kind, "S", version, method, sale)


@pytest.mark.parametrize(("went_back", "wrong"), [(True, 0), (False, 1)])
def test_an_answer_may_be_that_of_the_disk_that_went_back(went_back: bool, wrong: int) -> None:  # noqa: FBT001
    record = deepcopied(calm())
    record.history.events = [
        Event(1.0, "R1", Kind.SENT, "S", 0, "Begin"),
        shown(Kind.ANSWERED, 1, "Begin"),
        Event(1.0, "R1", Kind.SENT, "S", 1, "AddLine"),
        *([Event(1.0, "R1", Kind.PUT_BACK, "", 0)] if went_back else []),
        shown(Kind.ANSWERED, 2, "AddLine"),
        shown(Kind.SEEN, 1, "GetSale"),
    ]
    assert len(list(CHECKS["P8"](record))) == wrong


@pytest.mark.parametrize(("looked", "wrong"), [(False, 0), (True, 1)])
def test_who_has_not_looked_since_the_disk_went_back_writes_to_what_was_before(
    looked: bool,  # noqa: FBT001
    wrong: int,
) -> None:
    record = deepcopied(calm())
    record.history.events = [
        Event(1.0, "R1", Kind.SENT, "S", 0, "Begin"),
        shown(Kind.ANSWERED, 1, "Begin"),
        Event(1.0, "R1", Kind.PUT_BACK, "", 0),
        *([shown(Kind.SEEN, 1, "GetSale")] if looked else []),
        Event(1.0, "R1", Kind.SENT, "S", 1, "AddLine"),
        shown(Kind.SEEN, 1, "GetSale"),
        Event(1.0, "R1", Kind.REFUSED, "S", 1, "VERSION_OLD"),
    ]
    assert len(list(CHECKS["P8"](record))) == wrong


@pytest.mark.parametrize(("judged_before", "wrong"), [(True, 0), (False, 1)])
def test_a_line_that_comes_with_another_card_is_an_exception_once_it_was_judged(
    judged_before: bool,  # noqa: FBT001
    wrong: int,
) -> None:
    book = Book()
    if judged_before:
        book.lock("a", sale="S")
        book.settle("a", sale="S")
    book.lock("b", number=MEMO_NUMBER, purpose=ISSUE, kind=MEMO, balance=0, minor=50, sale="S")
    book.settle("b", number=MEMO_NUMBER, purpose=ISSUE, minor=50, sale="S", paid=False)
    assert len(book.violations()) == wrong
