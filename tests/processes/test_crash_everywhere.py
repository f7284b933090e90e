"""Each place ends itself before and after every commit, call and frame of a scripted sale.

The points are counted in a run without a death. Then each point has a run of its own, several at a
time: the place is a process that ends itself there, is started again on its files, the frontend
repeats what was not answered, and P1 to P5 and P8 are checked. What runs beside the sale (the
channel's word) may come earlier or later in another run; small sales follow until the point is
reached.
"""

import asyncio
import os
import zlib
from collections import Counter
from pathlib import Path
from typing import cast

import pytest
from tests.processes.crash_estate import PLACES, CrashEstate, OnReturn
from tests.processes.scripts import FIRST, SCRIPTS, SECOND
from tests.support.estate_till import Sale, Till

from stillopen.v1 import types_pb2

AT_ONCE = 4
ONE_IN = {"gift card": 9, "two cards": 24, "memo": 24, "suspended": 20}
"""Which share of its points is taken in an ordinary run; `make crashes` takes them all."""
OPEN, COMPLETED = types_pb2.SALE_STATE_OPEN, types_pb2.SALE_STATE_COMPLETED
DAY_S = 86_400


def points(seen: Counter[str]) -> list[str]:
    """Before and after everything that was counted."""
    found: list[str] = []
    for label, count in sorted(seen.items()):
        what, _, which = label.partition(":")
        for number in range(1, count + 1):
            found += [f"{what}:{when}:{which}:{number}" for when in ("before", "after")]
    return found


def chosen(every: list[str], script: str) -> list[str]:
    """One in some of a script's points, always the same ones, unless all are asked for."""
    one_in = 1 if os.environ.get("STILLOPEN_EVERY_POINT") else ONE_IN[script]
    return [point for point in every if zlib.crc32(f"{script} {point}".encode()) % one_in == 0]


async def survive(
    folder: Path,
    place: str,
    point: str,
    *,
    armed: bool,
    script: str = "gift card",
    on_return: OnReturn | None = None,
) -> None:
    """One run with one death, and everything that must be true then."""
    async with CrashEstate(folder, place, point, armed=armed, script=script) as estate:
        cashier = await estate.play(on_return)
        await estate.check(cashier)


async def failures(
    folder: Path, place: str, wanted: list[str], *, armed: bool, script: str = "gift card"
) -> list[str]:
    """Runs all points, some at a time, and says which went wrong and how."""
    turns = asyncio.Semaphore(AT_ONCE)
    wrong: list[str] = []

    async def one(number: int, point: str) -> None:
        async with turns:
            try:
                await survive(folder / str(number), place, point, armed=armed, script=script)
            except Exception as error:  # noqa: BLE001 - every point is to be reported
                wrong.append(f"{point}: {_why(error)}")

    async with asyncio.TaskGroup() as group:
        for number, point in enumerate(wanted):
            group.create_task(one(number, point))
    return wrong


def _why(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return repr(error)[:1_000]


async def counted(
    folder: Path, place: str, script: str = "gift card"
) -> tuple[Counter[str], Counter[str]]:
    """What a run without a death counts, until the place is ready and after."""
    async with CrashEstate(folder, place, "", script=script) as estate:
        cashier = await estate.play()
        await estate.check(cashier)
        assert cashier.refusals == []
        return await estate.counted()


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_place_may_die_anywhere_in_a_sale(tmp_path: Path, place: str, script: str) -> None:
    _, in_sale = await counted(tmp_path / "counted", place, script)
    assert any(label.startswith("commit") for label in in_sale)
    wanted = chosen(points(in_sale), script)
    assert await failures(tmp_path, place, wanted, armed=True, script=script) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES)
async def test_a_place_may_die_anywhere_while_it_starts(tmp_path: Path, place: str) -> None:
    at_start, _ = await counted(tmp_path / "counted", place)
    assert any(label.startswith("commit") for label in at_start)
    wanted = chosen(points(at_start), "gift card")
    assert await failures(tmp_path, place, wanted, armed=False) == []


