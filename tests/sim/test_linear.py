"""One order of all calls explains the answers of the card service; a wrong answer none does."""

from collections.abc import Callable

import pytest
from tests.sim.book import (
    ENDED,
    ISSUE,
    MEMO,
    NUMBER,
    OPENING,
    SETTLED,
    Book,
    shown,
)
from tests.sim.card_histories import histories
from tests.sim.card_names import name_of
from tests.sim.card_state import Card, Status
from tests.sim.card_steps import Served
from tests.sim.linear import Restored, Search

MEMO_NUMBER, LEFT_NUMBER = "MAAAAA00000000000000001", "MAAAAA00000000000000002"
LEFT_ON = bytes.fromhex(name_of(LEFT_NUMBER))
Story = Callable[[Book], object]


def a_sale(book: Book) -> None:
    book.lock("a")
    book.renew("a", left_s=300)
    book.settle("a")
    book.settle("a", repeated=True)
    book.unlock("a", balance=900, state=SETTLED)
    book.ledger(900)


def two_sales_in_turn(book: Book) -> None:
    book.lock("a")
    book.lock("b", register="R2", refused="CARD_LOCKED")
    book.unlock("a")
    book.lock("c", register="R2")
    book.settle("c")


def a_lock_that_lapsed(book: Book) -> None:
    book.lock("a")
    book.pause(121)
    book.lock("b", register="R2")
    book.renew("a", left_s=0)
    book.settle("b")
    book.renew("a", left_s=0, balance=900, state=ENDED)


def a_part_each(book: Book) -> None:
    book.lock("a", amount_only=True, minor=600)
    book.lock("b", register="R2", amount_only=True, minor=400)
    book.lock("c", register="R2", amount_only=True, minor=1, refused="CARD_LOCKED")


def a_fact_after_its_lock_ended(book: Book) -> None:
    book.lock("a")
    book.unlock("a")
    book.lock("b", register="R2")
    book.settle("a", paid=False)
    book.settle("b")
    book.ledger(900)


def a_fact_of_a_memo_that_is_not_there_yet(book: Book) -> None:
    """As after a restore: it is an exception, and paid when the memo is made."""
    book.lock("a", number=MEMO_NUMBER, kind=MEMO, balance=0, refused="CARD_PENDING")
    book.ledger(0, number=MEMO_NUMBER, state="NEW").refused = "CARD_UNKNOWN"
    book.heard.calls[-1].answer = None
    book.lock("b", number=MEMO_NUMBER, purpose=ISSUE, kind=MEMO, balance=0, minor=500)
    book.settle("c", number=MEMO_NUMBER, minor=500, paid=False)
    on = bytes.fromhex(name_of(MEMO_NUMBER))
    book.settle("b", number=MEMO_NUMBER, purpose=ISSUE, minor=500, left=500, left_on=on)
    book.ledger(0, number=MEMO_NUMBER, state="USED")


def a_key_that_ended_in_advance(book: Book) -> None:
    book.call("register:R1", book.unlock("a").request, None, "")
    book.lock("a", refused="LOCK_ENDED")


def a_memo_and_what_is_left_of_it(book: Book) -> None:
    on = bytes.fromhex(name_of(MEMO_NUMBER))
    book.lock("a", number=MEMO_NUMBER, purpose=ISSUE, kind=MEMO, balance=0, minor=500)
    book.settle("a", number=MEMO_NUMBER, purpose=ISSUE, minor=500, left=500, left_on=on)
    book.lock("b", number=MEMO_NUMBER, kind=MEMO, balance=500, minor=200)
    book.settle("b", number=MEMO_NUMBER, minor=200, left=300, left_on=LEFT_ON)
    book.ledger(0, number=MEMO_NUMBER, state="USED")
    book.ledger(300, number=LEFT_NUMBER)


def a_call_that_was_not_answered_was_done(book: Book) -> None:
    book.lock("a", unanswered=True)
    book.lock("b", register="R2", refused="CARD_LOCKED")
    book.restart(5)
    book.lock("a", left_s=110)


def a_call_that_was_not_answered_was_not_done(book: Book) -> None:
    book.lock("a", unanswered=True)
    book.restart(5)
    book.lock("b", register="R2")


def two_at_once(book: Book) -> None:
    late = book.lock("a", refused="CARD_LOCKED")
    book.lock("b", register="R2")
    book.later(late)


