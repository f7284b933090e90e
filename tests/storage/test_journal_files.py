"""A store without a line: its journals go home by file, and headquarters' word comes back so."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.estate_messages import LANE, damaged, entries_of, entry_of, sale_of
from tests.support.journal_files import Home, a_channel, a_home, heard
from tests.support.lanes import Watch
from tests.support.notes import Opener

from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.cli.journal_bringing import bring_journal
from stillopen.cli.journal_files import (
    JOURNAL,
    Part,
    answer_path,
    look_through,
    read_journal,
    write_answer,
)
from stillopen.cli.journal_places import export_journal, take_answer
from stillopen.core.errors import Misuse, Reason, Refused, StillopenError
from stillopen.core.journal import Entry, Head, Lane, Stored, append
from stillopen.register.journal import Noted, open_journal
from stillopen.register.tables import SCHEMA as REGISTER_SCHEMA
from stillopen.replication.frames import BATCH_BYTES_MAX, BATCH_ENTRIES_MAX
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.rpc.identity import CallerKind
from stillopen.rpc.wire import entry_from, entry_to, head_to, time_to
from stillopen.storage.engine import Session
from stillopen.storage.identity_file import Identity, write_identity
from stillopen.storage.parts_file import read_parts, writing_parts
from stillopen.storage.sqlite import open_sqlite
from stillopen.v1 import sync_pb2, types_pb2

WATCH = Watch()
OTHER = Lane("R2", 0xBEEF)


@pytest.fixture
async def home(open_threaded: Opener, tmp_path: Path) -> Home:
    """Headquarters."""
    return await a_home(open_threaded, tmp_path / "headquarters")


@pytest.fixture
async def channel(open_threaded: Opener, tmp_path: Path) -> Inbox:
    """A channel that runs, and never had a line."""
    return await a_channel(open_threaded, tmp_path / "S1")


async def exported(tmp_path: Path, name: str = "s1.journal", place: str = "S1") -> Path:
    """A file of what the place has for headquarters."""
    path = tmp_path / name
    await export_journal(tmp_path / place, path, WATCH)
    return path


def part_of(*entries: Entry, store_id: str = "S1") -> Part:
    """A part by hand."""
    return Part(store_id=store_id, entries=[entry_to(each) for each in entries])


async def test_a_channel_s_file_brings_every_register_s_journal_home_while_it_runs(
    home: Home, channel: Inbox, tmp_path: Path
) -> None:
    await heard(channel, *entries_of(5))
    await heard(channel, *entries_of(3, OTHER))
    path = await exported(tmp_path)
    assert look_through(path).entries == 8
    answer = await home.takes(read_journal(path))
    assert (answer.entries_new, answer.entries_damaged) == (8, 0)
    assert {(x.register_id, x.stored_through, x.headquarters_through) for x in answer.lanes} == {
        ("R1", 5, 5),
        ("R2", 3, 3),
    }
    assert await home.audit() == [
        ("alice", "IMPORT_JOURNAL", "S1", "8 entries of 2 lanes: 8 new, 0 damaged")
    ]


async def test_a_file_that_comes_twice_changes_nothing(
    home: Home, channel: Inbox, tmp_path: Path
) -> None:
    await heard(channel, *entries_of(5))
    path = await exported(tmp_path)
    await home.takes(read_journal(path))
    before = await home.picture()
    again = await home.takes(read_journal(path))
    assert (again.entries_new, await home.picture()) == (0, before)


async def test_the_next_file_holds_only_what_the_answer_did_not_name(
    home: Home, channel: Inbox, tmp_path: Path
) -> None:
    entries = entries_of(5)
    await heard(channel, *entries[:3])
    path = await exported(tmp_path)
    write_answer(path, "S1", await home.takes(read_journal(path)))
    await channel.engine.close()
    await take_answer(answer_path(path), tmp_path / "S1", WATCH)
    engine = await reopened(tmp_path)
    await heard(engine, *entries)
    later = await exported(tmp_path, "later")
    assert [e.sequence for part in read_journal(later) for e in part.entries] == [4, 5]
    answer = await home.takes(read_journal(later))
    assert (answer.entries_new, answer.lanes[0].stored_through) == (2, 5)
    await engine.engine.close()


async def reopened(tmp_path: Path) -> Inbox:
    """The channel, started again."""
    engine = await open_sqlite(tmp_path / "S1" / "channel.db", CHANNEL_SCHEMA)
    return await open_inbox(engine, WATCH, last=False)


async def test_what_headquarters_lost_since_it_was_restored_is_in_the_file_again(
    channel: Inbox, tmp_path: Path
) -> None:
    await heard(channel, *entries_of(5))
    [word] = await channel.stored([LANE])
    await channel.claim([Head(LANE, 1, 5, believed=5)])
    await channel.remember([replace(word, headquarters_through=2)])
    path = await exported(tmp_path)
    assert [e.sequence for part in read_journal(path) for e in part.entries] == [3, 4, 5]
    [claim] = [lane for part in read_journal(path) for lane in part.lanes]
    assert claim.believed == 5


async def a_register(
    open_engine: Opener, folder: Path, *receipts: str, register_id: str = "R1"
) -> Lane:
    """A register's folder after a day of sales for so many receipts; the lane of that day."""
    write_identity(folder, Identity(CallerKind.REGISTER, register_id, "S1", "nowhere:1", "s"))
    engine = await open_engine(folder / "journal.db", REGISTER_SCHEMA)
    rng = random.Random(sum(map(ord, "".join(receipts))))  # noqa: S311
    journal = await open_journal(engine, register_id, WATCH, rng)

    def put(session: Session) -> None:
        for receipt in receipts:
            record = types_pb2.JournalRecord(receipt_number=receipt)
            journal.append(session, record, Noted("COMPLETED", receipt, 0.0))

    await engine.write(put)
    await engine.close()
    return journal.lane


