"""How the parts are put together: headquarters, a channel, a register agent."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc.aio

from stillopen.channel import credentials as channel_credentials
from stillopen.channel import servicer as channel_data
from stillopen.channel.activation import Activation
from stillopen.channel.lines import Lines, open_lines
from stillopen.channel.receipts import Receipts
from stillopen.channel.relay import RealtimeRelay
from stillopen.channel.suspended import SuspendedSales, went_on
from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.cli.machine import Listening, Machine, Place, read_key
from stillopen.core.ids import check_id
from stillopen.core.permissions import Permission
from stillopen.core.products import StaffMember
from stillopen.headquarters import servicer as headquarters
from stillopen.headquarters.activation import Activations
from stillopen.headquarters.calls_distribution import run_jobs
from stillopen.headquarters.cards_elsewhere import CardsElsewhere
from stillopen.headquarters.catalogue import Catalogue
from stillopen.headquarters.credentials import open_credentials
from stillopen.headquarters.distribution import open_distribution
from stillopen.headquarters.distribution_times import Timetable
from stillopen.headquarters.office import Office
from stillopen.headquarters.parameters import open_parameters
from stillopen.headquarters.periods import Periods, note_late
from stillopen.headquarters.processor import CardEffects
from stillopen.headquarters.profiles import open_profiles
from stillopen.headquarters.reception import Reception
from stillopen.headquarters.retention import open_retention
from stillopen.headquarters.standing import LocalTerms, Standings
from stillopen.headquarters.tables import SCHEMA as HEADQUARTERS_SCHEMA
from stillopen.realtime import servicer as realtime
from stillopen.realtime.store import open_cards
from stillopen.realtime.tables import SCHEMA as REALTIME_SCHEMA
from stillopen.realtime.terms import RemoteTerms, Terms
from stillopen.register import RegisterSettings, agent, open_register
from stillopen.replication.client import SyncClient
from stillopen.replication.inbox import open_inbox
from stillopen.replication.news import News
from stillopen.replication.received import ReceivedSales
from stillopen.replication.replica import open_replica
from stillopen.replication.reports import open_reports
from stillopen.replication.sign_in import SignIns
from stillopen.replication.sign_in_failures import SignInFailures
from stillopen.rpc.identity import Caller, CallerKind, Gate, House
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.storage.beside import Beside
from stillopen.storage.engine import Engine
from stillopen.storage.schema import Schema
from stillopen.storage.shelf import Shelf
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
    realtime: str = ""
    """Where RealtimeService is when it is a process of its own; empty serves it here."""
    security: Security = PLAINTEXT


@dataclass(frozen=True, slots=True)
class RealtimeSettings:
    """RealtimeService as a process of its own."""

    data: Path
    listen: str
    headquarters: str
    house_key: Path
    """The file house.key of headquarters: by it the two know each other."""
    security: Security = PLAINTEXT


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """A store's channel."""

    data: Path
    listen: str
    headquarters: str
    store_id: str
    secret: str = field(repr=False)
    """What headquarters gave out when it was installed."""
    security: Security = PLAINTEXT


