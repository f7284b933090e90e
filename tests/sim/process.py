"""Processes of the simulated estate: they start, are killed, and start again on what they wrote.

Everything that a process does runs in a context of its own, and the loop notes each task under the
life of its context. So a crash ends all of it at one moment, whoever had begun it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextvars import Context, ContextVar, copy_context
from pathlib import Path
from typing import TypeVar, cast

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tests.sim.channel import Network
from tests.sim.clock import SimClock
from tests.sim.disk import Commits, Disk, Moment
from tests.sim.drive import Drive, is_of_a_drive
from tests.sim.exchange import Exchange
from tests.sim.power import lose_parts
from tests.sim.server import SimServer

from stillopen.cli.machine import Machine, Place
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.rpc.server import Register
from stillopen.storage.engine import Engine
from stillopen.storage.files import open_writer
from stillopen.storage.schema import Schema

T = TypeVar("T")
PASSWORD = "open sesame"  # noqa: S105 - of a simulated person
Start = Callable[[Machine], Awaitable[Place]]


class Life:
    """One run of a process, from its start to its end, and all that dies with it."""

    def __init__(self) -> None:
        self.context = copy_context()
        self.context.run(_LIFE.set, self)
        self.tasks: dict[int, asyncio.Task[object]] = {}
        self.disks: list[Disk] = []
        self.channels: list[grpc.aio.Channel] = []
        self.server: _Server | None = None
        self.folders: dict[Path, None] = {}
        self.ended = False

    def end(self, power: random.Random | None = None) -> bool:
        """Nothing of it does anything from now on.

        With `power` that has failed too; whether anything that was written is gone for it.
        """
        self.ended = True
        lost = [disk.die(power) for disk in self.disks]
        if power is not None:
            lost += [lose_parts(folder, power) for folder in self.folders]
        for channel in self.channels:
            at_once(channel.close())
        if self.server is not None:
            self.server.crash()
        for task in list(self.tasks.values()):
            task.cancel()
        return any(lost)

    def note(self, task: asyncio.Task[object]) -> None:
        """The task is a part of it."""
        number = hash(task)
        self.tasks[number] = task
        task.add_done_callback(lambda _: self.tasks.pop(number, None))


_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


def note_tasks() -> None:
    """Makes the running loop note each new task under the life it is a part of."""
    loop = asyncio.get_running_loop()
    make = loop.get_task_factory()
    if make is None:
        raise RuntimeError("run on the loop of tests/sim/loop.py")

    def noted(
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[object, None, T] | Generator[asyncio.Future[object] | None, None, T],
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        context = context or copy_context()
        task = cast("asyncio.Task[T]", make(loop, coroutine, context=context))  # type: ignore[call-arg]
        if (life := context.get(_LIFE)) is not None:
            life.note(task)
        return task

    loop.set_task_factory(noted)


def at_once(coroutine: Coroutine[object, None, object]) -> None:
    """Runs a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("it waits for something")


class _Server(SimServer):
    """A server whose handlers run in the life of its process, whoever called them."""

    def __init__(self, network: Network, address: str, life: Life) -> None:
        super().__init__(network, address)
        self._life = life

    def accept(self, exchange: Exchange) -> None:
        self._life.context.copy().run(super().accept, exchange)


class _Listener:
    """What a place listens with."""

    def __init__(self, network: Network, address: str, life: Life) -> None:
        self.address = address
        self._network = network
        self._server = _Server(network, address, life)
        self._health = health.aio.HealthServicer()
        life.server = self._server

    async def start(self, services: Sequence[str], registers: Sequence[Register]) -> None:
        for register in registers:
            register(self._server.as_grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server.as_grpc)
        for name in ("", *services):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._network.listen(self.address, self._server)

    async def stop(self) -> None:
        self._server.crash()


async def check_password(password: str, password_hash: str) -> bool:
    """Whether the password fits, without the slowness of scrypt."""
    return bool(password_hash) and password == PASSWORD


