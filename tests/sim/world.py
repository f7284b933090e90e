"""The estate: headquarters, channels and registers as they ship, on simulated machines.

Places are put together by `stillopen.cli.places`; only their machines are simulated. People reach
them over the same network, from machines of their own.
"""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.sim.channel import Network
from tests.sim.clock import SimClock
from tests.sim.history import Card
from tests.sim.process import PASSWORD, Process, Start, note_tasks
from tests.support import callers
from tests.support.enrolment import enrol

from stillopen.cli.machine import Machine, Place
from stillopen.cli.places import (
    ChannelSettings,
    HeadquartersSettings,
    start_channel,
    start_headquarters,
    start_register,
)
from stillopen.core.parameters import CardParameters, OfflineProfile, Parameters
from stillopen.register import RegisterSettings
from stillopen.rpc.status import call, send_all
from stillopen.rpc.wire import profile_to
from stillopen.rpc.wire_parameters import parameters_to
from stillopen.v1 import (
    channel_data_pb2,
    channel_data_pb2_grpc,
    headquarters_pb2,
    headquarters_pb2_grpc,
    realtime_pb2,
    realtime_pb2_grpc,
    register_pb2,
    register_pb2_grpc,
    types_pb2,
)

CURRENCY = "EUR"
HQ, HQ_ADDRESS = "HQ", "headquarters:1"
OFFICE = callers.person("office")
STAFF = "anna"
MANAGER = "maria"
TIMEOUT_S = 10.0
READY_S = 60.0
TILLS_KNOWN = 9
"""How many registers headquarters knows in each store, whether they are there or not."""
_HASH = f"scrypt$16384$8$1${'A' * 22}==${'A' * 43}="


@dataclass(frozen=True, slots=True)
class Plan:
    """What an estate is made of."""

    tills: tuple[int, ...] = (2,)
    """How many registers each store has."""
    cards: tuple[Card, ...] = ()
    products: int = 6
    gift_card: CardParameters = field(default_factory=CardParameters)
    profile: OfflineProfile = field(default_factory=OfflineProfile)
    disk_latency_s: tuple[float, float] = (0.0, 0.0)
    wall_wrong_s: float = 0.0
    """By how much a machine's wall clock may be wrong at the start."""