RIGHT: list[Story] = [
    a_sale,
    two_sales_in_turn,
    a_lock_that_lapsed,
    a_part_each,
    a_fact_after_its_lock_ended,
    a_fact_of_a_memo_that_is_not_there_yet,
    a_key_that_ended_in_advance,
    a_memo_and_what_is_left_of_it,
    a_call_that_was_not_answered_was_done,
    a_call_that_was_not_answered_was_not_done,
    two_at_once,
]


@pytest.mark.parametrize("story", RIGHT, ids=lambda story: story.__name__)
def test_what_the_rules_explain_passes(story: Story) -> None:
    book = Book()
    story(book)
    assert book.violations() == []


def two_holders(book: Book) -> None:
    book.lock("a")
    book.lock("b", register="R2")


def a_double_debit(book: Book) -> None:
    book.lock("a")
    book.settle("a")
    book.settle("a")


def a_debit_that_left_the_balance(book: Book) -> None:
    book.lock("a")
    book.settle("a")
    book.ledger(OPENING)


def an_answer_of_yesterday(book: Book) -> None:
    book.lock("a")
    book.unlock("a")
    book.lock("a")


def a_balance_of_yesterday(book: Book) -> None:
    book.lock("a")
    book.settle("a")
    book.lock("b")


def a_refused_key_that_was_granted(book: Book) -> None:
    book.lock("a")
    book.lock("b", register="R2", refused="CARD_LOCKED")
    book.unlock("a")
    book.lock("b", register="R2")


def an_unlocked_key_that_was_granted(book: Book) -> None:
    book.call("register:R1", book.unlock("a").request, None, "")
    book.lock("a")


def a_refusal_without_a_cause(book: Book) -> None:
    book.lock("b", register="R2", refused="CARD_LOCKED")


def a_number_that_is_there_and_not_known(book: Book) -> None:
    book.lock("b", register="R2", refused="CARD_UNKNOWN")


def recovering_without_a_restore(book: Book) -> None:
    book.lock("a", refused="HEADQUARTERS_RECOVERING")


def a_lock_that_lapsed_too_early(book: Book) -> None:
    book.lock("a")
    book.pause(118)
    book.lock("b", register="R2")


def a_lock_that_lapsed_while_nobody_served(book: Book) -> None:
    book.lock("a")
    book.restart(500)
    book.lock("b", register="R2")


def a_lock_that_never_lapses(book: Book) -> None:
    book.lock("a")
    book.pause(121)
    book.lock("b", register="R2", refused="CARD_LOCKED")


def a_clock_that_went_back(book: Book) -> None:
    book.lock("a", left_s=120)
    book.pause(60)
    book.lock("a", left_s=120)


def a_renewal_for_less(book: Book) -> None:
    book.lock("a", left_s=300)
    book.renew("a", left_s=120)


def a_renewal_of_what_another_holds(book: Book) -> None:
    book.lock("a")
    book.pause(121)
    book.lock("b", register="R2")
    book.renew("a")


def a_lapsed_lock_that_outlived_a_debit(book: Book) -> None:
    book.lock("a")
    book.pause(121)
    book.lock("b", register="R2")
    book.settle("b")
    book.renew("a", balance=900)


def a_lapsed_lock_that_outlived_a_debit_by_hand(book: Book) -> None:
    book.lock("a")
    book.pause(121)
    book.adjust(-1, 999)
    book.renew("a", balance=999)


def an_unlock_that_moved_money(book: Book) -> None:
    book.lock("a")
    book.settle("a")
    book.unlock("a", balance=OPENING, state=SETTLED)


def an_unlock_of_a_settled_lock_that_ended_it(book: Book) -> None:
    book.lock("a")
    book.settle("a")
    book.unlock("a", balance=900)


def an_unlock_by_hand_without_force(book: Book) -> None:
    book.lock("a")
    book.unlock("a", caller="person:office")


def a_fact_that_took_what_another_holds(book: Book) -> None:
    book.lock("a")
    book.unlock("a")
    book.lock("b", register="R2")
    book.settle("a")


def a_fact_that_was_not_paid_from_free_money(book: Book) -> None:
    book.lock("a")
    book.unlock("a")
    book.settle("a", paid=False)


def more_than_there_is(book: Book) -> None:
    book.lock("a", minor=OPENING)
    book.settle("a", minor=OPENING + 1)