async def test_a_register_s_own_file_and_its_channel_s_overlap_without_harm(
    open_threaded: Opener, home: Home, channel: Inbox, tmp_path: Path
) -> None:
    lane = await a_register(open_threaded, tmp_path / "R1", "a", "b", "c")
    own = await exported(tmp_path, "own", "R1")
    entries = [e for part in read_journal(own) for e in part.entries]
    assert [(e.register_id, e.epoch, e.sequence) for e in entries] == [
        ("R1", lane.epoch, number) for number in (1, 2, 3)
    ]
    await heard(channel, *map(entry_from, entries[:2]))
    of_channel = await exported(tmp_path)
    assert (await home.takes(read_journal(of_channel))).entries_new == 2
    answer = await home.takes(read_journal(own))
    assert (answer.entries_new, answer.lanes[0].stored_through) == (1, 3)
    before = await home.picture()
    assert (await home.takes(read_journal(of_channel))).entries_new == 0
    assert await home.picture() == before


async def test_a_register_takes_headquarters_word_on_its_own_lanes_alone(
    open_threaded: Opener, home: Home, tmp_path: Path
) -> None:
    lane = await a_register(open_threaded, tmp_path / "R1", "a", "b")
    path = await exported(tmp_path, "own", "R1")
    answer = await home.takes(read_journal(path))
    answer.lanes[0].purge_through = 1
    answer.lanes.append(sync_pb2.LaneState(register_id="R2", epoch=lane.epoch, stored_through=9))
    write_answer(path, "S1", answer)
    await take_answer(answer_path(path), tmp_path / "R1", WATCH)
    engine = await open_threaded(tmp_path / "R1" / "journal.db", REGISTER_SCHEMA)
    row = await engine.read(
        lambda session: session.one(
            "SELECT through, headquarters_through, purge_through FROM journal_lane"
        )
    )
    assert row == (2, 2, 1)


async def test_an_answer_waits_until_the_place_has_ended_and_fits_its_store(
    home: Home, channel: Inbox, tmp_path: Path
) -> None:
    await heard(channel, *entries_of(2))
    path = await exported(tmp_path)
    answer = write_answer(path, "S1", await home.takes(read_journal(path)))
    with pytest.raises(Misuse) as caught:
        await take_answer(answer, tmp_path / "S1", WATCH)
    assert caught.value.reason is Reason.REGISTER_IN_USE
    await channel.engine.close()
    write_answer(path, "S2", await home.takes(read_journal(path)))
    with pytest.raises(Refused) as other:
        await take_answer(answer, tmp_path / "S1", WATCH)
    assert other.value.reason is Reason.NAME_UNKNOWN
    again = await reopened(tmp_path)
    assert (await again.stored([LANE])) == [Stored(LANE, 2, 0)]
    await again.engine.close()


async def test_an_entry_that_is_damaged_is_kept_as_such_until_an_intact_one_comes(
    home: Home,
) -> None:
    first, second = entries_of(2)
    answer = await home.takes([part_of(damaged(first), second)])
    assert (answer.entries_new, answer.entries_damaged) == (1, 1)
    answer.entries_new = 0
    assert await home.takes([part_of(damaged(first), second)]) == answer
    assert (await home.takes([part_of(first, second)])).entries_new == 1
    states = [row[5] for row in await home.picture() if len(row) == 6]
    assert sorted(map(str, states)) == ["STORED", "STORED"]


