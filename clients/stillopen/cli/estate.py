"""Headquarters, a channel and registers as processes, for the demo and `serve all`."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import Misuse, Reason
from stillopen.core.products import hash_password
from stillopen.v1 import headquarters_pb2, realtime_pb2, types_pb2

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
STORE = "S1"
STAFF_ID, STAFF_NAME, PASSWORD = "anna", "Anna", "stillopen"
HEADQUARTERS, CHANNEL = "headquarters", "channel"
BATCH = 1_000

T = TypeVar("T")


@dataclass(slots=True)
class Running:
    """One place: its command line, its process, and where it listens."""

    arguments: list[str]
    process: asyncio.subprocess.Process
    address: str
    paused: bool = False


class Estate:
    """Places as processes in one folder. Use it with `async with`; leaving it ends them all."""

    def __init__(self, folder: Path, currency: str) -> None:
        self.folder = folder
        self.currency = currency
        self._places: dict[str, Running] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def address(self, name: str) -> str:
        """Where a place listens; the same after a restart."""
        return self._places[name].address

    async def start_headquarters(self, listen: str = "127.0.0.1:0") -> None:
        """Starts headquarters."""
        await self._start(HEADQUARTERS, ["headquarters", "--currency", self.currency], listen)

    async def start_headquarters_and_realtime(self) -> None:
        """Starts headquarters with its cards in a process of their own."""
        cards = free_address()
        elsewhere = ["--currency", self.currency, "--realtime", cards]
        await self._start(HEADQUARTERS, ["headquarters", *elsewhere], "127.0.0.1:0")
        home = ["--headquarters", self.address(HEADQUARTERS)]
        await self._start("realtime", ["realtime", *home], cards)

    async def start_channel(self, listen: str = "127.0.0.1:0") -> None:
        """Starts the store's channel."""
        upward = ["--headquarters", self.address(HEADQUARTERS)]
        await self._start(CHANNEL, ["channel", "--store", STORE, *upward], listen)

    async def start_register(self, register_id: str, listen: str = "127.0.0.1:0") -> None:
        """Starts a register with its agent."""
        upward = ["--channel", self.address(CHANNEL)]
        await self._start(register_id, ["register", "--register", register_id, *upward], listen)

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
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "stillopen.cli",
                "serve",
                *arguments,
                "--listen",
                listen,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
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


def free_address() -> str:
    """An address of this machine that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


async def import_master_data(
    address: str,
    products: Iterable[types_pb2.Product],
    cards: Iterable[realtime_pb2.CardRow],
) -> None:
    """Brings a catalogue, cards and one person to headquarters through its services."""
    async with Headquarters(address) as place:
        member = types_pb2.StaffMember(
            staff_id=STAFF_ID,
            name=STAFF_NAME,
            password_hash=hash_password(PASSWORD, os.urandom(16)),
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
        await import_master_data(
            estate.address(HEADQUARTERS), sample_products(currency), sample_cards(currency)
        )
        await estate.start_channel("127.0.0.1:7410")
        await estate.start_register("R1", "127.0.0.1:7420")
        terminal.show_table(
            ["place", "address", "files"],
            [(name, estate.address(name), folder / name) for name in (HEADQUARTERS, CHANNEL, "R1")],
        )
        terminal.out.print(
            f"Sign in as {STAFF_ID} with password {PASSWORD}; card 6001000000000001 holds money."
            " Ctrl-C stops all."
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
