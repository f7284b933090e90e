"""While many entries arrive, receiving goes before applying; a few are applied as they come."""

import asyncio
from pathlib import Path

import pytest
from tests.sim.loop import run
from tests.support.poison import lane_of, sold
from tests.support.working_off import at_work, opened, states

from stillopen.core.journal import Lane
from stillopen.replication.working_off import GIVE_WAY_S, MANY
from stillopen.storage.inline import open_inline

HERE = Lane("R1", 0xA)


@pytest.mark.parametrize(
    ("at_once", "meanwhile"),
    [(MANY, {"APPLIED": MANY, "STORED": MANY}), (MANY - 1, {"APPLIED": 2 * (MANY - 1)})],
    ids=["many", "a few"],
)
def test_what_comes_behind_many_is_received_at_once_and_applied_a_moment_later(
    tmp_path: Path, at_once: int, meanwhile: dict[str, int]
) -> None:
    async def arrive() -> None:
        inbox = await opened(open_inline, tmp_path)
        entries = lane_of(HERE, [sold(n).SerializeToString() for n in range(1, 2 * at_once + 1)])
        async with at_work(inbox):
            for batch in (entries[:at_once], entries[at_once:]):
                await inbox.receive(batch, [])
                await asyncio.sleep(GIVE_WAY_S / 10)
            assert await states(inbox) == meanwhile
            await asyncio.sleep(2 * GIVE_WAY_S)
            assert await states(inbox) == {"APPLIED": 2 * at_once}
        await inbox.engine.close()

    run(arrive())


def test_what_is_left_when_nothing_comes_any_more_is_applied_without_a_pause(
    tmp_path: Path,
) -> None:
    async def arrive() -> None:
        inbox = await opened(open_inline, tmp_path)
        payloads = [sold(n).SerializeToString() for n in range(1, 20 * MANY + 1)]
        await inbox.receive(lane_of(HERE, payloads), [])
        async with at_work(inbox):
            await asyncio.sleep(1.5 * GIVE_WAY_S)
            assert await states(inbox) == {"APPLIED": 20 * MANY}
        await inbox.engine.close()

    run(arrive())
