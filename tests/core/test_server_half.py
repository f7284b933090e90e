"""The server's half of a stream: what it believes of a hello, and what it asks."""

import pytest

from stillopen.core.errors import Reason, Refused, StillopenError, Unreachable
from stillopen.replication.frames import QUESTIONS_MAX
from stillopen.replication.server_half import Answered, Claim, ServerHalf
from stillopen.v1 import sync_pb2, types_pb2

LANE = sync_pb2.LaneClaim(
    register_id="R1",
    epoch=7,
    first=1,
    head=3,
    claimed_head=9,
    missing=[types_pb2.EntryRange(first=2, last=2)],
)


def heads_of(owner: str, lane: sync_pb2.LaneClaim) -> Claim:
    """What is noted of a hello on the stream of a register, or of a channel."""
    half = ServerHalf(owner, 1.0)
    hello = sync_pb2.Hello(protocol_version=1, instance=5, lanes=[lane])
    [claim] = [e for e in half.received(sync_pb2.SyncRequest(hello=hello)) if isinstance(e, Claim)]
    return claim


@pytest.mark.parametrize(("owner", "told"), [("R1", False), ("", True)])
def test_only_a_channel_tells_of_holes_and_of_what_its_registers_claim(
    owner: str, *, told: bool
) -> None:
    [head] = heads_of(owner, LANE).heads
    assert (head.first, head.last) == (1, 3)
    assert (head.missing, head.claimed) == ((((2, 2),), 9) if told else ((), 0))


def test_the_welcome_says_how_many_entries_come_at_a_time() -> None:
    half = ServerHalf("R1", 1.0, 7)
    half.received(sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=1)))
    half.claimed([])
    frame = half.take()
    assert frame is not None
    assert frame.welcome.limits.batch_entries_max == 7


def streaming() -> ServerHalf:
    """A stream that was welcomed."""
    half = ServerHalf("R1", 1.0)
    half.received(sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=1)))
    half.claimed([])
    half.take()
    return half


def answer(number: int) -> sync_pb2.SyncRequest:
    """The client answers a question."""
    return sync_pb2.SyncRequest(digests=sync_pb2.Digests(number=number))


QUESTION = sync_pb2.DigestsAsked(number=77, table="product")


def test_each_question_has_a_number_of_its_own_and_one_answer() -> None:
    half = streaming()
    first, second = half.ask(QUESTION), half.ask(QUESTION)
    frame = half.take()
    assert frame is not None
    assert (frame.digests_asked.number, frame.digests_asked.table) == (first, "product")
    assert first != second
    assert half.received(answer(second)) == [Answered(sync_pb2.Digests(number=second))]
    assert half.received(answer(second)) == []
    assert half.received(answer(first)) == [Answered(sync_pb2.Digests(number=first))]


def test_an_answer_that_nobody_asked_for_or_waits_for_is_passed_over() -> None:
    half = streaming()
    assert half.received(answer(1)) == []
    number = half.ask(QUESTION)
    half.give_up(number)
    assert half.received(answer(number)) == []


def reason(half: ServerHalf) -> Reason:
    """Why a question is not asked."""
    with pytest.raises(StillopenError) as caught:
        half.ask(QUESTION)
    assert isinstance(caught.value, Refused | Unreachable)
    return caught.value.reason


def test_a_handful_of_questions_are_open_at_a_time() -> None:
    half = streaming()
    numbers = [half.ask(QUESTION) for _ in range(QUESTIONS_MAX)]
    assert reason(half) is Reason.IN_USE
    half.received(answer(numbers[0]))
    half.ask(QUESTION)


def test_nothing_is_asked_before_the_welcome() -> None:
    half = ServerHalf("R1", 1.0)
    half.received(sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=1)))
    assert reason(half) is Reason.UNREACHABLE
    assert half.take() is None
