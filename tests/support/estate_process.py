"""Places as processes of their own, which a test stops, kills and starts again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from tests.support import callers
from tests.support.enrolment import enrol
from tests.support.estate import fill
from tests.support.estate_parts import (
    CURRENCY,
    FAST,
    ME,
    PASSWORD,
    PATIENCE_S,
    STORE,
    STORES,
    own_address,
    until,
)
from tests.support.estate_till import Till
from tests.support.nursery import Process, spawn
from tests.support.repository import ROOT

from stillopen.cli.headquarters import Headquarters
from stillopen.cli.machine import Machine
from stillopen.core.products import hash_password
from stillopen.rpc.identity import Caller
from stillopen.storage.identity_file import Identity, write_identity
from stillopen.v1 import headquarters_pb2, types_pb2

READY_S = 30.0


class Child:
    """One process. Its errors are kept in a file; it never outlives the test."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        self.name = name
        self.address = own_address(self)
        self.errors = folder / f"{name}.stderr"
        self._arguments = arguments
        self._process: Process | None = None

    async def spawn(self, *more: str) -> None:
        """Begins the process and waits for nothing."""
        with self.errors.open("ab") as errors:
            self._process = await spawn(
                sys.executable,
                *self._arguments,
                "--listen",
                self.address,
                *more,
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )

    async def start(self, *more: str) -> None:
        """Starts it and waits until it listens."""
        await self.spawn(*more)
        line = await self.line()
        assert line, f"{self.name} did not start: {self.said()}"
        self.address = str(json.loads(line)["address"])

    async def line(self) -> str:
        """The next line it prints; empty when it has ended."""
        process = self._running()
        assert process.stdout is not None
        async with asyncio.timeout(READY_S):
            return (await process.stdout.readline()).decode()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self._running().pid, number)

    async def ended(self, patience_s: float = READY_S) -> int:
        """Waits for its end and returns its exit code."""
        process = self._running()
        async with asyncio.timeout(patience_s):
            code = await process.wait()
        self._process = None
        return code

    async def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        self.send(signal.SIGKILL)
        assert await self.ended() == -signal.SIGKILL

    async def stop(self) -> None:
        """Ends it in good order, if it runs."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        try:
            await self.ended()
        except TimeoutError:
            await self.kill()
            raise

    def end(self) -> None:
        """Ends it at once, if it runs; somebody else waits for that."""
        if self._process is not None and self._process.returncode is None:
            self.send(signal.SIGKILL)

    def said(self) -> str:
        """What it wrote to its standard error."""
        return self.errors.read_text()

    def _running(self) -> Process:
        assert self._process is not None
        return self._process


class Shop:
    """Headquarters, a channel and a register as the command starts them; for `async with`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.profile = replace(FAST, timeout_s=2.0)
        """Slow enough for a machine that is busy with other tests."""
        self.headquarters = self._child("headquarters")
        self._stack = AsyncExitStack()

    def _child(self, name: str, *arguments: str) -> Child:
        data = str(self.folder / name)
        serve = ("-m", "stillopen.cli", "serve", name, "--json", "--data", data)
        return Child(name, self.folder, *serve, *arguments)

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _begin(self) -> None:
        self._stack.push_async_callback(self.headquarters.stop)
        await enrol(self.folder / "headquarters", Machine(), STORES, CURRENCY)
        await self.headquarters.start()
        home = self.headquarters.address
        self._install("channel", callers.channel(STORE), home)
        self.channel = self._child("channel")
        self._stack.push_async_callback(self.channel.stop)
        self.people = await self._stack.enter_async_context(Headquarters(home, ME))
        hashed = hash_password(PASSWORD, b"0123456789abcdef")
        anna = types_pb2.StaffMember(staff_id="anna", name="Anna", password_hash=hashed)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.channel.start())
            group.create_task(fill(self.people, self.profile, (anna,)))
        self.shown = await self.people.until_shown(STORE, PATIENCE_S)
        self._install("register", callers.register("R1"), self.channel.address)
        self.register = self.another_register()
        self._stack.push_async_callback(self.register.stop)
        await self.register.start()
        self.till = Till(self.register.address)
        self._stack.push_async_callback(self.till.close)
        await self.ready()

    def another_register(self) -> Child:
        """A register on the same folder: a second process, or the same one again."""
        return self._child("register")

    def _install(self, place: str, caller: Caller, upper: str) -> None:
        """What `stillopen channel install` and `stillopen register install` leave behind."""
        identity = Identity(caller.kind, caller.name, STORE, upper, caller.secret)
        write_identity(self.folder / place, identity)

    async def ready(self) -> None:
        """Waits until the register is ready for everything, and signs in."""
        await self.till.sign_in()
        await self.till.until(
            lambda s: s.link_up and s.lane_announced and s.catalogue_sequence >= self.shown
        )

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def until_home(self) -> list[headquarters_pb2.ReceivedTransaction]:
        """Waits until everything is home, and returns it."""
        await self.till.until(lambda status: status.waiting_headquarters == 0)

        async def complete() -> bool:
            return (await self.people.completeness()).complete

        await until(complete)
        return [each async for each in self.people.transactions()]


@asynccontextmanager
async def within(seconds: float, slack_s: float = 1.0) -> AsyncGenerator[None]:
    """What happens inside answers within the time that the contract promises."""
    assert seconds + slack_s < PATIENCE_S
    async with asyncio.timeout(seconds + slack_s):
        yield
