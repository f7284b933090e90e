"""One journal entry from a client that keeps no stream: the same receiving step as the stream's."""

from stillopen.core.errors import Misuse, Reason
from stillopen.core.journal import Entry, check_intact
from stillopen.replication.inbox import Inbox
from stillopen.rpc.shielded import to_its_end


async def save_entry(inbox: Inbox, entry: Entry, caller: str) -> bool:
    """Stores the entry; whether it was there already.

    Misuse KEY_REUSED when another entry has its key: the first stands, this one is kept beside it.
    """
    if check_intact(entry).lane.register_id != caller:
        raise Misuse(Reason.NOT_ALLOWED, "a caller brings its own journal only", "entry")
    before = await inbox.read(entry.lane, entry.sequence - 1, 1, 1)
    await to_its_end(inbox.receive([entry], []))
    if not before or before[0].sequence != entry.sequence:
        return False
    if before[0].digest != entry.digest:
        raise Misuse(
            Reason.KEY_REUSED, "another entry has this key; it stands, this one is kept beside it"
        )
    return True
