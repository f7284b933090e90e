"""What only the engine with threads can show: callers that give up, reads beside writes."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from tests.support.notes import SCHEMA, Opener, add, texts, texts_in

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.engine import Session, Work

LONG_S = 60.0


class Gate:
    """Holds a write open until the test has seen what it wanted to see."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def before(self, work: Work[int]) -> Work[int]:
        """Runs `work`, then waits at the gate before its transaction ends."""

        def gated(session: Session) -> int:
            number = work(session)
            self.reached.set()
            assert self.opened.wait(LONG_S)
            return number

        return gated

    async def is_reached(self) -> None:
        """Returns when the write stands at the gate."""
        assert await asyncio.to_thread(self.reached.wait, LONG_S)


@pytest.fixture
def gates(open_threaded: Opener) -> Generator[Callable[[], Gate]]:
    """Makes gates, and opens them before the engine is closed."""
    del open_threaded
    made: list[Gate] = []

    def gate() -> Gate:
        made.append(Gate())
        return made[-1]

    yield gate
    for each in made:
        each.opened.set()


async def test_a_read_sees_nothing_of_a_write_that_has_not_committed(
    open_threaded: Opener, gates: Callable[[], Gate], tmp_path: Path
) -> None:
    engine = await open_threaded(tmp_path / "notes.db", SCHEMA)
    await engine.write(add("before"))
    gate = gates()
    writing = asyncio.create_task(engine.write(gate.before(add("after"))))
    await gate.is_reached()
    assert await engine.read(texts) == ["before"]
    assert not writing.done()
    gate.opened.set()
    assert await writing == 2
    assert await engine.read(texts) == ["before", "after"]
    await engine.close()


async def test_a_read_sees_one_moment(open_threaded: Opener, tmp_path: Path) -> None:
    engine = await open_threaded(tmp_path / "notes.db", SCHEMA)
    begun, written = threading.Event(), threading.Event()

    def twice(session: Session) -> tuple[list[str], list[str]]:
        first = texts(session)
        begun.set()
        assert written.wait(LONG_S)
        return first, texts(session)

    reading = asyncio.create_task(engine.read(twice))
    assert await asyncio.to_thread(begun.wait, LONG_S)
    await engine.write(add("one"))
    written.set()
    assert await reading == ([], [])
    assert await engine.read(texts) == ["one"]
    await engine.close()


async def test_the_write_of_a_caller_that_gave_up_lands(
    open_threaded: Opener, gates: Callable[[], Gate], tmp_path: Path
) -> None:
    engine = await open_threaded(tmp_path / "notes.db", SCHEMA)
    gate = gates()
    writing = asyncio.create_task(engine.write(gate.before(add("begun"))))
    await gate.is_reached()
    waiting = asyncio.create_task(engine.write(add("waiting")))
    await asyncio.sleep(0)
    writing.cancel()
    waiting.cancel()
    gathered = await asyncio.gather(writing, waiting, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in gathered)
    gate.opened.set()
    assert await engine.write(add("next")) == 3
    await engine.close()
    assert texts_in(tmp_path / "notes.db") == ["begun", "waiting", "next"]


async def test_a_failure_nobody_waits_for_disturbs_nobody(
    open_threaded: Opener, gates: Callable[[], Gate], tmp_path: Path
) -> None:
    engine = await open_threaded(tmp_path / "notes.db", SCHEMA)
    gate = gates()
    writing = asyncio.create_task(engine.write(gate.before(add("one"))))
    await gate.is_reached()
    doomed = asyncio.create_task(engine.write(add("one")))
    await asyncio.sleep(0)
    doomed.cancel()
    gate.opened.set()
    assert await writing == 1
    assert await engine.write(add("two")) == 2
    await engine.close()


async def test_one_database_has_one_process_and_one_engine(
    open_threaded: Opener, tmp_path: Path
) -> None:
    engine = await open_threaded(tmp_path / "notes.db", SCHEMA)
    with pytest.raises(Misuse) as refusal:
        await open_threaded(tmp_path / "notes.db", SCHEMA)
    assert refusal.value.reason is Reason.REGISTER_IN_USE
    await engine.write(add("mine still"))
    await engine.close()
    again = await open_threaded(tmp_path / "notes.db", SCHEMA)
    assert await again.read(texts) == ["mine still"]
    await again.close()


async def test_what_waits_together_is_committed_together(
    open_threaded: Opener, gates: Callable[[], Gate], tmp_path: Path
) -> None:
    engine = await open_threaded(tmp_path / "notes.db", SCHEMA)
    gate = gates()
    first = asyncio.create_task(engine.write(gate.before(add("first"))))
    await gate.is_reached()
    together = [asyncio.create_task(engine.write(add(f"note {n}"))) for n in range(50)]
    last_gate = gates()
    last = asyncio.create_task(engine.write(last_gate.before(add("last"))))
    await asyncio.sleep(0)
    gate.opened.set()
    assert await first == 1
    await last_gate.is_reached()
    assert not any(task.done() for task in together)
    assert await engine.read(texts) == ["first"]
    last_gate.opened.set()
    assert await asyncio.gather(*together, last) == list(range(2, 53))
    await engine.close()


async def test_a_read_that_writes_is_told_so(open_threaded: Opener, tmp_path: Path) -> None:
    engine = await open_threaded(tmp_path / "notes.db", SCHEMA)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await engine.read(add("one"))
    await engine.close()
