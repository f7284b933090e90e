"""H6, H8, H22, H34: entries come home as they were written, once, however they come; or are missed.

H22: the largest entry that there can be is carried like any other.
"""

import asyncio
import json
import os
import sqlite3

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import LANE, R1, ask, entries_of, entry_of, sale_of
from tests.support.estate_parts import ME, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till
from tests.support.nursery import COMMAND, spawn

from stillopen.cli.sessions import HOME, SignedIn, keep_session
from stillopen.core.journal import NO_PARENT, PAYLOAD_BYTES_MAX, Entry, Head, append
from stillopen.core.parameters import DAY_S
from stillopen.rpc.wire import entry_to
from stillopen.v1 import channel_data_pb2, types_pb2

NEWER_FIELD = b"\xfa\x7f"
"""Field 2047, of bytes: a field that this version does not know."""


def newer(payload: bytes, size: int = 3) -> bytes:
    """The same with a new field before all others, where no serialization of ours puts it."""
    length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])
    return NEWER_FIELD + length + bytes(size) + payload


def kept(estate: Estate, place: str, database: str) -> list[tuple[bytes, bytes]]:
    """Digest and payload of every entry on a server's disk."""
    path = estate.folder / place / database
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)  # noqa: TID251 - from outside
    try:
        return connection.execute("SELECT digest, payload FROM entry ORDER BY arrival").fetchall()
    finally:
        connection.close()


async def comes_home(estate: Estate, *entries: Entry) -> None:
    """Sends entries as a register does and waits until headquarters has applied them."""
    async with Stream(estate.streams, R1) as stream:
        stream.hello(Head(LANE, 1, entries[-1].sequence, entries[-1].digest))
        await stream.welcome()
        for entry in entries:
            await stream.stored(stream.send(entry))
    await until_complete(estate, len(entries))


async def until_complete(estate: Estate, count: int) -> None:
    """Waits until headquarters has applied so many entries and lacks none."""

    async def there() -> bool:
        found = await estate.people.completeness()
        return found.complete and [lane.applied for lane in found.lanes] == [count]

    await until(there)


async def test_an_entry_of_newer_software_comes_home_byte_for_byte(estate: Estate) -> None:
    """H6.1: channel and headquarters know fewer fields than the register."""
    payload = newer(entry_of(sale_of(1)).payload)
    assert types_pb2.JournalRecord.FromString(payload).SerializeToString() != payload
    entry = append(LANE, 1, NO_PARENT, payload)
    await comes_home(estate, entry, entry_of(sale_of(2), 2, LANE, entry.digest))
    for place, database in (("channel", "channel.db"), ("headquarters", "headquarters.db")):
        assert kept(estate, place, database)[0] == (entry.digest, payload)
    assert len(await estate.sales_home()) == 2


async def test_the_largest_entry_comes_home(estate: Estate) -> None:
    """H22: 1 MiB is what every peer takes, alone in its batch and beside a small one."""
    small = entry_of(sale_of(1)).payload
    payload = newer(small, PAYLOAD_BYTES_MAX - len(newer(small)) + 3)
    assert len(payload) == PAYLOAD_BYTES_MAX
    large = append(LANE, 1, NO_PARENT, payload)
    await comes_home(estate, large, entry_of(sale_of(2), 2, LANE, large.digest))
    assert [sale.position.sequence for sale in await estate.sales_home()] == [1, 2]


@pytest.mark.parametrize("call_first", [True, False])
async def test_a_sale_that_comes_by_call_and_by_stream_is_there_once(
    estate: Estate, *, call_first: bool
) -> None:
    """H8.1: the answer of the call was lost, and the journal brings the sale too."""

    async def saved() -> bool:
        request = channel_data_pb2.SaveTransactionRequest(entry=entry_to(entries[0]))
        return (await ask(estate.data.SaveTransaction, request, R1)).repeated

    entries = entries_of(2)
    if call_first:
        assert not await saved()
    await comes_home(estate, *entries)
    assert await saved()
    await until_complete(estate, 2)
    [lane] = (await estate.people.completeness()).lanes
    assert (lane.stored, lane.conflicts, list(lane.alarms)) == (2, 0, [])
    assert len(await estate.sales_home()) == 2
    page = await ask(estate.data.ListTransactions, channel_data_pb2.ListTransactionsRequest())
    assert len(page.sales) == 2


async def test_a_register_that_is_silent_for_days_is_listed_with_when_it_was_heard(
    estate: Estate, till: Till
) -> None:
    """H34: nothing drains in manual offline; whoever looks sees who is silent since when."""
    estate.clock.wrong_by_s = -2 * DAY_S
    for _ in range(2):
        await till.sold()
    await estate.until_home(till)
    await till.switch(connect=False)
    await till.sold()
    estate.clock.wrong_by_s = 0.0
    other = await estate.till("R2")
    await other.sold()
    await estate.until_home(other)
    lanes = await listed(estate)
    assert [lanes[name]["claimed_head"] for name in ("R1", "R2")] == ["2", "1"]
    assert set(await listed(estate, "--silent-h", "24")) == {"R1"}
    heard = [types_pb2.JournalRecord().wall_time for _ in lanes]
    for moment, name in zip(heard, ("R1", "R2"), strict=True):
        moment.FromJsonString(lanes[name]["last_contact_time"])
    assert heard[1].seconds - heard[0].seconds > DAY_S
    assert (await till.status()).waiting_entries == 1


async def listed(estate: Estate, *options: str) -> dict[str, dict[str, str]]:
    """What `stillopen lane list` says of each register."""
    home = {**os.environ, HOME: str(estate.folder / "of a person")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(HOME, home[HOME])
        keep_session(estate.headquarters.address, SignedIn(ME.name, ME.secret, 1e11))
    process = await spawn(
        COMMAND,
        *("lane", "list", "--json", f"--headquarters={estate.headquarters.address}", *options),
        stdout=asyncio.subprocess.PIPE,
        env=home,
    )
    said, _ = await process.communicate()
    return {lane["register_id"]: lane for lane in json.loads(said)["lanes"]}
