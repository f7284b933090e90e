"""How the parts are put together: headquarters, a channel, a register agent."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc.aio

from stillopen.channel import servicer as channel_data
from stillopen.channel.receipts import Receipts
from stillopen.channel.relay import RealtimeRelay
from stillopen.channel.suspended import SuspendedSales, went_on
from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.cli.machine import Listening, Machine, Place, read_key
from stillopen.core.ids import check_id
from stillopen.core.money import Money, check_money
from stillopen.core.products import StaffMember
from stillopen.headquarters import servicer as headquarters
from stillopen.headquarters.cards_elsewhere import CardsElsewhere
from stillopen.headquarters.master import SCHEMA as HEADQUARTERS_SCHEMA
from stillopen.headquarters.master import open_master
from stillopen.headquarters.processor import HEADQUARTERS, CardEffects
from stillopen.headquarters.retention import open_retention
from stillopen.headquarters.standing import LocalTerms, Standings
from stillopen.realtime import servicer as realtime
from stillopen.realtime.store import open_cards
from stillopen.realtime.tables import SCHEMA as REALTIME_SCHEMA
from stillopen.realtime.terms import RemoteTerms, Terms
from stillopen.register import RegisterSettings, agent, open_register
from stillopen.register.open import open_or_begin
from stillopen.replication.client import SyncClient
from stillopen.replication.inbox import open_inbox
from stillopen.replication.received import ReceivedSales
from stillopen.replication.replica import SCHEMA as REPLICA_SCHEMA
from stillopen.replication.replica import open_replica
from stillopen.replication.sign_in import authorise
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.storage.engine import Engine
from stillopen.storage.schema import Schema
from stillopen.sync import servicer as sync
from stillopen.v1 import (
    channel_data_pb2_grpc,
    headquarters_pb2_grpc,
    realtime_pb2_grpc,
    register_pb2_grpc,
    sync_pb2_grpc,
)


@dataclass(frozen=True, slots=True)
class HeadquartersSettings:
    """Headquarters: where its files are and where it listens."""

    data: Path
    listen: str
    currency: str = "EUR"
    """The currency of a headquarters that is begun; later it is a parameter."""
    realtime: str = ""
    """Where RealtimeService is when it is a process of its own; empty serves it here."""
    plaintext_beyond_loopback: bool = False


@dataclass(frozen=True, slots=True)
class RealtimeSettings:
    """RealtimeService as a process of its own."""

    data: Path
    listen: str
    headquarters: str
    plaintext_beyond_loopback: bool = False


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """A store's channel."""

    data: Path
    listen: str
    headquarters: str
    store_id: str
    plaintext_beyond_loopback: bool = False


async def start_headquarters(settings: HeadquartersSettings, machine: Machine) -> Place:
    """HeadquartersService, SyncService for channels, and RealtimeService, here or passed on."""
    check_money(Money(settings.currency, 0), "currency")
    beyond = settings.plaintext_beyond_loopback
    async with (
        _listening(machine, settings.listen, beyond=beyond) as listener,
        AsyncExitStack() as opened,
    ):
        engine = await _open(
            opened, machine, settings.data / "headquarters.db", HEADQUARTERS_SCHEMA
        )
        master = await open_master(engine, machine.rng, settings.currency)
        received = ReceivedSales(await open_inbox(engine, machine.clock, last=True))
        cards = _channel(opened, machine, settings.realtime or listener.address, beyond)
        stub = realtime_pb2_grpc.RealtimeServiceStub(cards)
        standings = Standings(received.inbox)
        people = headquarters.HeadquartersServicer(master, received, standings, stub)
        streams = sync.SyncServicer(
            received.inbox,
            master,
            lambda: master.profile.heartbeat_interval_s,
            CallerKind.CHANNEL,
        )
        retention = await open_retention(
            received.inbox, lambda: master.parameters.journal_retention_s, master.news
        )
        work: list[Callable[[], Awaitable[None]]] = [
            partial(received.work_off, CardEffects(stub)),
            retention.run,
        ]
        realtime_service: realtime_pb2_grpc.RealtimeServiceServicer = CardsElsewhere(stub)
        if not settings.realtime:
            terms = LocalTerms(master, standings)
            servicer = await _cards(opened, settings.data, machine, terms)
            work.append(servicer.keep_time)
            realtime_service = servicer
        await listener.start(
            [headquarters.SERVICE, sync.SERVICE, realtime.SERVICE],
            [
                partial(headquarters_pb2_grpc.add_HeadquartersServiceServicer_to_server, people),
                partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, streams),
                partial(realtime_pb2_grpc.add_RealtimeServiceServicer_to_server, realtime_service),
            ],
        )
        return Place(listener.address, tuple(work), _closing(listener, opened))


