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
from tests.sim.channel import Network, SimServer
from tests.sim.clock import SimClock
from tests.sim.disk import Commits, Disk
from tests.sim.exchange import Exchange

from stillopen.cli.machine import Machine, Place
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.rpc.server import Register
from stillopen.storage.engine import Engine
from stillopen.storage.inline import open_inline
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
        self.ended = False

    def end(self) -> None:
        """Nothing of it does anything from now on."""
        self.ended = True
        for disk in self.disks:
            at_once(disk.die())
        for channel in self.channels:
            at_once(channel.close())
        if self.server is not None:
            self.server.crash()
        for task in list(self.tasks.values()):
            task.cancel()

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
        self.commits = Commits(lambda moment: self.crash(f"crash {moment} a commit"))
        self.life: Life | None = None
        self.failure: BaseException | None = None
        """What ended it, when nobody had killed it."""
        self.on_end: Callable[[str], None] | None = None
        """Told how it ended."""
        self._network = network
        self._start = start
        self._rng = rng
        self._disk_rng = random.Random(rng.getrandbits(64))  # noqa: S311 - repeatable
        self._latency_s = latency_s
        self._main: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.life is not None and not self.life.ended

    async def start(self) -> bool:
        """Starts it; False when it died before it was ready."""
        life = self.life = Life()
        self._ready, self._over, self._stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        self._main = loop.create_task(self._run(life), context=life.context.copy())
        waiting = [loop.create_task(event.wait()) for event in (self._ready, self._over)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        return self.running

    def crash(self, how: str = "crash") -> None:
        """Kills it: what is not committed is gone, callers lose their connection."""
        if self.life is not None and not self.life.ended:
            self.commits.live_on()
            self.life.end()
            self._over.set()
            if self.on_end is not None:
                self.on_end(how)

    async def ended(self) -> None:
        """Waits until it runs no more."""
        if self.running:
            await self._over.wait()

    async def shut_down(self) -> None:
        """Asks it to end, as a person does."""
        self._stop.set()
        if self.running:
            await self._over.wait()

    async def _run(self, life: Life) -> None:
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
                self.failure = error
        finally:
            if not life.ended:
                how = "shutdown" if self.failure is None else "failure"
                asyncio.get_running_loop().call_soon(self._bury, life, how)

    def _bury(self, life: Life, how: str) -> None:
        if self.life is life:
            self.crash(how)

    def _machine(self, life: Life) -> Machine:
        async def open_engine(path: Path, schema: Schema, *, durable: bool = True) -> Engine:
            path.parent.mkdir(parents=True, exist_ok=True)
            engine = await open_inline(path, schema, durable=durable)
            disk = Disk(engine, self.commits, self._disk_rng, self._latency_s)
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
            reserve=lambda _: Plenty(),
        )


class Plenty:
    """A disk that is never nearly full."""

    def hold(self) -> bool:
        """There is room."""
        return True

    def give_up(self) -> bool:
        """There is none to be had by giving up."""
        return False


async def _work(work: Callable[[], Awaitable[None]]) -> None:
    await work()
