"""The journals in the folder of a channel or a register: out by file, and the answer in."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.cli.install import installed_as
from stillopen.cli.journal_files import JOURNAL, Answer, InFile, Part, read_answer
from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.journal import Entry, Head, Lane
from stillopen.core.ports import Clock
from stillopen.register.journal import Journal
from stillopen.register.tables import SCHEMA as REGISTER_SCHEMA
from stillopen.replication.frames import BATCH_BYTES_MAX, BATCH_ENTRIES_MAX
from stillopen.replication.inbox import Inbox
from stillopen.replication.ports import EntrySource
from stillopen.rpc.identity import CallerKind
from stillopen.rpc.wire import entry_to, head_to, stored_from
from stillopen.storage.engine import Engine
from stillopen.storage.identity_file import Identity
from stillopen.storage.parts_file import writing_parts
from stillopen.storage.reading import open_reading
from stillopen.storage.schema import Schema
from stillopen.storage.sqlite import open_sqlite

CLAIMS_MAX = 1_000


async def export_journal(data: Path, to: Path, clock: Clock) -> InFile:
    """Writes what headquarters lacks of a folder's journals; its place may run meanwhile."""
    place = installed_as(data)
    found = InFile()
    engine = open_reading(*_database(place, data))
    try:
        source = _source(place, engine, clock)
        heads = await source.heads()
        known = {head.lane: head.believed for head in heads}
        if isinstance(source, Inbox):
            # What a register believes may be more than headquarters has since it was restored.
            stored = await source.stored(list(known))
            known = {each.lane: each.headquarters_through for each in stored}
        with writing_parts(to, JOURNAL) as file:
            async for part in _parts(place.store_id, source, heads, known):
                found.note(part)
                file.add(part.SerializeToString())
    finally:
        await engine.close()
    return found


async def take_answer(file: Path, data: Path, clock: Clock) -> Answer:
    """Gives a store that does not run headquarters' word, as its stream would.

    Misuse REGISTER_IN_USE while its place runs; Refused NAME_UNKNOWN for another store's answer.
    """
    place = installed_as(data)
    store_id, answer = read_answer(file)
    if store_id != place.store_id:
        raise Refused(
            Reason.NAME_UNKNOWN,
            f"{file} is for store {store_id}, and {data} is of {place.store_id}",
        )
    path, schema = _database(place, data)
    engine = await open_sqlite(path, schema)
    try:
        source = _source(place, engine, clock)
        words = [stored_from(each) for each in answer.lanes]
        if isinstance(source, Journal):
            words = [word for word in words if word.lane.register_id == place.name]
        await source.remember(words)
    finally:
        await engine.close()
    return answer


def _database(place: Identity, data: Path) -> tuple[Path, Schema]:
    """What holds a place's journals; Misuse when it is not there."""
    channel = place.kind == CallerKind.CHANNEL
    path = data / ("channel.db" if channel else "journal.db")
    if not path.is_file():
        raise invalid("data", f"there is no {path}")
    return path, CHANNEL_SCHEMA if channel else REGISTER_SCHEMA


def _source(place: Identity, engine: Engine, clock: Clock) -> Inbox | Journal:
    """The journals of a place that is not served from here; a register has no lane open then."""
    if place.kind == CallerKind.CHANNEL:
        return Inbox(engine, clock, last=False)
    return Journal(engine, Lane(place.name, 0), clock, "")


async def _parts(
    store_id: str, source: EntrySource, heads: Sequence[Head], known: dict[Lane, int]
) -> AsyncIterator[Part]:
    """First every lane as it is now, then what headquarters lacks of each."""
    part = Part(store_id=store_id)
    for head in heads:
        part.lanes.append(head_to(replace(head, heard=False)))
        if len(part.lanes) >= CLAIMS_MAX or part.ByteSize() >= BATCH_BYTES_MAX:
            yield part
            part = Part()
    if part.ByteSize():
        yield part
    batch = Part()
    size = 0
    async for entry in _entries(source, heads, known):
        full = len(batch.entries) >= BATCH_ENTRIES_MAX
        if batch.entries and (full or size + len(entry.payload) > BATCH_BYTES_MAX):
            yield batch
            batch, size = Part(), 0
        batch.entries.append(entry_to(entry))
        size += len(entry.payload)
    if batch.entries:
        yield batch


async def _entries(
    source: EntrySource, heads: Sequence[Head], known: dict[Lane, int]
) -> AsyncIterator[Entry]:
    for head in heads:
        after = max(head.first - 1, known[head.lane])
        while after < head.last:
            found = await source.read(head.lane, after, BATCH_ENTRIES_MAX, BATCH_BYTES_MAX)
            # What came since the lane was claimed is for the next file.
            for entry in (each for each in found if each.sequence <= head.last):
                yield entry
            if not found:
                break  # a hole at its end, which the claim tells
            after = found[-1].sequence
    for entry in await source.conflicts():
        yield entry
