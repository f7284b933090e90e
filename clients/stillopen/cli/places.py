"""How the parts are put together: headquarters, a channel, a register agent."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stillopen.channel import servicer as channel_data
from stillopen.channel.relay import RealtimeRelay
from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.cli.machine import Machine, Place, read_key
from stillopen.core.ids import check_id
from stillopen.headquarters import servicer as headquarters
from stillopen.headquarters.master import SCHEMA as HEADQUARTERS_SCHEMA
from stillopen.headquarters.master import open_master
from stillopen.headquarters.processor import HEADQUARTERS, CardEffects
from stillopen.realtime import servicer as realtime
from stillopen.realtime.store import open_cards
from stillopen.realtime.tables import SCHEMA as REALTIME_SCHEMA
from stillopen.realtime.terms import RemoteTerms, Terms
from stillopen.register import RegisterSettings, agent, open_register
from stillopen.replication.client import SyncClient
from stillopen.replication.inbox import open_inbox
from stillopen.replication.received import ReceivedSales
from stillopen.replication.replica import SCHEMA as REPLICA_SCHEMA
from stillopen.replication.replica import open_replica
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.storage.engine import Engine
from stillopen.sync import servicer as sync
from stillopen.v1 import (
    channel_data_pb2_grpc,
    headquarters_pb2_grpc,
    realtime_pb2_grpc,
    register_pb2_grpc,
    sync_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


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
    """HeadquartersService, SyncService for channels, and RealtimeService unless it is elsewhere."""
    beyond = settings.plaintext_beyond_loopback
    listener = machine.listen(settings.listen, plaintext_beyond_loopback=beyond)
    engine = await machine.open_engine(settings.data / "headquarters.db", HEADQUARTERS_SCHEMA)
    master = await open_master(engine, machine.rng, settings.currency)
    received = ReceivedSales(await open_inbox(engine, machine.clock, last=True))
    cards = machine.open_channel(
        settings.realtime or listener.address, plaintext_beyond_loopback=beyond
    )
    stub = realtime_pb2_grpc.RealtimeServiceStub(cards)
    people = headquarters.HeadquartersServicer(master, received, stub)
    streams = sync.SyncServicer(
        received.inbox,
        master,
        lambda: master.profile.heartbeat_interval_s,
        CallerKind.CHANNEL,
    )
    services = [headquarters.SERVICE, sync.SERVICE]
    registers = [
        partial(headquarters_pb2_grpc.add_HeadquartersServiceServicer_to_server, people),
        partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, streams),
    ]
    work: list[Callable[[], Awaitable[None]]] = [partial(received.work_off, CardEffects(stub))]
    engines = [engine]
    if not settings.realtime:
        terms = headquarters.LocalTerms(master, received)
        cards_servicer, cards_engine = await _cards(settings.data, machine, terms)
        engines.append(cards_engine)
        services.append(realtime.SERVICE)
        registers.append(
            partial(realtime_pb2_grpc.add_RealtimeServiceServicer_to_server, cards_servicer)
        )
        work.append(cards_servicer.keep_time)
    await listener.start(services, registers)

    async def close() -> None:
        await listener.stop()
        await cards.close()
        for each in engines:
            await each.close()

    return Place(listener.address, tuple(work), close)


async def start_realtime(settings: RealtimeSettings, machine: Machine) -> Place:
    """RealtimeService alone; terms are asked of headquarters at each grant."""
    beyond = settings.plaintext_beyond_loopback
    listener = machine.listen(settings.listen, plaintext_beyond_loopback=beyond)
    channel = machine.open_channel(settings.headquarters, plaintext_beyond_loopback=beyond)
    stub = headquarters_pb2_grpc.HeadquartersServiceStub(channel)
    servicer, engine = await _cards(settings.data, machine, RemoteTerms(stub, HEADQUARTERS))
    await listener.start(
        [realtime.SERVICE],
        [partial(realtime_pb2_grpc.add_RealtimeServiceServicer_to_server, servicer)],
    )

    async def close() -> None:
        await listener.stop()
        await channel.close()
        await engine.close()

    return Place(listener.address, (servicer.keep_time,), close)


async def _cards(
    data: Path, machine: Machine, terms: Terms
) -> tuple[realtime.RealtimeServicer, Engine]:
    engine = await machine.open_engine(data / "realtime.db", REALTIME_SCHEMA)
    key = read_key(data / "realtime.key", machine.rng)
    store = await open_cards(engine, key, machine.clock)
    return realtime.RealtimeServicer(store, terms), engine


async def start_channel(settings: ChannelSettings, machine: Machine) -> Place:
    """ChannelDataService, the relay of cards, SyncService for registers, and the stream up."""
    check_id(settings.store_id, "store")
    beyond = settings.plaintext_beyond_loopback
    listener = machine.listen(settings.listen, plaintext_beyond_loopback=beyond)
    engine = await machine.open_engine(settings.data / "channel.db", CHANNEL_SCHEMA)
    replica_engine = await machine.open_engine(
        settings.data / "replica.db", REPLICA_SCHEMA, durable=False
    )
    replica = await open_replica(replica_engine)
    received = ReceivedSales(await open_inbox(engine, machine.clock, last=False))
    upward = machine.open_channel(settings.headquarters, plaintext_beyond_loopback=beyond)
    relay = RealtimeRelay(upward)
    caller = Caller(CallerKind.CHANNEL, settings.store_id)
    link = SyncClient(upward, caller, received.inbox, replica, machine.rng)
    data = channel_data.ChannelDataServicer(
        settings.store_id, replica, received, machine.check_password
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

    async def close() -> None:
        await listener.stop()
        await upward.close()
        await replica_engine.close()
        await engine.close()

    return Place(listener.address, (link.run, relay.probe, received.work_off), close)


async def start_register(settings: RegisterSettings, listen: str, machine: Machine) -> Place:
    """The register and its agent, always on loopback: the frontend runs on the same machine."""
    listener = machine.listen(listen)
    register = await open_register(
        settings,
        clock=machine.clock,
        rng=machine.rng,
        open_engine=machine.open_engine,
        channel=machine.open_channel(
            settings.channel, plaintext_beyond_loopback=settings.plaintext_beyond_loopback
        ),
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
