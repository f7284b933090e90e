"""Headquarters' tables and replicas of them in memory of one test, without any network."""

import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from stillopen.channel.lines import Lines, open_lines
from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.core.parameters import OfflineProfile
from stillopen.headquarters.changes import mark
from stillopen.headquarters.distribution import Distribution
from stillopen.headquarters.distribution_runs import Run, list_runs
from stillopen.headquarters.distribution_scopes import excluded_of, group_of, profile_of
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.news import News
from stillopen.replication.packages import Selection
from stillopen.replication.ports import Cursor, Package, PackageSink, PackageSource
from stillopen.replication.replica import Replica, open_replica
from stillopen.replication.tables import OFFLINE_PROFILE, PRODUCT, REGISTER, STORE, TABLES, Table
from stillopen.rpc.wire import profile_to
from stillopen.storage.beside import read_beside
from stillopen.storage.engine import Engine, Row, Session, Value
from stillopen.storage.inline import open_inline
from stillopen.storage.off_loop import inline
from stillopen.storage.shelf import Shelf

Rows = dict[str, list[Row]]
STEPS_MAX = 200
BLOCK_BYTES = 4_096


class StoppedClock:
    """A clock that shows one moment."""

    now_s = 1_800_000_000.0

    def wall_s(self) -> float:
        """Seconds since 1970."""
        return self.now_s

    def elapsed_s(self) -> float:
        """Seconds of this boot."""
        return self.now_s

    def boot_id(self) -> str:
        """The one boot."""
        return "boot"


