"""Schedules that fail: tried again after a while, kept once, in nobody's way."""

import asyncio
import errno
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from tests.sim.loop import run
from tests.support.distributing import Office, two_groups

from stillopen.core.errors import Refused
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.distribution_packages import Wanted
from stillopen.headquarters.distribution_schedules import Schedule
from stillopen.headquarters.distribution_times import Timetable
from stillopen.replication.packages import Built
from stillopen.storage.off_loop import inline
from stillopen.storage.shelf import Shelf

T = TypeVar("T")


def full(_: Callable[[], object]) -> OSError:
    """The disk has no room."""
    return OSError(errno.ENOSPC, "no space left on device", "scratch-1")


def unforeseen(_: Callable[[], object]) -> ValueError:
    """An error that nobody thought of."""
    return ValueError("unforeseen")


class Trouble:
    """A disk on which nothing can be made, and when it was tried."""

    def __init__(self, office: Office, why: Callable[[Callable[[], object]], Exception]) -> None:
        self.office = office
        self.why = why
        self.tried_s: list[float] = []
        office.shelf.off_loop = self

    async def __call__(self, work: Callable[[], T]) -> T:
        """Fails."""
        self.tried_s.append(asyncio.get_running_loop().time())
        self.office.clock.now_s += 1
        raise self.why(work)

    def ends(self) -> None:
        """There is room again."""
        self.office.shelf.off_loop = inline


@asynccontextmanager
async def at_work(folder: Path) -> AsyncGenerator[Office]:
    """Headquarters with two groups that asked for packages, and its timetable."""
    async with two_groups(folder) as office:
        await office.ask("S1", "S2")
        timetable = asyncio.create_task(Timetable(office.distribution).run())
        await asyncio.sleep(1)
        try:
            yield office
            assert not timetable.done()
        finally:
            timetable.cancel()


async def carried(office: Office) -> list[str]:
    """The groups of the runs that made packages of a schedule, the newest first."""
    return [each.group_id for each in await office.runs() if each.schedule and not each.failure]


@pytest.mark.parametrize("why", [full, unforeseen])
def test_whatever_fails_is_tried_again_and_ends_nothing(
    tmp_path: Path, why: Callable[[Callable[[], object]], Exception]
) -> None:
    async def main() -> None:
        async with at_work(tmp_path) as office:
            trouble = Trouble(office, why)
            await office.product("APPLE")
            await asyncio.sleep(1)
            assert await carried(office) == []
            trouble.ends()
            await asyncio.sleep(5)
            assert await carried(office) == ["North", "Default"]

    run(main())


def test_a_schedule_that_cannot_be_read_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with at_work(tmp_path) as office:
            with monkeypatch.context() as patched:
                patched.setattr(
                    "stillopen.headquarters.distribution_times.list_schedules", unforeseen
                )
                await office.product("APPLE")
                await asyncio.sleep(1)
            await asyncio.sleep(5)
            assert await carried(office) == ["North", "Default"]

    run(main())


def test_a_schedule_that_goes_on_failing_is_tried_ever_more_rarely_and_kept_once(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with at_work(tmp_path) as office:
            before, trouble = len(await office.runs()), Trouble(office, full)
            await office.product("APPLE")
            for _ in range(1_000):
                await asyncio.sleep(1)
                office.changed.tell()  # what comes meanwhile does not make it try sooner
            tried = sorted(set(trouble.tried_s))
            assert [after - tried[0] for after in tried] == [0, 5, 15, 35, 75, 155, 315, 615, 915]
            runs = await office.runs()
            assert len(runs) - before == 2
            newest = office.clock.now_s
            assert [(each.group_id, each.begin_wall_s) for each in runs[:2]] == [
                ("North", newest - 1),
                ("Default", newest - 2),
            ]
            trouble.ends()
            await asyncio.sleep(300)
            assert await carried(office) == ["North", "Default"]
            again = Trouble(office, full)
            await office.product("PEAR")
            await asyncio.sleep(6)
            tried = sorted(set(again.tried_s))
            assert [after - tried[0] for after in tried] == [0, 5]

    run(main())


def test_a_schedule_does_not_wait_for_another_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Wanted.build

    def built(wanted: Wanted, shelf: Shelf, database: Path) -> Built | None:
        if wanted.log.group_id == "North":
            raise full(lambda: None)
        return build(wanted, shelf, database)

    async def main() -> None:
        async with at_work(tmp_path) as office:
            monkeypatch.setattr(Wanted, "build", built)
            for schedule in (
                Schedule("a", (9999,), ("North",), on_change=True),
                Schedule("default", (9999,), ("Default",), on_change=True),
            ):
                await office.distribution.put_schedule(schedule, Doer("alice", office.clock.now_s))
            await office.product("APPLE")
            await asyncio.sleep(1)
            assert await carried(office) == ["Default"]

    run(main())


async def test_failures_with_something_else_between_them_are_kept_each(tmp_path: Path) -> None:
    async def fails(office: Office, why: str) -> None:
        async def off_loop(_: Callable[[], T]) -> T:
            raise OSError(errno.EIO, why)

        office.shelf.off_loop = off_loop
        with pytest.raises(Refused):
            await office.run()
        office.shelf.off_loop = inline

    async with two_groups(tmp_path) as office:
        await office.ask("S1")
        for why in ("no room", "no room", "no disk", "no room"):
            await office.product("APPLE")
            await fails(office, why)
        await office.run()
        await office.product("APPLE")
        await fails(office, "no room")
        runs = [each.failure.rpartition(": ")[2] for each in await office.runs()]
    assert runs == ["no room", "", "no room", "no disk", "no room", ""]
