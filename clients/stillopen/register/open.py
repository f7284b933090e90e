"""Opening a register: its two databases, its channel, its parts."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

from stillopen.core.errors import Misuse, Reason
from stillopen.core.ids import check_id
from stillopen.core.ports import Clock
from stillopen.register.failover import Failover
from stillopen.register.journal import open_journal
from stillopen.register.mode_log import open_mode_log
from stillopen.register.online import Online
from stillopen.register.people import was_signed_in
from stillopen.register.register import Register
from stillopen.register.tables import SCHEMA
from stillopen.register.upkeep import NO_OFFLINE
from stillopen.replication.client import SyncClient
from stillopen.replication.replica import open_replica
from stillopen.replication.reports import Report
from stillopen.replication.sign_in import PasswordCheck, check_off_loop
from stillopen.rpc.channel import open_channel
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.machine import SystemClock, system_random
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.storage.engine import Engine, OpenEngine
from stillopen.storage.files import set_aside
from stillopen.storage.identity_file import read_identity
from stillopen.storage.off_loop import OffLoop, on_thread
from stillopen.storage.reserve import FileReserve, Reserve, ReservedEngine
from stillopen.storage.schema import Schema
from stillopen.storage.shelf import Shelf
from stillopen.storage.sqlite import open_sqlite


@dataclass(frozen=True, slots=True)
class RegisterSettings:
    """Which register, where its files are, and where its channel is."""

    register_id: str
    data: Path
    """Holds journal.db (never to be lost) and offline.db (made again from the channel)."""
    channel: str
    """host:port of the store's channel."""
    secret: str = field(default="", repr=False)
    """What headquarters gave out for it; empty reads what `stillopen register install` kept."""
    security: Security = PLAINTEXT


def _nothing(_: str) -> None:
    pass


async def open_register(
    settings: RegisterSettings,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    open_engine: OpenEngine = open_sqlite,
    off_loop: OffLoop = on_thread,
    channel: grpc.aio.Channel | None = None,
    reserve: Reserve | None = None,
    check_password: PasswordCheck = check_off_loop,
    warn: Callable[[str], None] = _nothing,
) -> Register:
    """Opens the register and begins delivery.

    Misuse REGISTER_IN_USE when another process has it. A damaged journal.db is set aside, never
    deleted, and a damaged offline.db too; `warn` is told, and the register goes on with new ones.
    """
    check_id(settings.register_id, "register_id")
    clock = clock or SystemClock()
    rng = rng or system_random()
    room = reserve or FileReserve(settings.data / "reserve")
    room.hold()
    engine = ReservedEngine(
        await open_or_begin(open_engine, settings.data / "journal.db", SCHEMA, warn, durable=True),
        room,
    )
    shelf = Shelf(settings.data / "packages", off_loop)
    try:
        await shelf.keep_only(())  # what an earlier process did not come to apply
        journal = await open_journal(engine, settings.register_id, clock, rng)
        replica = await open_replica(
            settings.data / "offline.db",
            shelf,
            open_engine,
            await journal.get("store_id"),
            settings.register_id,
            warn=warn,
        )
    except BaseException:
        await engine.close()
        raise
    caller = Caller(CallerKind.REGISTER, settings.register_id, _secret(settings))
    link_channel = channel or open_channel(settings.channel, settings.security)

    async def standing() -> list[Report]:
        return [await register.report()]

    link = SyncClient(
        link_channel,
        caller,
        journal,
        replica,
        standing,
        rng,
        journal.lane.epoch,
        lambda: replica.profile.transaction_upload_interval_s,
        lambda: replica.profile.upload_bytes_per_s_max,
    )
    failover = Failover(
        link_channel,
        link,
        lambda: replica.profile,
        clock,
        rng,
        await open_mode_log(engine),
        manual=bool(await journal.get("manual_offline")),
        begun=bool(replica.at.generation) or await was_signed_in(journal),
    )

    failover.offline_supported = not await journal.get(NO_OFFLINE)

    async def close() -> None:
        await link_channel.close()
        await replica.close()
        await engine.close()

    register = Register(
        journal=journal,
        replica=replica,
        online=Online(link_channel, caller),
        failover=failover,
        link=link,
        clock=clock,
        rng=rng,
        check_password=check_password,
        close=close,
        reserve=room,
        store_id=await journal.get("store_id"),
    )
    await register.start()
    return register


def _secret(settings: RegisterSettings) -> str:
    installed = None if settings.secret else read_identity(settings.data, CallerKind.REGISTER)
    if installed is None:
        return settings.secret
    if installed.name != settings.register_id:
        raise Misuse(Reason.NOT_INSTALLED, f"{settings.data} belongs to register {installed.name}")
    return installed.secret


async def open_or_begin(
    open_engine: OpenEngine,
    path: Path,
    schema: Schema,
    warn: Callable[[str], None],
    *,
    durable: bool,
) -> Engine:
    """Opens a database; one that cannot be read is set aside, and a new one begun."""
    try:
        return await open_engine(path, schema, durable=durable)
    except Misuse as error:
        if error.reason is not Reason.DATABASE_DAMAGED:
            raise
        kept = set_aside(path)
        warn(f"{path} cannot be read and was set aside as {kept}; beginning a new one")
        return await open_engine(path, schema, durable=durable)
