"""What an outage of twelve seconds costs: how often the channel is asked, on virtual time."""

import asyncio

from tests.sim.history import now_s
from tests.sim.network import Cut
from tests.sim.scene import Scene, act, seconds

from stillopen.core.parameters import OfflineProfile
from stillopen.replication.backoff import NOBODY_MAX_S

OUTAGE_S = 12.0
FIRST_TRIES = 4
"""Those that come sooner one after another."""
LOCAL_S = 0.003
"""What a line takes that nobody else is asked for: the way from the frontend and back."""
SOON_S = 0.1
"""What a hello and its answer take."""


def test_a_busy_register_asks_a_silent_channel_once_and_waits_once_through_an_outage() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.line(await till.begin())
        till.cut(Cut.SILENT)
        began_s, waited_s = now_s(), 0.0
        while now_s() - began_s < OUTAGE_S:
            waited_s += await seconds(till.line(sale))
            sale = await till.sale()
            await asyncio.sleep(0.5)
        asked = [method.rpartition("/")[2] for method in scene.calls_of(till.name, began_s)]
        assert asked == ["GetProduct"]
        assert waited_s <= OfflineProfile().timeout_s + len(sale.lines) * LOCAL_S

    act(story)


def test_a_closed_channel_is_looked_for_at_most_four_times_a_second_and_soon_heard_again() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.begin()
        till.cut(Cut.CLOSED)
        began_s = now_s()
        await till.line(sale)
        await asyncio.sleep(OUTAGE_S)
        tries = [
            at_s
            for at_s, source, method in scene.calls
            if at_s >= began_s and source == till.name and method.endswith("/Sync")
        ]
        assert OUTAGE_S / NOBODY_MAX_S <= len(tries) <= 2 * OUTAGE_S / NOBODY_MAX_S + FIRST_TRIES
        till.heal()
        await asyncio.sleep(NOBODY_MAX_S + SOON_S)
        assert (await till.status()).link_up

    act(story)
