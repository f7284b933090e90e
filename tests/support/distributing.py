"""Headquarters' tables and replicas of them in memory of one test, without any network."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from stillopen.headquarters.changes import mark
from stillopen.headquarters.distribution import Distribution, group_of
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.news import News
from stillopen.replication.packages import Scope
from stillopen.replication.ports import Package, PackageSource
from stillopen.replication.replica import SCHEMA as REPLICA_SCHEMA
from stillopen.replication.replica import Replica, open_replica
from stillopen.replication.tables import PRODUCT, REGISTER, STORE, TABLES, Table
from stillopen.storage.engine import Engine, Row, Session, Value
from stillopen.storage.inline import open_inline

Rows = dict[str, list[Row]]
STEPS_MAX = 200


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
        self._replicas: list[Engine] = []
        self.clock = StoppedClock()
        self.distribution = Distribution(
            engine,
            self.clock,
            random.Random(7),  # noqa: S311 - repeatable
            self.changed,
            rows_min,
        )

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

    async def store(self, store_id: str, group_id: str = "Default") -> None:
        """Adds a store, or moves it to another group."""
        await self.put(STORE, (store_id, store_id, group_id, "Default"))

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

    async def rows(self, group_id: str) -> Rows:
        """What replicas of a group are to show."""
        return await self.engine.read(lambda session: rows_of(session, Scope(group_id)))

    async def group_of(self, store_id: str) -> str:
        """The group of a store."""
        return await self.engine.read(lambda session: group_of(session, store_id))

    async def replica(self, store_id: str, *, relays: bool = True) -> "Following":
        """A new replica of a store's channel."""
        engine = await open_inline(self.folder / f"{store_id}.db", REPLICA_SCHEMA, durable=False)
        self._replicas.append(engine)
        replica = await open_replica(engine, store_id, relays=relays)
        return Following(store_id, replica, self.distribution)

    async def till(self, register_id: str, channel: "Following") -> "Following":
        """A new replica of a register."""
        engine = await open_inline(self.folder / f"{register_id}.db", REPLICA_SCHEMA, durable=False)
        self._replicas.append(engine)
        replica = await open_replica(engine, "", register_id)
        return Following(register_id, replica, channel.replica)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for engine in (self.engine, *self._replicas):
            await engine.close()


class Following:
    """A replica, and where its packages come from."""

    def __init__(self, name: str, replica: Replica, source: PackageSource) -> None:
        self.name = name
        self.replica = replica
        self.source = source
        self.got: list[Package] = []

    async def step(self) -> Package | None:
        """Applies one package, when there is one."""
        package = await self.source.newest(self.name, self.replica.at)
        if package is not None:
            await self.replica.apply(package)
            self.got.append(package)
        return package

    async def catch_up(self) -> list[Package]:
        """Applies everything; the packages that it took."""
        before = len(self.got)
        for _ in range(STEPS_MAX):
            if await self.step() is None:
                break
        else:
            raise AssertionError("it never ends")
        return self.got[before:]

    async def rows(self) -> Rows:
        """What it shows."""
        return await self.replica.engine.read(lambda session: rows_of(session, Scope()))


def rows_of(session: Session, scope: Scope) -> Rows:
    """Every row of a scope, table by table."""
    found: Rows = {}
    for table in TABLES:
        condition, values = scope.of(table)
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
