"""The virtual loop and the clocks that are read from it."""

import asyncio
import gc
import itertools

import pytest
from tests.sim.clock import WALL_AT_START_S, SimClock
from tests.sim.loop import Deadlock, Livelock, OutOfTime, run

from stillopen.core.ports import Clock

YEAR_S = 365 * 86_400.0


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_time_starts_at_zero_and_only_sleeping_moves_it() -> None:
    async def main() -> list[float]:
        times = [now_s()]
        for seconds in (0.0, 0.25, 3_600.0):
            await asyncio.sleep(seconds)
            times.append(now_s())
        return times

    assert run(main()) == [0.0, 0.0, 0.25, 3_600.25]


def test_a_year_passes_at_once_and_timers_still_work_after_it() -> None:
    async def main() -> float:
        await asyncio.sleep(YEAR_S)
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0, done.set_result, None)
        await done
        return now_s()

    assert run(main(), limit_s=2 * YEAR_S) == pytest.approx(YEAR_S, abs=1e-6)


def test_timeouts_end_at_their_time() -> None:
    async def main() -> list[float]:
        ends: list[float] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(60)
        ends.append(now_s())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 7)
        ends.append(now_s())
        return ends

    assert run(main()) == [5.0, 12.0]


def test_tasks_of_a_group_sleep_side_by_side() -> None:
    order: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(f"{name} at {now_s()}")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(sleeper("long", 3))
            group.create_task(sleeper("short", 1))

    run(main())
    assert order == ["short at 1.0", "long at 3.0"]


def test_a_group_that_fails_cancels_its_tasks_in_the_order_they_were_made() -> None:
    cancelled: list[int] = []

    async def waiter(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(waiter(number))
            await asyncio.sleep(1)
            raise KeyError

    with pytest.raises(ExceptionGroup):
        run(main())
    assert cancelled == list(range(50))


async def wait_for_godot(event: asyncio.Event) -> None:
    await event.wait()


def test_a_deadlock_says_who_waits_where_since_when() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            await asyncio.sleep(2)
            group.create_task(wait_for_godot(asyncio.Event()))

    with pytest.raises(Deadlock) as caught:
        run(main())
    report = str(caught.value)
    assert "after 2.000000 s" in report
    assert "task-1 " in report
    assert "task-2 wait_for_godot at test_loop.py:" in report
    assert "in wait_for_godot" in report


def test_a_cancelled_timer_is_no_reason_to_go_on() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(60, print).cancel()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="after 0"):
        run(main())


def test_a_program_that_never_waits_is_reported() -> None:
    async def main() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    with pytest.raises(Livelock, match="time stands still"):
        run(main())


def test_a_program_that_never_ends_is_reported() -> None:
    async def main() -> None:
        for _ in itertools.count():
            await asyncio.sleep(60)

    with pytest.raises(OutOfTime, match="3600"):
        run(main(), limit_s=3_600)


def test_what_main_leaves_behind_is_cancelled_and_may_clean_up() -> None:
    ended: list[float] = []

    async def leftover() -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            await asyncio.sleep(5)
            ended.append(now_s())

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(leftover())
        await asyncio.sleep(10)
        return task

    assert run(main(), limit_s=10).cancelled()
    assert ended == [15.0]


def test_work_for_threads_is_done_at_once() -> None:
    def divide(number: int) -> float:
        return 1 / number

    async def main() -> tuple[float, float]:
        half = await asyncio.to_thread(divide, 2)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divide, 0)
        return half, now_s()

    assert run(main()) == (0.5, 0.0)


def test_what_main_raises_comes_out_and_the_collector_is_on_again() -> None:
    async def main() -> None:
        assert not gc.isenabled()
        raise KeyError("the reason")

    with pytest.raises(KeyError, match="the reason"):
        run(main())
    assert gc.isenabled()


def as_clock(clock: Clock) -> Clock:
    return clock


def test_a_clock_drifts_by_its_factor() -> None:
    async def main() -> None:
        right = as_clock(SimClock("a"))
        fast = as_clock(SimClock("b", wall_offset_s=-3_600, drift=1.001))
        await asyncio.sleep(1_000)
        assert right.elapsed_s() == 1_000
        assert right.wall_s() == WALL_AT_START_S + 1_000
        assert fast.elapsed_s() == pytest.approx(1_001)
        assert fast.wall_s() == pytest.approx(WALL_AT_START_S - 3_600 + 1_001)

    run(main())


def test_only_the_wall_clock_jumps() -> None:
    async def main() -> None:
        clock = SimClock("a")
        await asyncio.sleep(10)
        clock.jump(-YEAR_S)
        assert clock.wall_s() == WALL_AT_START_S + 10 - YEAR_S
        assert clock.elapsed_s() == 10

    run(main())


def test_time_asleep_counts_as_elapsed_though_timers_stood_still() -> None:
    async def main() -> None:
        clock = SimClock("a")
        await asyncio.sleep(10)
        clock.suspend(600)
        assert clock.elapsed_s() == 610
        assert clock.wall_s() == WALL_AT_START_S + 610
        assert now_s() == 10
        with pytest.raises(ValueError, match="negative"):
            clock.suspend(-1)

    run(main())


def test_a_reboot_begins_another_boot_and_keeps_the_wall_clock() -> None:
    async def main() -> None:
        clock = SimClock("a", drift=2.0)
        await asyncio.sleep(10)
        clock.suspend(5)
        first, wall_s = clock.boot_id(), clock.wall_s()
        clock.reboot()
        assert clock.boot_id() != first
        assert clock.elapsed_s() == 0
        assert clock.wall_s() == wall_s
        await asyncio.sleep(3)
        assert clock.elapsed_s() == 6

    run(main())
