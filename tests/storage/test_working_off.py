"""What nobody can apply is in nobody's way, however much of it there is."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.estate_parts import until
from tests.support.notes import Opener
from tests.support.poison import POISON, cash_by_card, lane_of, no_message, sold, unknown_kind
from tests.support.working_off import (
    Cards,
    Upgraded,
    at_work,
    becomes,
    listed,
    nothing,
    opened,
    reading,
)

from stillopen.core.errors import Misuse, Reason, StillopenError, Unreachable
from stillopen.core.journal import Entry, Lane, append
from stillopen.replication import working_off
from stillopen.replication.quarantine import EVERY
from stillopen.replication.received import ReceivedSales
from stillopen.replication.told import UNREADABLE
from stillopen.replication.working_off import AGAIN_BATCH, BATCH
from stillopen.rpc.wire_sale import Record
from stillopen.storage.engine import Database, Engine, Work

HERE = Lane("R1", 0xA)
MANY = 2_000
T = TypeVar("T")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Upgraded:
    """The version that runs."""
    return reading(monkeypatch)


def once_before(number: int) -> bytes:
    """The sale of the entry before: the same transaction under another key."""
    return sold(number - 1).SerializeToString()


def one_in_a_hundred() -> list[Entry]:
    """Good sales; one in a hundred is poison of three kinds in turn."""
    payloads = [sold(number).SerializeToString() for number in range(1, MANY + 1)]
    kinds = (unknown_kind, no_message, once_before)
    for turn, place in enumerate(range(50, MANY, 100)):
        payloads[place] = kinds[turn % len(kinds)](place + 1)
    return lane_of(HERE, payloads)


async def test_one_in_a_hundred_that_nobody_can_apply_delays_nothing_else(
    open_engine: Opener, tmp_path: Path, reader: Upgraded
) -> None:
    inbox = await opened(open_engine, tmp_path)
    cards = Cards(nothing)
    async with at_work(inbox, cards) as received:
        await inbox.receive(one_in_a_hundred(), [])
        await becomes(inbox, APPLIED=MANY - MANY // 100, QUARANTINED=MANY // 100)
        good = set(range(1, MANY + 1)) - {row[0] for row in await listed(inbox)}
        assert {cards.tries[sequence] for sequence in good} == {1}
        found = await listed(inbox)
        assert {(state, since) for _, state, _, since in found} == {("QUARANTINED", inbox.wall_s())}
        kinds = Counter(why.partition(":")[0] for _, _, why, _ in found)
        assert kinds == {
            UNREADABLE: 14,
            "the same transaction came under another key, and counts there": 6,
        }
        reader.newer = True
        again = await received.try_again(EVERY, 10.0)
        assert (again.tried, again.applied, again.waiting, len(again.left)) == (20, 7, 0, 13)
        await becomes(inbox, APPLIED=MANY - 13, QUARANTINED=13)
        assert len(await listed(inbox)) == 13


@pytest.mark.parametrize("kind", POISON.values(), ids=POISON.keys())
async def test_whatever_is_wrong_with_an_entry_is_its_own_affair(
    open_engine: Opener, tmp_path: Path, kind: Callable[[int], bytes]
) -> None:
    inbox = await opened(open_engine, tmp_path)
    good = [sold(number).SerializeToString() for number in (1, 2, 3)]
    async with at_work(inbox, Cards(nothing)):
        await inbox.receive(lane_of(HERE, [good[0], kind(9), good[1], kind(8), good[2]]), [])
        await becomes(inbox, APPLIED=3, QUARANTINED=2)
    assert [(sequence, bool(why)) for sequence, _, why, _ in await listed(inbox)] == [
        (2, True),
        (4, True),
    ]
    assert len((await ReceivedSales(inbox).sales(0, 10))[0]) == 3


async def test_an_effect_that_cannot_be_asked_for_is_wrong_with_the_entry(
    open_engine: Opener, tmp_path: Path
) -> None:
    class Asking(Cards):
        def concerns(self, record: Record) -> bool:
            if getattr(record, "tenders", [None])[0].card:
                raise ValueError
            return super().concerns(record)

    async def refuses(sequence: int) -> StillopenError | None:
        return Misuse(Reason.INVALID_ARGUMENT, "no such thing") if sequence == 2 else None

    inbox = await opened(open_engine, tmp_path)
    good = [sold(number).SerializeToString() for number in (1, 3)]
    async with at_work(inbox, Asking(refuses)):
        await inbox.receive(lane_of(HERE, [good[0], cash_by_card(2), good[1]]), [])
        await becomes(inbox, APPLIED=2, QUARANTINED=1)
    assert [(n, why) for n, _, why, _ in await listed(inbox)] == [(2, "no such thing")]


async def test_sales_for_cash_do_not_wait_for_cards_that_stay_silent(
    open_engine: Opener, tmp_path: Path
) -> None:
    class OfSome(Cards):
        def concerns(self, record: Record) -> bool:
            return record.transaction_id.endswith("1")

    silence = asyncio.Event()

    async def never(_: int) -> None:
        await silence.wait()

    inbox = await opened(open_engine, tmp_path)
    await inbox.receive(lane_of(HERE, [sold(n).SerializeToString() for n in range(1, 11)]), [])
    async with at_work(inbox, OfSome(never)):
        await becomes(inbox, STORED=1, APPLIED=9)
        silence.set()
        await becomes(inbox, APPLIED=10)


async def test_entries_that_fail_again_and_again_keep_no_others_from_their_cards(
    open_engine: Opener, tmp_path: Path
) -> None:
    async def fails(sequence: int) -> StillopenError | None:
        return Misuse(Reason.INTERNAL, "its log says why") if sequence <= BATCH + 50 else None

    inbox = await opened(open_engine, tmp_path)
    count = BATCH + 60
    await inbox.receive(
        lane_of(HERE, [sold(n).SerializeToString() for n in range(1, count + 1)]), []
    )
    async with at_work(inbox, Cards(fails)):
        await becomes(inbox, STORED=BATCH + 50, APPLIED=10)
        more = append(HERE, count + 1, bytes(32), sold(count + 1).SerializeToString())
        await inbox.receive([more], [])
        await becomes(inbox, STORED=BATCH + 50, APPLIED=11)


async def test_what_waited_for_a_silent_place_goes_on_when_it_answers(
    open_engine: Opener, tmp_path: Path
) -> None:
    answers = asyncio.Event()

    async def silent(_: int) -> StillopenError | None:
        return None if answers.is_set() else Unreachable(Reason.TIMED_OUT, "silent")

    inbox = await opened(open_engine, tmp_path)
    cards = Cards(silent)
    async with at_work(inbox, cards):
        for first in range(1, 301, 100):
            payloads = [sold(n).SerializeToString() for n in range(first, first + 100)]
            await inbox.receive(lane_of(Lane("R1", first), payloads), [])
        await becomes(inbox, STORED=300)
        answers.set()
        await becomes(inbox, APPLIED=300)


async def test_those_that_are_never_answered_keep_nobody_else_waiting(
    open_engine: Opener, tmp_path: Path
) -> None:
    async def some(sequence: int) -> StillopenError | None:
        return Unreachable(Reason.TIMED_OUT, "silent") if sequence <= AGAIN_BATCH else None

    inbox = await opened(open_engine, tmp_path)
    entries = lane_of(HERE, [sold(n).SerializeToString() for n in range(1, AGAIN_BATCH + 2)])
    async with at_work(inbox, Cards(some)):
        await inbox.receive(entries[:-1], [])
        await becomes(inbox, STORED=AGAIN_BATCH)
        await inbox.receive(entries[-1:], [])
        await becomes(inbox, STORED=AGAIN_BATCH, APPLIED=1)


class Counting:
    """An engine that counts what is written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.writes = 0

    async def write(self, work: Work[T]) -> T:
        """Writes, and counts it."""
        self.writes += 1
        return await self._engine.write(work)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """The same."""
        return await self._engine.write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        """Reads."""
        return await self._engine.read(work)

    async def close(self) -> None:
        """Closes."""
        await self._engine.close()


