"""One seed: an estate, its people, its weather, and what is left when all is over."""

import asyncio
import logging
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.sim.audit import compare, drain, note_waiting, read_all, read_carts
from tests.sim.checkers import Record
from tests.sim.history import Answers, Card, History, now_s
from tests.sim.loop import run
from tests.sim.office import office
from tests.sim.people import Cashier, Habits
from tests.sim.weather import Storm, Weather, drawn_weather
from tests.sim.world import Estate, Plan

from stillopen.core.parameters import CardParameters, OfflineProfile

FINISH_S = 600.0
"""How long cashiers may take to finish their sale once everything works again."""
_VIRTUAL_S_MAX = 100_000.0
_LEASES_S = (10.0, 120.0)
_SHORT = CardParameters(conclude_within_s=20.0, lease_s=10.0, grace_s=30.0, settle_margin_s=20.0)


@dataclass(frozen=True, slots=True)
class Played:
    """A seed that was played: what people saw, what the estate says, what went wrong."""

    seed: int
    record: Record
    faults: Counter[str]
    """How often each kind of trouble changed something."""
    virtual_s: float


def drawn_plan(rng: random.Random) -> Plan:
    """An estate for a seed."""
    count = rng.choice([1, 1, 2, 4])
    cards = tuple(Card(f"7000000000{n:02}", rng.randint(0, 9_000)) for n in range(count))
    gift_card = _SHORT if rng.random() < 0.15 else CardParameters(lease_s=rng.choice(_LEASES_S))
    gift_card = replace(
        gift_card, allow_concluding_offline=rng.random() < 0.5, cash_out_up_to_minor=400
    )
    profile = OfflineProfile(
        timeout_s=rng.choice([0.5, 1.0, 3.0]),
        reconnect_interval_s=rng.choice([0.0, 5.0, 30.0]),
        retry_count_to_offline=rng.choice([1, 1, 2]),
        heartbeat_interval_s=rng.choice([1.0, 5.0]),
    )
    return Plan(
        tills=rng.choice([(2,), (3,), (1, 1), (2, 1), (2, 2)]),
        cards=cards,
        gift_card=gift_card,
        profile=profile,
        disk_latency_s=rng.choice([(0.0, 0.0), (0.0001, 0.002), (0.001, 0.05)]),
        wall_wrong_s=rng.choice([1.0, 100_000.0]),
    )


def drawn_switching(profile: OfflineProfile, rng: random.Random) -> OfflineProfile:
    """The profile with, half of the time, all that may move a register besides the basic rule."""
    if rng.random() < 0.5:
        return profile
    return replace(
        profile,
        prompt_on_seamless_offline=rng.random() < 0.5,
        allow_manual_offline_before_sign_in=rng.random() < 0.5,
        enable_advanced_offline_switching=True,
        system_health_check_interval_s=rng.choice([1.0, 5.0]),
        minimum_dwell_s=rng.choice([2.0, 10.0]),
        offline_switch_api_performance_threshold_s=rng.choice([0.0, profile.timeout_s / 2]),
        reconnect_from_performance_induced_offline_interval_s=rng.choice([5.0, 30.0]),
    )


def play(seed: int) -> Played:
    """Plays a seed; the same seed gives the same history."""
    rng = random.Random(f"{seed}/plan")  # noqa: S311 - repeatable
    plan, weather = drawn_plan(rng), drawn_weather(rng)
    switching = random.Random(f"{seed}/switching")  # noqa: S311 - repeatable
    plan = replace(plan, profile=drawn_switching(plan.profile, switching))
    habits = Habits(
        by_card=rng.choice([0.4, 0.7, 0.95]),
        dawdles=rng.choice([0.0, 0.02, 0.05]),
        takes_back=rng.choice([0.05, 0.2]),
    )
    return play_with(seed, plan, weather, habits)


def play_with(seed: int, plan: Plan, weather: Weather, habits: Habits) -> Played:
    """The same with a plan, a weather and habits that were not drawn."""
    memory = Path("/dev/shm")  # noqa: S108 - a simulation needs no disk
    folder = Path(tempfile.mkdtemp("", "stillopen-sim-", memory if memory.is_dir() else None))
    try:
        with _errors() as logged:
            played = run(_play(seed, plan, weather, habits, folder), limit_s=_VIRTUAL_S_MAX)
        played.record.answers.failures += logged
        return played
    finally:
        shutil.rmtree(folder)


async def _play(seed: int, plan: Plan, weather: Weather, habits: Habits, folder: Path) -> Played:
    estate, history, answers = Estate(plan, folder, str(seed)), History(), Answers()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: answers.failures.append(f"nobody was told of {context}")
    )
    estate.network.on_call = history.tell
    await estate.open()
    cashiers = [_cashier(estate, name, history, habits) for name in estate.registers]
    selling = [asyncio.create_task(cashier.work()) for cashier in cashiers]
    manager = asyncio.create_task(office(estate, estate.rng("office"), history))
    storm = Storm(estate, weather, estate.rng("storm"), history)
    await storm.rage()
    manager.cancel()
    await estate.heal()
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
    await drain(estate, answers)
    await compare(estate, answers)
    await asyncio.sleep(plan.gift_card.lease_s + 1)
    await read_all(estate, history, answers)
    await read_carts(estate, answers)
    answers.failures += [
        f"{process.name} ended by itself: {process.failure!r}"
        for process in estate.processes.values()
        if process.failure is not None
    ]
    virtual_s = now_s()
    faults = storm.counts + estate.network.counts
    del faults["crashed"]  # the storm tells how
    for process in estate.processes.values():
        process.on_end = None
    await estate.close()
    exceptional = plan.gift_card.grace_s < weather.duration_s
    return Played(seed, Record(history, answers, plan.cards, exceptional), faults, virtual_s)


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
