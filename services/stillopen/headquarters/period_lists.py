"""Closed periods and the sales that came too late for them, as lists."""

from stillopen.core.errors import Reason, Refused
from stillopen.core.money import Money
from stillopen.replication.received import PAGE_BYTES_MAX
from stillopen.rpc.wire import money_to, time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2, types_pb2

_PERIOD = (
    "number, period_id, begin_wall_s, end_wall_s, closed_by, closed_wall_s, override_reason,"
    " incomplete, sales, currency, total_minor, late_sales, late_minor FROM period"
)


def period(session: Session, number: int) -> headquarters_pb2.Period:
    """One closed period."""
    [row] = session.all(f"SELECT {_PERIOD} WHERE number = ?", number)
    return _period(row)


def periods(session: Session, before: int, limit: int) -> headquarters_pb2.ListPeriodsResponse:
    """Closed periods, the newest first, cut by count and bytes."""
    rows = session.all(
        f"SELECT {_PERIOD} WHERE ?1 = 0 OR number < ?1 ORDER BY number DESC LIMIT ?2",
        before,
        limit,
    )
    shown, more = _cut(rows, 7)
    return headquarters_pb2.ListPeriodsResponse(
        periods=[_period(row) for row in shown],
        next_page_token=str(shown[-1][0]) if more or len(rows) == limit else "",
    )


def late(
    session: Session, period_id: str, after: int, limit: int
) -> headquarters_pb2.ListLateTransactionsResponse:
    """Sales that became known after their period was closed, in that order.

    Refused NAME_UNKNOWN for a period that is none.
    """
    of_period = ""
    values: tuple[int, ...] = (after, limit)
    if period_id:
        found = session.one("SELECT number FROM period WHERE period_id = ?", period_id)
        if found is None:
            raise Refused(Reason.NAME_UNKNOWN, f"no closed period {period_id}", "period_id")
        of_period, values = "period = ?3 AND ", (after, limit, found[0])
    rows = session.all(
        "SELECT number, register_id, epoch, sequence, payload FROM late_sale"  # noqa: S608
        f" JOIN entry USING (arrival) WHERE {of_period}number > ?1 ORDER BY number LIMIT ?2",
        *values,
    )
    shown, more = _cut(rows, 4)
    return headquarters_pb2.ListLateTransactionsResponse(
        transactions=[_transaction(row) for row in shown],
        next_page_token=str(shown[-1][0]) if more or len(rows) == limit else "",
    )


def _cut(rows: list[Row], large: int) -> tuple[list[Row], bool]:
    """As many rows as an answer holds, at least one; whether some were left out."""
    size = 0
    for count, row in enumerate(rows):
        size += len(row[large])
        if count and size > PAGE_BYTES_MAX:
            return rows[:count], True
    return rows, False


def _period(row: Row) -> headquarters_pb2.Period:
    return headquarters_pb2.Period(
        period_id=row[1],
        begin_time=None if row[2] is None else time_to(row[2]),
        end_time=time_to(row[3]),
        closed_by=row[4],
        closed_time=time_to(row[5]),
        override_reason=row[6],
        incomplete_register_ids=row[7].split("\n") if row[7] else [],
        sales=row[8],
        total=money_to(Money(row[9], row[10])),
        late_sales=row[11],
        late_total=money_to(Money(row[9], row[12])),
    )


def _transaction(row: Row) -> headquarters_pb2.ReceivedTransaction:
    return headquarters_pb2.ReceivedTransaction(
        position=types_pb2.JournalPosition(
            register_id=row[1], epoch=int(row[2], 16), sequence=row[3]
        ),
        sale=types_pb2.JournalRecord.FromString(row[4]).sale,
    )
