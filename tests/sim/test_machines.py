"""Machines that lose their power, processes that die at any step, connections with one end."""

import asyncio
import random
import sqlite3

import grpc
import pytest
from tests.sim.disk import Moment
from tests.sim.history import now_s
from tests.sim.loop import run
from tests.sim.network import Cut, End
from tests.sim.sample import HQ, TILL, World
from tests.sim.scene import ALLOWED, HOUR_S, Scene, act, refusal, small
from tests.sim.test_crashes import sells, starts_again
from tests.sim.world import OFFICE

from stillopen.core.errors import Reason
from stillopen.v1 import register_pb2

Code = grpc.StatusCode
ONE = small(ALLOWED, tills=(1,))


# Connections with one end


def test_a_server_whose_client_is_gone_finds_out_when_it_says_something() -> None:
    async def main() -> None:
        world = World()
        watching = world.register.WatchStatus(register_pb2.WatchStatusRequest())
        await anext(aiter(watching))
        world.network.lose_end(TILL, HQ, End.CLIENT)
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(aiter(watching))
        await asyncio.sleep(0.5)
        assert world.till.watchers == 1
        await asyncio.sleep(1)
        assert world.till.watchers == 0
        assert world.network.counts == {"half-open at the client": 1}

    run(main())


def test_a_client_whose_server_is_gone_finds_out_when_it_says_something() -> None:
    async def main() -> None:
        world = World()
        talk = world.talk()
        await talk.echo(1)
        world.network.lose_end(TILL, HQ, End.SERVER)
        hears = asyncio.create_task(talk.code())
        await asyncio.sleep(60)
        assert not hears.done()
        assert len(world.echo.cancelled_at_s) == 1
        talk.says.put_nowait(2)
        assert await hears is Code.UNAVAILABLE
        assert await world.talk().echo(3) == 3

    run(main())


def test_the_next_call_finds_out_and_all_calls_of_the_connection_end_with_it() -> None:
    async def main() -> None:
        world = World()
        talk = world.talk()
        await talk.echo(1)
        world.network.lose_end(TILL, HQ, End.SERVER)
        assert await world.fails("1") == (Reason.UNREACHABLE, 0.002)
        assert await talk.code() is Code.UNAVAILABLE
        assert await world.balance("2") == "2"
        assert world.cards.executed == ["2"]

    run(main())


def test_an_end_that_nobody_believed_in_is_no_trouble() -> None:
    async def main() -> None:
        world = World()
        world.network.lose_end(TILL, HQ, End.CLIENT)
        assert await world.balance("1") == "1"
        assert world.network.counts == {}

    run(main())


def test_requests_may_be_lost_while_answers_arrive() -> None:
    async def main() -> None:
        world = World()
        watching = aiter(world.register.WatchStatus(register_pb2.WatchStatusRequest()))
        await anext(watching)
        world.network.cut(TILL, HQ, mode=Cut.REQUESTS_LOST)
        assert await world.fails("1") == (Reason.TIMED_OUT, 5.0)
        assert (await anext(watching)).status.mode_reason == "1"
        assert world.cards.executed == []
        world.network.heal(TILL, HQ)
        assert await world.balance("2") == "2"

    run(main())


# Power


def test_nobody_hears_that_a_machine_lost_its_power_and_who_speaks_to_it_waits() -> None:
    async def story(scene: Scene) -> None:
        scene.estate.processes[scene.till.store].lose_power()
        sale, began_s = await scene.till.begin(), now_s()
        await scene.till.line(sale)
        profile = scene.estate.plan.profile
        assert now_s() - began_s == pytest.approx(profile.timeout_s, abs=0.1)
        assert (await scene.till.status()).mode_reason == "TIMED_OUT"

    act(story, plan=ONE)


def test_a_machine_that_lost_its_power_boots_anew_and_knows_no_connection() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        before = till.process.clock.boot_id()
        till.process.lose_power()
        await asyncio.sleep(1)
        assert await till.process.start()
        assert till.process.clock.boot_id() != before
        assert await refusal(till.begin()) == "UNREACHABLE"
        await till.sign_in()
        await till.sold()
        await scene.settled()

    act(story, plan=ONE)


