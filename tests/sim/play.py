"""One seed: an estate, its people, its weather, and what is left when all is over."""

import asyncio
import logging
import shutil
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.sim.audit import compare, drain, note_waiting, read_all, read_carts
from tests.sim.calamities import NO_CALAMITY, Calamities, Calamity
from tests.sim.clearing import clear_up
from tests.sim.drawing import Seed, drawn_day
from tests.sim.drive import is_of_a_drive
from tests.sim.habits import Habits
from tests.sim.history import Answers, History, now_s
from tests.sim.loop import run
from tests.sim.losses import Fate
from tests.sim.office import office
from tests.sim.people import Cashier
from tests.sim.prepared import copy_prepared, scratch_folder
from tests.sim.record import Record
from tests.sim.relaying import Relays
from tests.sim.storm import Storm
from tests.sim.watch import Watch
from tests.sim.weather import Weather
from tests.sim.world import HQ_ADDRESS, Estate, Plan

from stillopen.core.errors import Reason, Refused

FINISH_S = 600.0
"""How long cashiers may take to finish their sale once everything works again."""
TRY_AGAIN_S = 1.0
_VIRTUAL_S_MAX = 100_000.0


@dataclass(frozen=True, slots=True)
class Played:
    """A seed that was played: what people saw, what the estate says, what went wrong."""

    seed: int
    record: Record
    faults: Counter[str]
    """How often each kind of trouble changed something."""
    virtual_s: float


def play(seed: Seed) -> Played:
    """Plays a seed; the same seed gives the same history."""
    day = drawn_day(seed)
    return play_with(seed.number, day.plan, day.weather, day.habits, day.calamity)


def play_with(
    seed: int, plan: Plan, weather: Weather, habits: Habits, calamity: Calamity = NO_CALAMITY
) -> Played:
    """The same with a plan, a weather, habits and calamities that were not drawn."""
    folder = scratch_folder()
    try:
        copy_prepared(plan.tills, plan.products, folder)
        with _errors() as logged:
            day = _play(seed, plan, weather, habits, calamity, folder)
            played = run(day, limit_s=_VIRTUAL_S_MAX)
        played.record.answers.failures += logged
        return played
    finally:
        shutil.rmtree(folder)


async def _play(
    seed: int, plan: Plan, weather: Weather, habits: Habits, calamity: Calamity, folder: Path
) -> Played:
    estate, history, answers = Estate(plan, folder, str(seed)), History(), Answers()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: answers.failures.append(f"nobody was told of {context}")
    )
    estate.network.on_call = history.tell
    estate.network.ears.append(Relays(HQ_ADDRESS, history))
    watch = Watch(estate)
    await estate.open()
    cashiers = [_cashier(estate, name, history, habits) for name in estate.registers]
    selling = [asyncio.create_task(cashier.work()) for cashier in cashiers]
    manager = asyncio.create_task(office(estate, estate.rng("office"), history, habits.office_s))
    storm = Storm(estate, weather, estate.rng("storm"), history)
    hire = partial(_cashier, estate, history=history, habits=habits)
    calamities = Calamities(estate, calamity, estate.rng("calamities"), history, hire)
    calamities.begin()
    await storm.rage()
    calamities.end()
    manager.cancel()
    await estate.heal()
    if any(loss.fate is Fate.HEADQUARTERS_RESTORED for loss in history.losses):
        await _set_prices_again(estate)
    await note_waiting(estate, history, answers)
    for cashier in cashiers:
        cashier.closing = True
    await asyncio.wait(selling, timeout=FINISH_S)
    for cashier, task in zip(cashiers, selling, strict=True):
        if not task.done():
            answers.failures.append(f"{cashier.register}: the cashier could not finish")
            task.cancel()
        elif (error := task.exception()) is not None:
            answers.failures.append(f"{cashier.register}: the cashier ended with {error!r}")
    await drain(estate, history, answers)
    await clear_up(estate, history)
    await compare(estate, history, answers)
    await asyncio.sleep(plan.gift_card.lease_s + 1)
    await read_all(estate, history, answers)
    await read_carts(estate, history, answers)
    await watch.weigh()
    answers.failures += [
        f"{process.name} ended by itself: {process.failure!r}"
        for process in estate.processes.values()
        if process.failure is not None
    ]
    virtual_s = now_s()
    faults = storm.counts + estate.network.counts + calamities.counts
    del faults["crashed"]  # the storm tells how
    for process in estate.processes.values():
        process.on_end = None
    await estate.close()
    exceptional = plan.gift_card.grace_s < weather.duration_s
    told = (watch.heard, watch.words, watch.weighed)
    record = Record(history, answers, plan.cards, exceptional, *told)
    return Played(seed, record, faults, virtual_s)


async def _set_prices_again(estate: Estate) -> None:
    """What people had changed since is lost: they change it, once what they gave up has ended."""
    async with asyncio.timeout(FINISH_S):
        while True:
            try:
                return await estate.set_prices(0)
            except Refused as error:
                if error.reason is not Reason.IMPORT_RUNNING:
                    raise
            await asyncio.sleep(TRY_AGAIN_S)


def _cashier(estate: Estate, name: str, history: History, habits: Habits) -> Cashier:
    return Cashier(
        name,
        estate.register(name),
        estate.rng(f"cashier {name}"),
        [card.number for card in estate.plan.cards],
        estate.plan.products,
        history,
        habits,
    )


class _Kept(logging.Handler):
    """Keeps errors that the programs logged: none is expected."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        told = record.args if isinstance(record.args, tuple) else ()
        errors = [each for each in (cause, *told) if isinstance(each, BaseException)]
        if any(map(is_of_a_drive, errors)):
            return  # a drive is to blame, not the program
        self.lines.append(f"logged by {record.name}: {record.getMessage()} {cause!r}")


@contextmanager
def _errors() -> Generator[list[str]]:
    kept = _Kept()
    log = logging.getLogger("stillopen")
    log.addHandler(kept)
    try:
        yield kept.lines
    finally:
        log.removeHandler(kept)
