"""What is on its way to a replica, as the runs of the schedule that is there from the start say."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.distributing import Following, Office, open_office

from stillopen.headquarters import distribution_runs
from stillopen.headquarters.comparison_ways import way_to
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import PRICE, PRODUCT, Table


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Headquarters with a store, and a profile whose registers do without customers."""
    async with await open_office(tmp_path) as begun:
        await begun.profile("Lean", "customer")
        await begun.store("S1", profile="Lean")
        await begun.register("R1", "S1")
        yield begun


async def sells(office: Office, *codes: str) -> None:
    """Products come, one run of the schedule each."""
    for code in codes:
        await office.product(code)
        await office.distribution.run_schedule("default")


async def on_their_way(
    office: Office, at: Cursor, *codes: str, table: Table = PRODUCT
) -> list[bool]:
    """Whether rows are on their way to a replica that stands there."""
    return await office.engine.read(
        lambda session: [
            way_to(session, "Default", at, table).holds(session, code) for code in codes
        ]
    )


async def caught_up(office: Office) -> tuple[Following, Following]:
    """A channel and a register that have everything until now."""
    channel = await office.replica("S1")
    till = await office.till("R1", channel)
    for following in (channel, till):
        await following.catch_up()
    return channel, till


async def test_to_a_replica_that_is_behind_only_what_came_since_is_on_its_way(
    office: Office,
) -> None:
    channel, _ = await caught_up(office)
    await sells(office, "APPLE", "PEAR")
    await channel.catch_up()
    await sells(office, "PLUM", "LIME")
    at = channel.replica.at
    codes = ("APPLE", "PEAR", "PLUM", "LIME")
    assert await on_their_way(office, at, *codes) == [False, False, True, True]
    await channel.catch_up()
    assert await on_their_way(office, channel.replica.at, *codes) == [False] * 4


async def test_a_row_is_not_on_its_way_for_ever_though_the_runs_are_not_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution_runs, "RUNS_MAX", 2)
    channel, _ = await caught_up(office)
    await sells(office, "APPLE")
    await channel.catch_up()
    await sells(office, "PEAR", "PLUM", "LIME")
    await office.product("FIG")
    assert [run.sequence for run in await office.runs()] == [5, 4]
    codes = ("APPLE", "PEAR", "PLUM", "LIME", "FIG")
    found = await on_their_way(office, channel.replica.at, *codes)
    assert found == [False, False, False, True, True]


async def test_a_job_that_no_kept_run_carried_counts_as_far_as_it_is_now(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution_runs, "RUNS_MAX", 1)
    channel, _ = await caught_up(office)
    await sells(office, "APPLE")
    await office.put(PRICE, ("APPLE 0", "APPLE", "EUR", 5, 0, None))
    await office.run(1020)
    await office.product("PEAR")
    assert await on_their_way(office, channel.replica.at, "APPLE", "PEAR") == [False, True]
    assert await on_their_way(office, channel.replica.at, "APPLE 0", table=PRICE) == [False]


async def test_a_log_that_began_between_runs_is_measured_by_those_of_its_group(
    office: Office,
) -> None:
    await office.ask("S1")
    await sells(office, "APPLE")
    _, till = await caught_up(office)
    assert till.replica.at.sequence == 1
    await sells(office, "PEAR")
    assert await on_their_way(office, till.replica.at, "APPLE", "PEAR") == [False, True]
