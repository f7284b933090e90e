"""Cursors that go on are right, and each that goes back is found, unless a rule says why it may."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message
from tests.sim.cursors import cursors_never_go_back
from tests.sim.history import Answers, History
from tests.sim.losses import Fate, Loss
from tests.sim.record import Record
from tests.sim.words import Way, Word, Words

from stillopen.v1 import register_pb2, sync_pb2, types_pb2

ONE, TWO = 11, 22


class Day:
    """What places said, in order; and what was put back."""

    def __init__(self) -> None:
        self.words = Words()
        self.history = History()
        self._now_s = 0.0

    def violations(self) -> list[str]:
        """What went back without an excuse."""
        return list(cursors_never_go_back(Record(self.history, Answers(), (), words=self.words)))

    def say(self, place: str, way: Way, body: Message, stream: int = 1) -> None:
        """A place says something."""
        self._now_s += 1
        self.words.said.append(Word(self._now_s, place, way, stream, body.SerializeToString()))

    def lose(self, place: str, fate: Fate) -> None:
        """A disk goes, or goes back."""
        self._now_s += 1
        self.history.losses.append(Loss(self._now_s, fate, place))

    def lose_power(self, place: str) -> None:
        """A machine stops."""
        self._now_s += 1
        self.words.said.append(Word(self._now_s, place, Way.POWER))

    def stands(self, place: str, generation: int, sequence: int) -> None:
        """A replica says where it stands."""
        cursor = sync_pb2.Cursor(generation=generation, sequence=sequence)
        applied = sync_pb2.PackageApplied(cursor=cursor)
        self.say(place, Way.UP, sync_pb2.SyncRequest(package_applied=applied))

    def greets(self, place: str, generation: int, sequence: int) -> None:
        """A replica says the same in its hello."""
        cursor = sync_pb2.Cursor(generation=generation, sequence=sequence)
        hello = sync_pb2.Hello(cursor=cursor)
        self.say(place, Way.UP, sync_pb2.SyncRequest(hello=hello))

    def claims(self, place: str, head: int, first: int = 1) -> None:
        """A client says how long a lane is."""
        lane = sync_pb2.LaneClaim(register_id="R1", epoch=1, first=first, head=head)
        heartbeat = sync_pb2.Heartbeat(lanes=[lane])
        self.say(place, Way.UP, sync_pb2.SyncRequest(heartbeat=heartbeat))

    def has(
        self,
        place: str,
        stored: int,
        beyond: int = 0,
        purge: int = 0,
        *,
        knows: bool = True,
        stream: int = 1,
    ) -> None:
        """A server says what it has of a lane."""
        lane = sync_pb2.LaneState(
            register_id="R1",
            epoch=1,
            stored_through=stored,
            headquarters_through=beyond,
            purge_through=purge,
            headquarters_knows=knows,
        )
        answer = sync_pb2.SyncResponse(stored=sync_pb2.Stored(lanes=[lane]))
        self.say(place, Way.DOWN, answer, stream)

    def shows(self, parameters: int, catalogue: int) -> None:
        """A register shows its status."""
        status = register_pb2.RegisterStatus(
            parameters_version=parameters, catalogue_sequence=catalogue
        )
        self.say("R1", Way.STATUS, register_pb2.GetStatusResponse(status=status))

    def lists(self, *, channel: bool, headquarters: bool) -> None:
        """A register lists its journal."""
        position = types_pb2.JournalPosition(register_id="R1", epoch=1, sequence=1)
        line = register_pb2.JournalLine(
            position=position, at_channel=channel, at_headquarters=headquarters
        )
        self.say("R1", Way.JOURNAL, register_pb2.ListJournalResponse(lines=[line]))


Story = Callable[[Day], object]


def everything_goes_on(day: Day) -> None:
    for n in range(1, 4):
        day.stands("R1", ONE, n)
        day.claims("R1", n)
        day.has("S1", n, n - 1, n - 1)
        day.shows(n, n)
    day.lists(channel=False, headquarters=False)
    day.lists(channel=True, headquarters=False)
    day.lists(channel=True, headquarters=True)


def another_generation_begins(day: Day) -> None:
    day.stands("R1", ONE, 9)
    day.stands("R1", TWO, 1)


def a_lost_replica_begins_anew(day: Day) -> None:
    day.stands("R1", ONE, 9)
    day.greets("R1", 0, 0)
    day.stands("R1", ONE, 8)


def a_copy_was_not_flushed(day: Day) -> None:
    day.stands("R1", ONE, 9)
    day.shows(9, 9)
    day.lose_power("R1")
    day.greets("R1", ONE, 8)
    day.shows(8, 8)


def an_older_stream_speaks_late(day: Day) -> None:
    day.has("S1", 7, 7, stream=5)
    day.has("S1", 6, 6, stream=4)


def a_server_was_restored(day: Day) -> None:
    day.has("HQ", 7, 7, 3)
    day.has("S1", 8, 7, 3)
    day.lists(channel=True, headquarters=True)
    day.lose("HQ", Fate.HEADQUARTERS_RESTORED)
    day.has("HQ", 5, 5, 1)
    day.has("S1", 8, 5, 1)
    day.lists(channel=True, headquarters=False)


def a_channel_says_the_old_word_once_more(day: Day) -> None:
    day.has("S1", 8, 6)
    day.lose("HQ", Fate.HEADQUARTERS_RESTORED)
    day.has("S1", 8, 7)
    day.has("S1", 8, 5)


def a_register_was_restored(day: Day) -> None:
    day.claims("R1", 9)
    day.stands("R1", ONE, 9)
    day.lose("R1", Fate.RESTORED)
    day.claims("R1", 4)
    day.stands("R1", ONE, 4)


RIGHT: list[Story] = [
    everything_goes_on,
    another_generation_begins,
    a_lost_replica_begins_anew,
    a_copy_was_not_flushed,
    an_older_stream_speaks_late,
    a_server_was_restored,
    a_channel_says_the_old_word_once_more,
    a_register_was_restored,
]


@pytest.mark.parametrize("story", RIGHT, ids=lambda story: story.__name__)
def test_what_goes_on_or_may_go_back_passes(story: Story) -> None:
    day = Day()
    story(day)
    assert day.violations() == []


def a_replica_goes_back(day: Day) -> None:
    day.stands("R1", ONE, 9)
    day.stands("R1", ONE, 8)


def a_replica_goes_back_over_a_restart(day: Day) -> None:
    day.stands("S1", ONE, 9)
    day.greets("S1", ONE, 8)


def a_replica_returns_to_a_generation_that_it_left(day: Day) -> None:
    day.stands("R1", ONE, 9)
    day.stands("R1", TWO, 1)
    day.stands("R1", ONE, 8)


def a_lane_becomes_shorter(day: Day) -> None:
    day.claims("R1", 9)
    day.claims("R1", 8)


def a_lane_becomes_shorter_when_power_fails(day: Day) -> None:
    day.claims("R1", 9)
    day.lose_power("R1")
    day.claims("R1", 8)


def a_purged_entry_is_there_again(day: Day) -> None:
    day.claims("R1", 9, 5)
    day.claims("R1", 9, 4)


def a_server_has_less(day: Day) -> None:
    day.has("S1", 9)
    day.has("S1", 8, stream=2)


def headquarters_is_said_to_have_less(day: Day) -> None:
    day.has("S1", 9, 7)
    day.has("S1", 9, 6)


def less_is_to_be_deleted(day: Day) -> None:
    day.has("S1", 9, 7, 5)
    day.has("S1", 9, 7, 4)


def a_lane_is_not_known_any_more(day: Day) -> None:
    day.has("S1", 9, 7)
    day.has("S1", 9, 7, knows=False)


def a_restored_channel_excuses_one_word_and_not_the_next(day: Day) -> None:
    day.has("S2", 9, 7)
    day.lose("S1", Fate.CHANNEL_RESTORED)
    day.has("S2", 8, 7)


def a_word_goes_back_twice(day: Day) -> None:
    day.has("S1", 9, 7)
    day.lose("HQ", Fate.HEADQUARTERS_RESTORED)
    day.has("S1", 9, 6)
    day.has("S1", 9, 5)


def older_parameters_are_shown(day: Day) -> None:
    day.shows(4, 4)
    day.shows(3, 4)


def older_master_data_is_shown(day: Day) -> None:
    day.shows(4, 4)
    day.shows(4, 3)


def a_line_is_not_at_the_channel_any_more(day: Day) -> None:
    day.lists(channel=True, headquarters=False)
    day.lists(channel=False, headquarters=False)


def a_line_is_not_at_headquarters_any_more(day: Day) -> None:
    day.lists(channel=True, headquarters=True)
    day.lists(channel=True, headquarters=False)


WRONG: list[Story] = [
    a_replica_goes_back,
    a_replica_goes_back_over_a_restart,
    a_replica_returns_to_a_generation_that_it_left,
    a_lane_becomes_shorter,
    a_lane_becomes_shorter_when_power_fails,
    a_purged_entry_is_there_again,
    a_server_has_less,
    headquarters_is_said_to_have_less,
    less_is_to_be_deleted,
    a_lane_is_not_known_any_more,
    a_restored_channel_excuses_one_word_and_not_the_next,
    a_word_goes_back_twice,
    older_parameters_are_shown,
    older_master_data_is_shown,
    a_line_is_not_at_the_channel_any_more,
    a_line_is_not_at_headquarters_any_more,
]


@pytest.mark.parametrize("story", WRONG, ids=lambda story: story.__name__)
def test_what_goes_back_is_found(story: Story) -> None:
    day = Day()
    story(day)
    assert len(day.violations()) == 1


def test_what_a_register_with_a_damaged_copy_shows_may_be_older() -> None:
    day = Day()
    older_parameters_are_shown(day)
    day.history.spoiled.add("R1")
    assert day.violations() == []
