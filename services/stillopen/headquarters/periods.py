"""Periods: sales until a moment are counted and closed, and what comes later is told apart.

1. A period goes from the end of the one before to its own; a closed one never changes its sums.
2. It is not closed while a register may have sales of it that are not here, unless a person says
   why; those registers are kept with it.
3. A sale belongs to the period in which it was completed. One that becomes known after its period
   was closed is late: refused nowhere, listed, and counted beside the period's sums.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_id, check_name
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.homes import ACTIVE, Home, homes
from stillopen.replication import reports
from stillopen.replication.completed import undated
from stillopen.replication.inbox import Inbox
from stillopen.storage.engine import Session

STEP: tuple[str, ...] = (
    """CREATE TABLE period (
         number INTEGER PRIMARY KEY,
         period_id TEXT NOT NULL UNIQUE,
         begin_wall_s REAL,
         end_wall_s REAL NOT NULL UNIQUE,
         closed_by TEXT NOT NULL,
         closed_wall_s REAL NOT NULL,
         override_reason TEXT NOT NULL,
         incomplete TEXT NOT NULL,
         sales INTEGER NOT NULL,
         currency TEXT NOT NULL,
         total_minor INTEGER NOT NULL,
         late_sales INTEGER NOT NULL DEFAULT 0,
         late_minor INTEGER NOT NULL DEFAULT 0) STRICT""",
    """CREATE TABLE late_sale (
         number INTEGER PRIMARY KEY AUTOINCREMENT,
         period INTEGER NOT NULL,
         arrival INTEGER NOT NULL UNIQUE) STRICT""",
    "CREATE INDEX late_sale_of_period ON late_sale (period, number)",
    """CREATE INDEX received_sale_completed
         ON received_sale (completed_wall_s, currency, total_minor) WHERE state = 'COMPLETED'""",
)
"""The statements that make the tables, after those of received sales and their times."""

NAMED_MAX = 20
KEPT_MAX = 1_000
"""At most so many registers are kept with a period that was closed without them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A register that may have sales which are not here, and why."""

    register_id: str
    why: str


def gap_of(home: Home, waiting: int, end_wall_s: float) -> Gap | None:
    """Whether a register may have sales before `end_wall_s` that are not counted.

    `waiting` is what it last said that headquarters lacks. A register that never worked has none,
    and one that was retired is judged by its journal alone.
    """
    why: list[str] = []
    if home.missing:
        why.append(f"{home.missing} entries are not here")
    if home.waiting:
        why.append(f"{home.waiting} entries are not applied")
    if home.wrong:
        why.append(f"{home.wrong} entries are damaged, in quarantine or in conflict")
    if not why and not home.complete:
        why.append("its journal has a gap")
    if not home.retired and waiting and not home.missing:
        why.append(f"it said that {waiting} entries wait")
    silent = home.contact_wall_s is None or home.contact_wall_s < end_wall_s
    if home.state == ACTIVE and silent:
        why.append("it was not heard since the end")
    return Gap(home.register_id, ", ".join(why)) if why else None


def named(gaps: list[Gap]) -> str:
    """The first of them, for people, and how many there are."""
    some = "; ".join(f"{gap.register_id}: {gap.why}" for gap in gaps[:NAMED_MAX])
    more = len(gaps) - NAMED_MAX
    return f"{some}; and {more} more" if more > 0 else some


@dataclass(frozen=True, slots=True)
class Closing:
    """What a person wants to close."""

    period_id: str
    end_wall_s: float
    override_reason: str

    def check(self, now_s: float) -> "Closing":
        """Refuses one that could not be right at any time."""
        check_id(self.period_id, "period_id")
        check_name(self.override_reason, "override_reason", required=False)
        if not 0 < self.end_wall_s <= now_s:
            raise invalid("end_time", "must be a moment that has passed")
        return self


class Periods:
    """The periods of headquarters; `currency` is the one that sums are in."""

    def __init__(self, inbox: Inbox, currency: Callable[[], str]) -> None:
        self.inbox = inbox
        self._currency = currency

    async def close(self, closing: Closing, person: str) -> int:
        """Closes a period, and returns its number.

        Refused PERIOD_CLOSED, or INCOMPLETE when registers are and no reason is given.
        """
        now_s = self.inbox.wall_s()
        closing.check(now_s)
        currency = self._currency()
        doer = Doer(person, now_s)
        return await self.inbox.engine.write(
            lambda session: _close(session, closing, doer, currency)
        )


def _close(session: Session, closing: Closing, doer: Doer, currency: str) -> int:
    begin_s = _check_after(session, closing)
    if undated(session):
        raise Refused(
            Reason.NOT_READY, "sales of older software are still being looked at; try again soon"
        )
    gaps = _gaps(session, closing.end_wall_s)
    if gaps and not closing.override_reason:
        raise Refused(
            Reason.INCOMPLETE,
            f"{len(gaps)} registers may have sales that are not here: {named(gaps)}. Give a reason"
            " to close all the same",
        )
    [(sales, minor)] = session.all(
        "SELECT count(*), coalesce(sum(total_minor) FILTER (WHERE currency = ?3), 0)"
        " FROM received_sale INDEXED BY received_sale_completed WHERE state = 'COMPLETED'"
        " AND completed_wall_s >= ?1 AND completed_wall_s < ?2",
        begin_s if begin_s is not None else float("-inf"),
        closing.end_wall_s,
        currency,
    )
    reason = closing.override_reason if gaps else ""
    number = session.insert(
        "INSERT INTO period (period_id, begin_wall_s, end_wall_s, closed_by, closed_wall_s,"
        " override_reason, incomplete, sales, currency, total_minor)"
        " VALUES (?,?,?,?,?,?,?,?,?,?)",
        closing.period_id,
        begin_s,
        closing.end_wall_s,
        doer.person,
        doer.wall_s,
        reason,
        "\n".join(gap.register_id for gap in gaps[:KEPT_MAX]),
        sales,
        currency,
        minor,
    )
    detail = f"{reason}; without {len(gaps)} registers: {named(gaps)}" if gaps else ""
    doer.note(session, "CLOSE_PERIOD", closing.period_id, detail)
    return number


def _check_after(session: Session, closing: Closing) -> float | None:
    """The end of the period before; Refused PERIOD_CLOSED when this one is closed already."""
    if session.one("SELECT 1 FROM period WHERE period_id = ?", closing.period_id):
        raise Refused(Reason.PERIOD_CLOSED, f"period {closing.period_id} is closed", "period_id")
    last = session.one("SELECT period_id, end_wall_s FROM period ORDER BY end_wall_s DESC LIMIT 1")
    if last is None:
        return None
    if closing.end_wall_s <= last[1]:
        raise Refused(
            Reason.PERIOD_CLOSED, f"period {last[0]} is closed and ends then or later", "end_time"
        )
    return float(last[1])


def _gaps(session: Session, end_wall_s: float) -> list[Gap]:
    """The registers that may have sales which are not here."""
    said = reports.every(session)
    found: list[Gap] = []
    for home in homes(session).values():
        report = said.get(home.register_id)
        gap = gap_of(home, report.waiting_entries if report else 0, end_wall_s)
        if gap is not None:
            found.append(gap)
    return found


def note_late(session: Session, arrival: int) -> None:
    """Notes a sale that became known after its period was closed; called once for each sale."""
    row = session.one(
        "SELECT number, period.currency, received_sale.currency, received_sale.total_minor"
        " FROM received_sale JOIN period ON completed_wall_s < end_wall_s"
        " WHERE arrival = ? AND state = 'COMPLETED' ORDER BY end_wall_s LIMIT 1",
        arrival,
    )
    if row is None:
        return
    number, currency, of_sale, minor = row
    session.run("INSERT INTO late_sale (period, arrival) VALUES (?,?)", number, arrival)
    session.run(
        "UPDATE period SET late_sales = late_sales + 1, late_minor = late_minor + ?"
        " WHERE number = ?",
        minor if of_sale == currency else 0,
        number,
    )