async def start_headquarters(settings: HeadquartersSettings, machine: Machine) -> Place:
    """HeadquartersService, SyncService for channels, and RealtimeService, here or passed on."""
    async with (
        _listening(machine, settings.listen, settings.security) as listener,
        AsyncExitStack() as opened,
    ):
        engine = await _open(
            opened, machine, settings.data / "headquarters.db", HEADQUARTERS_SCHEMA
        )
        inbox = await open_inbox(engine, machine.clock, last=True)
        received = ReceivedSales(inbox, arriving=note_late)
        house = _house(settings.data / "house.key", machine)
        credentials = await open_credentials(engine, machine.clock, house.secret)
        gate = Gate(credentials)
        await credentials.check_begun(settings.data)
        changed = News()
        posting = await open_parameters(engine, changed)
        profiles = await open_profiles(engine, changed)
        inner = _inner(opened, settings, machine)
        cards = settings.realtime or (inner or listener).address
        security = settings.security if settings.realtime else PLAINTEXT
        stub = realtime_pb2_grpc.RealtimeServiceStub(_channel(opened, machine, cards, security))
        standings = Standings(received.inbox)
        distribution = await open_distribution(
            engine,
            settings.data / "headquarters.db",
            Shelf(settings.data / "packages", machine.off_loop),
            machine.clock,
            machine.rng,
            changed,
        )
        streams = sync.SyncServicer(
            received.inbox,
            distribution,
            await open_reports(
                engine, machine.clock, first=False, stand=distribution.registers_stand
            ),
            lambda: profiles.default.heartbeat_interval_s,
            gate,
            CallerKind.CHANNEL,
        )
        people = headquarters.HeadquartersServicer(
            Office(
                engine,
                changed,
                posting,
                profiles,
                received,
                Periods(inbox, lambda: posting.current.currency),
                standings,
                stub,
                gate,
                house,
                credentials,
                Activations(engine, credentials, changed, machine.rng),
                Catalogue(engine, changed, credentials.reload_people),
                partial(run_jobs, distribution),
                distribution,
                Reception(engine, machine.clock, machine.rng, machine.check_password, credentials),
                Beside(settings.data / "headquarters.db", machine.off_loop),
                streams.ask,
            )
        )
        retention = await open_retention(
            received.inbox, lambda: posting.current.journal_retention_s, changed
        )
        work: list[Callable[[], Awaitable[None]]] = [
            partial(received.work_off, CardEffects(stub, house)),
            retention.run,
            Timetable(distribution).run,
        ]
        realtime_service: realtime_pb2_grpc.RealtimeServiceServicer = CardsElsewhere(
            stub, gate, house
        )
        if not settings.realtime:
            terms = LocalTerms(posting, standings)
            servicer = await _cards(opened, settings.data, machine, terms, gate)
            work.append(servicer.keep_time)
            realtime_service = servicer
        serve_cards = partial(
            realtime_pb2_grpc.add_RealtimeServiceServicer_to_server, realtime_service
        )
        if inner is not None:
            await inner.start([realtime.SERVICE], [serve_cards])
        await listener.start(
            [headquarters.SERVICE, sync.SERVICE, realtime.SERVICE],
            [
                partial(headquarters_pb2_grpc.add_HeadquartersServiceServicer_to_server, people),
                partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, streams),
                serve_cards,
            ],
        )
        return Place(listener.address, tuple(work), _closing(listener, opened))


async def start_realtime(settings: RealtimeSettings, machine: Machine) -> Place:
    """RealtimeService alone; terms are asked of headquarters at each grant."""
    async with (
        _listening(machine, settings.listen, settings.security) as listener,
        AsyncExitStack() as opened,
    ):
        channel = _channel(opened, machine, settings.headquarters, settings.security)
        stub = headquarters_pb2_grpc.HeadquartersServiceStub(channel)
        house = _house(settings.house_key, machine)
        gate = Gate(House(house.secret))
        terms = RemoteTerms(stub, house)
        servicer = await _cards(opened, settings.data, machine, terms, gate)
        await listener.start(
            [realtime.SERVICE],
            [partial(realtime_pb2_grpc.add_RealtimeServiceServicer_to_server, servicer)],
        )
        return Place(listener.address, (servicer.keep_time,), _closing(listener, opened))


