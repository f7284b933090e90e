"""What befalls the machines and links of an estate: a method for each kind of `Often`."""

import asyncio
import random
from collections import Counter

from tests.sim.disk import Moment
from tests.sim.history import History
from tests.sim.network import Cut, End
from tests.sim.process import Process
from tests.sim.weather import Weather
from tests.sim.world import HQ, Estate


class Troubles:
    """Draws whom it befalls and for how long, and mends what passes by itself."""

    def __init__(
        self, estate: Estate, weather: Weather, rng: random.Random, history: History
    ) -> None:
        self.counts: Counter[str] = Counter()
        """What changed something, beside what the network counts."""
        self._estate = estate
        self._weather = weather
        self._rng = rng
        self._history = history

    async def happen(self, kind: str) -> None:
        """One trouble, from its beginning to its end."""
        await getattr(self, kind)()

    def count(self, what: str, where: str) -> None:
        """Something happened that changed something."""
        self.counts[what] += 1
        self._history.tell(what, where)

    # Processes and machines

    async def crash(self) -> None:
        """A process is killed."""
        self._process().crash()

    async def crash_at_commit(self) -> None:
        """A process dies at one of its next commits."""
        moment = self._rng.choice(list(Moment))
        self._process().commits.die_at(self._rng.randint(1, 8), moment)

    async def crash_at_step(self) -> None:
        """A process dies some steps after one of its next commits, calls or frames."""
        process = self._process()
        count, steps = self._rng.randint(1, 12), self._rng.randint(0, 30)
        if self._rng.random() < 0.5:
            process.commits.die_at(count, self._rng.choice(list(Moment)), steps)
        else:
            process.die_at_traffic(count, steps)

    async def power(self) -> None:
        """A machine loses its power, now or in one of its next commits."""
        process = self._process()
        if self._rng.random() < 0.5:
            process.lose_power()
        else:
            process.commits.tear(self._rng.randint(1, 8))

    async def shutdown(self) -> None:
        """A person ends a process."""
        await self._process().shut_down()

    async def stop(self) -> None:
        """A process hears and says nothing for a while."""
        process = self._process()
        life = process.life
        if not process.running:
            return
        self.count("stop", process.name)
        self._estate.network.stop(process.address)
        await self._lasts(self._weather.stop_s)
        if process.life is life:
            self._estate.network.resume(process.address)

    # Clocks

    async def jump(self) -> None:
        """Somebody sets a clock."""
        process, most_s = self._process(), self._weather.jump_s
        self.count("jump", process.name)
        process.clock.jump(self._rng.uniform(-most_s, most_s))

    async def sleep(self) -> None:
        """A till was closed for up to a day, and did not notice."""
        till = self._estate.processes[self._rng.choice(self._estate.registers)]
        self.count("sleep", till.name)
        till.clock.suspend(self._rng.uniform(1, 10) ** 5)

    # Links

    async def cut(self) -> None:
        """A link fails."""
        await self._cut(self._weather.cut_s)

    async def long_cut(self) -> None:
        """A link fails for longer than a lease."""
        await self._cut(self._weather.long_cut_s)

    async def half_open(self) -> None:
        """One end of a connection is gone."""
        source, target = self._rng.choice(self._estate.links)
        self._estate.network.lose_end(source, target, self._rng.choice(list(End)))

    # Drives

    async def full(self) -> None:
        """A drive is full for a while."""
        process = self._process()
        self._history.strained.add(process.name)
        process.drive.fill(log=self._rng.random() < 0.5)
        await self._lasts(self._weather.full_s)
        process.drive.empty()

    async def errors(self) -> None:
        """A drive fails at some reads and writes for a while."""
        process = self._process()
        self._history.strained.add(process.name)
        process.drive.errors = self._rng.uniform(*self._weather.error_rate)
        await self._lasts(self._weather.errors_s)
        process.drive.errors = 0.0

    async def slow(self) -> None:
        """A drive is slow for a while."""
        process = self._process()
        process.drive.slow_down((0.1, self._rng.uniform(0.2, self._weather.slow_write_s)))
        await self._lasts(self._weather.slow_s)
        process.drive.hurry()

    async def spoil(self) -> None:
        """Damages the file of a replica, behind the back of whoever reads it; or it goes."""
        name = self._rng.choice([*self._estate.registers, *self._estate.stores])
        folder = self._estate.folder / name
        database = folder / ("replica.db" if name in self._estate.stores else "offline.db")
        target = database.parent / database.readlink() if database.is_symlink() else database
        if not target.is_file():
            return
        self.count("spoil", name)
        self._history.spoiled.add(name)
        if self._rng.random() < 0.3:
            target.unlink()
            return
        size = target.stat().st_size
        first = self._rng.choice([0, 4_096])  # without its head no process opens it again
        with target.open("r+b") as file:
            file.seek(first)
            file.write(b"\xff" * max(0, size - first))

    def _process(self) -> Process:
        """A till in half of the cases, else a server."""
        tills, servers = self._estate.registers, [HQ, *self._estate.stores]
        return self._estate.processes[
            self._rng.choice(tills if self._rng.random() < 0.5 else servers)
        ]

    async def _cut(self, between_s: tuple[float, float]) -> None:
        source, target = self._rng.choice(self._estate.links)
        mode = self._rng.choice(list(Cut))
        self._history.tell("cut", mode, source, target)
        network = self._estate.network
        before = _hindered(network.counts)
        network.cut(source, target, mode=mode)
        await self._lasts(between_s)
        network.heal(source, target)
        if _hindered(network.counts) > before:
            self.counts[f"cut {mode}"] += 1

    async def _lasts(self, between_s: tuple[float, float]) -> None:
        await asyncio.sleep(self._rng.uniform(*between_s))


def _hindered(counts: Counter[str]) -> int:
    return counts["held"] + counts["broken"] + counts["refused"]
