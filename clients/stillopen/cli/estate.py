"""Headquarters, a channel and registers as processes, for the demo and `serve all`."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Protocol, Self, TypeVar

from stillopen.cli import terminal
from stillopen.cli.begin import begin_headquarters
from stillopen.cli.headquarters import Headquarters, sign_in
from stillopen.cli.install import install_channel, install_register
from stillopen.cli.machine import Machine
from stillopen.core.errors import Misuse, Reason
from stillopen.core.permissions import ADMINISTRATOR
from stillopen.core.products import SALT_BYTES, StaffMember, hash_password
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.security import PLAINTEXT
from stillopen.storage.identity_file import read_identity
from stillopen.v1 import headquarters_pb2, realtime_pb2, types_pb2

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
STORE = "S1"
STAFF_ID, STAFF_NAME, PASSWORD = "anna", "Anna", "stillopen"
ADMINISTRATOR_ID = "admin"
HEADQUARTERS, CHANNEL = "headquarters", "channel"
BATCH = 1_000

T = TypeVar("T")


class Process(Protocol):
    """A process, as asyncio has them."""

    pid: int
    stdout: asyncio.StreamReader | None

    @property
    def returncode(self) -> int | None:
        """How it ended; nothing while it runs."""
        ...

    async def wait(self) -> int:
        """Waits for its end."""
        ...

    def send_signal(self, number: int, /) -> None:
        """Sends a signal."""
        ...

    def terminate(self) -> None:
        """Asks it to end."""
        ...

    def kill(self) -> None:
        """Ends it at once."""
        ...


@dataclass(slots=True)
class Running:
    """One place: its command line, its process, and where it listens."""

    arguments: list[str]
    process: Process
    address: str
    paused: bool = False


class Estate:
    """Places as processes in one folder. Use it with `async with`; leaving it ends them all."""

    def __init__(self, folder: Path, currency: str) -> None:
        self.folder = folder
        self.currency = currency
        self._places: dict[str, Running] = {}
        self._person: Caller | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def address(self, name: str) -> str:
        """Where a place listens; the same after a restart."""
        return self._places[name].address

    def process_id(self, name: str) -> int:
        """The number of a place's process."""
        return self._places[name].process.pid

    @property
    def person(self) -> Caller:
        """Who set it up, signed in."""
        if self._person is None:
            raise Misuse(Reason.INTERNAL, "headquarters was not started")
        return self._person

    def office(self) -> Headquarters:
        """Headquarters, for the person who set it up."""
        return Headquarters(self.address(HEADQUARTERS), self.person)

    async def start_headquarters(self, listen: str = "127.0.0.1:0") -> None:
        """Begins headquarters, starts it, and signs its administrator in."""
        await self._begin()
        await self._start(HEADQUARTERS, ["headquarters"], listen)
        await self._sign_in()

    async def start_headquarters_and_realtime(self) -> None:
        """The same with its cards in a process of their own."""
        await self._begin()
        cards = free_address()
        await self._start(HEADQUARTERS, ["headquarters", "--realtime", cards], "127.0.0.1:0")
        home = ["--headquarters", self.address(HEADQUARTERS)]
        key = ["--house-key", str(self.folder / HEADQUARTERS / "house.key")]
        await self._start("realtime", ["realtime", *home, *key], cards)
        await self._sign_in()

    async def _begin(self) -> None:
        machine = Machine()
        password_hash = hash_password(PASSWORD, machine.rng.randbytes(SALT_BYTES))
        member = StaffMember(
            ADMINISTRATOR_ID, "Administrator", password_hash, ADMINISTRATOR.role_id
        )
        await begin_headquarters(self.folder / HEADQUARTERS, self.currency, member, machine)

    async def _sign_in(self) -> None:
        self._person = await sign_in(self.address(HEADQUARTERS), ADMINISTRATOR_ID, PASSWORD)

    async def start_channel(self, listen: str = "127.0.0.1:0") -> None:
        """Sets the store up, installs its channel once, and starts it; it has everything then."""
        data, upper = self.folder / CHANNEL, self.address(HEADQUARTERS)
        async with self.office() as office:
            if read_identity(data, CallerKind.CHANNEL) is None:
                await office.set_store(headquarters_pb2.Store(store_id=STORE, name="Store 1"))
                code = (await office.activation_code(store_id=STORE)).activation_code
                await install_channel(data, upper, code, PLAINTEXT)
            await self._start(CHANNEL, ["channel", "--headquarters", upper], listen)
            await office.until_shown(STORE, READY_TIMEOUT_S)

    async def start_register(self, register_id: str, listen: str = "127.0.0.1:0") -> None:
        """Sets a register up, installs it once, and starts it with its agent."""
        await self.install_register(register_id)
        upper = self.address(CHANNEL)
        await self._start(register_id, ["register", "--channel", upper], listen)

    async def install_register(self, register_id: str) -> Caller:
        """Sets a register up and makes it known, once; the register as it calls others."""
        data = self.folder / register_id
        found = read_identity(data, CallerKind.REGISTER)
        if found is None:
            async with self.office() as office:
                await office.set_register(
                    headquarters_pb2.RegisterRow(
                        register_id=register_id,
                        store_id=STORE,
                        name=f"Register {register_id}",
                        support_offline=True,
                    )
                )
                code = (await office.activation_code(register_id=register_id)).activation_code
            found = await install_register(data, self.address(CHANNEL), code, PLAINTEXT)
        return Caller(CallerKind.REGISTER, found.name, found.secret)

    async def kill(self, name: str) -> None:
        """Ends a place at once, as a power cut does (SIGKILL)."""
        running = self._places[name]
        running.process.kill()
        await running.process.wait()

    def pause(self, name: str) -> None:
        """Stops a place without ending it: its port stays open and it says nothing (SIGSTOP)."""
        self._places[name].paused = True
        self._places[name].process.send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Lets a paused place go on (SIGCONT)."""
        self._places[name].paused = False
        self._places[name].process.send_signal(signal.SIGCONT)

    async def restart(self, name: str) -> None:
        """Starts a place that has ended, with the same files at the same address."""
        before = self._places[name]
        self._places[name] = await self._spawn(name, before.arguments, before.address)

    async def close(self) -> None:
        """Ends every place: politely, then not."""
        for running in self._places.values():
            if running.process.returncode is None:
                if running.paused:
                    running.process.kill()
                running.process.terminate()
        for running in self._places.values():
            try:
                await asyncio.wait_for(running.process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                running.process.kill()
                await running.process.wait()

    async def wait(self) -> str:
        """Waits until a place ends by itself and returns its name."""
        waits = {
            asyncio.create_task(running.process.wait()): name
            for name, running in self._places.items()
        }
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return waits[done.pop()]

    async def _start(self, name: str, command: list[str], listen: str) -> None:
        arguments = [*command, "--data", str(self.folder / name), "--json"]
        self._places[name] = await self._spawn(name, arguments, listen)

    async def _spawn(self, name: str, arguments: list[str], listen: str) -> Running:
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{name}.log"
        with log.open("ab") as errors:
            process = await self.begin("serve", *arguments, "--listen", listen, errors=errors)
        running = Running(arguments, process, listen)
        self._places.setdefault(name, running)  # so that it is ended whatever happens here
        if process.stdout is None:
            raise Misuse(Reason.INTERNAL, f"{name} has no standard output")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT_S)
            running.address = json.loads(line)["address"]
        except (TimeoutError, ValueError):
            said = log.read_text(errors="replace").strip().splitlines()
            raise Misuse(
                Reason.INTERNAL, f"{name} did not start: {said[-1] if said else 'no word'}"
            ) from None
        return running

    async def begin(self, *arguments: str, errors: IO[bytes]) -> Process:
        """Runs the command in a process of its own, whose output is read here."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stillopen.cli", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )


