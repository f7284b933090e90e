"""What nobody can apply is kept with its reason, and tried again."""

from pathlib import Path

import pytest
from tests.support.estate_messages import damaged, entry_of, sale_of
from tests.support.estate_parts import until
from tests.support.lanes import Watch
from tests.support.notes import Opener
from tests.support.poison import lane_of, no_message, sold, unknown_kind
from tests.support.working_off import (
    Cards,
    Upgraded,
    at_work,
    becomes,
    listed,
    opened,
    reading,
)

from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.core.errors import Misuse, Reason, StillopenError, Unreachable
from stillopen.core.journal import Lane, append
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.inbox import open_inbox
from stillopen.replication.quarantine import EVERY, WHY_MAX, Which, plain
from stillopen.replication.quarantine import STEP as QUARANTINE_STEP
from stillopen.replication.received import ReceivedSales
from stillopen.replication.told import UNREADABLE
from stillopen.replication.working_off import AGAIN_BATCH
from stillopen.storage.engine import Session
from stillopen.storage.schema import Schema

HERE, THERE = Lane("R1", 0xA), Lane("R1", 0xB)
AGAIN_S = 10.0


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Upgraded:
    """The version that runs."""
    return reading(monkeypatch)


async def test_a_new_version_applies_what_it_can_read_when_it_starts(
    open_engine: Opener, tmp_path: Path, reader: Upgraded
) -> None:
    inbox = await opened(open_engine, tmp_path)
    async with at_work(inbox):
        await inbox.receive(lane_of(HERE, [unknown_kind(1), no_message(2)]), [])
        await becomes(inbox, QUARANTINED=2)
    reader.newer = True
    async with at_work(inbox):
        await becomes(inbox, APPLIED=1, QUARANTINED=1)


async def test_one_or_those_of_a_register_are_tried_again_and_the_others_are_not(
    open_engine: Opener, tmp_path: Path, reader: Upgraded
) -> None:
    inbox = await opened(open_engine, tmp_path)
    async with at_work(inbox) as received:
        for register, first in (("R1", 1), ("R2", 10), ("R3", 20)):
            lane = Lane(register, 0xA)
            await inbox.receive(lane_of(lane, [unknown_kind(first), unknown_kind(first + 1)]), [])
        await becomes(inbox, QUARANTINED=6)
        reader.newer = True
        one = await received.try_again(Which("R2", Lane("R2", 0xA), 2), AGAIN_S)
        assert (one.tried, one.applied) == (1, 1)
        of_one = await received.try_again(Which("R3"), AGAIN_S)
        assert (of_one.tried, of_one.applied) == (2, 2)
        assert len(await listed(inbox)) == 3
        left = await received.try_again(EVERY, AGAIN_S)
        assert (left.tried, left.applied, await listed(inbox)) == (3, 3, [])


async def test_what_is_tried_again_and_not_answered_is_on_its_way_until_it_is(
    open_engine: Opener, tmp_path: Path
) -> None:
    says: list[StillopenError | None] = [Misuse(Reason.INVALID_ARGUMENT, "no such purpose")]

    async def as_told(_: int) -> StillopenError | None:
        return says[-1]

    inbox = await opened(open_engine, tmp_path)
    payloads = [sold(n).SerializeToString() for n in range(1, AGAIN_BATCH + 6)]
    async with at_work(inbox, Cards(as_told)) as received:
        await inbox.receive(lane_of(HERE, payloads), [])
        await becomes(inbox, QUARANTINED=len(payloads))
        says.append(Unreachable(Reason.TIMED_OUT, "silent"))
        again = await received.try_again(EVERY, AGAIN_S)
        assert (again.tried, again.waiting, again.left) == (len(payloads), len(payloads), [])
        says.append(None)
        await becomes(inbox, APPLIED=len(payloads))