async def start_realtime(settings: RealtimeSettings, machine: Machine) -> Place:
    """RealtimeService alone; terms are asked of headquarters at each grant."""
    beyond = settings.plaintext_beyond_loopback
    async with (
        _listening(machine, settings.listen, beyond=beyond) as listener,
        AsyncExitStack() as opened,
    ):
        channel = _channel(opened, machine, settings.headquarters, beyond)
        stub = headquarters_pb2_grpc.HeadquartersServiceStub(channel)
        terms = RemoteTerms(stub, HEADQUARTERS)
        servicer = await _cards(opened, settings.data, machine, terms)
        await listener.start(
            [realtime.SERVICE],
            [partial(realtime_pb2_grpc.add_RealtimeServiceServicer_to_server, servicer)],
        )
        return Place(listener.address, (servicer.keep_time,), _closing(listener, opened))


async def start_channel(settings: ChannelSettings, machine: Machine) -> Place:
    """ChannelDataService, the relay of cards, SyncService for registers, and the stream up."""
    check_id(settings.store_id, "store")
    beyond = settings.plaintext_beyond_loopback
    async with (
        _listening(machine, settings.listen, beyond=beyond) as listener,
        AsyncExitStack() as opened,
    ):
        engine = await _open(opened, machine, settings.data / "channel.db", CHANNEL_SCHEMA)
        replica_engine = await open_or_begin(
            machine.open_engine,
            settings.data / "replica.db",
            REPLICA_SCHEMA,
            machine.warn,
            durable=False,
        )
        opened.push_async_callback(replica_engine.close)
        replica = await open_replica(replica_engine)
        received = ReceivedSales(await open_inbox(engine, machine.clock, last=False), went_on)
        upward = _channel(opened, machine, settings.headquarters, beyond)

        async def check(staff_id: str, password: str) -> StaffMember:
            return await authorise(replica, staff_id, password, machine.check_password)

        relay = RealtimeRelay(upward, check)
        caller = Caller(CallerKind.CHANNEL, settings.store_id)
        link = SyncClient(upward, caller, received.inbox, replica, machine.rng)
        people = headquarters_pb2_grpc.HeadquartersServiceStub(upward)
        data = channel_data.ChannelDataServicer(
            settings.store_id,
            replica,
            received,
            SuspendedSales(engine, machine.clock),
            Receipts(received, people, caller, lambda: relay.reachable),
            machine.check_password,
        )
        streams = sync.SyncServicer(
            received.inbox,
            replica,
            lambda: replica.profile.heartbeat_interval_s,
            CallerKind.REGISTER,
        )
        await listener.start(
            [channel_data.SERVICE, realtime.SERVICE, sync.SERVICE],
            [
                partial(channel_data_pb2_grpc.add_ChannelDataServiceServicer_to_server, data),
                partial(realtime_pb2_grpc.add_RealtimeServiceServicer_to_server, relay),
                partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, streams),
            ],
        )
        work = (link.run, relay.probe, received.work_off)
        return Place(listener.address, work, _closing(listener, opened))


async def start_register(settings: RegisterSettings, listen: str, machine: Machine) -> Place:
    """The register and its agent, always on loopback: the frontend runs on the same machine."""
    async with _listening(machine, listen, beyond=False) as listener:
        register = await open_register(
            settings,
            clock=machine.clock,
            rng=machine.rng,
            open_engine=machine.open_engine,
            channel=machine.open_channel(
                settings.channel, plaintext_beyond_loopback=settings.plaintext_beyond_loopback
            ),
            reserve=machine.reserve(settings.data / "reserve"),
            check_password=machine.check_password,
            warn=machine.warn,
        )
        await listener.start(
            [agent.SERVICE],
            [
                partial(
                    register_pb2_grpc.add_RegisterServiceServicer_to_server,
                    agent.RegisterAgent(register),
                )
            ],
        )

        async def close() -> None:
            await listener.stop()
            await register.close()

        return Place(listener.address, (), close)


@asynccontextmanager
async def _listening(machine: Machine, address: str, *, beyond: bool) -> AsyncGenerator[Listening]:
    """An address that is given back when the place cannot be put together."""
    listener = machine.listen(address, plaintext_beyond_loopback=beyond)
    try:
        yield listener
    except BaseException:
        await listener.stop()
        raise


def _closing(listener: Listening, opened: AsyncExitStack) -> Callable[[], Awaitable[None]]:
    """Stops serving first, then closes what was opened, the last first."""
    rest = opened.pop_all()

    async def close() -> None:
        await listener.stop()
        await rest.aclose()

    return close


def _channel(
    opened: AsyncExitStack,
    machine: Machine,
    address: str,
    beyond: bool,  # noqa: FBT001
) -> grpc.aio.Channel:
    channel = machine.open_channel(address, plaintext_beyond_loopback=beyond)
    opened.push_async_callback(channel.close)
    return channel


async def _open(opened: AsyncExitStack, machine: Machine, path: Path, schema: Schema) -> Engine:
    engine = await machine.open_engine(path, schema)
    opened.push_async_callback(engine.close)
    return engine


async def _cards(
    opened: AsyncExitStack, data: Path, machine: Machine, terms: Terms
) -> realtime.RealtimeServicer:
    engine = await _open(opened, machine, data / "realtime.db", REALTIME_SCHEMA)
    key = read_key(data / "realtime.key", machine.rng)
    return realtime.RealtimeServicer(await open_cards(engine, key, machine.clock), terms)
