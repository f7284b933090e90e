"""A session of both directions is cut at every frame of either hop: its end is always the same.

The frames are counted in a session that nobody cuts. Then each has sessions of its own, in which
its stream breaks before it is dealt with (the frame is lost) and after (the answer is), and in
which the process that reads it dies there and starts again.
"""

import asyncio
import os
import zlib
from functools import cache

import pytest
from tests.sim.cutting import Ending, Point, Scissors
from tests.sim.disk import Moment
from tests.sim.scene import Scene, act
from tests.sim.session import BLOCK_BYTES, LATE, PLAN, Picture, picture, session, small_blocks

ONE_IN = 80
"""Which share of the points is taken in an ordinary run; STILLOPEN_EVERY_POINT=1 takes them all."""
HOPS = {"register to channel": ("R1-1", LATE), "channel to headquarters": ("S1",)}
"""The machines whose streams make a hop."""


class Run:
    """One session, and what was seen."""

    def __init__(self, point: Point | None = None, ending: Ending = Ending.CUT) -> None:
        self.point = point
        self.ending = ending
        self.with_lanes: Picture = {}
        self.without_lanes: Picture = {}
        with small_blocks():
            act(self._story, plan=PLAN)

    async def _story(self, scene: Scene) -> None:
        self.scissors = scissors = Scissors(scene.estate, self.point, self.ending)
        keeper = asyncio.create_task(scissors.start_again())
        await session(scene, scissors)
        keeper.cancel()
        self.with_lanes = await picture(scene, lanes=True)
        self.without_lanes = await picture(scene, lanes=False)

    def wrong(self) -> list[str]:
        """What is not as in a session that nobody cuts."""
        uncut, lanes = whole(), self.ending is Ending.CUT  # who dies may leave an unlock behind
        mine = self.with_lanes if lanes else self.without_lanes
        wanted = uncut.with_lanes if lanes else uncut.without_lanes
        found = [] if self.scissors.cut else ["the frame did not come"]
        found += [
            f"{x}: {mine.get(x)}, not {wanted[x]}" for x in wanted if mine.get(x) != wanted[x]
        ]
        again = {size: n for size, n in self.scissors.came_again().items() if n > self._may_again()}
        found += [f"{n} of {size} bytes came again" for size, n in again.items()]
        return [f"{self.ending} {self.point}: {each}" for each in found]

    def _may_again(self) -> int:
        """How many bytes of a package may come again: what a client that died had not flushed."""
        point = self.point
        died_reading = point is not None and self.scissors.died == point.way.client
        return 2 * BLOCK_BYTES if died_reading else 0


@cache
def whole() -> Run:
    """The session that nobody cuts."""
    return Run()


def points(clients: tuple[str, ...]) -> list[Point]:
    """Before and after every frame of the streams of these machines."""
    return [
        Point(way, number, moment)
        for way, kinds in sorted(whole().scissors.frames.items())
        if way.client in clients
        for number in range(1, len(kinds) + 1)
        for moment in Moment
    ]


def chosen(every: list[Point], ending: Ending) -> list[Point]:
    """One in some of them, always the same ones, unless all are asked for."""
    one_in = 1 if os.environ.get("STILLOPEN_EVERY_POINT") else ONE_IN
    return [each for each in every if zlib.crc32(f"{ending} {each}".encode()) % one_in == 0]


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("ending", list(Ending))
@pytest.mark.parametrize("hop", list(HOPS))
def test_a_session_ends_the_same_wherever_it_is_cut(hop: str, ending: Ending) -> None:
    wrong = [Run(point, ending).wrong() for point in chosen(points(HOPS[hop]), ending)]
    assert [each for found in wrong for each in found] == []


def test_the_session_has_every_kind_of_frame_on_both_hops() -> None:
    up = {"hello", "entries", "heartbeat", "package_applied", "package_taken", "digests"}
    down = {"welcome", "stored", "resend", "heartbeat", "digests_asked"}
    down |= {"package_begin", "package_block", "package_end"}
    for clients in HOPS.values():
        frames = whole().scissors.frames
        for is_up, kinds in ((True, up), (False, down)):
            seen = {
                kind
                for way, found in frames.items()
                for kind in found
                if way.up is is_up and way.client in clients
            }
            assert kinds <= seen
    assert whole().scissors.damaged == {"R1-1": 1, "S1": 1}