# The table "Register, crash at each step": what is there when the register is back


async def kinds(till: Till) -> list[str]:
    return [line.kind for line in reversed(await till.journal())]


def live(sale: Sale) -> list[str]:
    return [tender.line_id for tender in sale.tenders if not tender.voided]


async def nothing_was_sent(estate: CrashEstate, till: Till) -> None:
    assert (live(await till.sale(FIRST)), await kinds(till)) == ([], [])
    assert await estate.people.locks() == []


async def unlock_is_journaled_and_no_tender_is_there(_: CrashEstate, till: Till) -> None:
    assert (live(await till.sale(FIRST)), await kinds(till)) == ([], ["UNLOCK"])


async def open_with_its_tender(estate: CrashEstate, till: Till) -> None:
    sale = await till.sale(FIRST)
    assert (sale.state, live(sale)[:1], await kinds(till)) == (OPEN, ["T1"], [])
    [lock] = await estate.people.locks()
    assert lock.lock.lock_key == sale.tenders[0].card.lock_key
    assert lock.lock.blocks_for.seconds > 0


async def open_and_kept_for_lease_and_grace(estate: CrashEstate, till: Till) -> None:
    await open_with_its_tender(estate, till)
    [lock] = await estate.people.locks()
    assert lock.lock.blocks_for.seconds > 2 * DAY_S


async def completed(_: CrashEstate, till: Till) -> None:
    sale = await till.sale(FIRST)
    assert (sale.state, await kinds(till)) == (COMPLETED, ["COMPLETED"])
    assert sale.receipt.sequence == 1


async def tender_is_still_there(_: CrashEstate, till: Till) -> None:
    assert (live(await till.sale(SECOND)), await kinds(till)) == (["T1"], ["COMPLETED"])


async def tender_is_gone_and_its_lock_given_up(_: CrashEstate, till: Till) -> None:
    assert (live(await till.sale(SECOND)), await kinds(till)) == ([], ["COMPLETED", "UNLOCK"])


TABLE: dict[str, tuple[str, OnReturn]] = {
    "before the intent is durable": ("commit:before:Cards.lock:1", nothing_was_sent),
    "intent durable": (
        "commit:after:Cards.lock:1",
        unlock_is_journaled_and_no_tender_is_there,
    ),
    "LockCard about to be sent": (
        "call:before:LockCard:1",
        unlock_is_journaled_and_no_tender_is_there,
    ),
    "grant heard": ("call:after:LockCard:1", unlock_is_journaled_and_no_tender_is_there),
    "grant not saved": (
        "commit:before:SaleStore.change:3",
        unlock_is_journaled_and_no_tender_is_there,
    ),
    "tender saved": ("commit:after:SaleStore.change:3", open_with_its_tender),
    "confirm about to be sent": ("call:before:RenewLocks:1", open_with_its_tender),
    "confirm answered": ("call:after:RenewLocks:1", open_and_kept_for_lease_and_grace),
    "entry not appended": (
        "commit:before:SaleStore.change:5",
        open_and_kept_for_lease_and_grace,
    ),
    "entry appended, not printed": ("commit:after:SaleStore.change:5", completed),
    "remove, before its transaction": ("commit:before:SaleStore.change:8", tender_is_still_there),
    "remove, after its transaction": (
        "commit:after:SaleStore.change:8",
        tender_is_gone_and_its_lock_given_up,
    ),
}


@pytest.mark.parametrize(("point", "expected"), TABLE.values(), ids=TABLE.keys())
async def test_a_register_comes_back_as_the_table_says(
    tmp_path: Path, point: str, expected: OnReturn
) -> None:
    looked: list[str] = []

    async def look(estate: CrashEstate, till: Till) -> None:
        if not looked:
            await expected(estate, till)
        looked.append(point)

    await survive(tmp_path / "run", "register", point, armed=True, on_return=look)
    assert looked
