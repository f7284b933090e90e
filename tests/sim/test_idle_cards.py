"""H15, H16: cards that are given up, by a till that nobody touches or on a person's word."""

import asyncio

import pytest
from tests.sim.cards import (
    ISSUE,
    PRICE,
    adjusted,
    card_line,
    given_memo,
    memo,
    person_ends,
    rung_up,
    seen,
    switch,
    touched,
)
from tests.sim.network import Cut
from tests.sim.scene import ALLOWED, CARD, HOUR_S, OPENING, Scene, act, refusal, small

from stillopen.core.parameters import CardParameters

FRESH = "700000000777"
IDLE_S = 1_800
OFF = CardParameters()


# H15


def test_a_sale_that_nobody_touches_gives_its_cards_up_and_stays_open() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await card_line(till, await rung_up(till), ISSUE, FRESH, 100)
        sale = await till.card(sale)
        await asyncio.sleep(IDLE_S - 60)
        assert len(await scene.locks()) == 2
        assert await till.sale() == sale
        await asyncio.sleep(120)
        assert await scene.locks() == []
        left = await till.sale()
        assert [x.voided for x in left.lines] == [False, True]
        assert [t.voided for t in left.tenders] == [True]
        assert left.due.minor_units == PRICE
        assert await refusal(till.complete(sale)) == "VERSION_OLD"
        assert (await other.with_card()).due.minor_units == 0
        assert (await till.complete(await till.cash(left))).total.minor_units == PRICE
        await scene.settled()
        assert await refusal(seen(other, FRESH)) == "CARD_UNKNOWN"

    act(story)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_sale_that_nobody_touches_in_manual_offline_gives_its_cards_up_as_well(
    *, allowed: bool
) -> None:
    """With terms they would stay blocked for the whole grace; they end with the journal."""

    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.with_card()
        await switch(till, connect=False)
        await asyncio.sleep(IDLE_S + 60)
        left = await till.sale()
        assert (left.due.minor_units, left.version) == (PRICE, sale.version + 1)
        await till.complete(await till.cash(left))
        await switch(till, connect=True)
        await scene.settled()
        assert await scene.locks() == []
        assert (await other.with_card()).due.minor_units == 0
        assert await scene.spent() == []

    act(story, plan=small(ALLOWED if allowed else OFF))


def test_a_sale_that_is_touched_again_and_again_gives_its_cards_up_after_twelve_hours() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.with_card()
        for _ in range(2):  # the hours pass while the till sleeps; its cashier is back at once
            till.process.clock.suspend(6 * HOUR_S - 100)
            sale = await touched(till, sale)
            await asyncio.sleep(60)
        assert [t.voided for t in (await till.sale()).tenders] == [False]
        assert len(await scene.locks()) == 1
        await asyncio.sleep(200)
        assert await scene.locks() == []
        assert [t.voided for t in (await till.sale()).tenders] == [True]
        assert (await other.with_card()).due.minor_units == 0

    act(story)


def test_a_till_that_dies_with_a_card_on_its_sale_keeps_it_no_longer_than_its_lease() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        await till.with_card()
        till.process.crash()
        await asyncio.sleep(OFF.lease_s + 1)
        assert (await other.with_card()).due.minor_units == 0

    act(story)


# H16


@pytest.mark.parametrize("spent_elsewhere", [False, True])
def test_a_person_unlocks_while_the_holder_concludes(*, spent_elsewhere: bool) -> None:
    """It is no cancel: the fact is paid from what nobody holds, or raised."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        sale = await first.card(await rung_up(first, 40))
        first.cut(Cut.SILENT)
        assert await refusal(person_ends(scene, CARD, force=False)) == "LOCK_BLOCKS"
        await person_ends(scene, CARD)
        if spent_elsewhere:
            await second.complete(await second.card(await rung_up(second, 20)))
        await first.complete(sale)
        await asyncio.sleep(5)
        first.heal()
        await scene.settled()
        raised = await scene.exceptions()
        assert await scene.spent() == [20 * PRICE if spent_elsewhere else 40 * PRICE]
        short = [each.shortfall.minor_units for each in raised]
        assert short == ([60 * PRICE - OPENING] if spent_elsewhere else [])

    act(story, plan=small(ALLOWED))


def test_the_holder_of_a_lock_that_a_person_ended_is_told_at_its_confirm() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        await person_ends(scene, CARD)
        assert await refusal(till.complete(sale)) == "CONFIRM_REFUSED"
        await till.complete(await till.cash(await till.take_back(sale, "T1")))
        await scene.settled()
        assert await scene.spent() == []

    act(story)


def test_a_memo_that_was_adjusted_is_not_confirmed_for_what_was_on_it_before() -> None:
    """A lapsed lock ends with what changes the memo, or a confirmed sale would be an exception."""

    async def story(scene: Scene) -> None:
        till = scene.till
        number = await given_memo(till)
        await scene.settled()
        sale = await memo(till, await rung_up(till), number)
        till.cut(Cut.CLOSED)
        await asyncio.sleep(OFF.lease_s + 1)
        await adjusted(scene, number, -1)
        till.heal()
        await till.connect()
        assert await refusal(till.complete(sale)) == "CONFIRM_REFUSED"
        assert await scene.exceptions() == []

    act(story)
