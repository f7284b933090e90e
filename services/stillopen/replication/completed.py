"""When received sales were completed, as their registers' clocks showed it.

That a wrong clock shows a wrong time is known of some: then what the channel's clock showed counts.
It says which period a sale is of, and nothing else.
"""

from stillopen.rpc.wire import time_from
from stillopen.storage.engine import Session
from stillopen.v1 import types_pb2

STEP: tuple[str, ...] = (
    # Empty for what older software received: `tell_old` fills it in.
    "ALTER TABLE received_sale ADD COLUMN completed_wall_s REAL",
    """CREATE INDEX received_sale_undated ON received_sale (arrival)
         WHERE completed_wall_s IS NULL""",
)
"""The statements that make the column, after those of `returned`."""

OLD_BATCH = 500
"""At most so many sales of older software are looked at in one transaction."""


def completed_wall_s(record: types_pb2.JournalRecord) -> float:
    """When the sale of an entry was completed."""
    if record.clock_suspect and record.HasField("server_time"):
        return time_from(record.server_time)
    return time_from(record.wall_time)


def tell_old(session: Session) -> bool:
    """Gives sales that older software received their time; whether there were any."""
    rows = session.all(
        "SELECT arrival, payload FROM received_sale JOIN entry USING (arrival)"
        " WHERE completed_wall_s IS NULL ORDER BY arrival LIMIT ?",
        OLD_BATCH,
    )
    session.run_many(
        "UPDATE received_sale SET completed_wall_s = ? WHERE arrival = ?",
        [
            (completed_wall_s(types_pb2.JournalRecord.FromString(payload)), arrival)
            for arrival, payload in rows
        ],
    )
    return bool(rows)


def undated(session: Session) -> bool:
    """Whether sales are left that `tell_old` has not looked at."""
    return (
        session.one("SELECT 1 FROM received_sale WHERE completed_wall_s IS NULL LIMIT 1")
        is not None
    )
