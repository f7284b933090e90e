"""A headquarters that knows its stores, registers and people from the beginning.

Activation itself has tests of its own; the others begin where it ended.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.callers import HEADQUARTERS, secret_of

from stillopen.cli.begin import begin_headquarters
from stillopen.cli.machine import Machine
from stillopen.core.permissions import ADMINISTRATOR
from stillopen.core.products import StaffMember
from stillopen.headquarters.changes import mark
from stillopen.headquarters.credentials import put_channel_secret, put_register_secret
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.tables import REGISTER, STAFF_MEMBER, STORE
from stillopen.rpc.identity import CallerKind, digest_of
from stillopen.storage.engine import Session

Stores = Mapping[str, Iterable[str]]
"""The registers of each store."""
PEOPLE = ("test", "office", "stillopen", "boss")
"""Administrators who are signed in for ever."""
NO_HASH = f"scrypt$16384$8$1${'A' * 22}==${'A' * 43}="
FOR_EVER_S = 1e11


async def enrol(
    data: Path, machine: Machine, stores: Stores, currency: str = "EUR", *, carries: bool = True
) -> None:
    """Begins a headquarters in `data` that knows these.

    Unless it `carries` what changes at once, it does when somebody runs its schedule.
    """
    first = StaffMember(PEOPLE[0], PEOPLE[0].title(), NO_HASH, ADMINISTRATOR.role_id)
    await begin_headquarters(data, currency, first, machine)
    (data / "house.key").write_bytes(bytes.fromhex(HEADQUARTERS.secret))
    engine = await machine.open_engine(data / "headquarters.db", SCHEMA)
    try:
        await engine.write(lambda session: _put(session, stores))
        if not carries:
            await engine.write(
                lambda session: session.run("UPDATE distribution_schedule SET paused = 1")
            )
    finally:
        await engine.close()


def _put(session: Session, stores: Stores) -> None:
    for name in PEOPLE:
        session.run(
            "INSERT OR REPLACE INTO staff VALUES (?,?,?,?,0)",
            name,
            name.title(),
            NO_HASH,
            ADMINISTRATOR.role_id,
        )
        mark(session, STAFF_MEMBER, [name])
        token = digest_of(secret_of(CallerKind.PERSON, name))
        session.run("INSERT OR REPLACE INTO person_session VALUES (?,?,?)", token, name, FOR_EVER_S)
    for store_id, registers in stores.items():
        session.run(
            "INSERT OR REPLACE INTO store VALUES (?,?,'Default','Default')", store_id, store_id
        )
        mark(session, STORE, [store_id])
        put_channel_secret(session, store_id, secret_of(CallerKind.CHANNEL, store_id), 0.0)
        for name in registers:
            session.run(
                "INSERT OR REPLACE INTO register VALUES (?,?,?,1,'NEW',0,x'')",
                name,
                store_id,
                name,
            )
            mark(session, REGISTER, [name])
            put_register_secret(session, name, secret_of(CallerKind.REGISTER, name))
