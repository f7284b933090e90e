"""Seconds served, as the checker of cards sees them: a crash takes them back to the last write."""

import pytest
from tests.sim.book import Book


@pytest.mark.parametrize(("left_s", "wrong"), [(70, 0), (119, 0), (121, 1)])
@pytest.mark.parametrize("unanswered", [False, True])
def test_a_lock_that_was_asked_for_again_may_block_for_as_long_as_at_its_grant_after_a_crash(
    unanswered: bool,  # noqa: FBT001
    left_s: float,
    wrong: int,
) -> None:
    book = Book()
    book.lock("a", unanswered=unanswered)
    book.pause(50)
    book.lock("a", left_s=70)
    book.restart(1)
    book.lock("a", left_s=left_s)
    assert len(book.violations()) == wrong