async def test_a_start_that_tries_many_again_in_vain_writes_nothing(
    open_engine: Opener, tmp_path: Path, reader: Upgraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_off, "AGAIN_PAUSE_S", 0.0)
    inbox = await opened(open_engine, tmp_path)
    async with at_work(inbox):
        await inbox.receive(lane_of(HERE, [unknown_kind(n) for n in range(1, 302)]), [])
        await becomes(inbox, QUARANTINED=301)
    before = await listed(inbox)
    await inbox.engine.close()
    inbox = await opened(open_engine, tmp_path)
    inbox.engine = engine = Counting(inbox.engine)
    reader.read = 0

    async def read_again() -> bool:
        return reader.read >= 301

    async with at_work(inbox):
        await until(read_again)
    assert engine.writes == 1  # what older software kept is looked for
    assert await listed(inbox) == before


async def test_what_arrives_does_not_wait_for_what_a_start_tries_again(
    open_engine: Opener, tmp_path: Path
) -> None:
    async def refuses(_: int) -> StillopenError | None:
        return Misuse(Reason.INVALID_ARGUMENT, "no such purpose")

    inbox = await opened(open_engine, tmp_path)
    entries = lane_of(HERE, [sold(n).SerializeToString() for n in range(1, 301)])
    async with at_work(inbox, Cards(refuses)):
        await inbox.receive(entries, [])
        await becomes(inbox, QUARANTINED=300)
    goes_on = asyncio.Event()

    async def hangs(sequence: int) -> StillopenError | None:
        if sequence <= 300:
            await goes_on.wait()
        return None

    async with at_work(inbox, Cards(hangs)):
        await inbox.receive([append(HERE, 301, bytes(32), sold(301).SerializeToString())], [])
        await becomes(inbox, QUARANTINED=300, APPLIED=1)
        goes_on.set()
        await becomes(inbox, APPLIED=301)
