"""How registers stand: said when it changed, believed only of oneself, bounded."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from stillopen.cli.register_status import lacks_text, stands_text
from stillopen.core.errors import Misuse, Reason
from stillopen.core.money import Money
from stillopen.register import connectivity
from stillopen.register.connectivity import Connectivity, Mode, Moment
from stillopen.register.report import report_of
from stillopen.register.status import Status
from stillopen.register.waiting import Waiting
from stillopen.replication.client_half import ClientHalf
from stillopen.replication.ports import Cursor
from stillopen.replication.reports import MISSING_MAX, Report, check_report, short
from stillopen.replication.server_half import Keep, ServerHalf
from stillopen.v1 import headquarters_pb2, sync_pb2, types_pb2

ONE = Report(register_id="R1", waiting_entries=3)
OTHER = Report(register_id="R1", waiting_entries=4)
NEIGHBOUR = Report(register_id="R2")


def said(half: ClientHalf) -> list[Report]:
    """The reports of every frame that is to be sent."""
    found: list[Report] = []
    while frame := half.take():
        found += [*frame.hello.reports, *frame.heartbeat.reports]
    return found


def test_hello_says_how_every_register_stands() -> None:
    half = ClientHalf()
    half.hello([], [Cursor()], reports=[ONE, NEIGHBOUR])
    assert said(half) == [ONE, NEIGHBOUR]


def test_a_heartbeat_says_it_again_only_when_it_is_another() -> None:
    half = ClientHalf()
    half.hello([], [Cursor()], reports=[ONE, NEIGHBOUR])
    said(half)
    half.heartbeat([], [ONE, NEIGHBOUR])
    assert said(half) == []
    half.heartbeat([], [OTHER, NEIGHBOUR])
    assert said(half) == [OTHER]
    half.heartbeat([], [OTHER, NEIGHBOUR])
    assert said(half) == []


def greeted(owner: str) -> ServerHalf:
    """A server that was met."""
    half = ServerHalf(owner, 1.0)
    half.received(sync_pb2.SyncRequest(hello=sync_pb2.Hello(protocol_version=1)))
    return half


def beat(*reports: Report) -> sync_pb2.SyncRequest:
    """A heartbeat."""
    return sync_pb2.SyncRequest(heartbeat=sync_pb2.Heartbeat(reports=reports))


def test_what_a_register_says_of_itself_is_kept() -> None:
    hello = sync_pb2.Hello(protocol_version=1, reports=[ONE])
    effects = ServerHalf("R1", 1.0).received(sync_pb2.SyncRequest(hello=hello))
    assert Keep([ONE]) in effects
    assert greeted("R1").received(beat(OTHER)) == [Keep([OTHER])]
    assert greeted("R1").received(beat()) == []


def test_a_register_does_not_speak_for_another() -> None:
    with pytest.raises(Misuse) as caught:
        greeted("R1").received(beat(NEIGHBOUR))
    assert caught.value.reason is Reason.NOT_ALLOWED


def test_a_channel_speaks_for_all_of_its_registers() -> None:
    assert greeted("").received(beat(ONE, NEIGHBOUR)) == [Keep([ONE, NEIGHBOUR])]


@pytest.mark.parametrize(
    "report",
    [
        Report(),
        Report(register_id="R" * 41),
        Report(register_id="R1", offline_reason="x" * 201),
        Report(register_id="R1", software_version="1\n2"),
        Report(register_id="R1", package_refusal="x" * 201),
        Report(register_id="R1", missing=["STAFF"] * (MISSING_MAX + 1)),
        Report(register_id="R1", missing=[""]),
        Report(register_id="R1", waiting_entries=2**63),
        Report(register_id="R1", cursor=sync_pb2.Cursor(package_digest=bytes(33))),
        Report(register_id="R1", waiting_amount=types_pb2.Money(currency_code="euro")),
        Report(register_id="R1", offline_since_time=Timestamp(seconds=2**60)),
        Report(register_id="R1", reported_time=Timestamp(nanos=-1)),
    ],
)
def test_a_report_that_no_register_makes_is_refused(report: Report) -> None:
    with pytest.raises(Misuse) as caught:
        check_report(report)
    assert caught.value.reason is Reason.INVALID_ARGUMENT


def standing(connection: Connectivity, waiting: Waiting, missing: tuple[str, ...] = ()) -> Status:
    """A status that is told of."""
    return Status(
        register_id="R1",
        store_id="S1",
        connection=connection,
        next_reconnect_s=None,
        link_up=True,
        headquarters_reachable=True,
        waiting=waiting,
        waiting_down_bytes=0,
        last_acknowledgement_wall_s=None,
        last_package_wall_s=None,
        data_age_s=None,
        missing=missing,
        catalogue_sequence=7,
        parameters_version=5,
        staff_id="",
        open_transaction_id="",
        operations=(),
        lane_announced=True,
        mode_changes=(),
        clock_suspect=False,
        waiting_suspended=0,
    )


NOW = Moment(1_800_000_000.0, 5.0)


def test_a_register_that_is_offline_says_why_and_since_when_and_what_waits() -> None:
    connection = Connectivity(Mode.OFFLINE, "TIMED_OUT", NOW, 5.0)
    waiting = Waiting(2, 3, Money("EUR", 500), None, Money("EUR", 800))
    report = report_of(standing(connection, waiting, ("STAFF",)), Cursor(9, 7), "too\nbad")
    assert check_report(report) == report
    assert (report.offline, report.offline_reason) == (True, "TIMED_OUT")
    assert report.offline_since_time.seconds == NOW.wall_s
    assert (report.waiting_entries, report.waiting_amount.minor_units) == (3, 800)
    assert (report.cursor.sequence, report.parameters_version) == (7, 5)
    assert (list(report.missing), report.package_refusal) == (["STAFF"], "too bad")


def test_a_register_that_is_online_gives_no_reason_and_no_time() -> None:
    connection = connectivity.started(manual=False, now=NOW)
    report = report_of(standing(connection, Waiting()), Cursor(), "")
    assert (report.offline, report.offline_reason) == (False, "")
    assert not report.HasField("offline_since_time")
    assert not report.HasField("waiting_amount")


def test_a_long_refusal_is_cut() -> None:
    assert len(short("x" * 1_000)) == 200


def test_what_a_register_says_is_shown_as_it_is() -> None:
    report = Report(offline=True, offline_reason="[/x]", missing=["[/y]"], package_refusal="[red]")
    assert Text.from_markup(lacks_text(report)).plain == "[/y]; refused a package: [red]"
    register = headquarters_pb2.RegisterCompleteness(report=report, complete=True)
    assert Text.from_markup(stands_text(register)).plain == "offline since never: [/x]"