def a_remainder_that_is_not_there(book: Book) -> None:
    a_memo_and_what_is_left_of_it(book)
    book.ledger(0, number=LEFT_NUMBER)


def a_memo_that_is_good_twice(book: Book) -> None:
    a_memo_and_what_is_left_of_it(book)
    book.lock("c", number=MEMO_NUMBER, kind=MEMO, balance=0, minor=1)


def a_lock_that_nobody_lists(book: Book) -> None:
    book.lock("a")
    book.locks()


def a_lock_that_ended_and_is_listed(book: Book) -> None:
    book.lock("a")
    book.unlock("a")
    book.locks(shown("a", OPENING, left_s=1))


def an_effect_that_was_lost_with_its_server(book: Book) -> None:
    book.lock("a")
    book.settle("a")
    book.restart(1)
    book.ledger(OPENING)


WRONG: list[Story] = [
    two_holders,
    a_double_debit,
    a_debit_that_left_the_balance,
    an_answer_of_yesterday,
    a_balance_of_yesterday,
    a_refused_key_that_was_granted,
    an_unlocked_key_that_was_granted,
    a_refusal_without_a_cause,
    a_number_that_is_there_and_not_known,
    recovering_without_a_restore,
    a_lock_that_lapsed_too_early,
    a_lock_that_lapsed_while_nobody_served,
    a_lock_that_never_lapses,
    a_clock_that_went_back,
    a_renewal_for_less,
    a_renewal_of_what_another_holds,
    a_lapsed_lock_that_outlived_a_debit,
    a_lapsed_lock_that_outlived_a_debit_by_hand,
    an_unlock_that_moved_money,
    an_unlock_of_a_settled_lock_that_ended_it,
    an_unlock_by_hand_without_force,
    a_fact_that_took_what_another_holds,
    a_fact_that_was_not_paid_from_free_money,
    more_than_there_is,
    a_remainder_that_is_not_there,
    a_memo_that_is_good_twice,
    a_lock_that_nobody_lists,
    a_lock_that_ended_and_is_listed,
    an_effect_that_was_lost_with_its_server,
]


@pytest.mark.parametrize("story", WRONG, ids=lambda story: story.__name__)
def test_what_no_order_explains_is_found(story: Story) -> None:
    book = Book()
    story(book)
    [line] = book.violations()
    assert "nothing explains it" in line


def test_a_server_that_went_on_from_a_copy_never_did_what_came_after_it() -> None:
    book = Book()
    book.lock("a")
    copied_s = book.now_s
    book.settle("a")
    book.pause(1)
    book.restart(1)
    restored_s = book.heard.runs[-1].from_s
    book.lock("b", register="R2", refused="HEADQUARTERS_RECOVERING")
    book.settle("a")
    book.ledger(900)
    assert book.violations(Restored(copied_s, restored_s)) == []
    assert len(book.violations()) == 1


def test_a_card_keeps_its_name_when_the_call_that_told_it_is_on_no_copy() -> None:
    book = Book()
    copied_s = book.now_s
    book.pause(1)
    book.lock("a")
    book.restart(1)
    book.settle("a")
    assert book.violations(Restored(copied_s, book.heard.runs[-1].from_s)) == []


def test_a_copy_excuses_nothing_that_was_done_before_it_was_made() -> None:
    book = Book()
    book.lock("a")
    book.settle("a")
    book.pause(1)
    copied_s = book.now_s
    book.pause(1)
    book.restart(1)
    book.settle("a")
    assert len(book.violations(Restored(copied_s, book.heard.runs[-1].from_s))) == 1


def test_a_search_that_takes_too_long_is_undecided_and_does_not_pass() -> None:
    book = Book()
    for number in range(6):
        book.lock(f"{number}", unanswered=True)
    book.ledger(OPENING)
    [steps] = histories(book.heard.calls, book.heard.runs).values()
    card = Card(Status.OPEN, minor=OPENING)
    [line] = Search(Served(book.heard.runs), tries_max=0).run(card, steps)
    assert line.startswith("undecided after")
    assert list(Search(Served(book.heard.runs)).run(card, steps)) == []


def test_a_violation_names_its_card_and_how_the_card_was() -> None:
    book = Book()
    two_holders(book)
    [line] = book.violations()
    assert f"card {name_of(NUMBER)[:12]}" in line
    assert f"the card was OPEN with {OPENING}, held by [" in line
