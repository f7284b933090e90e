"""A headquarters and a channel as they ship, with any number of registers known to both.

Registers are put into headquarters' database while nobody has it open: activating each by its code
is not what is measured here. From there they travel to the channel like any other row.
"""

import asyncio
import resource
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tests.support import callers

from stillopen.cli.estate import (
    CHANNEL,
    HEADQUARTERS,
    PASSWORD,
    STAFF_ID,
    STORE,
    Estate,
    import_master_data,
)
from stillopen.cli.machine import Machine
from stillopen.cli.sample import sample_cards, sample_products
from stillopen.core.journal import Lane
from stillopen.core.lanes import epoch_text
from stillopen.headquarters.changes import mark
from stillopen.headquarters.credentials import put_register_secret
from stillopen.realtime.tables import SCHEMA as REALTIME_SCHEMA
from stillopen.register import Register, RegisterSettings, open_register
from stillopen.replication.tables import REGISTER
from stillopen.rpc.identity import CallerKind
from stillopen.storage.engine import Row, Session
from stillopen.v1 import realtime_pb2

DURABLE = 2
"""`PRAGMA synchronous=FULL`."""


def names(count: int, first: int = 1) -> list[str]:
    """So many registers."""
    return [f"R{number:04d}" for number in range(first, first + count)]


async def check_flushes() -> None:
    """Opens a database as every place does, and reads back that each commit is flushed."""
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        engine = await Machine().open_engine(Path(name) / "realtime.db", REALTIME_SCHEMA)
        try:
            said = await engine.write(lambda session: session.one("PRAGMA synchronous"))
        finally:
            await engine.close()
    assert said == (DURABLE,)


@asynccontextmanager
async def estate_with(
    registers: Iterable[str], cards: Sequence[realtime_pb2.CardRow] = ()
) -> AsyncGenerator[Estate]:
    """Headquarters and a channel that know these registers, a small catalogue and these cards."""
    allow_connections()
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with Estate(Path(name), "EUR") as estate:
            await estate.start_headquarters()
            await import_master_data(estate, sample_products("EUR"), cards or sample_cards("EUR"))
            await estate.kill(HEADQUARTERS)
            path = estate.folder / HEADQUARTERS / "headquarters.db"
            await asyncio.to_thread(_know, path, list(registers))
            await estate.restart(HEADQUARTERS)
            await estate.start_channel()
            yield estate


def allow_connections() -> int:
    """Raises the limit of open files to the most that is allowed, here and in what is started."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def settings_of(register_id: str, folder: Path, channel: str) -> RegisterSettings:
    """How a register is opened that was put in so."""
    secret = callers.secret_of(CallerKind.REGISTER, register_id)
    return RegisterSettings(register_id, folder / register_id, channel, secret)


async def opened(register_id: str, folder: Path, channel: str) -> Register:
    """The register's own code, in this process, with the settings it ships with."""
    return await open_register(settings_of(register_id, folder, channel), check_password=_fits)


async def sign_in(register: Register) -> None:
    """Signs the cashier in; a register's first sign-in begins its stream."""
    await register.sign_in(STAFF_ID, PASSWORD)


async def acknowledged(register: Register, column: str, lane: Lane, sequence: int) -> None:
    """Waits until the register was told that a lane is there through an entry.

    `column` says where: through, or headquarters_through.
    """
    query = f"SELECT {column} FROM journal_lane WHERE epoch = ?"  # noqa: S608 - constants

    def there(session: Session) -> bool:
        [(through,)] = session.all(query, epoch_text(lane.epoch))
        return bool(through >= sequence)

    while True:
        version = register.journal.delivered.version
        if await register.journal.engine.read(there):
            return
        await register.journal.delivered.after(version)


def look(path: Path, query: str) -> Row:
    """One row of a database that somebody has open."""
    where = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(where, uri=True)) as database:  # noqa: TID251 - looks from outside
        found: Row = database.execute(query).fetchone()
        return found


def channel_database(estate: Estate) -> Path:
    """The channel's file of what it received."""
    return estate.folder / CHANNEL / "channel.db"


async def _fits(password: str, password_hash: str) -> bool:
    """Signing in is not what is measured."""
    return bool(password and password_hash)


def _know(path: Path, registers: list[str]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:  # noqa: TID251 - as said
        session = Session(database)
        session.run("BEGIN")
        for name in registers:
            session.run(
                "INSERT INTO register VALUES (?,?,?,1,'NEW',0,x'')", name, STORE, f"Register {name}"
            )
            mark(session, REGISTER, [name])
            put_register_secret(session, name, callers.secret_of(CallerKind.REGISTER, name))
        session.run("COMMIT")
