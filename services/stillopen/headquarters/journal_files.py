"""Journals that come by file, for a store that has no line.

They are taken like those of a stream, part by part: what is here already changes nothing, and what
came before a call broke off stays. Two things differ. A file cannot be asked to send again, so an
entry whose bytes do not fit its digest is kept as damaged at once; intact bytes that come later
take its place. And no register was heard just because a file came: it was when it wrote its last
entry.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from google.protobuf.message import DecodeError

from stillopen.core.errors import invalid
from stillopen.core.ids import check_id
from stillopen.core.journal import Entry, Head, Lane, check_shape, is_intact
from stillopen.core.lanes import check_head
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.set_up import name_unknown
from stillopen.replication.frames import BATCH_ENTRIES_MAX
from stillopen.replication.inbox import Inbox
from stillopen.replication.lanes import lane_key
from stillopen.rpc.context import Context
from stillopen.rpc.importing import check_whole, in_time
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.wire import entry_from, head_from, stored_to, time_from
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2, types_pb2

LANES_MAX = 30_000
"""What is here of so many fits one answer."""
ACTION = "IMPORT_JOURNAL"


@dataclass(slots=True)
class Brought:
    """What one file brought so far."""

    store_id: str = ""
    lanes: dict[Lane, None] = field(default_factory=dict[Lane, None])
    entries: int = 0
    new: int = 0
    damaged: int = 0

    def name(self, lanes: list[Lane]) -> None:
        """Notes that it speaks of lanes."""
        self.lanes.update(dict.fromkeys(lanes))
        if len(self.lanes) > LANES_MAX:
            raise invalid("lanes", f"at most {LANES_MAX} in one file")

    @property
    def text(self) -> str:
        """For the audit."""
        return (
            f"{self.entries} entries of {len(self.lanes)} lanes: {self.new} new,"
            f" {self.damaged} damaged"
        )


async def import_journal(
    inbox: Inbox,
    requests: AsyncIterator[headquarters_pb2.ImportJournalRequest],
    doer: Doer,
    context: Context,
) -> headquarters_pb2.ImportJournalResponse:
    """Takes a file part by part; audited, also when it breaks off.

    Refused NAME_UNKNOWN for a store that is not known, before anything is taken.
    """
    brought = Brought()
    try:
        async for request in in_time(requests):
            await _check_store(inbox, brought, request)
            await _take(inbox, brought, request)
        if not brought.store_id:
            raise invalid("store_id", "the first part names the store")
        await check_whole(context)
    except BaseException:
        await to_its_end(_note(inbox, brought, doer, "; it broke off"))
        raise
    await to_its_end(_note(inbox, brought, doer))
    stored = await inbox.stored(list(brought.lanes))
    return headquarters_pb2.ImportJournalResponse(
        lanes=[stored_to(each) for each in stored],
        entries_new=brought.new,
        entries_damaged=brought.damaged,
    )


async def _check_store(
    inbox: Inbox, brought: Brought, request: headquarters_pb2.ImportJournalRequest
) -> None:
    if brought.store_id:
        if request.store_id not in {"", brought.store_id}:
            raise invalid("store_id", "one store in one file")
        return
    store_id = check_id(request.store_id, "store_id")
    known = await inbox.engine.read(
        lambda session: session.one("SELECT 1 FROM store WHERE store_id = ?", store_id)
    )
    if known is None:
        raise name_unknown("store", store_id, "store_id")
    brought.store_id = store_id


async def _take(
    inbox: Inbox, brought: Brought, request: headquarters_pb2.ImportJournalRequest
) -> None:
    if len(request.entries) > BATCH_ENTRIES_MAX:
        raise invalid("entries", f"at most {BATCH_ENTRIES_MAX} in one part")
    heads = [_head(head) for head in map(head_from, request.lanes)]
    entries = [check_shape(entry_from(each)) for each in request.entries]
    brought.name([head.lane for head in heads])
    brought.name([entry.lane for entry in entries])

    async def take() -> None:
        await inbox.claim(heads, by_file=True)
        if not entries:
            return
        intact = [entry for entry in entries if is_intact(entry)]
        damaged = [entry for entry in entries if not is_intact(entry)]
        here = await inbox.engine.read(lambda session: _here(session, intact))
        await inbox.receive(intact, damaged, _written(intact))
        brought.entries += len(entries)
        brought.new += len(intact) - here
        brought.damaged += len(damaged)

    await to_its_end(take())


def _head(head: Head) -> Head:
    check_id(head.lane.register_id, "register_id")
    return check_head(replace(head, heard=False))


def _here(session: Session, entries: list[Entry]) -> int:
    """How many of the entries are here and whole."""
    return sum(
        session.one(
            "SELECT 1 FROM entry WHERE register_id = ? AND epoch = ? AND sequence = ?"
            " AND state <> 'DAMAGED'",
            *lane_key(entry.lane),
            entry.sequence,
        )
        is not None
        for entry in entries
    )


def _written(entries: list[Entry]) -> dict[Lane, float]:
    """When each lane's register wrote the last of these, by its clock; readable ones alone."""
    found: dict[Lane, float] = {}
    for entry in entries:
        try:
            record = types_pb2.JournalRecord.FromString(entry.payload)
        except DecodeError:
            continue
        wall_s = time_from(record.wall_time) if record.HasField("wall_time") else 0.0
        found[entry.lane] = max(found.get(entry.lane, 0.0), wall_s)
    return found


async def _note(inbox: Inbox, brought: Brought, doer: Doer, ending: str = "") -> None:
    if brought.store_id:
        await inbox.engine.write(
            lambda session: doer.note(session, ACTION, brought.store_id, brought.text + ending)
        )
