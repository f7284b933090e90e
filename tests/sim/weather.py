"""What goes wrong in the simulated estate, how often, and for how long; drawn from one seed."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial

from tests.sim.disk import Moment
from tests.sim.history import History, Kind
from tests.sim.network import Cut, Faults
from tests.sim.process import Process
from tests.sim.world import Estate

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Often:
    """How often something happens in an hour."""

    cut: float = 0.0
    """A link fails for up to a minute."""
    long_cut: float = 0.0
    """A link fails for longer than a lease."""
    crash: float = 0.0
    """A process is killed."""
    crash_at_commit: float = 0.0
    """A process is killed before or after one of its next commits."""
    shutdown: float = 0.0
    """A process is ended as a person ends it."""
    stop: float = 0.0
    """A process hears and says nothing for a while."""
    jump: float = 0.0
    """A machine's wall clock is set."""
    sleep: float = 0.0
    """A till was suspended: its clocks went on, its timers did not."""
    spoil: float = 0.0
    """The file of a replica is damaged, or goes."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it gets."""

    duration_s: float = 300.0
    messages: Faults = field(default_factory=Faults)
    often: Often = Often()
    cut_s: tuple[float, float] = (0.3, 60.0)
    long_cut_s: tuple[float, float] = (130.0, 300.0)
    down_s: tuple[float, float] = (0.0, 30.0)
    stop_s: tuple[float, float] = (0.5, 40.0)
    jump_s: float = 100_000.0


_WORST = Often(
    cut=240,
    long_cut=30,
    crash=120,
    crash_at_commit=300,
    shutdown=30,
    stop=80,
    jump=40,
    sleep=20,
    spoil=40,
)
_KINDS = (
    "cut",
    "long_cut",
    "crash",
    "crash_at_commit",
    "shutdown",
    "stop",
    "jump",
    "sleep",
    "spoil",
)


def drawn_weather(rng: random.Random) -> Weather:
    """Weather for a seed: each kind of trouble is there or not, and more or less of it."""

    def some(worst: float) -> float:
        return worst * severity * rng.random() if rng.random() < 0.7 else 0.0

    severity = rng.choice([0.1, 0.3, 0.6, 1.0])
    messages = Faults(
        drop_request=some(0.05),
        drop_response=some(0.05),
        duplicate=some(0.1),
        break_stream=some(0.02),
        delay_s=(0.0, rng.choice([0.0, 0.02, 0.3, 1.5])),
    )
    often = Often(*(some(getattr(_WORST, kind)) for kind in _KINDS))
    return Weather(rng.uniform(90, 300), messages, often)


class Storm:
    """Weather that happens to an estate, and somebody who starts again what has died."""

    def __init__(
        self, estate: Estate, weather: Weather, rng: random.Random, history: History
    ) -> None:
        self.counts: Counter[str] = Counter()
        """What changed something, beside what the network counts."""
        self._estate = estate
        self._weather = weather
        self._rng = rng
        self._history = history

    async def rage(self) -> None:
        """Goes on for as long as the weather lasts; what it began is not mended at its end."""
        self._estate.network.faults = replace(self._weather.messages)
        often = self._weather.often
        rates = {kind: float(getattr(often, kind)) for kind in _KINDS}
        total = sum(rates.values())
        for process in self._estate.processes.values():
            process.on_end = partial(self._ended, process)
        try:
            async with asyncio.timeout(self._weather.duration_s), asyncio.TaskGroup() as group:
                for process in self._estate.processes.values():
                    group.create_task(self._keep(process))
                while True:
                    pause_s = self._rng.expovariate(total / HOUR_S) if total else HOUR_S
                    await asyncio.sleep(pause_s)
                    [kind] = self._rng.choices(list(rates), list(rates.values()))
                    group.create_task(self._happen(kind))
        except TimeoutError:
            pass

    async def _keep(self, process: Process) -> None:
        while True:
            await process.ended()
            await asyncio.sleep(self._rng.uniform(*self._weather.down_s))
            await process.start()

    def _ended(self, process: Process, how: str) -> None:
        self._count(how, process.name)
        if process.name in self._estate.store_of:
            self._history.add(process.name, Kind.CRASHED, "", 0)

    async def _happen(self, kind: str) -> None:
        rng, weather = self._rng, self._weather
        tills, names = self._estate.registers, list(self._estate.processes)
        process = self._estate.processes[rng.choice(tills if rng.random() < 0.5 else names)]
        match kind:
            case "cut":
                await self._cut(rng.uniform(*weather.cut_s))
            case "long_cut":
                await self._cut(rng.uniform(*weather.long_cut_s))
            case "crash":
                process.crash()
            case "crash_at_commit":
                process.commits.die_at(rng.randint(1, 8), rng.choice(list(Moment)))
            case "shutdown":
                await process.shut_down()
            case "stop":
                await self._stop(process, rng.uniform(*weather.stop_s))
            case "jump":
                self._count("jump", process.name)
                process.clock.jump(rng.uniform(-weather.jump_s, weather.jump_s))
            case "spoil":
                self._spoil(rng.choice([*tills, *self._estate.stores]))
            case _:
                till = self._estate.processes[rng.choice(tills)]
                self._count("sleep", till.name)
                till.clock.suspend(rng.uniform(1, 10) ** 5)

    def _spoil(self, name: str) -> None:
        """Damages the file of a replica, behind the back of whoever reads it; or it goes."""
        folder = self._estate.folder / name
        database = folder / ("replica.db" if name in self._estate.stores else "offline.db")
        target = database.parent / database.readlink() if database.is_symlink() else database
        if not target.is_file():
            return
        self._count("spoil", name)
        self._history.spoiled.add(name)
        if self._rng.random() < 0.3:
            target.unlink()
            return
        size = target.stat().st_size
        first = self._rng.choice([0, 4_096])  # without its head no process opens it again
        with target.open("r+b") as file:
            file.seek(first)
            file.write(b"\xff" * max(0, size - first))

    async def _cut(self, seconds: float) -> None:
        source, target = self._rng.choice(self._estate.links)
        mode = self._rng.choice(list(Cut))
        self._history.tell("cut", mode, source, target)
        network = self._estate.network
        before = _hindered(network.counts)
        network.cut(source, target, mode=mode)
        await asyncio.sleep(seconds)
        network.heal(source, target)
        if _hindered(network.counts) > before:
            self.counts[f"cut {mode}"] += 1

    async def _stop(self, process: Process, seconds: float) -> None:
        life = process.life
        if not process.running:
            return
        self._count("stop", process.name)
        self._estate.network.stop(process.address)
        await asyncio.sleep(seconds)
        if process.life is life:
            self._estate.network.resume(process.address)

    def _count(self, what: str, where: str) -> None:
        self.counts[what] += 1
        self._history.tell(what, where)


def _hindered(counts: Counter[str]) -> int:
    return counts["held"] + counts["broken"] + counts["refused"]
