"""Packages and questions on a stream: both shells over a real connection, with fakes beyond."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from tests.support.package_streams import PATIENCE_S, WHOLE, Goods, Journal, Line, Replicas

from stillopen.core.errors import Reason, StillopenError, Unreachable
from stillopen.replication.client import SyncClient
from stillopen.replication.frames import (
    BLOCK_BYTES,
    MISSED_MAX,
    QUESTIONS_MAX,
    WHOLE_BYTES,
    WINDOW_BYTES,
)
from stillopen.replication.ports import Cursor
from stillopen.replication.scope import Scope
from stillopen.v1 import sync_pb2

SMALLER = Scope(("customer",))
LARGE = bytes(range(256)) * (5 * BLOCK_BYTES // 256) + b"end"


@pytest.fixture
def goods() -> Goods:
    """Packages to give: none yet."""
    return Goods()


@pytest.fixture
def replicas(tmp_path: Path) -> Replicas:
    """One replica without anything."""
    return Replicas(tmp_path / "shelf", Cursor())


@pytest.fixture
def line(replicas: Replicas, goods: Goods) -> Line:
    """A stream between them; it begins with `up`."""
    return Line(replicas, goods, 1.0)


async def test_a_package_of_many_blocks_lands_whole(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    end = goods.put(3, 1, LARGE)
    async with line.up() as client:
        await replicas.until(lambda: replicas.standing == [end])
        assert client.package_bytes_missing == 0
    assert replicas.contents == {WHOLE: LARGE}
    assert replicas.half_done == []


async def test_every_replica_of_a_client_is_served(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    lost = Cursor(scope=SMALLER)
    replicas.standing.append(lost)
    ends = [goods.put(3, 1, b"everything"), goods.put(4, 1, b"less", SMALLER)]
    async with line.up():
        await replicas.until(lambda: replicas.standing == ends)
        newer = goods.put(4, 2, b"less, and newer", SMALLER)
        await replicas.until(lambda: replicas.standing == [ends[0], newer])
    assert replicas.contents == {WHOLE: b"everything", SMALLER: b"less, and newer"}


async def test_a_replica_that_is_wanted_later_is_served(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    ends = [goods.put(3, 1, b"everything"), goods.put(4, 1, b"less", SMALLER)]
    async with line.up():
        await replicas.until(lambda: replicas.standing == ends[:1])
        replicas.stand(ends[0], Cursor(scope=SMALLER))
        await replicas.until(lambda: replicas.standing == ends)


async def test_a_replica_that_is_lost_gets_a_snapshot_on_the_same_stream(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    end = goods.put(3, 1, b"everything")
    async with line.up() as client:
        await replicas.until(lambda: replicas.standing == [end])
        version = client.news.version
        replicas.contents.clear()
        replicas.stand(Cursor())
        await replicas.until(lambda: replicas.standing == [end])
        assert client.news.version == version, "the stream stayed"
    assert replicas.contents == {WHOLE: b"everything"}


async def test_a_full_disk_refuses_a_package_and_journals_go_on(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    replicas.room = 2 * BLOCK_BYTES
    end = goods.put(3, 1, LARGE)
    async with line.up() as client:
        await goods.until(lambda: bool(goods.refusals))
        assert goods.refusals[0] == "R1 1 no room"
        assert "DISK_FULL" in client.package_refusal
        assert replicas.half_done == []
        line.journal.add()
        await line.arrived.until(lambda: line.arrived.through == 1)
        assert replicas.standing == [Cursor()]
        replicas.room = len(LARGE)
        await replicas.until(lambda: replicas.standing == [end])
        assert client.package_refusal == ""


async def test_a_package_of_other_bytes_is_refused_and_taken_when_its_source_mended_it(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    goods.put(3, 1, b"good")
    goods.spoil()
    async with line.up() as client:
        await goods.until(lambda: bool(goods.refusals))
        assert client.package_refusal.startswith("PACKAGE_DAMAGED")
        line.journal.add()
        await line.arrived.until(lambda: line.arrived.through == 1)
        end = goods.put(3, 1, b"good")
        await replicas.until(lambda: replicas.standing == [end])


async def test_a_source_that_cannot_make_a_package_now_is_asked_again_and_journals_go_on(
    line: Line, goods: Goods, replicas: Replicas, caplog: pytest.LogCaptureFixture
) -> None:
    end = goods.put(3, 1, b"everything")
    goods.full = True
    async with line.up() as client:
        await goods.until(lambda: bool(goods.asked))
        version = client.news.version
        line.journal.add()
        await line.arrived.until(lambda: line.arrived.through == 1)
        goods.full = False
        await replicas.until(lambda: replicas.standing == [end])
        assert client.news.version == version, "the stream stayed"
    assert "no package for R1: DISK_FULL" in caplog.text


async def goes_on(line: Line) -> None:
    """For much longer than a client may be silent journals go up, and the stream stays."""
    journal, arrived = line.journal, line.arrived
    for beats in [MISSED_MAX] * 3:
        journal.add()
        await arrived.until(lambda: arrived.through == journal.length)
        wanted = journal.looks + beats
        await journal.until(partial(_looked, journal, wanted))


def _looked(journal: Journal, times: int) -> bool:
    return journal.looks >= times


async def test_a_source_that_takes_long_to_find_a_package_holds_nothing_else_up(
    goods: Goods, replicas: Replicas
) -> None:
    line, end = Line(replicas, goods, 0.2), goods.put(3, 1, b"everything")
    goods.may_find.clear()
    async with line.up() as client:
        version = client.news.version
        await goods.until(lambda: bool(goods.asked))
        await goes_on(line)
        goods.may_find.set()
        await replicas.until(lambda: replicas.standing == [end])
        assert client.news.version == version, "the stream stayed"


async def test_a_source_that_looks_at_a_refused_package_for_long_holds_nothing_else_up(
    goods: Goods, replicas: Replicas
) -> None:
    line, good = Line(replicas, goods, 0.2), b"good" * WHOLE_BYTES
    goods.put(3, 1, good)
    goods.spoil()
    goods.may_read.clear()
    async with line.up() as client:
        version = client.news.version
        await replicas.until(lambda: bool(replicas.half_done))
        goods.may_find.clear()
        goods.may_read.set()
        await goods.until(lambda: bool(goods.doubted))
        await goes_on(line)
        assert goods.refusals == []
        end = goods.put(3, 1, good)
        goods.may_find.set()
        await replicas.until(lambda: replicas.standing == [end])
        assert len(goods.refusals) == 1
        assert client.news.version == version, "the stream stayed"


async def test_a_package_whose_file_is_gone_ends_the_stream_and_the_next_is_taken(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    goods.put(3, 1, LARGE)
    goods.may_read.clear()
    async with line.up() as client:
        await replicas.until(lambda: bool(replicas.half_done))
        goods.clear()
        end = goods.put(3, 2, b"what is there now")
        goods.may_read.set()
        await replicas.until(lambda: replicas.standing == [end])
        assert client.last_error is not None
        assert client.last_error.reason is Reason.NAME_UNKNOWN
    assert replicas.half_done == []


async def silenced(client: SyncClient) -> None:
    """Silences the stream, and waits until it has ended."""
    client.allow(allowed=False)
    async with asyncio.timeout(PATIENCE_S):
        while client.up:
            await client.news.after(client.news.version)


async def test_a_package_that_outlasts_its_stream_is_in_force_before_the_next_begins(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    end = goods.put(3, 1, b"everything")
    replicas.may_apply.clear()
    async with line.up() as client:
        await replicas.until(lambda: replicas.applying == 1)
        await silenced(client)
        looks = line.journal.looks
        client.allow(allowed=True)
        await line.journal.until(lambda: line.journal.looks > looks)
        for _ in range(10):  # it would say hello now, if it did not wait
            await asyncio.sleep(0)
        replicas.may_apply.set()
        await goods.until(lambda: len(goods.asked) > 1)
    assert goods.asked == [Cursor(), end]
    assert replicas.contents == {WHOLE: b"everything"}


async def test_a_package_goes_on_behind_what_came_of_it_when_its_stream_ended(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    end = goods.put(3, 1, LARGE)
    goods.stop_after = 3
    async with line.up() as client:
        await replicas.until(lambda: replicas.there == 3 * BLOCK_BYTES)
        await silenced(client)
        goods.blocks.clear()
        goods.go_on()
        client.allow(allowed=True)
        await replicas.until(lambda: replicas.standing == [end])
    # The server may notice late that the first stream ended, and read the same for it.
    assert set(goods.blocks) == {
        (3 * BLOCK_BYTES, BLOCK_BYTES),
        (4 * BLOCK_BYTES, BLOCK_BYTES),
        (5 * BLOCK_BYTES, 3),
    }
    assert replicas.contents == {WHOLE: LARGE}
    assert replicas.half_done == []


async def test_another_package_begins_with_its_first_byte_whatever_broke_off(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    goods.put(3, 1, LARGE)
    goods.stop_after = 3
    async with line.up() as client:
        await replicas.until(lambda: replicas.there == 3 * BLOCK_BYTES)
        await silenced(client)
        end = goods.put(3, 2, LARGE[::-1])
        goods.go_on()
        client.allow(allowed=True)
        await replicas.until(lambda: replicas.standing == [end])
    assert replicas.contents == {WHOLE: LARGE[::-1]}
    assert replicas.half_done == []


async def test_a_part_that_is_not_what_it_should_be_is_found_and_the_package_comes_anew(
    goods: Goods, replicas: Replicas
) -> None:
    line = Line(replicas, goods, 0.2)
    end = goods.put(3, 1, LARGE)
    goods.stop_after = 3
    async with line.up() as client:
        await replicas.until(lambda: replicas.there == 3 * BLOCK_BYTES)
        await silenced(client)
        [part] = replicas.shelf.folder.glob("coming-*")
        part.write_bytes(bytes(part.stat().st_size))
        goods.go_on()
        client.allow(allowed=True)
        await replicas.until(lambda: replicas.standing == [end])
    assert len(goods.refusals) == 1
    assert replicas.contents == {WHOLE: LARGE}


async def test_no_more_of_a_package_is_on_its_way_than_the_window(
    line: Line, goods: Goods, replicas: Replicas
) -> None:
    end = goods.put(3, 1, LARGE * 4)
    replicas.may_write.clear()
    async with line.up():
        await goods.until(lambda: len(goods.blocks) == WINDOW_BYTES // BLOCK_BYTES)
        for _ in range(100):  # more would be read now
            await asyncio.sleep(0)
        assert len(goods.blocks) == WINDOW_BYTES // BLOCK_BYTES
        replicas.may_write.set()
        await replicas.until(lambda: replicas.standing == [end])


def question(table: str = "product", number: int = 0) -> sync_pb2.DigestsAsked:
    """What does a table come to?"""
    return sync_pb2.DigestsAsked(number=number, table=table)


async def test_a_question_is_answered_under_the_number_it_was_asked_with(line: Line) -> None:
    async with line.up():
        first, second = await asyncio.gather(
            line.servicer.ask("R1", question("product", 40)),
            line.servicer.ask("R1", question("customer", 40)),
        )
    assert (first.number, first.rows[0].key) == (40, "product")
    assert (second.number, second.rows[0].key) == (40, "customer")


async def test_a_refusal_is_an_answer(line: Line) -> None:
    async with line.up():
        answer = await line.servicer.ask("R1", question("none"))
    assert answer.refusal == "NAME_UNKNOWN: there is no such table"


async def reason(asking: asyncio.Future[sync_pb2.Digests]) -> Reason:
    """Why there is no answer."""
    with pytest.raises(StillopenError) as caught:
        await asking
    assert isinstance(caught.value, Unreachable)
    return caught.value.reason


async def test_who_has_no_stream_is_not_asked(line: Line) -> None:
    async with line.up():
        asking = asyncio.ensure_future(line.servicer.ask("R2", question()))
        assert await reason(asking) is Reason.UNREACHABLE


async def test_a_stream_that_ends_answers_nothing(line: Line, replicas: Replicas) -> None:
    replicas.may_answer.clear()
    async with line.up() as client:
        asking = [
            asyncio.ensure_future(line.servicer.ask("R1", question()))
            for _ in range(QUESTIONS_MAX + 2)
        ]
        await replicas.until(lambda: replicas.answering > 0)
        client.allow(allowed=False)
        for each in asking:
            assert await reason(each) is Reason.UNREACHABLE
    assert replicas.answering == 0


async def test_many_questions_wait_for_their_turn_and_journals_do_not_wait_for_them(
    line: Line, replicas: Replicas
) -> None:
    replicas.may_answer.clear()
    async with line.up():
        asking = [
            asyncio.ensure_future(line.servicer.ask("R1", question(f"t{n}")))
            for n in range(3 * QUESTIONS_MAX)
        ]
        await replicas.until(lambda: replicas.answering > 0)
        line.journal.add()
        await line.arrived.until(lambda: line.arrived.through == 1)
        assert 0 < replicas.answering < QUESTIONS_MAX
        replicas.may_answer.set()
        answers = await asyncio.gather(*asking)
    assert [each.rows[0].key for each in answers] == [f"t{n}" for n in range(3 * QUESTIONS_MAX)]


async def test_who_gives_up_leaves_room_for_other_questions(line: Line, replicas: Replicas) -> None:
    replicas.may_answer.clear()
    async with line.up():
        asking = [
            asyncio.ensure_future(line.servicer.ask("R1", question())) for _ in range(QUESTIONS_MAX)
        ]
        await replicas.until(lambda: replicas.answering > 0)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        replicas.may_answer.set()
        answer = await line.servicer.ask("R1", question("customer"))
    assert answer.rows[0].key == "customer"