class Office:
    """Headquarters' database and its distribution. Begin with `open_office`."""

    def __init__(self, engine: Engine, folder: Path, rows_min: int) -> None:
        self.engine = engine
        self.folder = folder
        self.changed = News()
        self._opened = AsyncExitStack()
        self._opened.push_async_callback(engine.close)
        self.clock = StoppedClock()
        self.shelf = Shelf(folder / "packages", inline)
        self._rows_min, self._rng = rows_min, random.Random(7)  # noqa: S311 - repeatable
        self.distribution = self._distribution()

    def restart(self) -> None:
        """Another process goes on with the same database."""
        self.distribution = self._distribution()

    async def put(self, table: Table, *rows: tuple[Value, ...]) -> None:
        """Adds or changes rows."""
        places = ", ".join("?" * len(table.names))

        def put(session: Session) -> None:
            session.run_many(f"INSERT OR REPLACE INTO {table.name} VALUES ({places})", rows)  # noqa: S608
            mark(session, table, [str(row[0]) for row in rows])

        await self.engine.write(put)
        self.changed.tell()

    async def remove(self, table: Table, *keys: str) -> None:
        """Removes rows."""

        def remove(session: Session) -> None:
            session.run_many(
                f"DELETE FROM {table.name} WHERE {table.key} = ?",  # noqa: S608
                [(key,) for key in keys],
            )
            mark(session, table, keys)

        await self.engine.write(remove)
        self.changed.tell()

    async def product(self, code: str, minor: int = 100) -> None:
        """Adds a product, or changes its price."""
        await self.put(PRODUCT, (code, code, f"{code} of {minor}", "EUR", minor, ""))

    async def products(self, count: int) -> None:
        """Adds many products."""
        await self.put(
            PRODUCT, *((f"P{n:07}", f"P{n:07}", "x", "EUR", n, "") for n in range(count))
        )

    async def group(self, group_id: str) -> None:
        """Adds a channel group."""
        await self.engine.write(
            lambda session: session.run(
                "INSERT OR IGNORE INTO channel_group (group_id, name) VALUES (?1, ?1)", group_id
            )
        )

    async def store(
        self, store_id: str, group_id: str = "Default", profile: str = "Default"
    ) -> None:
        """Adds a store, or moves it to another group or profile."""
        await self.put(STORE, (store_id, store_id, group_id, profile))

    async def profile(self, name: str, *excluded: str, jobs: tuple[int, ...] = ()) -> None:
        """Adds an offline profile that leaves tables out, or changes it."""
        profile = OfflineProfile(name, excluded_jobs=jobs, excluded_tables=excluded)
        await self.put(OFFLINE_PROFILE, (name, profile_to(profile).SerializeToString()))

    async def register(self, register_id: str, store_id: str, state: str = "ACTIVE") -> None:
        """Adds a register, or changes it."""
        await self.put(REGISTER, (register_id, store_id, register_id, 1, state, 1, b"x"))

    async def registers(self, count: int, store_id: str) -> None:
        """Adds many registers of a store."""
        rows = ((f"R{n:05}", store_id, f"R{n:05}", 1, "ACTIVE", 1, b"x") for n in range(count))
        await self.put(REGISTER, *rows)

    async def run(self, *jobs: int) -> int:
        """Runs jobs, all without any named; returns how many packages were made."""
        return len(await self.distribution.run_jobs(jobs or (9999,)))

    async def ask(self, *store_ids: str) -> None:
        """The channels of stores ask for packages for the first time."""
        for store_id in store_ids:
            assert await self.distribution.newest(store_id, Cursor()) is not None

    async def runs(self) -> list[Run]:
        """The runs, the newest first."""
        return await self.engine.read(lambda session: list_runs(session, "", 0, 1_000))

    async def rows(self, group_id: str, *excluded: str) -> Rows:
        """What replicas of a group are to show, without some tables."""
        found = await self.engine.read(lambda session: rows_of(session, Selection(group_id)))
        return {name: [] if name in excluded else rows for name, rows in found.items()}

    async def rows_for(self, store_id: str) -> tuple[Rows, Rows]:
        """What a store's channel is to show, and what its registers are."""

        def read(session: Session) -> tuple[str, tuple[str, ...]]:
            row = session.one("SELECT offline_profile FROM store WHERE store_id = ?", store_id)
            return group_of(session, store_id), excluded_of(
                profile_of(session, row[0] if row else "")
            )

        group_id, excluded = await self.engine.read(read)
        return await self.rows(group_id), await self.rows(group_id, *excluded)

    async def replica(self, store_id: str, *, relays: bool = True) -> "Following":
        """A new replica of a store's channel; with `relays` also what its registers need."""
        folder = self.folder / store_id
        shelf = Shelf(folder / "packages", inline)
        replica = await open_replica(
            folder / "replica.db", shelf, open_inline, store_id, whole_group=relays
        )
        self._opened.push_async_callback(replica.close)
        if not relays:
            return Following(store_id, replica, replica, self.distribution)
        engine = await open_inline(folder / "channel.db", CHANNEL_SCHEMA, durable=False)
        self._opened.push_async_callback(engine.close)
        lines = await open_lines(replica, engine, open_inline, folder, print)
        self._opened.push_async_callback(lines.close)
        return Following(store_id, replica, lines, self.distribution, lines)

    async def till(self, register_id: str, channel: "Following") -> "Following":
        """A new replica of a register."""
        assert channel.lines is not None
        folder = self.folder / register_id
        shelf = Shelf(folder / "packages", inline)
        replica = await open_replica(
            folder / "offline.db", shelf, open_inline, register_id=register_id
        )
        self._opened.push_async_callback(replica.close)
        return Following(register_id, replica, replica, channel.lines)

    def _distribution(self) -> Distribution:
        return Distribution(
            self.engine,
            self.folder / "headquarters.db",
            self.shelf,
            self.clock,
            self._rng,
            self.changed,
            self._rows_min,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()


class Following:
    """A replica, what of it takes packages, and where these come from."""

    def __init__(
        self,
        name: str,
        replica: Replica,
        sink: PackageSink,
        source: PackageSource,
        lines: Lines | None = None,
    ) -> None:
        self.name = name
        self.replica = replica
        self.sink = sink
        self.source = source
        self.lines = lines
        """A channel's copies for its registers, and its own."""
        self.got: list[Package] = []

    async def step(self) -> Package | None:
        """Takes one package, when there is one for any of its copies."""
        for cursor in await self.sink.cursors():
            package = await self.source.newest(self.name, cursor)
            if package is not None:
                await self.take(package)
                self.got.append(package)
                return package
        return None

    async def take(self, package: Package) -> None:
        """Fetches a package and applies it."""
        await self.fetch(package)
        await self.sink.apply(package)

    async def fetch(self, package: Package) -> None:
        """Fetches a package, block by block."""
        coming = await self.sink.receive(package)
        for offset in range(0, package.size, BLOCK_BYTES):
            await coming.write(await self.source.block(package, offset, BLOCK_BYTES))
        await coming.finish()

    async def catch_up(self) -> list[Package]:
        """Takes everything; the packages that it took."""
        before = len(self.got)
        for _ in range(STEPS_MAX):
            if await self.step() is None:
                break
        else:
            raise AssertionError("it never ends")
        return self.got[before:]

    async def rows(self) -> Rows:
        """What it shows."""
        return await self.replica.copy.read(lambda session: rows_of(session, Selection()))

    def rows_of_copy(self, name: str) -> Rows:
        """What is in a copy that a channel keeps for its registers."""
        path = self.replica.copy.path.with_name(name)
        return read_beside(path, lambda session: rows_of(session, Selection()))


def rows_of(session: Session, selection: Selection) -> Rows:
    """Every row that replicas of a group see, table by table."""
    found: Rows = {}
    for table in TABLES:
        condition, values = selection.of(table)
        found[table.name] = session.all(
            f"SELECT * FROM {table.name} WHERE {condition} ORDER BY {table.key}",  # noqa: S608
            *values,
        )
    return found


async def open_office(folder: Path, rows_min: int = 10_000) -> Office:
    """A new headquarters with its first roles, and nothing else."""
    engine = await open_inline(folder / "headquarters.db", SCHEMA, durable=False)
    return Office(engine, folder, rows_min)


@asynccontextmanager
async def two_groups(folder: Path) -> AsyncGenerator[Office]:
    """Headquarters with two stores of two groups, a register in each."""
    async with await open_office(folder) as office:
        await office.group("North")
        await office.store("S1")
        await office.store("S2", "North")
        await office.register("R1", "S1")
        await office.register("R2", "S2")
        yield office