def free_address() -> str:
    """An address of this machine that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


async def import_master_data(
    estate: Estate,
    products: Iterable[types_pb2.Product],
    cards: Iterable[realtime_pb2.CardRow],
) -> None:
    """Brings a catalogue, cards and one cashier to headquarters through its services."""
    async with estate.office() as place:
        member = types_pb2.StaffMember(
            staff_id=STAFF_ID,
            name=STAFF_NAME,
            password_hash=hash_password(PASSWORD, Machine().rng.randbytes(SALT_BYTES)),
        )
        reports = [
            await place.import_staff(
                headquarters_pb2.ImportStaffRequest(rows=rows) async for rows in _batches([member])
            ),
            await place.import_products(
                headquarters_pb2.ImportProductsRequest(rows=rows)
                async for rows in _batches(products)
            ),
            await place.import_cards(
                headquarters_pb2.HeadquartersServiceImportCardsRequest(
                    import_id="estate", rows=rows
                )
                async for rows in _batches(cards)
            ),
        ]
    for report in reports:
        for refusal in report.refusals:
            raise Misuse(Reason.INTERNAL, f"row {refusal.row} was refused: {refusal.message}")


async def _batches(rows: Iterable[T]) -> AsyncIterator[list[T]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


async def serve_all(folder: Path, currency: str) -> None:
    """Runs all three places with a small catalogue until Ctrl-C."""
    from stillopen.cli.sample import sample_cards, sample_products  # noqa: PLC0415

    async with Estate(folder, currency) as estate:
        await estate.start_headquarters("127.0.0.1:7400")
        await import_master_data(estate, sample_products(currency), sample_cards(currency))
        await estate.start_channel("127.0.0.1:7410")
        await estate.start_register("R1", "127.0.0.1:7420")
        terminal.show_table(
            ["place", "address", "files"],
            [(name, estate.address(name), folder / name) for name in (HEADQUARTERS, CHANNEL, "R1")],
        )
        terminal.out.print(
            f"Sign in at the register as {STAFF_ID}, at headquarters as {ADMINISTRATOR_ID}"
            f" (stillopen sign-in {ADMINISTRATOR_ID}); the password of both is {PASSWORD}."
            " Card 6001000000000001 holds money. Ctrl-C stops all."
        )
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        ended = asyncio.create_task(estate.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            name = ended.result()
            raise Misuse(Reason.INTERNAL, f"{name} has ended; see {folder / name}.log")
        ended.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ended
