"""The estate in one process: headquarters, a channel and registers on real gRPC, on loopback.

    async with Estate(tmp_path) as estate:
        till = await estate.till("R1")
        sale = await till.sold()
        await estate.until_home(till)

Nothing sleeps: whoever needs a state waits for it, within a generous limit.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol, Self

import grpc.aio
import pytest
from tests.support import callers
from tests.support.enrolment import enrol
from tests.support.estate_parts import (
    CARDS,
    CURRENCY,
    FAST,
    ME,
    PATIENCE_S,
    PRODUCTS,
    RESERVE_BYTES,
    STAFF,
    STORE,
    STORES,
    MovedClock,
    Running,
    fits,
    one,
    until,
)
from tests.support.estate_till import Till

from stillopen.cli.headquarters import Headquarters
from stillopen.cli.machine import Machine
from stillopen.cli.places import (
    ChannelSettings,
    HeadquartersSettings,
    start_channel,
    start_headquarters,
    start_register,
)
from stillopen.core.errors import Reason, StillopenError
from stillopen.core.parameters import OfflineProfile
from stillopen.register import RegisterSettings
from stillopen.replication.sign_in import PasswordCheck
from stillopen.rpc.channel import open_channel
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.storage.reserve import FileReserve
from stillopen.v1 import (
    channel_data_pb2_grpc,
    headquarters_pb2,
    headquarters_pb2_grpc,
    realtime_pb2,
    realtime_pb2_grpc,
    sync_pb2_grpc,
    types_pb2,
)

TIMEOUT_S = 10.0
Picture = dict[str, object]


class Place(Protocol):
    """What an estate needs of a place, wherever it runs."""

    @property
    def address(self) -> str:
        """Where it listens."""
        ...

    @property
    def running(self) -> bool:
        """Whether it runs."""
        ...

    async def start(self) -> None:
        """Starts it."""
        ...

    async def stop(self) -> None:
        """Stops it."""
        ...


class Estate:
    """One headquarters, one channel, and the registers that are asked for."""

    def __init__(
        self,
        folder: Path,
        profile: OfflineProfile = FAST,
        check_password: PasswordCheck = fits,
        staff: tuple[types_pb2.StaffMember, ...] = STAFF,
        security: Security = PLAINTEXT,
    ) -> None:
        self.folder = folder
        self.security = security
        self.clock = MovedClock()
        self.warnings: list[str] = []
        self.machine = Machine(
            clock=self.clock,
            check_password=check_password,
            reserve=self.reserve_of,
            warn=self.warnings.append,
        )
        self.profile = profile
        self.reserves: dict[str, FileReserve] = {}
        """The room that each register keeps, by its folder's name."""
        self._staff = staff
        self.carries = True
        """Whether what is changed at headquarters is carried to the channel at once."""
        self.shown = 0
        """The sequence of the master data that everybody begins with."""
        self._tills: dict[str, Till] = {}
        self._stack = AsyncExitStack()
        self.headquarters: Place = Running(
            lambda address: start_headquarters(
                HeadquartersSettings(folder / "headquarters", address, security=security),
                self.machine,
            )
        )
        self.channel: Place = Running(
            lambda address: start_channel(
                ChannelSettings(
                    folder / "channel",
                    address,
                    self.headquarters.address,
                    STORE,
                    callers.channel(STORE).secret,
                    security,
                ),
                self.machine,
            )
        )
        self.registers: dict[str, Place] = {}

    def reserve_of(self, path: Path) -> FileReserve:
        """Room for a small sale."""
        return self.reserves.setdefault(path.parent.name, FileReserve(path, RESERVE_BYTES))

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _begin(self) -> None:
        await enrol(
            self.folder / "headquarters", self.machine, STORES, CURRENCY, carries=self.carries
        )
        await self.headquarters.start()
        self.people = await self._stack.enter_async_context(
            Headquarters(self.headquarters.address, ME, self.security)
        )
        await self.surely(lambda: fill(self.people, self.profile, self._staff))
        self.before_channel()
        await self.channel.start()
        self.to_headquarters = await self._open(self.headquarters.address)
        self.to_channel = await self._open(self.channel.address)
        self.people_stub = headquarters_pb2_grpc.HeadquartersServiceStub(self.to_headquarters)
        self.cards = realtime_pb2_grpc.RealtimeServiceStub(self.to_headquarters)
        self.relay = realtime_pb2_grpc.RealtimeServiceStub(self.to_channel)
        self.data = channel_data_pb2_grpc.ChannelDataServiceStub(self.to_channel)
        self.streams = sync_pb2_grpc.SyncServiceStub(self.to_channel)
        self.upper_streams = sync_pb2_grpc.SyncServiceStub(self.to_headquarters)
        await self.surely(self._until_begun)

    async def _until_begun(self) -> None:
        self.shown = await self.until_channel_shows()

    async def surely(self, act: Callable[[], Awaitable[None]]) -> None:
        """Does a part of the beginning; here nothing is in its way."""
        await act()

    async def __aexit__(self, *_: object) -> None:
        async with AsyncExitStack() as ending:  # whatever fails, the others are ended too
            for running in (self.headquarters, self.channel, *self.registers.values()):
                ending.push_async_callback(running.stop)
            ending.push_async_callback(self._stack.aclose)
            for till in self._tills.values():
                ending.push_async_callback(till.close)

    def before_channel(self) -> None:
        """Called when headquarters runs and the channel does not yet."""

    def made_register(self, running: Running) -> Place:
        """A register as it is to be run; here as it is."""
        return running

    async def _open(self, address: str) -> grpc.aio.Channel:
        channel = open_channel(address, self.security)
        self._stack.push_async_callback(channel.close)
        return channel

    async def till(self, register_id: str = "R1", *, ready: bool = True) -> Till:
        """A running register's frontend, signed in once the register is ready."""
        if register_id not in self.registers:
            settings = RegisterSettings(
                register_id,
                self.folder / register_id,
                self.channel.address,
                callers.register(register_id).secret,
                self.security,
            )
            self.registers[register_id] = self.made_register(
                Running(lambda address: start_register(settings, address, self.machine))
            )
            await self.registers[register_id].start()
            self._tills[register_id] = Till(self.registers[register_id].address)
        till = self._tills[register_id]
        if ready:
            await till.sign_in()  # the first time, delivery begins with it
            await till.until(
                lambda s: (
                    s.offline_ready
                    and s.catalogue_sequence >= self.shown
                    and s.lane_announced
                    and s.link_up
                    and bool(s.store_id)
                )
            )
        return till

    async def restart(self, register_id: str) -> Till:
        """The same register, started again at its address; nobody is signed in."""
        await self.registers[register_id].stop()
        await self.registers[register_id].start()
        return self._tills[register_id]

    def another_till(self, register_id: str) -> Till:
        """A second frontend on the same agent; closed with the estate."""
        till = Till(self.registers[register_id].address)
        self._stack.push_async_callback(till.close)
        return till

    # Waiting

    async def until_channel_shows(self) -> int:
        """Waits until the channel shows everything that headquarters has; the sequence it is at."""
        return await self.people.until_shown(STORE, PATIENCE_S)

    async def until_home(self, *tills: Till) -> None:
        """Waits until everything that was journaled is at headquarters and applied."""
        for till in tills:
            await till.until(lambda s: s.waiting_headquarters == 0)

        async def complete() -> bool:
            return (await self.people.completeness()).complete

        await until(complete)

    async def until_quiet(self) -> None:
        """Waits until nothing is on its way that could arrive, so that pictures can be compared."""
        if not (self.channel.running and self.headquarters.running):
            return
        for till in self._tills.values():
            await till.until(lambda s: not s.link_up or s.waiting_headquarters == 0)

        async def applied() -> bool:
            lanes = (await self.people.completeness()).lanes
            return all(x.stored == x.applied + x.quarantined + x.damaged for x in lanes)

        await until(applied)

    # Seeing

    async def sales_home(self) -> list[headquarters_pb2.ReceivedTransaction]:
        """Every sale at headquarters."""
        return [each async for each in self.people.transactions()]

    async def balance(self, number: str) -> realtime_pb2.GetCardBalanceResponse:
        """What headquarters says of a card."""
        return await self.people.card(number)

    async def picture(self) -> Picture:
        """Everything that a refused request must leave as it was."""
        lanes = (await self.people.completeness()).lanes
        for lane in lanes:
            lane.ClearField("last_contact_time")
        found: Picture = {
            "cards": [str(await self.balance(number)) for number, _, _ in CARDS],
            "locks": [
                (each.lock.lock_key, each.register_id, each.lock.state)
                for each in await self.people.locks()
            ],
            "exceptions": [str(each) for each in await self.people.exceptions()],
            "sales": [str(each) for each in await self.sales_home()],
            "lanes": [str(lane) for lane in lanes],
            "parameters": await self.people.parameters(),
        }
        for name, till in self._tills.items():
            found[name] = await till.picture()
        return found

    @asynccontextmanager
    async def refuses(self, reason: Reason, field: str | None = None) -> AsyncGenerator[None]:
        """What happens inside is refused for that reason and changes nothing anywhere."""
        await self.until_quiet()
        before = await self.picture()
        with pytest.raises(StillopenError) as caught:
            yield
        assert caught.value.reason is reason, caught.value
        assert field is None or caught.value.field == field
        assert await self.picture() == before


async def fill(
    people: Headquarters,
    profile: OfflineProfile,
    staff: tuple[types_pb2.StaffMember, ...],
) -> None:
    """Gives a new headquarters its goods, people, cards and rules: its master data is at 4 then."""
    await people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=PRODUCTS)))
    await people.import_staff(one(headquarters_pb2.ImportStaffRequest(rows=staff)))
    rows = [
        realtime_pb2.CardRow(
            number=number, balance=types_pb2.Money(currency_code=currency, minor_units=minor)
        )
        for number, currency, minor in CARDS
    ]
    request = headquarters_pb2.HeadquartersServiceImportCardsRequest(import_id="opening", rows=rows)
    await people.import_cards(one(request))
    await people.set_profile(profile)
    await people.set_gift_card((await people.parameters()).gift_card)
