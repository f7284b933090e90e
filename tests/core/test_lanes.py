"""What lanes tell: alarms in plain words, and how far a restored headquarters waits."""

import pytest

from stillopen.core.journal import Head, Lane
from stillopen.core.lanes import AlarmKind, Parent, goes_on, recover_to, same_parent, shorter

LANE = Lane("R1", 0xA)


def test_two_lanes_after_one_entry_are_two_disks_of_one_image() -> None:
    alarm = same_parent(LANE, Parent(0xB, 100), 0xC)
    assert alarm.kind is AlarmKind.CLONED
    assert "000000000000000b/100" in alarm.detail
    assert "000000000000000c" in alarm.detail


def test_two_lanes_after_nothing_are_a_journal_begun_anew() -> None:
    assert same_parent(LANE, Parent(), 0xC).kind is AlarmKind.REPLACED


@pytest.mark.parametrize(("head", "alarmed"), [(99, False), (100, False), (101, True)])
def test_a_lane_may_be_as_long_as_its_child_says_and_no_longer(head: int, *, alarmed: bool) -> None:
    assert (goes_on(LANE, head, 0xC, 100) is not None) is alarmed


@pytest.mark.parametrize(("claims", "alarmed"), [(100, False), (101, False), (99, True)])
def test_a_lane_that_becomes_shorter_has_lost_its_tail(claims: int, *, alarmed: bool) -> None:
    assert (shorter(Head(LANE, 1, claims), 100, 50) is not None) is alarmed


def test_a_lost_tail_says_whether_anything_is_missing() -> None:
    here, gone = (shorter(Head(LANE, 1, 70), 100, through) for through in (100, 80))
    assert here is not None
    assert gone is not None
    assert "all of it is here" in here.detail
    assert "81 to 100" in gone.detail


@pytest.mark.parametrize(
    ("head", "through", "waived", "wanted"),
    [
        (Head(LANE, 1, 120, believed=120), 120, 0, 0),
        (Head(LANE, 1, 120, believed=90), 90, 0, 0),
        (Head(LANE, 1, 120, believed=120), 90, 0, 120),
        (Head(LANE, 1, 130, believed=120), 90, 0, 130),
        # A channel that was restored too: the register knows more than it can send on.
        (Head(LANE, 1, 80, believed=120, claimed=120), 70, 0, 120),
        # Nobody was told of more than there is.
        (Head(LANE, 1, 80, believed=10**9), 70, 0, 80),
        (Head(LANE, 1, 80, believed=10**9), 80, 0, 0),
        # What a person gave up is not waited for again; what was lost later is.
        (Head(LANE, 1, 120, believed=120), 90, 120, 0),
        (Head(LANE, 1, 130, believed=130), 90, 120, 130),
    ],
)
def test_headquarters_waits_for_what_it_once_had(
    head: Head, through: int, waived: int, wanted: int
) -> None:
    assert recover_to(head, through, waived) == wanted
