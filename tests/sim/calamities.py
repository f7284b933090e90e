"""What people do to machines and cards: reinstall, restore, clone, unlock and adjust by hand.

Images are some seconds old when they are put back. Whoever starts again what has died (storm.py)
starts what was put back, too; a second machine on an image has somebody of its own.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.sim.history import Adjustment, History, Kind, now_s
from tests.sim.images import image_of, swap
from tests.sim.losses import Fate
from tests.sim.people import Cashier
from tests.sim.witness import witness
from tests.sim.world import HQ, OFFICE, Estate, money

from stillopen.core.errors import Refused, StillopenError
from stillopen.rpc.status import call
from stillopen.v1 import realtime_pb2, types_pb2

HOUR_S = 3600.0
PATIENCE_S = 3.0
"""How long somebody at headquarters waits for an answer."""
TRIES_MAX = 5
LATE_S = 0.1
"""How late an answer is at most when nothing delays it."""
UNLOCK, ADJUST = "unlock by hand", "adjust by hand"
SWITCHED_OFF = "switched off"
Hire = Callable[[str], Cashier]
"""Somebody for a register."""


@dataclass(frozen=True, slots=True)
class Calamity:
    """How often something happens in an hour, and how old images are when they are put back."""

    reinstall: float = 0.0
    """A register's folder is wiped, and it begins anew."""
    restore_register: float = 0.0
    """A register goes on from an image."""
    clone: float = 0.0
    """A second machine sells as a register, from an image of it, and is taken away again."""
    restore_channel: float = 0.0
    restore_headquarters: float = 0.0
    unlock: float = 0.0
    """Somebody at headquarters frees a card, with force or without."""
    adjust: float = 0.0
    """Somebody at headquarters puts money onto a card, or takes it off."""
    at_most: int = field(default=2, kw_only=True)
    """So many disks go, or go back; people free and adjust as often as they like."""
    image_s: tuple[float, float] = field(default=(0.5, 8.0), kw_only=True)
    """How old an image is, and for how long two machines sell."""


NO_CALAMITY = Calamity()
CALAMITIES = (*(str(each) for each in Fate if each is not Fate.TAKEN_AWAY), UNLOCK, ADJUST)
"""What they are called where faults are counted."""
_RATES = ("reinstall", "restore_register", "clone", "restore_channel", "restore_headquarters")
_BY_HAND = ("unlock", "adjust")


def drawn_calamity(rng: random.Random, duration_s: float) -> Calamity:
    """One or two of them for a day that long."""
    kinds = rng.sample([*_RATES, *_BY_HAND], rng.choice([1, 2]))
    often = HOUR_S / duration_s * 2
    rates = {kind: often * (3 if kind in _BY_HAND else 1) for kind in kinds}
    return calamity_of(rates, (0.3, duration_s / 3))


def calamity_of(rates: Mapping[str, float], image_s: tuple[float, float]) -> Calamity:
    """Those that are named, so often in an hour."""
    return Calamity(*(rates.get(kind, 0.0) for kind in (*_RATES, *_BY_HAND)), image_s=image_s)


