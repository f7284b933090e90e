"""Where packages stand for a channel's replica, as headquarters lists it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_parts import FAST, eur, one, until
from tests.support.estate_stream import Stream

from stillopen.replication import package_log
from stillopen.v1 import headquarters_pb2, sync_pb2, types_pb2

OTHER = "S2"
"""A store whose channel does not run: the test speaks for it."""
DEFAULT = "default"
EVERYTHING = 9999


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    """An estate whose streams may be silent for as long as a test takes."""
    async with Estate(tmp_path, replace(FAST, heartbeat_interval_s=30.0)) as started:
        yield started


async def stands(estate: Estate) -> headquarters_pb2.Replica:
    """How that store's channel stands."""
    found = [each async for each in estate.people.replicas() if each.store_id == OTHER]
    return next(each for each in found if not each.register_id)


async def states(estate: Estate) -> dict[int, str]:
    """Where each package of the store stands, by its sequence."""
    return {
        each.run.sequence: headquarters_pb2.DownloadState.Name(each.state)[len("DOWNLOAD_STATE_") :]
        async for each in estate.people.downloads(OTHER)
        if not each.register_id
    }


async def until_listed(estate: Estate, state: str) -> None:
    """Waits until the package that comes next stands so."""

    async def so() -> bool:
        return state in (await states(estate)).values()

    await until(so)


async def begun(stream: Stream) -> sync_pb2.PackageBegin:
    """The next package begins."""
    return (await stream.hears(lambda frame: frame.HasField("package_begin"))).package_begin


async def applies(stream: Stream, package: sync_pb2.PackageBegin) -> None:
    """The channel shows the package now."""
    applied = sync_pb2.PackageApplied(cursor=package.cursor)
    stream.say(sync_pb2.SyncRequest(package_applied=applied))


async def imports(estate: Estate, product_id: str) -> None:
    """A change at headquarters."""
    row = types_pb2.Product(product_id=product_id, name=product_id, price=eur(1))
    await estate.people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=[row])))


async def test_packages_are_available_then_requested_then_applied(estate: Estate) -> None:
    last = max(await states(estate))
    assert set((await states(estate)).values()) == {"AVAILABLE"}
    async with Stream(estate.upper_streams, callers.channel(OTHER)) as stream:
        stream.hello()
        while (package := await begun(stream)).cursor.sequence < last:
            await applies(stream, package)
        await until_listed(estate, "REQUESTED")
        standing = await states(estate)
        assert standing == {n: "REQUESTED" if n == last else "APPLIED" for n in standing}
        await applies(stream, package)

        async def all_applied() -> bool:
            return set((await states(estate)).values()) == {"APPLIED"}

        await until(all_applied)
    replica = await stands(estate)
    assert (replica.sequence, replica.behind) == (last, 0)
    assert replica.HasField("last_contact_time")


async def test_what_a_snapshot_holds_is_canceled_for_whoever_gets_that(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_log, "DELTAS_BYTES_MIN", 1)
    monkeypatch.setattr(package_log, "DELTAS_MAX", 2)
    for number in range(4):
        await imports(estate, f"P{number}")
        await estate.people.run_schedule(DEFAULT)
    async with Stream(estate.upper_streams, callers.channel(OTHER)) as stream:
        stream.hello()
        snapshot = await begun(stream)
    found = await states(estate)
    assert not snapshot.HasField("base")
    held = {state for number, state in found.items() if number < snapshot.cursor.sequence}
    assert held == {"CANCELED"}
    assert found[snapshot.cursor.sequence] == "REQUESTED"


async def test_a_session_says_what_the_package_holds_and_when_it_was_made(estate: Estate) -> None:
    await imports(estate, "PLUM")
    await estate.until_channel_shows()
    [session, *_] = [each async for each in estate.people.downloads("S1")]
    run = session.run
    assert (run.schedule, list(run.jobs), run.group_id) == (DEFAULT, [EVERYTHING], "Default")
    assert (run.changed, run.removed, run.failure) == (1, 0, "")
    assert 0 < run.size < 10_000
    assert run.HasField("begin_time")
    assert run.sequence == max(await states(estate))


async def test_a_package_that_broke_off_comes_whole_the_next_time(estate: Estate) -> None:
    async with Stream(estate.upper_streams, callers.channel(OTHER)) as stream:
        stream.hello()
        first = await begun(stream)
    async with Stream(estate.upper_streams, callers.channel(OTHER)) as stream:
        stream.hello()
        again = await begun(stream)
        assert again == first
        await applies(stream, again)
        await until_listed(estate, "APPLIED")


async def test_a_package_that_a_replica_refuses_says_so_and_why(estate: Estate) -> None:
    async with Stream(estate.upper_streams, callers.channel(OTHER)) as stream:
        stream.hello()
        package = await begun(stream)
        refused = sync_pb2.PackageRefused(
            cursor=package.cursor, reason="PACKAGE_DAMAGED", message="the disk said no"
        )
        stream.say(sync_pb2.SyncRequest(package_refused=refused))
        await until_listed(estate, "APPLY_FAILED")
    assert "the disk said no" in (await stands(estate)).message


async def test_a_paused_schedule_runs_by_hand_and_answers_when_it_can_be_fetched(
    estate: Estate,
) -> None:
    paused = headquarters_pb2.DistributionSchedule(name=DEFAULT, jobs=[EVERYTHING], paused=True)
    await estate.people.set_schedule(paused)
    before = await states(estate)
    await imports(estate, "FIG")
    assert await states(estate) == before
    [run] = await estate.people.run_schedule(DEFAULT)
    after = await states(estate)
    assert (run.sequence, after[run.sequence]) == (max(before) + 1, "AVAILABLE")
    assert await estate.people.run_schedule(DEFAULT) == []
