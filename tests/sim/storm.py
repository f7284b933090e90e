"""Weather that happens to an estate, and somebody who starts again what has died."""

import asyncio
import random
from collections import Counter
from dataclasses import asdict, replace
from functools import partial

from tests.sim.history import History, Kind
from tests.sim.process import Process
from tests.sim.troubles import Troubles
from tests.sim.weather import HOUR_S, Weather
from tests.sim.world import Estate


class Storm:
    """Weather that happens to an estate, and somebody who starts again what has died."""

    def __init__(
        self, estate: Estate, weather: Weather, rng: random.Random, history: History
    ) -> None:
        self._troubles = Troubles(estate, weather, rng, history)
        self._estate = estate
        self._weather = weather
        self._rng = rng
        self._history = history

    @property
    def counts(self) -> Counter[str]:
        """What changed something, beside what the network counts."""
        return self._troubles.counts

    async def rage(self) -> None:
        """Goes on for as long as the weather lasts; what it began is not mended at its end."""
        self._estate.network.faults = replace(self._weather.messages)
        rates: dict[str, float] = asdict(self._weather.often)
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
                    group.create_task(self._troubles.happen(kind))
        except TimeoutError:
            pass

    async def _keep(self, process: Process) -> None:
        while True:
            await process.ended()
            await asyncio.sleep(self._rng.uniform(*self._weather.down_s))
            await process.start()

    def _ended(self, process: Process, how: str) -> None:
        self._troubles.count(how, process.name)
        if process.name in self._estate.store_of:
            self._history.add(process.name, Kind.CRASHED, "", 0)
