"""What an engine takes for its database and what it refuses."""

import asyncio
import random
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.notes import SCHEMA, STEP_1, STEP_2, Opener, add, texts_in

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.schema import Schema
from stillopen.storage.sqlite import open_sqlite

BROKEN = ("CREATE TABLE fresh (id INTEGER) STRICT", "INSERT INTO nothing VALUES (1)")


async def fill(open_engine: Opener, path: Path, schema: Schema = SCHEMA) -> None:
    """Makes a database with a thousand notes at `path`."""
    engine = await open_engine(path, schema)
    await engine.write(
        lambda session: session.run_many(
            "INSERT INTO note (text) VALUES (?)", ((f"note {n} " + "x" * 80,) for n in range(1000))
        )
    )
    await engine.close()


def bytes_in(path: Path) -> bytes:
    """The whole file."""
    return path.read_bytes()


def names_in(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(found.name for found in folder.iterdir())


async def refusal(open_engine: Opener, path: Path, schema: Schema = SCHEMA) -> Reason:
    """Why it cannot be opened; the file must be as it was."""
    before = bytes_in(path)
    with pytest.raises(Misuse) as refused:
        await open_engine(path, schema)
    assert bytes_in(path) == before
    return refused.value.reason


async def test_steps_are_taken_once_and_in_order(open_engine: Opener, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    grown = Schema("notes", (STEP_1, STEP_2))
    for number, schema in enumerate((SCHEMA, SCHEMA, grown, grown)):
        engine = await open_engine(path, schema)
        await engine.write(add(f"note {number}"))
        steps = await engine.read(lambda s: s.all("SELECT schema, step FROM migration ORDER BY 2"))
        await engine.close()
        assert steps == [("notes", n + 1) for n in range(len(schema.steps))]
    engine = await open_engine(path, grown)
    colours = await engine.read(lambda s: s.all("SELECT colour FROM note ORDER BY id"))
    await engine.close()
    assert colours == [("yellow",), ("yellow",), ("white",), ("white",)]


async def test_a_step_is_taken_whole_or_not_at_all(open_engine: Opener, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with pytest.raises(sqlite3.OperationalError):
        await open_engine(path, Schema("notes", (STEP_1, BROKEN)))
    engine = await open_engine(path, SCHEMA)
    tables = await engine.read(lambda s: s.all("SELECT name FROM sqlite_schema ORDER BY name"))
    await engine.close()
    assert ("note",) in tables
    assert ("fresh",) not in tables


async def test_a_database_of_newer_software_is_refused(open_engine: Opener, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    await fill(open_engine, path, Schema("notes", (STEP_1, STEP_2)))
    assert await refusal(open_engine, path) is Reason.DATABASE_NEWER


async def test_a_database_of_another_kind_is_refused(open_engine: Opener, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    await fill(open_engine, path)
    other = replace(SCHEMA, name="ledger")
    assert await refusal(open_engine, path, other) is Reason.DATABASE_DAMAGED


async def test_what_is_no_database_is_refused(open_engine: Opener, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(random.Random(1).randbytes(20_000))  # noqa: S311 - any bytes
    assert await refusal(open_engine, path) is Reason.DATABASE_DAMAGED


@pytest.mark.parametrize("kept", [50, 100, 4000, 4096, 4097, 20_000, -4096])
async def test_a_database_that_was_cut_short_is_refused(
    open_engine: Opener, tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "notes.db"
    await fill(open_engine, path)
    path.write_bytes(path.read_bytes()[:kept])
    assert await refusal(open_engine, path) is Reason.DATABASE_DAMAGED


@pytest.mark.parametrize("seed", range(10))
async def test_a_database_with_a_ruined_page_is_refused(
    open_engine: Opener, tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "notes.db"
    await fill(open_engine, path)
    rng = random.Random(seed)  # noqa: S311 - any page
    pages = bytearray(path.read_bytes())
    page = rng.randrange(1, len(pages) // 4096) * 4096
    pages[page : page + 4096] = rng.randbytes(4096)
    path.write_bytes(pages)
    assert await refusal(open_engine, path) is Reason.DATABASE_DAMAGED


@pytest.mark.parametrize("place", [0, 15, 16, 20, 21, 47, 100, 105])
async def test_a_database_with_a_ruined_header_is_refused(
    open_engine: Opener, tmp_path: Path, place: int
) -> None:
    path = tmp_path / "notes.db"
    await fill(open_engine, path)
    ruined = bytearray(path.read_bytes())
    ruined[place] ^= 0x55
    path.write_bytes(ruined)
    assert await refusal(open_engine, path) is Reason.DATABASE_DAMAGED


async def test_after_a_refusal_the_path_is_free_again(open_engine: Opener, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"not a database, whatever it says" * 100)
    assert await refusal(open_engine, path) is Reason.DATABASE_DAMAGED
    path.unlink()
    await fill(open_engine, path)
    assert len(texts_in(path)) == 1000


def test_a_refusal_leaves_no_thread_behind(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"not a database, whatever it says" * 100)
    before = set(threading.enumerate())
    for _ in range(50):
        with pytest.raises(Misuse):
            asyncio.run(open_sqlite(path, SCHEMA))
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("folder", ["a b", "50% off", "what?", "#1", "%41", "café"])
async def test_a_database_lies_where_it_was_asked_for(
    open_engine: Opener, tmp_path: Path, folder: str
) -> None:
    path = tmp_path / folder / "notes.db"
    path.parent.mkdir()
    engine = await open_engine(path, SCHEMA)
    await engine.write(add("one"))
    await engine.close()
    assert texts_in(path) == ["one"]
    assert names_in(tmp_path) == [folder]
