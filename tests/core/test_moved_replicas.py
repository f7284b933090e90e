"""Which replica of a client a package moved: the rule that both halves of a stream go by."""

import pytest

from stillopen.replication.frames import moved
from stillopen.replication.ports import Cursor
from stillopen.replication.scope import Scope

TO = Cursor(3, 8, b"new", Scope((), 1))
ANOTHER = Cursor(9, 1, b"another", Scope(("customer",), 2))
SAME_EXCLUSIONS = Cursor(9, 1, b"newer", Scope((), 2))
SAME_SCOPE = Cursor(9, 1, b"older", Scope((), 1))
AT_BASE = Cursor(3, 7, b"base", Scope((), 2))
BASE = Cursor(3, 7, b"base", Scope((), 1))


@pytest.mark.parametrize(
    ("cursors", "base", "place"),
    [
        ([SAME_SCOPE, SAME_EXCLUSIONS, AT_BASE], BASE, 2),
        ([ANOTHER, SAME_EXCLUSIONS, SAME_SCOPE], None, 2),
        ([ANOTHER, SAME_EXCLUSIONS], None, 1),
        ([ANOTHER], None, 0),
        ([ANOTHER, SAME_EXCLUSIONS, SAME_SCOPE], BASE, 2),
    ],
    ids=["that at the base", "its scope", "its exclusions", "the only one", "the base is gone"],
)
def test_a_package_moves_the_replica_that_it_fits_best(
    cursors: list[Cursor], base: Cursor | None, place: int
) -> None:
    found = moved(cursors, TO, base)
    assert found[place] == TO
    assert [each for each in found if each != TO] == [
        each for each in cursors if each != cursors[place]
    ]


def test_who_has_no_replica_has_none_moved() -> None:
    assert moved([], TO, None) == []