async def start_channel(settings: ChannelSettings, machine: Machine) -> Place:
    """ChannelDataService, the relay of cards, SyncService for registers, and the stream up."""
    check_id(settings.store_id, "store")
    async with (
        _listening(machine, settings.listen, settings.security) as listener,
        AsyncExitStack() as opened,
    ):
        engine, lines = await open_channel_data(opened, machine, settings.data, settings.store_id)
        replica = lines.replica
        received = ReceivedSales(await open_inbox(engine, machine.clock, last=False), went_on)
        upward = _channel(opened, machine, settings.headquarters, settings.security)

        failures = SignInFailures(engine, machine.clock)
        sign_ins = SignIns(replica.staff, failures, machine.check_password)

        async def check(staff_id: str, password: str) -> StaffMember:
            return await sign_ins.authorise(staff_id, password, Permission.UNLOCK_CARD)

        caller = Caller(CallerKind.CHANNEL, settings.store_id, settings.secret)
        learned = await channel_credentials.open_credentials(engine, replica)
        gate = Gate(learned)
        relay = RealtimeRelay(upward, check, gate, caller)
        reports = await open_reports(engine, machine.clock, first=True)
        link = SyncClient(
            upward,
            caller,
            received.inbox,
            lines,
            reports.standing,
            machine.rng,
            upload_bytes_per_s=lambda: replica.profile.upload_bytes_per_s_max,
        )
        people = headquarters_pb2_grpc.HeadquartersServiceStub(upward)
        data = channel_data.ChannelDataServicer(
            settings.store_id,
            replica,
            received,
            SuspendedSales(engine, machine.clock),
            Receipts(received, people, caller, lambda: relay.reachable),
            sign_ins,
            gate,
            Activation(people, caller, learned, lambda: relay.reachable),
        )
        streams = sync.SyncServicer(
            received.inbox,
            lines,
            reports,
            lambda: replica.profile.heartbeat_interval_s,
            gate,
            CallerKind.REGISTER,
            batch_entries=lambda: replica.profile.upload_transaction_size,
        )
        lines.ask = streams.ask
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


async def open_channel_data(
    opened: AsyncExitStack, machine: Machine, data: Path, store_id: str
) -> tuple[Engine, Lines]:
    """A channel's database, its replica and what it gives on; a package by hand comes here too."""
    engine = await _open(opened, machine, data / "channel.db", CHANNEL_SCHEMA)
    replica = await open_replica(
        data / "replica.db",
        Shelf(data / "packages", machine.off_loop),
        machine.open_engine,
        store_id,
        whole_group=True,
        warn=machine.warn,
    )
    opened.push_async_callback(replica.close)
    lines = await open_lines(replica, engine, machine.open_engine, data, machine.warn)
    opened.push_async_callback(lines.close)
    return engine, lines


async def start_register(settings: RegisterSettings, listen: str, machine: Machine) -> Place:
    """The register and its agent, always on loopback: the frontend runs on the same machine."""
    async with _listening(machine, listen, PLAINTEXT) as listener:
        register = await open_register(
            settings,
            clock=machine.clock,
            rng=machine.rng,
            open_engine=machine.open_engine,
            channel=machine.open_channel(settings.channel, settings.security),
            off_loop=machine.off_loop,
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
async def _listening(
    machine: Machine, address: str, security: Security
) -> AsyncGenerator[Listening]:
    """An address that is given back when the place cannot be put together."""
    listener = machine.listen(address, security)
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


def _inner(
    opened: AsyncExitStack, settings: HeadquartersSettings, machine: Machine
) -> Listening | None:
    """Where headquarters reaches its own cards when its door asks for certificates: loopback."""
    if settings.realtime or not settings.security.serves_with_tls:
        return None
    inner = machine.listen("127.0.0.1:0", PLAINTEXT)
    opened.push_async_callback(inner.stop)
    return inner


def _house(path: Path, machine: Machine) -> Caller:
    """Headquarters as its own parts know it."""
    secret = read_key(path, machine.rng).hex()
    return Caller(CallerKind.HEADQUARTERS, "headquarters", secret)


def _channel(
    opened: AsyncExitStack, machine: Machine, address: str, security: Security
) -> grpc.aio.Channel:
    channel = machine.open_channel(address, security)
    opened.push_async_callback(channel.close)
    return channel


async def _open(opened: AsyncExitStack, machine: Machine, path: Path, schema: Schema) -> Engine:
    engine = await machine.open_engine(path, schema)
    opened.push_async_callback(engine.close)
    return engine


async def _cards(
    opened: AsyncExitStack, data: Path, machine: Machine, terms: Terms, gate: Gate
) -> realtime.RealtimeServicer:
    engine = await _open(opened, machine, data / "realtime.db", REALTIME_SCHEMA)
    key = read_key(data / "realtime.key", machine.rng)
    return realtime.RealtimeServicer(await open_cards(engine, key, machine.clock), terms, gate)