@pytest.mark.parametrize("place", ["R1-1", "S1", "HQ"])
def test_a_sale_survives_a_power_failure_in_any_of_its_commits(place: str) -> None:
    lost = 0
    for number in range(1, 12, 2):
        died: list[str] = []

        async def story(scene: Scene) -> None:
            nonlocal lost
            process = scene.estate.processes[place]
            process.drive.rng = random.Random(number)  # noqa: B023, S311 - repeatable
            process.commits.tear(number)  # noqa: B023
            keeper = asyncio.create_task(starts_again(scene, place, died))  # noqa: B023
            async with asyncio.timeout(HOUR_S):
                sale = await sells(scene.till)
            await asyncio.sleep(11)
            process.spare()
            await scene.settled()
            keeper.cancel()
            assert [each.transaction_id for each in await scene.home()] == [sale.transaction_id]
            assert await scene.spent() == [sale.total.minor_units]
            assert (await scene.locks(), await scene.exceptions()) == ([], [])
            assert (await scene.till.sale(sale.transaction_id)).receipt == sale.receipt
            assert set(died) <= {"power loss"}  # noqa: B023
            lost += scene.estate.network.counts["written and lost"]

        act(story, plan=ONE)
    assert lost


# Any step


def _story_of_a_death(count: int, steps: int, *, at_commit: bool) -> tuple[list[str], list[object]]:
    """How a till died, and all that was called and answered."""
    died: list[str] = []
    trace: list[object] = []

    async def story(scene: Scene) -> None:
        process = scene.till.process
        if at_commit:
            process.commits.die_at(count, Moment.AFTER, steps)
        else:
            process.die_at_traffic(count, steps)
        keeper = asyncio.create_task(starts_again(scene, "R1-1", died))
        async with asyncio.timeout(HOUR_S):
            sale = await sells(scene.till)
        process.spare()
        await scene.settled()
        keeper.cancel()
        assert await scene.spent() == [sale.total.minor_units]
        process.on_end = None
        trace.extend([*scene.calls, sale.SerializeToString(deterministic=True)])

    act(story, plan=ONE)
    return died, trace


@pytest.mark.parametrize("at_commit", [True, False])
def test_a_sale_survives_a_death_at_any_step_and_dies_the_same_death_again(
    *, at_commit: bool
) -> None:
    died, traces = 0, set[str]()
    for steps in (1, 3, 6, 11):
        deaths, trace = _story_of_a_death(4, steps, at_commit=at_commit)
        died += len(deaths)
        traces.add(str(trace))
    assert died == 4
    assert len(traces) > 1
    assert _story_of_a_death(4, 3, at_commit=at_commit) == _story_of_a_death(
        4, 3, at_commit=at_commit
    )


# Drives


def test_on_a_full_drive_the_open_sale_ends_and_none_begins_until_there_is_room() -> None:
    async def story(scene: Scene) -> None:
        till, drive = scene.till, scene.till.process.drive
        drive.fill()
        count = 0
        while not (refused := await refusal(till.sold())):
            count += 1
        assert refused == "DISK_LOW"
        assert scene.estate.network.counts["reserve given up"] == 1
        drive.empty()
        await till.sold()
        await scene.settled()
        assert len(await scene.home()) == count + 1

    act(story, plan=ONE)


def test_a_lock_of_which_headquarters_says_only_that_it_failed_is_given_up_by_journal() -> None:
    async def story(scene: Scene) -> None:
        till, drive = scene.till, scene.estate.processes[scene.hq].drive
        sale = await till.line(await till.begin())
        drive.errors, drive.write_codes = 1.0, (sqlite3.SQLITE_IOERR_WRITE,)
        assert await refusal(till.card(sale)) in {"INTERNAL", "DATABASE_DAMAGED"}
        drive.heal()
        await scene.settled()
        journal = await till.stub.ListJournal(
            register_pb2.ListJournalRequest(page_size=9), metadata=OFFICE.metadata()
        )
        assert "UNLOCK" in {line.kind for line in journal.lines}
        assert await scene.locks() == []

    act(story, plan=ONE)


def test_a_lock_whose_end_could_not_be_written_ends_once_the_drive_works_again() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.line(await till.begin())
        scene.estate.network.cut(till.name, "s1:1", mode=Cut.ANSWERS_LOST)
        paying = asyncio.create_task(refusal(till.card(sale)))
        await asyncio.sleep(0.5)
        till.process.drive.errors = 1.0
        till.process.drive.write_codes = (sqlite3.SQLITE_IOERR_WRITE,)
        assert await paying == "INTERNAL"
        till.process.drive.heal()
        till.heal()
        assert len(await scene.locks()) == 1
        await asyncio.sleep(30)
        await scene.settled()
        assert await scene.locks() == []
        await other.with_card()

    act(story, plan=small(ALLOWED))