class Estate:
    """All places, and the network between them."""

    def __init__(self, plan: Plan, folder: Path, seed: str) -> None:
        note_tasks()
        self.plan = plan
        self.folder = folder
        self.seed = seed
        self.network = Network(self.rng("network"))
        self.store_of: dict[str, str] = {}
        self.register_ids: dict[str, str] = {}
        """By process: the register that it runs as."""
        self.processes: dict[str, Process] = {}
        self._add(HQ, HQ_ADDRESS, self._headquarters())
        for number, tills in enumerate(plan.tills, 1):
            store = f"S{number}"
            self._add(store, store_address(store), self._channel(store))
            for till in range(1, tills + 1):
                register = f"R{number}-{till}"
                self.store_of[register], self.register_ids[register] = store, register
                self._add(register, till_address(register), self._register(register, store))
        self.headquarters = headquarters_pb2_grpc.HeadquartersServiceStub(
            self.network.channel("office", HQ_ADDRESS)
        )
        self.cards = realtime_pb2_grpc.RealtimeServiceStub(
            self.network.channel("office", HQ_ADDRESS)
        )

    @property
    def registers(self) -> list[str]:
        """The names of all registers."""
        return list(self.store_of)

    @property
    def stores(self) -> list[str]:
        """The names of all channels."""
        return list(dict.fromkeys(self.store_of.values()))

    @property
    def links(self) -> list[tuple[str, str]]:
        """The links that may be cut: register to channel, channel to headquarters."""
        tills = [(register, store_address(store)) for register, store in self.store_of.items()]
        return [*tills, *((store, HQ_ADDRESS) for store in self.stores)]

    def rng(self, name: str) -> random.Random:
        """Randomness of its own for everything, so that one draw more does not change all."""
        return random.Random(f"{self.seed}/{name}")  # noqa: S311 - repeatable

    def register(self, name: str) -> register_pb2_grpc.RegisterServiceStub:
        """A frontend's stub."""
        channel = self.network.channel(f"frontend-{name}", till_address(name))
        return register_pb2_grpc.RegisterServiceStub(channel)

    async def open(self) -> None:
        """Starts every place, brings master data and cards, and waits until all can sell.

        A folder may hold the disks of a prepared estate of the same shape (prepared.py).
        """
        is_prepared = (self.folder / HQ).exists()
        for process in self.processes.values():
            if is_prepared:
                process.clock.reboot()
            if not await process.start():
                raise RuntimeError(f"{process.name} did not start") from process.failure
        if not is_prepared:
            await self._provision()
        await self._set_up()
        async with asyncio.timeout(READY_S):
            for register, store in self.store_of.items():
                await self._until_shown(store, register)
                await self._until_ready(self.register(register))

    def add_register(self, name: str, store: str, register_id: str = "") -> None:
        """A register on the folder of that name: one more, one that moved, or another's twin."""
        self.store_of[name], self.register_ids[name] = store, register_id or name
        settings = RegisterSettings(
            register_id or name,
            self.folder / name,
            store_address(store),
            callers.register(register_id or name).secret,
        )
        start = partial(start_register, settings, till_address(name))
        self._add(name, till_address(name), start, self.rng(f"{name} at {store}"))

    def remove_register(self, name: str) -> None:
        """Takes a machine away, with its disk."""
        self.processes.pop(name).crash()
        del self.store_of[name], self.register_ids[name]
        shutil.rmtree(self.folder / name, ignore_errors=True)

    async def ready(self, register: str) -> None:
        """Waits until a register can sell."""
        async with asyncio.timeout(READY_S):
            await self._until_ready(self.register(register))

    async def set_gift_card(self, gift_card: CardParameters) -> None:
        """Changes the parameters, of memos alike, as a person at headquarters."""
        request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
        seen = (await call(self.headquarters.GetParameters, request, OFFICE, TIMEOUT_S)).parameters
        wanted = parameters_to(Parameters(seen.version, CURRENCY, gift_card, gift_card))
        update = headquarters_pb2.UpdateParametersRequest(parameters=wanted)
        await call(self.headquarters.UpdateParameters, update, OFFICE, TIMEOUT_S)

    async def set_prices(self, factor: int, numbers: Iterable[int] | None = None) -> None:
        """Gives some products another price, or all of them."""
        numbers = range(self.plan.products) if numbers is None else numbers
        rows = [product(number, factor) for number in numbers]

        async def requests() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
            yield headquarters_pb2.ImportProductsRequest(rows=rows)

        await send_all(self.headquarters.ImportProducts, requests(), OFFICE, TIMEOUT_S)

    async def set_profile(self, profile: OfflineProfile) -> None:
        """Changes when registers go offline and come back."""
        message = profile_to(profile)
        request = headquarters_pb2.UpdateOfflineProfileRequest(offline_profile=message)
        await call(self.headquarters.UpdateOfflineProfile, request, OFFICE, TIMEOUT_S)

    async def heal(self) -> None:
        """Everything that can be mended without a person is."""
        faults = self.network.faults
        faults.drop_request = faults.drop_response = faults.duplicate = faults.break_stream = 0.0
        faults.delay_s = (0.0, 0.0)
        self.network.heal_all()
        for process in self.processes.values():
            process.spare()
            process.drive.heal()
            self.network.resume(process.address)
            if not await process.settled():
                await process.start()

    async def close(self) -> None:
        """Ends every place."""
        for process in self.processes.values():
            process.crash()
        await asyncio.sleep(0)

    async def _provision(self) -> None:
        async def staff() -> AsyncIterator[headquarters_pb2.ImportStaffRequest]:
            rows = [
                types_pb2.StaffMember(staff_id=STAFF, name="Anna", password_hash=_HASH),
                types_pb2.StaffMember(
                    staff_id=MANAGER, name="Maria", password_hash=_HASH, role_id="manager"
                ),
            ]
            yield headquarters_pb2.ImportStaffRequest(rows=rows)

        await send_all(self.headquarters.ImportStaff, staff(), OFFICE, TIMEOUT_S)
        await self.set_prices(1)

    async def _set_up(self) -> None:
        async def cards() -> AsyncIterator[headquarters_pb2.HeadquartersServiceImportCardsRequest]:
            rows = [
                realtime_pb2.CardRow(number=card.number, balance=money(card.opening_minor))
                for card in self.plan.cards
            ]
            yield headquarters_pb2.HeadquartersServiceImportCardsRequest(import_id="all", rows=rows)

        await send_all(self.headquarters.ImportCards, cards(), OFFICE, TIMEOUT_S)
        await self.set_profile(self.plan.profile)
        await self.set_gift_card(self.plan.gift_card)  # last: who shows them shows everything

    async def _until_shown(self, store: str, register: str) -> None:
        version = (await self.parameters()).version
        network = self.network.channel("office", store_address(store))
        stub = channel_data_pb2_grpc.ChannelDataServiceStub(network)
        request = channel_data_pb2.GetParametersRequest()
        asker = callers.register(register)
        shown = 0
        while shown != version:
            await asyncio.sleep(0.1)
            shown = (await call(stub.GetParameters, request, asker, TIMEOUT_S)).parameters.version

    async def _until_ready(self, stub: register_pb2_grpc.RegisterServiceStub) -> None:
        version = (await self.parameters()).version
        sign_in = register_pb2.RegisterServiceSignInRequest(staff_id=STAFF, password=PASSWORD)
        await call(stub.SignIn, sign_in, OFFICE, TIMEOUT_S)  # delivery begins with it
        while True:
            request = register_pb2.GetStatusRequest()
            status = (await call(stub.GetStatus, request, OFFICE, TIMEOUT_S)).status
            current = status.offline_ready and status.parameters_version == version
            if current and status.lane_announced and status.store_id:
                return
            await asyncio.sleep(0.1)

    async def parameters(self) -> types_pb2.Parameters:
        """The parameters in force."""
        request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
        answer = await call(self.headquarters.GetParameters, request, OFFICE, TIMEOUT_S)
        return answer.parameters

    def _add(self, name: str, address: str, start: Start, rng: random.Random | None = None) -> None:
        rng = rng or self.rng(name)
        wrong_s = rng.uniform(-1, 1) * self.plan.wall_wrong_s
        clock = SimClock(name, wall_offset_s=wrong_s, drift=1 + rng.uniform(-1, 1) / 10_000)
        self.processes[name] = Process(
            self.network, name, address, start, clock, rng, self.plan.disk_latency_s
        )

    def _headquarters(self) -> Start:
        settings = HeadquartersSettings(self.folder / HQ, HQ_ADDRESS)
        stores = {
            f"S{number}": [f"R{number}-{till}" for till in range(1, TILLS_KNOWN + 1)]
            for number in range(1, len(self.plan.tills) + 1)
        }

        async def start(machine: Machine) -> Place:
            if not (settings.data / "headquarters.db").exists():
                await enrol(settings.data, machine, stores, CURRENCY)
            return await start_headquarters(settings, machine)

        return start

    def _channel(self, store: str) -> Start:
        settings = ChannelSettings(
            self.folder / store,
            store_address(store),
            HQ_ADDRESS,
            store,
            callers.channel(store).secret,
        )
        return partial(start_channel, settings)

    def _register(self, register: str, store: str) -> Start:
        settings = RegisterSettings(
            register,
            self.folder / register,
            store_address(store),
            callers.register(register).secret,
        )
        return partial(start_register, settings, till_address(register))


def store_address(store: str) -> str:
    """Where a channel listens."""
    return f"{store.lower()}:1"


def till_address(register: str) -> str:
    """Where a register's agent listens."""
    return f"{register.lower()}:1"


def money(minor: int) -> types_pb2.Money:
    """An amount."""
    return types_pb2.Money(currency_code=CURRENCY, minor_units=minor)


def product(number: int, factor: int = 1) -> types_pb2.Product:
    """A product, with a price that says in which catalogue it stood."""
    return types_pb2.Product(
        product_id=f"P{number}",
        name=f"Product {number}",
        price=money(100 * (number + 1) + factor),
        barcodes=[f"40000{number}"],
    )