async def test_what_is_not_tried_within_the_time_goes_on_beside(
    open_engine: Opener, tmp_path: Path, reader: Upgraded
) -> None:
    inbox = await opened(open_engine, tmp_path)
    async with at_work(inbox) as received:
        await inbox.receive(lane_of(HERE, [unknown_kind(n) for n in range(1, 4)]), [])
        await becomes(inbox, QUARANTINED=3)
        reader.newer = True
        again = await received.try_again(EVERY, 0.0)
        assert (again.tried, again.applied, again.waiting) == (3, 0, 3)
        await becomes(inbox, APPLIED=3)


async def test_nothing_is_tried_again_before_anything_is_worked_off(
    open_engine: Opener, tmp_path: Path
) -> None:
    with pytest.raises(StillopenError) as caught:
        await ReceivedSales(await opened(open_engine, tmp_path)).try_again(EVERY, AGAIN_S)
    assert caught.value.reason is Reason.NOT_READY


@pytest.mark.parametrize("schema", [SCHEMA, CHANNEL_SCHEMA], ids=["headquarters", "channel"])
async def test_what_an_older_version_put_aside_is_listed_and_explained_by_the_next_try(
    open_engine: Opener, tmp_path: Path, schema: Schema
) -> None:
    before = schema.steps[: schema.steps.index(QUARANTINE_STEP)]
    path = tmp_path / "some.db"
    engine = await open_engine(path, Schema(schema.name, before))
    inbox = await open_inbox(engine, Watch(), last=True)
    await inbox.receive([*lane_of(HERE, [unknown_kind(1)]), entry_of(sale_of(2), 1, THERE)], [])
    keep = entry_of(sale_of(3), 2, HERE)

    def older(session: Session) -> None:
        session.run("UPDATE entry SET state = 'QUARANTINED' WHERE epoch LIKE '%a'")
        session.run("UPDATE entry SET state = 'DAMAGED' WHERE epoch LIKE '%b'")
        values = (keep.parent_digest, keep.digest, keep.payload)
        session.run(
            "INSERT INTO entry_conflict VALUES ('R1', '000000000000000a', 2, ?, ?, ?)", *values
        )

    await engine.write(older)
    await engine.close()
    inbox = await open_inbox(await open_engine(path, schema), Watch(), last=True)
    assert await listed(inbox) == [
        (1, "QUARANTINED", "", None),
        (2, "CONFLICT", "", None),
        (1, "DAMAGED", "", None),
    ]

    async def explained() -> bool:
        return (await listed(inbox))[0][2:] == (
            f"{UNREADABLE}: a kind of record this version does not know",
            None,
        )

    async with at_work(inbox):
        await until(explained)


async def test_damaged_bytes_and_conflicts_say_so_until_they_are_mended(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    first, second = lane_of(HERE, [sold(1).SerializeToString(), sold(2).SerializeToString()])
    other = append(HERE, 2, first.digest, sold(3).SerializeToString())
    await inbox.receive([second], [damaged(first)])
    await inbox.receive([other], [])
    now_s = inbox.wall_s()
    assert await listed(inbox) == [
        (1, "DAMAGED", "its bytes do not fit their digest", now_s),
        (2, "CONFLICT", "another entry has its place in the journal", now_s),
    ]
    await inbox.receive([first], [])
    assert [row[0] for row in await listed(inbox)] == [2]


async def test_a_parent_that_no_lane_has_does_not_stop_a_lane(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    record = sold(1)
    record.parent.epoch, record.parent.sequence = 7, 2**64 - 1
    [stored] = await inbox.receive(lane_of(HERE, [record.SerializeToString()]), [])
    assert stored.through == 1


def test_what_an_error_says_is_kept_without_the_number_of_a_card() -> None:
    for number in ("6001000000000001", "6001 0000 0000 0001", "6001-0000-0000-0001", "60010001"):
        assert plain(f"card {number} is\nnot known") == "card ... is not known"
    assert plain("entry 1234567 of 2") == "entry 1234567 of 2"
    assert len(plain("x" * 1_000)) == WHY_MAX
