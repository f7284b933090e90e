"""What a cashier reads of the sync, at every age and with a clock that is wrong."""

import pytest

from stillopen.cli.sync_text import sync_text
from stillopen.rpc.wire import time_to
from stillopen.v1 import register_pb2

LAST_S = 1_800_000_000.0
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("after_s", "text"),
    [
        (0.0, "last updated 0 seconds ago"),
        (1.5, "last updated 1 second ago"),
        (59.0, "last updated 59 seconds ago"),
        (60.0, "last updated 1 minute ago"),
        (7_200.0, "last updated 2 hours ago"),
        (DAY_S, "last updated 1 day ago"),
        (7 * DAY_S, "last updated 7 days ago"),
        (7 * DAY_S + 1, "none within 7 days"),
        (-60.0, "invalid: the clock shows a time before the last sync"),
    ],
)
def test_the_age_of_the_last_sync_is_said(after_s: float, text: str) -> None:
    older = time_to(LAST_S - 500.0)
    up = register_pb2.RegisterStatus(last_acknowledgement=time_to(LAST_S), last_package=older)
    down = register_pb2.RegisterStatus(last_acknowledgement=older, last_package=time_to(LAST_S))
    assert sync_text(up, LAST_S + after_s) == sync_text(down, LAST_S + after_s) == text


def test_a_register_that_never_had_anything_says_so() -> None:
    assert sync_text(register_pb2.RegisterStatus(link_up=True), LAST_S) == "never synced"


@pytest.mark.parametrize(
    "moving",
    [
        register_pb2.RegisterStatus(last_package=time_to(LAST_S), waiting_entries=1),
        register_pb2.RegisterStatus(last_package=time_to(LAST_S), waiting_down_bytes=1),
    ],
)
def test_what_moves_over_the_link_is_syncing(moving: register_pb2.RegisterStatus) -> None:
    assert sync_text(moving, LAST_S) == "last updated 0 seconds ago"
    moving.link_up = True
    assert sync_text(moving, LAST_S) == "syncing"
