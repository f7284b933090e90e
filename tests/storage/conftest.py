"""Engines that are closed whatever a test does: their threads would keep the process alive."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.copies import Place
from tests.support.notes import Opener

from stillopen.storage.engine import Database, Engine, Work
from stillopen.storage.inline import open_inline
from stillopen.storage.schema import Schema
from stillopen.storage.sqlite import open_sqlite

T = TypeVar("T")


class ClosedOnce:
    """An engine that may be closed again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open = True

    async def write(self, work: Work[T]) -> T:
        """As the engine does."""
        return await self._engine.write(work)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        """As the engine does."""
        return await self._engine.write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        """As the engine does."""
        return await self._engine.read(work)

    async def close(self) -> None:
        """As the engine does, the first time."""
        if self._open:
            self._open = False
            await self._engine.close()


async def _opener(opener: Opener) -> AsyncGenerator[Opener]:
    opened: list[Engine] = []

    async def opening(path: Path, schema: Schema, *, durable: bool = True) -> Engine:
        engine = ClosedOnce(await opener(path, schema, durable=durable))
        opened.append(engine)
        return engine

    yield opening
    for engine in opened:
        await engine.close()


@pytest.fixture(params=[open_sqlite, open_inline], ids=["sqlite", "inline"])
async def open_engine(request: pytest.FixtureRequest) -> AsyncGenerator[Opener]:
    """Each engine in turn."""
    opener: Opener = request.param
    async for opening in _opener(opener):
        yield opening


@pytest.fixture
async def open_threaded() -> AsyncGenerator[Opener]:
    """The engine that ships, for what only threads can show."""
    async for opening in _opener(open_sqlite):
        yield opening


@pytest.fixture
async def place(tmp_path: Path, open_engine: Opener) -> AsyncGenerator[Place]:
    """An empty copy, on each engine."""
    place = Place(tmp_path, open_engine)
    await place.open()
    yield place
    await place.copy.close()
