"""What stays within its bounds is right, and everything that grows is found."""

import asyncio
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from tests.sim.growth import nothing_grows
from tests.sim.history import Answers, History
from tests.sim.loop import run
from tests.sim.prepared import copy_prepared
from tests.sim.record import Record
from tests.sim.scene import small
from tests.sim.sizes import Weighed
from tests.sim.watch import Watch
from tests.sim.world import Estate


def violations(weighed: Weighed) -> list[str]:
    return list(nothing_grows(Record(History(), Answers(), (), weighed=weighed)))


async def _weighed(folder: Path, leaking: str) -> Weighed:
    estate = Estate(small(), folder, "growth")
    watch = Watch(estate)
    await estate.open()
    life = estate.processes["S1"].life
    assert life is not None
    if leaking:
        asyncio.get_running_loop().create_task(_leak(), context=life.context.copy())
    await watch.weigh()
    await estate.close()
    return watch.weighed


async def _leak() -> None:
    while True:
        asyncio.get_running_loop().create_task(asyncio.sleep(1_000))
        await asyncio.sleep(1)


def weighed_in(folder: Path, leaking: str = "") -> Weighed:
    """What an estate weighs in which nobody does anything, though a channel may leak tasks."""
    plan = small()
    copy_prepared(plan.tills, plan.products, folder)
    return run(_weighed(folder, leaking))


@cache
def _calm(folder: Path) -> Weighed:
    return weighed_in(folder)


@pytest.fixture
def calm(tmp_path_factory: pytest.TempPathFactory) -> Weighed:
    return deepcopy(_calm(tmp_path_factory.getbasetemp() / "calm"))


def test_an_estate_at_rest_is_within_all_bounds(calm: Weighed) -> None:
    assert violations(calm) == []
    weighed = {place for place, what in calm.later if what == "tasks"}
    assert weighed == {"HQ", "S1", "R1-1", "R1-2"}
    for known in (
        ("HQ", "rows of lane in headquarters"),
        ("HQ", "files in packages"),
        ("S1", "rows of entry in channel"),
        ("R1-1", "rows of mode_change in journal"),
        ("R1-1", "bytes of journal.db-wal"),
        ("network", "calls"),
    ):
        assert known in calm.later


def test_tasks_that_leak_are_found(tmp_path: Path) -> None:
    lines = violations(weighed_in(tmp_path, leaking="S1"))
    assert any(line.startswith("S1: tasks grew from") for line in lines)


@pytest.mark.parametrize(
    ("place", "what", "size"),
    [
        ("R1-1", "tasks", 40),
        ("S1", "tasks", 40),
        ("HQ", "tasks", 30),
        ("network", "calls", 7),
        ("R1-1", "files", 9),
        ("HQ", "files in packages", 50),
        ("HQ", "bytes of headquarters.db-wal", 10**8),
        ("HQ", "rows of staged_product in headquarters", 101),
        ("R1-1", "rows of mode_change in journal", 500),
    ],
)
def test_what_is_beyond_its_bound_is_found(calm: Weighed, place: str, what: str, size: int) -> None:
    calm.first[place, what] = calm.later[place, what] = size
    [line] = violations(calm)
    assert line.startswith(f"{place}: {what} are {size}")


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("HQ", "rows of entry in headquarters"),
        ("HQ", "rows of change in headquarters"),
        ("HQ", "rows of card_lock in realtime"),
        ("S1", "rows of lane in channel"),
        ("S1", "files"),
        ("R1-2", "rows of journal_entry in journal"),
        ("R1-2", "tasks"),
    ],
)
def test_what_grows_while_nobody_does_anything_is_found(
    calm: Weighed, place: str, what: str
) -> None:
    calm.later[place, what] += 1
    assert len(violations(calm)) >= 1


def test_a_list_that_is_kept_short_may_grow_within_its_bound(calm: Weighed) -> None:
    calm.later["R1-1", "rows of mode_change in journal"] += 1
    calm.later["R1-1", "bytes of journal.db-wal"] += 4_120
    assert violations(calm) == []
