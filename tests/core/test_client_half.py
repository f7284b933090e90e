"""The client's half of a stream, frame by frame."""

import pytest

from stillopen.core.errors import Misuse
from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, append
from stillopen.replication.client_half import ClientHalf, Digest, Read, Sent
from stillopen.replication.frames import (
    BATCH_BYTES_MAX,
    BATCH_ENTRIES_MAX,
    BATCHES_IN_FLIGHT_MAX,
    QUESTIONS_MAX,
)
from stillopen.replication.ports import Cursor
from stillopen.v1 import sync_pb2, types_pb2

LANE = Lane("R1", 7)


def entries(first: int, last: int) -> list[Entry]:
    """Entries of the lane."""
    return [append(LANE, n, NO_PARENT, b"x") for n in range(first, last + 1)]


def state(through: int) -> sync_pb2.LaneState:
    """What the server has of the lane."""
    return sync_pb2.LaneState(register_id="R1", epoch=7, stored_through=through)


def welcomed(head: int, through: int) -> tuple[ClientHalf, list[Read]]:
    """A stream that was welcomed, and what it reads first."""
    half = ClientHalf()
    half.hello([Head(LANE, 1, head)], [Cursor()])
    welcome = sync_pb2.Welcome(protocol_version=1, lanes=[state(through)])
    effects = half.received(sync_pb2.SyncResponse(welcome=welcome))
    return half, [effect for effect in effects if isinstance(effect, Read)]


def sent(half: ClientHalf) -> list[int]:
    """The sequences of the entries that are to be sent."""
    found: list[int] = []
    while frame := half.take():
        found += [entry.sequence for entry in frame.entries.entries]
    return found


def test_what_the_server_lacks_is_read_and_sent() -> None:
    half, [read] = welcomed(10, 5)
    assert read.after == 5
    half.read(LANE, entries(6, 10))
    assert sent(half) == [6, 7, 8, 9, 10]


def test_a_resend_during_a_read_is_not_forgotten() -> None:
    half, [read] = welcomed(10, 5)
    again = types_pb2.JournalPosition(register_id="R1", epoch=7, sequence=3)
    half.received(sync_pb2.SyncResponse(resend=sync_pb2.Resend(positions=[again])))
    [anew] = half.read(LANE, entries(read.after + 1, 10))
    assert isinstance(anew, Read)
    assert anew.after == 2
    half.read(LANE, entries(3, 10))
    assert sent(half) == [3, 4, 5, 6, 7, 8, 9, 10]


def test_what_fills_a_gap_later_is_sent_then() -> None:
    half, _ = welcomed(2, 0)
    for effect in half.read(LANE, [*entries(1, 2), *entries(5, 5)]):
        assert isinstance(effect, Sent)
    assert half.go_on() == []
    assert sent(half) == [1, 2, 5]
    assert half.grown([Head(LANE, 1, 2)]) == []
    [read] = half.grown([Head(LANE, 1, 5)])
    assert isinstance(read, Read)
    assert read.after == 2
    half.read(LANE, entries(3, 5))
    half.go_on()
    assert sent(half) == [3, 4, 5]
    assert half.grown([Head(LANE, 1, 5)]) == []


def test_the_servers_word_counts_downwards_too() -> None:
    _, [read] = welcomed(10, 0)
    assert read.after == 0


OTHER = Lane("R1", 8)


def claimed(half: ClientHalf) -> list[tuple[int, int, bool]]:
    """The lanes of the last heartbeat: epoch, head, and whether the register was heard."""
    found: list[tuple[int, int, bool]] = []
    while frame := half.take():
        if frame.HasField("heartbeat"):
            found = [(lane.epoch, lane.head, lane.heard) for lane in frame.heartbeat.lanes]
    return found


def at_headquarters(half: ClientHalf, lane: Lane, through: int) -> None:
    """The server says how far headquarters has a lane."""
    told = sync_pb2.LaneState(
        register_id=lane.register_id,
        epoch=lane.epoch,
        stored_through=through,
        headquarters_through=through,
    )
    half.received(sync_pb2.SyncResponse(stored=sync_pb2.Stored(lanes=[told])))


def quiet(lane: Lane, last: int, claimed: int = 0) -> Head:
    """A lane whose register was not heard."""
    return Head(lane, 1, last, claimed=claimed, heard=False)


def test_a_heartbeat_names_a_lane_until_headquarters_has_all_of_it() -> None:
    half, _ = welcomed(10, 10)
    at_headquarters(half, LANE, 9)
    half.heartbeat([quiet(LANE, 10)])
    assert claimed(half) == [(7, 10, False)]
    at_headquarters(half, LANE, 10)
    half.heartbeat([quiet(LANE, 10)])
    assert claimed(half) == []