WRONG: dict[str, tuple[list[Part], Reason]] = {
    "nothing": ([], Reason.INVALID_ARGUMENT),
    "no store": ([Part()], Reason.INVALID_ARGUMENT),
    "a store nobody knows": ([part_of(store_id="S9")], Reason.NAME_UNKNOWN),
    "too many at once": (
        [part_of(*[entries_of(1)[0]] * (BATCH_ENTRIES_MAX + 1))],
        Reason.INVALID_ARGUMENT,
    ),
    "an entry of nobody": (
        [part_of(append(Lane("", 1), 1, bytes(32), b"x"))],
        Reason.INVALID_ARGUMENT,
    ),
    "an entry of no lane": (
        [part_of(append(Lane("R1", 0), 1, bytes(32), b"x"))],
        Reason.INVALID_ARGUMENT,
    ),
    "a short digest": (
        [part_of(replace(entries_of(1)[0], digest=b"x"))],
        Reason.INVALID_ARGUMENT,
    ),
    "an impossible lane": (
        [Part(store_id="S1", lanes=[head_to(Head(LANE, 9, 2))])],
        Reason.INVALID_ARGUMENT,
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_part_that_no_store_could_have_written_is_refused_and_changes_nothing(
    home: Home, name: str
) -> None:
    parts, reason = WRONG[name]
    before = await home.picture()
    with pytest.raises(StillopenError) as caught:
        await home.takes(parts)
    assert (caught.value.reason, await home.picture()) == (reason, before)


async def test_two_stores_in_one_file_are_refused_and_what_came_is_audited(home: Home) -> None:
    first, second = entries_of(2)
    with pytest.raises(Misuse):
        await home.takes([part_of(first), part_of(second, store_id="S2")])
    [(_, _, _, detail)] = await home.audit()
    assert str(detail).endswith("1 new, 0 damaged; it broke off")


async def test_a_file_does_not_count_as_hearing_its_registers(home: Home) -> None:
    """Else a period could be closed over sales that were made after the file was written."""

    def seen(session: Session) -> float:
        [(wall_s,)] = session.all("SELECT contact_wall_s FROM lane")
        return float(wall_s)

    claim = Part(store_id="S1", lanes=[head_to(Head(LANE, 1, 2))])
    await home.takes([claim])
    assert await home.inbox.engine.read(seen) == 0.0
    wrote_s = home.watch.wall_s() - 1_000.0
    record = types_pb2.JournalRecord(wall_time=time_to(wrote_s))
    first = append(LANE, 1, bytes(32), record.SerializeToString())
    await home.takes([part_of(first)])
    assert await home.inbox.engine.read(seen) == wrote_s
    record.wall_time.CopyFrom(time_to(wrote_s + 9_999.0))
    await home.takes([part_of(append(LANE, 2, first.digest, record.SerializeToString()))])
    assert await home.inbox.engine.read(seen) == home.watch.wall_s()


async def test_a_large_journal_comes_in_parts_that_fit(channel: Inbox, tmp_path: Path) -> None:
    entries = entries_of(BATCH_ENTRIES_MAX + 5)
    for at in range(0, len(entries), BATCH_ENTRIES_MAX):
        await heard(channel, *entries[at : at + BATCH_ENTRIES_MAX])
    path = await exported(tmp_path)
    sizes = [len(part.entries) for part in read_journal(path)]
    assert (sum(sizes), len(sizes) > 1) == (len(entries), True)
    assert all(part.ByteSize() < 2 * BATCH_BYTES_MAX for part in read_journal(path))


async def test_a_file_whose_parts_are_too_large_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    path = tmp_path / "large"
    with writing_parts(path, JOURNAL) as file:
        [entry] = entries_of(1)
        file.add(part_of(*[entry] * (BATCH_ENTRIES_MAX + 1)).SerializeToString())
    with pytest.raises(Misuse):
        look_through(path)


async def test_a_file_of_which_the_last_part_is_wrong_is_not_begun_to_be_sent(
    channel: Inbox, tmp_path: Path
) -> None:
    class Nobody:
        """A headquarters that nothing must reach."""

        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    await heard(channel, *entries_of(2))
    path = await exported(tmp_path)
    with writing_parts(tmp_path / "odd", JOURNAL) as file:
        for part in (*read_parts(path, JOURNAL), b"\xff"):  # no message
            file.add(part)
    with pytest.raises(Misuse) as caught:
        await bring_journal(tmp_path / "odd", Nobody())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert caught.value.reason is Reason.DIGEST_MISMATCH


async def test_a_folder_that_is_no_place_has_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(Misuse) as caught:
        await exported(tmp_path, place="nowhere")
    assert caught.value.reason is Reason.NOT_INSTALLED
    write_identity(tmp_path / "S1", Identity(CallerKind.CHANNEL, "S1", "S1", "nowhere:1", "s"))
    with pytest.raises(Misuse, match=r"channel\.db"):
        await exported(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["S1"]  # noqa: ASYNC240


async def test_no_card_number_is_in_a_file(channel: Inbox, tmp_path: Path) -> None:
    await heard(channel, entry_of(sale_of(1, card_id="c1")))
    path = await exported(tmp_path)
    [part] = [part for part in read_journal(path) if part.entries]
    [entry] = part.entries
    record = types_pb2.JournalRecord.FromString(entry.payload)
    assert record.sale.tenders[0].card.last_four == "0001"
    assert b"6001" not in part.SerializeToString()