class Process:
    """A place as its operating system sees it."""

    def __init__(
        self,
        network: Network,
        name: str,
        address: str,
        start: Start,
        clock: SimClock,
        rng: random.Random,
        latency_s: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.name = name
        self.address = address
        self.clock = clock
        self.commits = Commits(self._die_at_commit, self.lose_power, self._die_of_a_flush)
        self.life: Life | None = None
        self.failure: BaseException | None = None
        """What ended it, when nobody had killed it."""
        self.on_end: Callable[[str], None] | None = None
        """Told how it ended."""
        self._network = network
        self._start = start
        self._rng = rng
        disk_rng = random.Random(rng.getrandbits(64))  # noqa: S311 - repeatable
        self.drive = Drive(disk_rng, latency_s, network.count)
        self._main: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.life is not None and not self.life.ended

    async def settled(self) -> bool:
        """Waits until what somebody has asked of it is done; whether it serves then."""
        if self.running and self._stop.is_set():
            await self._over.wait()
        elif self.running:
            await self._ready_or_over()
        return self.running

    async def start(self) -> bool:
        """Starts it, and its machine; False when it died before it was ready."""
        self._network.power_on(self.name, self.address)
        life = self.life = Life()
        self._ready, self._over, self._stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        self._main = loop.create_task(self._run(life), context=life.context.copy())
        await self._ready_or_over()
        return self.running

    async def _ready_or_over(self) -> None:
        loop = asyncio.get_running_loop()
        waiting = [loop.create_task(event.wait()) for event in (self._ready, self._over)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def crash(self, how: str = "crash", power: random.Random | None = None) -> None:
        """Kills it: what is not committed is gone, callers lose their connection."""
        if self.life is not None and not self.life.ended:
            self.spare()
            if self.life.end(power):
                self._network.count("written and lost")
            self._over.set()
            if self.on_end is not None:
                self.on_end(how)

    def lose_power(self) -> None:
        """Its machine stops: what was not flushed is in doubt, and nobody hears that it ended."""
        if self.running:
            self._network.power_off(self.name, self.address)
            self.crash("power loss", self.drive.rng)
            self.clock.reboot()

    def die_at_traffic(self, count: int, steps: int) -> None:
        """Dies so many steps of the loop after so many calls that it made or frames that came."""

        left = count

        def heard() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.spare()
                self._die_in(max(1, steps), "crash between two calls")

        self._network.doomed[self.name] = self._network.doomed[self.address] = heard

    def spare(self) -> None:
        """It is not to die any more."""
        self.commits.live_on()
        self._network.doomed.pop(self.name, None)
        self._network.doomed.pop(self.address, None)

    async def ended(self) -> None:
        """Waits until it runs no more."""
        if self.running:
            await self._over.wait()

    async def shut_down(self) -> None:
        """Asks it to end, as a person does."""
        self._stop.set()
        if self.running:
            await self._over.wait()

    def _die_at_commit(self, moment: Moment, steps: int) -> None:
        if steps:
            self._die_in(steps, "crash between two commits")
        else:
            self.crash(f"crash {moment} a commit")

    def _die_of_a_flush(self) -> None:
        self._network.lose_unflushed(self.name)
        self.crash("crash at a failed flush")

    def _die_in(self, steps: int, how: str) -> None:
        """Dies so many steps of the loop from now, unless it ends before."""
        loop, life = asyncio.get_running_loop(), self.life

        def step(left: int) -> None:
            if self.life is not life:
                return
            if left:
                loop.call_soon(step, left - 1)
            else:
                self.crash(how)

        step(steps)

    async def _run(self, life: Life) -> None:
        how = "shutdown"
        try:
            place = await self._start(self._machine(life))
            self._ready.set()
            try:
                async with asyncio.TaskGroup() as group:
                    running = [group.create_task(_work(each)) for each in place.work]
                    await self._stop.wait()
                    for task in running:
                        task.cancel()
            finally:
                if not life.ended:
                    await place.close()
        except Exception as error:  # noqa: BLE001 - a finding, told at the end
            if not life.ended:
                how = self._judged(error)
        finally:
            if not life.ended:
                asyncio.get_running_loop().call_soon(self._bury, life, how)

    def _judged(self, error: Exception) -> str:
        """How it ended: for want of its disk, or for no reason that it should have ended for."""
        if is_of_a_drive(error):
            return "end for want of the disk"
        self.failure = error
        return "failure"

    def _bury(self, life: Life, how: str) -> None:
        if self.life is life:
            self.crash(how)

    def _machine(self, life: Life) -> Machine:
        async def open_engine(path: Path, schema: Schema, *, durable: bool = True) -> Engine:
            path.parent.mkdir(parents=True, exist_ok=True)
            life.folders[path.parent] = None
            self.drive.check_opening()
            connection = open_writer(path, schema, durable=durable)
            disk = Disk(connection, path, self.commits, self.drive)
            life.disks.append(disk)
            return disk

        async def off_loop(work: Callable[[], T], /) -> T:
            self.commits.begin()  # files are written there
            if life.ended:
                raise asyncio.CancelledError
            value = work()
            self.commits.end()
            return value

        def open_channel(
            address: str,
            security: Security = PLAINTEXT,  # noqa: ARG001
        ) -> grpc.aio.Channel:
            channel = self._network.channel(self.name, address)
            life.channels.append(channel)
            return channel

        def listen(
            address: str,
            security: Security = PLAINTEXT,  # noqa: ARG001
        ) -> _Listener:
            return _Listener(self._network, address, life)

        return Machine(
            clock=self.clock,
            rng=self._rng,
            open_engine=open_engine,
            open_channel=open_channel,
            listen=listen,
            check_password=check_password,
            off_loop=off_loop,
            reserve=lambda _: self.drive,
        )


async def _work(work: Callable[[], Awaitable[None]]) -> None:
    await work()