def test_a_heartbeat_names_a_lane_that_moved_or_whose_register_was_heard() -> None:
    half, _ = welcomed(10, 10)
    at_headquarters(half, LANE, 10)
    half.heartbeat([Head(LANE, 1, 10)])
    assert claimed(half) == [(7, 10, True)]
    half.heartbeat([Head(LANE, 1, 10, heard=False, alarms=("LOST",))])
    assert claimed(half) == [(7, 10, False)]
    half.heartbeat([Head(LANE, 1, 10, heard=False, alarms=("LOST",))])
    assert claimed(half) == []


def test_a_heartbeat_carries_the_head_that_the_register_claims() -> None:
    half, _ = welcomed(10, 10)
    at_headquarters(half, LANE, 10)
    half.heartbeat([quiet(LANE, 10, claimed=12)])
    beat = half.take()
    while beat is not None and not beat.HasField("heartbeat"):
        beat = half.take()
    assert beat is not None
    assert [(lane.head, lane.claimed_head) for lane in beat.heartbeat.lanes] == [(10, 12)]
    half.heartbeat([quiet(LANE, 10, claimed=12)])
    assert claimed(half) == [(7, 10, False)]  # two entries are still not at headquarters


def test_a_lane_that_is_new_is_said_at_once_and_sent() -> None:
    half, _ = welcomed(10, 10)
    half.take()
    [read] = half.grown([Head(OTHER, 1, 3)])
    assert isinstance(read, Read)
    assert (read.lane, read.after) == (OTHER, 0)
    assert claimed(half) == [(8, 3, True)]


def test_a_lane_that_a_heartbeat_finds_new_is_sent_too() -> None:
    half, _ = welcomed(10, 10)
    [read] = half.heartbeat([Head(OTHER, 1, 3)])
    assert isinstance(read, Read)
    assert read.lane == OTHER


def test_what_was_read_late_does_not_make_a_lane_shorter() -> None:
    half, _ = welcomed(10, 10)
    half.grown([Head(LANE, 1, 12)])
    half.heartbeat([Head(LANE, 1, 11)])
    assert claimed(half) == [(7, 12, True)]


def test_who_was_heard_is_said_once_however_it_became_known() -> None:
    half, _ = welcomed(10, 10)
    at_headquarters(half, LANE, 10)
    half.grown([Head(LANE, 1, 10)])
    half.heartbeat([])
    assert claimed(half) == [(7, 10, True)]
    half.heartbeat([])
    assert claimed(half) == []


def test_a_lane_that_begins_late_is_sent_from_its_first() -> None:
    half = ClientHalf()
    half.hello([Head(LANE, 101, 120)], [Cursor()])
    welcome = sync_pb2.Welcome(protocol_version=1, lanes=[state(80)])
    [_, read] = half.received(sync_pb2.SyncResponse(welcome=welcome))
    assert isinstance(read, Read)
    assert read.after == 100


def test_hello_names_every_lane_and_the_process() -> None:
    half = ClientHalf()
    half.hello([Head(LANE, 1, 10, believed=9), quiet(OTHER, 3)], [Cursor()], instance=77)
    frame = half.take()
    assert frame is not None
    assert frame.hello.instance == 77
    assert [(lane.epoch, lane.believed) for lane in frame.hello.lanes] == [(7, 9), (8, 0)]


def test_with_an_upload_interval_a_heartbeat_says_how_long_a_lane_is_and_sends_nothing() -> None:
    half, _ = welcomed(10, 10)
    assert half.heartbeat([Head(LANE, 1, 12)], sends=False) == []
    assert claimed(half) == [(7, 12, True)]
    [read] = half.grown([])
    assert isinstance(read, Read)
    assert read.after == 10


def asked(number: int) -> sync_pb2.SyncResponse:
    """The server asks what a table comes to."""
    question = sync_pb2.DigestsAsked(number=number, table="product", to_end=True)
    return sync_pb2.SyncResponse(digests_asked=question)


def answers(half: ClientHalf) -> list[tuple[int, str]]:
    """The number and the refusal of every answer that is to be sent."""
    found: list[tuple[int, str]] = []
    while frame := half.take():
        if frame.HasField("digests"):
            found.append((frame.digests.number, frame.digests.refusal))
    return found


def test_a_question_is_passed_on_and_its_answer_sent() -> None:
    half, _ = welcomed(0, 0)
    [question] = half.received(asked(5))
    assert isinstance(question, Digest)
    assert question.asked.table == "product"
    half.digested(sync_pb2.Digests(number=5))
    assert answers(half) == [(5, "")]


