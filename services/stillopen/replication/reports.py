"""How registers stand: the newest report of each, kept by everybody it passes.

1. A report is information: nothing is refused, paid or deleted because of one. What it may do is
   to show headquarters that it was restored: a register has packages that it did not send yet.
2. The first who receives a report says when that was; everybody above keeps that time.
3. Of two channels that tell of one register the newer report stands; what one channel tells itself
   replaces what it told before.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.core.errors import invalid
from stillopen.core.ids import check_id, check_name
from stillopen.core.money import check_currency
from stillopen.core.ports import Clock
from stillopen.rpc.wire import time_from, time_to
from stillopen.storage.engine import Engine, Session
from stillopen.v1 import sync_pb2

STEP: tuple[str, ...] = (
    """CREATE TABLE register_report (
         register_id TEXT PRIMARY KEY,
         told_by TEXT NOT NULL,
         reported_wall_s REAL NOT NULL,
         message BLOB NOT NULL) STRICT, WITHOUT ROWID""",
)
"""The statements that make the table; the schemas of headquarters and channel include them."""

REPORTS_MAX = 10_000
"""The most registers that one frame tells of."""
MISSING_MAX = 20
DIGEST_BYTES_MAX = 32
TEXT_MAX = 200
TIME_S_MAX = 253_402_300_799
"""The end of the year 9999."""

Report = sync_pb2.RegisterReport
Standing = Callable[[], Awaitable[list[Report]]]
"""Says how the registers of a place stand now: a register's own, or those a channel heard."""

Stand = Callable[[str, Mapping[int, int]], Awaitable[None]]
"""Is told by whom, and of each generation of packages the furthest that a register has."""


class ReportSink(Protocol):
    """Where reports arrive."""

    async def keep(self, by: str, reports: list[Report]) -> None:
        """Keeps what `by` tells."""
        ...


async def nothing_to_report() -> list[Report]:
    """The standing of a place that has no registers."""
    return []


def check_report(report: Report) -> Report:
    """Refuses a report that no register would make; what it does not know it keeps."""
    check_id(report.register_id, "reports.register_id")
    check_name(report.offline_reason, "reports.offline_reason", required=False)
    check_name(report.software_version, "reports.software_version", required=False)
    check_name(report.package_refusal, "reports.package_refusal", required=False)
    if len(report.missing) > MISSING_MAX:
        raise invalid("reports.missing", f"at most {MISSING_MAX}")
    for each in report.missing:
        check_name(each, "reports.missing")
    if len(report.cursor.package_digest) > DIGEST_BYTES_MAX:
        raise invalid("reports.cursor", f"a digest has at most {DIGEST_BYTES_MAX} bytes")
    if max(report.waiting_entries, report.cursor.sequence, report.parameters_version) >= 2**63:
        raise invalid("reports", "a number is too large")
    if report.HasField("waiting_amount"):
        check_currency(report.waiting_amount.currency_code, "reports.waiting_amount")
    _check_time(report.reported_time, "reports.reported_time")
    _check_time(report.offline_since_time, "reports.offline_since_time")
    return report


def short(text: str) -> str:
    """A text as a report carries it."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable[:TEXT_MAX]


def keep(session: Session, by: str, reports: Iterable[Report]) -> None:
    """Keeps reports that have their time."""
    session.run_many(
        "INSERT INTO register_report VALUES (?,?,?,?) ON CONFLICT (register_id) DO UPDATE SET"
        " told_by = excluded.told_by, reported_wall_s = excluded.reported_wall_s,"
        " message = excluded.message WHERE register_report.told_by = excluded.told_by"
        " OR register_report.reported_wall_s <= excluded.reported_wall_s",
        [
            (r.register_id, by, time_from(r.reported_time), r.SerializeToString(deterministic=True))
            for r in reports
        ],
    )


def of(session: Session, register_ids: Iterable[str]) -> dict[str, Report]:
    """The last thing that each of these registers said of itself, without those that never did."""
    found: dict[str, Report] = {}
    for register_id in register_ids:
        row = session.one("SELECT message FROM register_report WHERE register_id = ?", register_id)
        if row is not None:
            found[register_id] = Report.FromString(row[0])
    return found


def every(session: Session) -> dict[str, Report]:
    """The same of every register, for what looks at all of them."""
    rows = session.all("SELECT register_id, message FROM register_report")
    return {row[0]: Report.FromString(row[1]) for row in rows}


class Reports:
    """The reports that a place received. Open with `open_reports`.

    `first` says that registers speak to this place themselves: it says when, and tells them on.
    """

    def __init__(
        self, engine: Engine, clock: Clock, *, first: bool, stand: Stand | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._first = first
        self._stand = stand
        self._heard: dict[str, Report] = {}

    async def load(self) -> None:
        """Reads what is to be told on."""
        if self._first:
            self._heard = await self._engine.read(every)

    async def keep(self, by: str, reports: list[Report]) -> None:
        """Keeps what `by` tells, a register of itself or a channel of its own."""
        if not reports:
            return
        now = time_to(self._clock.wall_s())
        told = [self._timed(report, now) for report in reports]
        await self._engine.write(lambda session: keep(session, by, told))
        if self._first:
            self._heard.update((report.register_id, report) for report in told)
        if self._stand is not None:
            await self._stand(by, _furthest(told))

    def _timed(self, report: Report, now: Timestamp) -> Report:
        """The report with its time; without one from a channel, this place says when it came."""
        if not self._first and report.HasField("reported_time"):
            return report
        timed = Report()
        timed.CopyFrom(report)
        timed.reported_time.CopyFrom(now)
        return timed

    async def standing(self) -> list[Report]:
        """The newest report of every register."""
        return list(self._heard.values())


async def open_reports(
    engine: Engine, clock: Clock, *, first: bool, stand: Stand | None = None
) -> Reports:
    """The reports on an open database; `first` at a channel, `stand` at headquarters."""
    reports = Reports(engine, clock, first=first, stand=stand)
    await reports.load()
    return reports


def _furthest(reports: Iterable[Report]) -> dict[int, int]:
    found = dict[int, int]()
    for cursor in (report.cursor for report in reports):
        found[cursor.generation] = max(cursor.sequence, found.get(cursor.generation, 0))
    return found


def _check_time(moment: Timestamp, field: str) -> None:
    if not 0 <= moment.seconds <= TIME_S_MAX or not 0 <= moment.nanos < 10**9:
        raise invalid(field, "not a time")
