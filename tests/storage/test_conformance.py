"""What every engine promises."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from tests.support.notes import SCHEMA, STEP_1, Opener, add, texts, texts_in

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.storage.engine import Session
from stillopen.storage.schema import Schema


def add_two_then_fail(session: Session) -> None:
    add("one")(session)
    add("two")(session)
    raise Refused(Reason.NOT_PAID, "changed my mind")


async def test_a_write_returns_what_its_function_returned(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    assert await engine.write(add("one")) == 1
    assert await engine.write(add("two")) == 2
    assert await engine.read(texts) == ["one", "two"]
    await engine.close()


async def test_an_answered_write_is_there_for_everybody(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    for number in range(5):
        await engine.write(add(f"note {number}"))
        assert texts_in(tmp_path / "notes.db")[-1] == f"note {number}"
    await engine.close()


async def test_raising_undoes_everything_and_reaches_the_caller(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    with pytest.raises(Refused) as refusal:
        await engine.write(add_two_then_fail)
    assert refusal.value.reason is Reason.NOT_PAID
    assert await engine.read(texts) == []
    await engine.write(add("two"))
    assert await engine.read(texts) == ["two"]
    await engine.close()


async def test_a_broken_rule_of_a_table_is_an_error_of_that_write_alone(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    await engine.write(add("one"))
    with pytest.raises(sqlite3.IntegrityError):
        await engine.write(add("one"))
    with pytest.raises(sqlite3.OperationalError):
        await engine.write(lambda session: session.run("INSERT INTO nothing VALUES (1)"))
    assert await engine.read(texts) == ["one"]
    await engine.close()


async def test_concurrent_writes_all_land_and_a_failing_one_hurts_nobody(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    await engine.write(add("note 7"))
    results = await asyncio.gather(
        *(engine.write(add(f"note {number}")) for number in range(600)), return_exceptions=True
    )
    failed = [number for number, result in enumerate(results) if not isinstance(result, int)]
    assert failed == [7]
    assert isinstance(results[7], sqlite3.IntegrityError)
    assert sorted(await engine.read(texts)) == sorted(f"note {number}" for number in range(600))
    await engine.close()


async def test_writes_land_in_the_order_they_were_asked_for(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    numbers = await asyncio.gather(*(engine.write(add(f"note {n:03}")) for n in range(300)))
    assert numbers == sorted(numbers)
    assert await engine.read(texts) == [f"note {n:03}" for n in range(300)]
    await engine.close()


async def test_a_write_sees_what_the_writes_before_it_did(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)

    def append(session: Session) -> int:
        return add(f"note {len(texts(session))}")(session)

    await asyncio.gather(*(engine.write(append) for _ in range(100)))
    assert await engine.read(texts) == [f"note {number}" for number in range(100)]
    await engine.close()


async def test_a_read_cannot_write(open_engine: Opener, tmp_path: Path) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    await asyncio.gather(engine.read(add("one")), return_exceptions=True)
    assert await engine.read(texts) == []
    await engine.write(add("two"))
    await engine.close()
    assert texts_in(tmp_path / "notes.db") == ["two"]


async def test_a_read_that_raises_leaves_the_engine_as_it_was(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    with pytest.raises(sqlite3.OperationalError):
        await engine.read(lambda session: session.all("SELECT * FROM nothing"))
    await engine.write(add("one"))
    assert await engine.read(texts) == ["one"]
    await engine.close()


async def test_reopening_shows_what_was_committed_and_nothing_else(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    await engine.write(add("kept"))
    await asyncio.gather(engine.write(add_two_then_fail), return_exceptions=True)
    await engine.close()
    again = await open_engine(tmp_path / "notes.db", SCHEMA)
    assert await again.read(texts) == ["kept"]
    assert await again.write(add("more")) == 2
    await again.close()


async def test_closing_finishes_what_waits(open_engine: Opener, tmp_path: Path) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    waiting = [asyncio.create_task(engine.write(add(f"note {n}"))) for n in range(600)]
    await asyncio.sleep(0)
    await engine.close()
    assert await asyncio.gather(*waiting) == list(range(1, 601))
    assert len(texts_in(tmp_path / "notes.db")) == 600


async def test_rules_between_tables_are_kept(open_engine: Opener, tmp_path: Path) -> None:
    tied = "CREATE TABLE page (note INTEGER NOT NULL REFERENCES note (id)) STRICT"
    engine = await open_engine(tmp_path / "notes.db", Schema("notes", (STEP_1, (tied,))))
    await engine.write(add("one"))
    await engine.write(lambda session: session.run("INSERT INTO page VALUES (1)"))
    with pytest.raises(sqlite3.IntegrityError):
        await engine.write(lambda session: session.run("INSERT INTO page VALUES (2)"))
    with pytest.raises(sqlite3.IntegrityError):
        await engine.write(lambda session: session.run("DELETE FROM note"))
    await engine.close()


# Another database at hand


def with_a_note(folder: Path, text: str) -> Path:
    """Another database with one note."""
    path = folder / "other.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)  # noqa: TID251 - somebody else's
    connection.execute("CREATE TABLE brought (text TEXT)")
    connection.execute("INSERT INTO brought VALUES (?)", (text,))
    connection.commit()
    connection.close()
    return path


def take(session: Session) -> None:
    session.run("INSERT INTO note (text) SELECT text FROM package.brought")


async def test_a_write_with_another_database_reads_it(open_engine: Opener, tmp_path: Path) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    for text in ("one", "two"):
        await engine.write_with(with_a_note(tmp_path, text), take)
        assert texts_in(tmp_path / "notes.db")[-1] == text
    await engine.close()


async def test_another_database_may_be_in_no_file(open_engine: Opener, tmp_path: Path) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    for text in ("one", "two"):
        await engine.write_with(with_a_note(tmp_path, text).read_bytes(), take)
        assert texts_in(tmp_path / "notes.db")[-1] == text
    with pytest.raises(Misuse):
        await engine.write_with(b"no database, whatever it says", take)
    await engine.write_with(with_a_note(tmp_path, "three"), take)
    assert await engine.read(texts) == ["one", "two", "three"]
    await engine.close()


async def test_a_write_with_another_database_that_raises_undoes_all_and_lets_it_go(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    other = with_a_note(tmp_path, "one")

    def take_then_fail(session: Session) -> None:
        take(session)
        raise Refused(Reason.NOT_PAID, "changed my mind")

    for _ in range(2):
        with pytest.raises(Refused):
            await engine.write_with(other, take_then_fail)
    assert await engine.read(texts) == []
    await engine.write_with(other, take)
    assert await engine.read(texts) == ["one"]
    await engine.close()


async def test_another_database_cannot_be_written_to(open_engine: Opener, tmp_path: Path) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    other = with_a_note(tmp_path, "one")
    before = other.read_bytes()
    with pytest.raises(sqlite3.OperationalError):
        await engine.write_with(other, lambda session: session.run("DELETE FROM package.brought"))
    assert other.read_bytes() == before
    await engine.close()


async def test_writes_around_one_with_another_database_keep_their_order(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await open_engine(tmp_path / "notes.db", SCHEMA)
    await asyncio.gather(
        engine.write(add("before")),
        engine.write_with(with_a_note(tmp_path, "between"), take),
        engine.write(add("after")),
    )
    assert await engine.read(texts) == ["before", "between", "after"]
    await engine.close()
