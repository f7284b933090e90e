"""Purging: a register deletes what headquarters has held for long enough, and nothing else.

1. Entries go through `purge_through`, which headquarters alone sets, in small transactions.
2. With the entry of a final sale goes the sale, its card intents that are DONE and the numbers of
   the memos it made.
3. Each lane keeps its head and digest: the next lane names them.
"""

import logging

from stillopen.core.errors import StillopenError
from stillopen.register.journal import Journal
from stillopen.storage.engine import Session

LOG = logging.getLogger("stillopen.register")
AT_ONCE = 200
"""Entries in one transaction; a sale waits no longer than that takes."""

_FINAL = "('COMPLETED', 'VOIDED')"


async def keep_purged(journal: Journal) -> None:
    """Purges whenever the channel has passed on that more may go."""
    register_id = journal.lane.register_id
    while True:
        version = journal.delivered.version
        try:
            while await journal.engine.write(lambda session: purge(session, register_id)):
                pass
        except StillopenError as error:  # tried again with the next word
            LOG.error("the journal was not purged: %s", error)  # noqa: TRY400 - said in the message
        await journal.delivered.after(version)


def purge(session: Session, register_id: str) -> bool:
    """Deletes a piece of what may go; returns whether there may be more."""
    row = session.one(
        "SELECT epoch, purged_through, min(purge_through, headquarters_through, head)"
        " FROM journal_lane INDEXED BY journal_lane_to_purge"
        " WHERE purged_through < min(purge_through, headquarters_through, head)"
        " ORDER BY opened LIMIT 1"
    )
    if row is None:
        return False
    epoch, before, most = row
    through = min(most, before + AT_ONCE)
    entries = "journal_entry WHERE register_id = ?1 AND epoch = ?2 AND sequence <= ?3"
    values = (register_id, epoch, through)
    sales = session.all(
        f"SELECT transaction_id FROM {entries} AND kind IN {_FINAL}",  # noqa: S608 - constants
        *values,
    )
    session.run_many(
        f"DELETE FROM sale WHERE transaction_id = ? AND state IN {_FINAL}",  # noqa: S608
        sales,
    )
    session.run_many("DELETE FROM own_return WHERE by_transaction_id = ?", sales)
    session.run_many(
        "DELETE FROM memo_number WHERE lock_key IN"
        " (SELECT lock_key FROM card_intent WHERE transaction_id = ? AND state = 'DONE')",
        sales,
    )
    session.run_many("DELETE FROM card_intent WHERE transaction_id = ? AND state = 'DONE'", sales)
    session.run(f"DELETE FROM {entries}", *values)  # noqa: S608 - constants
    session.run("UPDATE journal_lane SET purged_through = ? WHERE epoch = ?", through, epoch)
    return True