def test_more_questions_than_can_be_answered_are_refused_and_the_others_are_answered() -> None:
    half, _ = welcomed(0, 0)
    for number in range(2 * QUESTIONS_MAX):
        assert half.received(asked(number))
    assert half.received(asked(99)) == []
    [(number, refusal)] = answers(half)
    assert (number, bool(refusal)) == (99, True)
    half.digested(sync_pb2.Digests(number=1))
    assert half.received(asked(100)), "one was answered: there is room again"


def test_a_bounded_number_of_batches_is_unanswered_and_one_read_is_under_way() -> None:
    half, reads = welcomed(100, 0)
    for batch in range(1, BATCHES_IN_FLIGHT_MAX + 1):
        [read] = reads
        assert half.grown([Head(LANE, 1, 100)]) == [], "a read is under way"
        assert half.read(LANE, entries(read.after + 1, read.after + 10)) == [Sent(10)]
        reads = [each for each in half.go_on() if isinstance(each, Read)]
        assert bool(reads) == (batch < BATCHES_IN_FLIGHT_MAX)
    [again] = half.received(sync_pb2.SyncResponse(stored=sync_pb2.Stored(batch=2)))
    assert again == Read(LANE, 10 * BATCHES_IN_FLIGHT_MAX, BATCH_ENTRIES_MAX, BATCH_BYTES_MAX)


def test_an_answer_to_a_batch_that_was_never_sent_ends_the_stream() -> None:
    half, _ = welcomed(10, 5)
    with pytest.raises(Misuse):
        half.received(sync_pb2.SyncResponse(stored=sync_pb2.Stored(batch=1)))


def test_what_lies_behind_a_gap_that_is_never_filled_goes_up_too() -> None:
    half = ClientHalf()
    half.hello([Head(LANE, 1, 2, claimed=5)], [Cursor()])
    welcome = sync_pb2.Welcome(protocol_version=1, lanes=[state(2)])
    [read] = [
        effect
        for effect in half.received(sync_pb2.SyncResponse(welcome=welcome))
        if isinstance(effect, Read)
    ]
    assert read.after == 2
    half.read(LANE, entries(5, 5))
    assert sent(half) == [5]
    assert half.go_on() == [], "there is nothing behind it"
    [again] = half.grown([Head(LANE, 1, 2, claimed=7)])
    assert isinstance(again, Read)
    assert again.after == 5
    assert half.read(LANE, []) == []
    [filled] = half.grown([Head(LANE, 1, 5, claimed=7)])
    assert isinstance(filled, Read)
    assert filled.after == 2


def test_a_register_that_claims_more_than_its_channel_has_costs_a_look_when_something_comes() -> (
    None
):
    half, _ = welcomed(10, 10)
    head = Head(LANE, 1, 10, claimed=50)
    for _ in range(2):
        assert len(half.grown([head])) == 1
        half.read(LANE, [])
    assert half.heartbeat([head]) == []


def test_what_lies_behind_a_gap_and_is_more_than_a_batch_goes_up_whole() -> None:
    half = ClientHalf()
    half.hello([Head(LANE, 1, 4, claimed=5_000)], [Cursor()])
    welcome = sync_pb2.Welcome(protocol_version=1, lanes=[state(0)])
    [*_, read] = half.received(sync_pb2.SyncResponse(welcome=welcome))
    assert isinstance(read, Read)
    assert read.after == 0
    half.read(LANE, [*entries(1, 4), *entries(6, 1_000)])
    [more] = half.go_on()
    assert isinstance(more, Read)
    assert more.after == 1_000


def test_what_comes_behind_a_gap_after_its_claim_goes_up() -> None:
    half, _ = welcomed(2, 2)
    assert len(half.grown([Head(LANE, 1, 2, claimed=50)])) == 1
    half.read(LANE, [])
    [read] = half.grown([Head(LANE, 1, 2, claimed=50)])  # some of what was claimed came
    assert isinstance(read, Read)
    half.read(LANE, entries(41, 50))
    assert sent(half) == list(range(41, 51))


def test_entries_that_others_have_the_key_of_go_up_one_at_a_time_behind_all_others() -> None:
    half, [_] = welcomed(10, 5)
    for entry in entries(20, 22):
        half.also(entry)
        half.also(entry)
    assert half.grown([]) == [], "a read is under way"
    half.read(LANE, entries(6, 10))
    assert half.go_on() == [Sent(1)]
    assert sent(half) == [6, 7, 8, 9, 10, 20]
    assert half.grown([]) == [], "more waits until it may go up"
    assert [half.go_on(), half.go_on(), half.go_on()] == [[Sent(1)], [Sent(1)], []]
    assert sent(half) == [21, 22]
