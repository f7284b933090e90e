"""What is on its way to a replica: rows that headquarters changed after what the replica has holds.

1. Jobs are distributed through a number of the changes. A replica at the end of its log has every
   change until then; one that is behind has what the runs carried whose packages it has. Where
   these runs are not kept any more it counts as having all that was distributed until the next one
   that is: what it lacks of that is called a difference, and is none once it has caught up.
2. A replica that stands in no log of its group gets a snapshot: whatever was changed is on its way.
3. A row comes through a number for certain, perhaps one that is newer too: a snapshot holds what
   headquarters had when it was made. So a row is rather said to be on its way than wrong, and it
   does come: later deltas put the same rows again.
"""

from dataclasses import dataclass

from stillopen.headquarters.distribution_logs import Log, logs_of
from stillopen.headquarters.distribution_runs import through_at, through_of
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import REGISTER, STORE, Table
from stillopen.storage.engine import Session


@dataclass(frozen=True, slots=True)
class Way:
    """Through which change a replica has a table for certain."""

    table: Table
    through: int

    def holds(self, session: Session, key: str) -> bool:
        """Whether a row is on its way."""
        if _changed_after(session, self.table, key, self.through):
            return True
        if self.table.name != REGISTER.name:
            return False
        # A store that comes to a group, or leaves it, brings its registers.
        row = session.one("SELECT store_id FROM register WHERE register_id = ?", key)
        return row is not None and _changed_after(session, STORE, row[0], self.through)


def way_to(session: Session, group_id: str, at: Cursor, table: Table) -> Way:
    """What is on its way to a replica of a group that stands there."""
    log = log_of(session, group_id, at)
    if log is None:
        return Way(table, 0)
    if at.sequence < log.end.sequence:
        return Way(table, through_at(session, group_id, at, table.job))
    return Way(table, through_of(session, group_id)[table.job])


def log_of(session: Session, group_id: str, at: Cursor) -> Log | None:
    """The log that a replica stands in."""
    logs = logs_of(session, group_id)
    return next((log for log in logs if log.end.generation == at.generation), None)


def _changed_after(session: Session, table: Table, key: str, number: int) -> bool:
    row = session.one(
        "SELECT 1 FROM change WHERE table_name = ? AND key = ? AND number > ?",
        table.name,
        key,
        number,
    )
    return row is not None
