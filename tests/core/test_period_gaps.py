"""What keeps a period open, what a person may write as its end, and what journals are called."""

import pytest

from stillopen.cli.period import moment_of
from stillopen.core.errors import Misuse, Reason
from stillopen.headquarters.homes import Home
from stillopen.headquarters.periods import NAMED_MAX, Closing, Gap, gap_of, named
from stillopen.headquarters.uploads import state_of
from stillopen.replication.completed import completed_wall_s
from stillopen.rpc.wire import time_to
from stillopen.v1 import headquarters_pb2, types_pb2

END_S = 1_000.0


@pytest.mark.parametrize(
    ("home", "waiting", "why"),
    [
        (Home("R", state="ACTIVE", contact_wall_s=1_000.0), 0, None),
        (Home("R", state="ACTIVE", contact_wall_s=999.0), 0, "not heard"),
        (Home("R", state="ACTIVE"), 0, "not heard"),
        (Home("R", state="NEW"), 0, None),
        (Home("R", state="RETIRED", contact_wall_s=1.0), 5, None),
        (Home("R", contact_wall_s=1.0), 0, None),
        (Home("R", contact_wall_s=1.0, open_lanes=1, missing=2), 0, "2 entries are not here"),
        (Home("R", state="RETIRED", open_lanes=1, missing=2), 0, "2 entries are not here"),
        (Home("R", open_lanes=1, waiting=1), 0, "1 entries are not applied"),
        (Home("R", open_lanes=1, wrong=1), 0, "1 entries are damaged"),
        (Home("R", open_lanes=1), 0, "gap"),
        (Home("R", state="ACTIVE", contact_wall_s=2_000.0), 4, "4 entries wait"),
    ],
)
def test_a_register_that_may_have_more_keeps_a_period_open(
    home: Home, waiting: int, why: str | None
) -> None:
    gap = gap_of(home, waiting, END_S)
    if why is None:
        assert gap is None
    else:
        assert gap is not None
        assert why in gap.why


def test_the_first_gaps_are_named_and_the_rest_counted() -> None:
    gaps = [Gap(f"R{number}", "silent") for number in range(NAMED_MAX + 3)]
    text = named(gaps)
    assert f"R{NAMED_MAX - 1}: silent; and 3 more" in text
    assert f"R{NAMED_MAX}:" not in text
    assert named(gaps[:1]) == "R0: silent"


@pytest.mark.parametrize(
    "closing",
    [
        Closing("", END_S, ""),
        Closing("x" * 41, END_S, ""),
        Closing("2026-11", 0.0, ""),
        Closing("2026-11", -1.0, ""),
        Closing("2026-11", END_S + 0.001, ""),
        Closing("2026-11", END_S, "x" * 201),
        Closing("2026-11", END_S, "a\nb"),
    ],
)
def test_a_period_that_cannot_be_is_refused(closing: Closing) -> None:
    with pytest.raises(Misuse) as caught:
        closing.check(now_s=END_S)
    assert caught.value.reason is Reason.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("text", "wall_s"),
    [
        ("1970-01-02", 86_400.0),
        ("1970-01-01T01:00:00", 3_600.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        (" 1970-01-01T00:00:01Z ", 1.0),
    ],
)
def test_a_moment_is_read_as_it_is_written(text: str, wall_s: float) -> None:
    assert moment_of(text) == wall_s


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(Misuse) as caught:
        moment_of(text)
    assert caught.value.field == "end"


ALL = {"claimed": 5, "stored": 5, "through": 5, "applied": 5, "failed": 0, "damaged": 0}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "APPLIED"),
        ({"stored": 4, "through": 4, "applied": 4}, "AVAILABLE"),
        ({"stored": 4, "applied": 4}, "AVAILABLE"),
        ({"applied": 3}, "UPLOADED"),
        ({"applied": 4, "failed": 1}, "APPLY_FAILED"),
        ({"applied": 4, "damaged": 1}, "READ_FAILED"),
    ],
)
def test_an_upload_stands_where_its_lane_says(change: dict[str, int], state: str) -> None:
    found = state_of(**{**ALL, **change}, lost=False)
    assert headquarters_pb2.UploadState.Name(found) == f"UPLOAD_STATE_{state}"


def test_an_upload_whose_rest_was_declared_lost_is_cancelled() -> None:
    found = state_of(**{**ALL, "stored": 4, "through": 4, "applied": 4}, lost=True)
    assert found == headquarters_pb2.UPLOAD_STATE_CANCELED


def test_a_sale_is_of_the_time_of_its_register_unless_that_clock_is_known_to_be_wrong() -> None:
    record = types_pb2.JournalRecord(wall_time=time_to(100.0))
    assert completed_wall_s(record) == 100.0
    record.server_time.CopyFrom(time_to(500_000.0))
    assert completed_wall_s(record) == 100.0
    record.clock_suspect = True
    assert completed_wall_s(record) == 500_000.0