class Calamities:
    """Calamities that befall an estate."""

    def __init__(
        self, estate: Estate, rates: Calamity, rng: random.Random, history: History, hire: Hire
    ) -> None:
        self.counts: Counter[str] = Counter()
        """Those that changed something."""
        self._estate = estate
        self._rates = rates
        self._rng = rng
        self._history = history
        self._hire = hire
        self._left = rates.at_most
        self._registers = estate.registers
        self._twins: dict[str, list[asyncio.Task[None]]] = {}
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begins a day on which they happen."""
        self._task = asyncio.create_task(self._befall())

    def end(self) -> None:
        """The day is over: nothing more happens, and second machines are taken away."""
        if self._task is not None:
            self._task.cancel()
            if self._task.done() and (error := self._task.exception()) is not None:
                self._history.surprises.append(f"the calamities ended with {error!r}")
        for twin in list(self._twins):
            self._take_away(twin)

    async def _befall(self) -> None:
        rates: dict[str, float] = {
            kind: rate
            for kind, rate in asdict(self._rates).items()
            if kind in (*_RATES, *_BY_HAND) and rate
        }
        if not rates:
            return
        total = sum(rates.values())
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._rng.expovariate(total / HOUR_S))
                [kind] = self._rng.choices(list(rates), list(rates.values()))
                if kind in _RATES:
                    if not self._left:
                        continue
                    self._left -= 1
                group.create_task(self._happen(kind))

    async def _happen(self, kind: str) -> None:
        register = self._rng.choice(self._registers)
        match kind:
            case "reinstall":
                self._swap(register, Fate.REINSTALLED)
                await self._note_late_answers(register)
            case "restore_register":
                await self._restore(register, Fate.RESTORED)
            case "clone":
                await self._clone(register)
            case "restore_channel":
                store = self._rng.choice(self._estate.stores)
                await self._restore(store, Fate.CHANNEL_RESTORED)
            case "restore_headquarters":
                await self._restore(HQ, Fate.HEADQUARTERS_RESTORED)
            case "unlock":
                await self._unlock()
            case _:
                await self._adjust()

    async def _restore(self, name: str, fate: Fate) -> None:
        image, taken_s = image_of(self._estate, name), now_s()
        await asyncio.sleep(self._rng.uniform(*self._rates.image_s))
        if any(x.place == name and x.time_s >= taken_s for x in self._history.losses):
            return  # an image of what the disk no longer goes on from: one past at a time
        self._swap(name, fate, image, taken_s)
        if fate is Fate.RESTORED:
            await self._note_late_answers(name)

    async def _note_late_answers(self, register: str) -> None:
        """What the process said before it was switched off may still arrive; then no more does."""
        try:
            await asyncio.sleep(self._estate.network.faults.delay_s[1] + LATE_S)
        finally:
            self._history.add(register, Kind.PUT_BACK, "", 0)

    def _swap(self, name: str, fate: Fate, image: Path | None = None, image_s: float = 0.0) -> None:
        """The machine is switched off, and its disk is another when it is switched on."""
        self._estate.processes[name].crash(SWITCHED_OFF)
        self._history.lose(witness(self._estate, name, fate, image, image_s))
        swap(self._estate, name, image)
        if name != HQ:
            self._history.spoiled.add(name)  # its copy of the master data is another
        if fate in {Fate.REINSTALLED, Fate.RESTORED}:
            self._history.add(name, Kind.PUT_BACK, "", 0)
        self.counts[str(fate)] += 1

    async def _clone(self, register: str) -> None:
        estate, history = self._estate, self._history
        image, taken_s = image_of(estate, register), now_s()
        await asyncio.sleep(self._rng.uniform(0.0, self._rates.image_s[0]))
        self._number += 1
        twin = f"{register}-twin-{self._number}"
        history.lose(witness(estate, register, Fate.CLONED, image, taken_s))
        for each in (register, twin):
            history.add(each, Kind.PUT_BACK, "", 0)
        estate.add_register(twin, estate.store_of[register], register)
        swap(estate, twin, image)
        self._twins[twin] = [
            asyncio.create_task(self._keep(twin)),
            asyncio.create_task(self._hire(twin).work()),
        ]
        self.counts[str(Fate.CLONED)] += 1
        await asyncio.sleep(self._rng.uniform(*self._rates.image_s))
        self._take_away(twin)

    async def _keep(self, twin: str) -> None:
        process = self._estate.processes[twin]
        while True:
            await process.start()
            await process.ended()
            await asyncio.sleep(self._rng.uniform(0.1, 1.0))

    def _take_away(self, twin: str) -> None:
        if twin not in self._twins:
            return
        keeper, cashier = self._twins.pop(twin)
        keeper.cancel()
        if cashier.done() and (error := cashier.exception()) is not None:
            self._history.surprises.append(f"{twin}: the cashier ended with {error!r}")
        cashier.cancel()
        process = self._estate.processes[twin]
        if process.failure is not None:
            self._history.surprises.append(f"{twin} ended by itself: {process.failure!r}")
        process.crash(SWITCHED_OFF)
        self._history.lose(witness(self._estate, twin, Fate.TAKEN_AWAY))
        self._estate.remove_register(twin)

    async def _unlock(self) -> None:
        rng, history = self._rng, self._history
        cards = [card.number for card in self._estate.plan.cards]
        number = rng.choice([*cards, *history.fresh_cards, *history.memos])
        memo, force = number in history.memos, rng.random() < 0.7
        request = realtime_pb2.UnlockCardRequest(
            number=number,
            kind=types_pb2.CARD_KIND_CREDIT_MEMO if memo else types_pb2.CARD_KIND_GIFT_CARD,
            reason="the customer called",
            force=force,
        )
        history.tell(UNLOCK, number, force)
        history.unlocked.add(number)
        try:
            await call(self._estate.cards.UnlockCard, request, OFFICE, PATIENCE_S)
        except Refused as error:
            history.tell(UNLOCK, error.reason)
        except StillopenError:
            return  # done or not: nobody knows
        else:
            self.counts[UNLOCK] += 1

    async def _adjust(self) -> None:
        rng, history = self._rng, self._history
        number = rng.choice([card.number for card in self._estate.plan.cards])
        self._number += 1
        request = realtime_pb2.AdjustCardRequest(
            adjustment_id=f"A{self._number}",
            number=number,
            change=money(rng.choice([-1, 1]) * rng.randint(1, 2_000)),
            reason="goodwill",
        )
        noted = Adjustment(number, request.change.minor_units, now_s())
        history.tell(ADJUST, number, noted.minor)
        history.adjustments.append(noted)
        for _ in range(TRIES_MAX):
            try:
                await call(self._estate.cards.AdjustCard, request, OFFICE, PATIENCE_S)
            except Refused as error:
                history.tell(ADJUST, error.reason)
                return
            except StillopenError:
                await asyncio.sleep(0.5)  # the same again changes nothing
            else:
                noted.done_s = now_s()
                self.counts[ADJUST] += 1
                return
