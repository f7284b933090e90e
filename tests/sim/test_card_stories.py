"""H1, H10, H12, H26, H31, H35: cards between a till, a person and headquarters."""

import asyncio

import pytest
from tests.sim.cards import (
    CASH_OUT,
    ISSUE,
    PRICE,
    RELOAD,
    brought_back,
    card_line,
    image_of,
    import_cards,
    ledger,
    person_ends,
    restore,
    rung_up,
    seen,
    set_both,
    voided,
)
from tests.sim.history import Card
from tests.sim.network import Cut
from tests.sim.scene import ALLOWED, CARD, OPENING, SHORT, Scene, act, refusal, small
from tests.sim.world import Plan

from stillopen.core.errors import Unreachable
from stillopen.core.parameters import CardParameters

FRESH = "700000000777"
OTHER = "700000000002"
TWO_STORES = (1, 1)
IDLE_S = 1_800
OFF = CardParameters()
TWO_CARDS = Plan((2,), (Card(CARD, OPENING), Card(OTHER, OPENING)), 3, OFF)
GRACE_OVER_S = 60
"""Longer than lease and grace of SHORT."""


# H1


def test_a_confirm_moves_no_money_and_a_till_that_is_lost_after_it_takes_none() -> None:
    """H1.1: debited, no sale."""

    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.with_card()
        scene.estate.network.faults.drop_response = 1.0
        with pytest.raises(Unreachable):
            await till.complete(sale)
        till.process.crash()
        scene.estate.network.faults.drop_response = 0.0
        assert await scene.spent() in ([], [PRICE])
        confirmed_only = await scene.spent() == []
        await asyncio.sleep(GRACE_OVER_S)
        if confirmed_only:
            assert (await other.with_card()).due.minor_units == 0

    act(story, plan=small(SHORT))


def test_what_is_debited_is_what_the_sale_came_to_at_last() -> None:
    """H1.5: the sale changes after its first confirm was not answered."""

    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        scene.cut_headquarters(Cut.ANSWERS_LOST)
        assert await refusal(till.complete(sale)) == "CONCLUDE_NOT_ALLOWED"
        scene.heal_headquarters()
        await asyncio.sleep(5)
        more = await till.line(sale)
        done = await till.complete(await till.card(await till.take_back(more, "T1")))
        await scene.settled()
        assert await scene.spent() == [done.total.minor_units] == [2 * PRICE]
        assert await scene.exceptions() == []

    act(story)


def test_one_card_whose_window_is_closed_holds_a_sale_of_mixed_cards() -> None:
    """H1.6: terms of one card say nothing of another."""

    async def story(scene: Scene) -> None:
        till = scene.till
        await set_both(scene, ALLOWED, OFF)
        sale = await card_line(till, await till.begin(), RELOAD, OTHER, 100)
        await set_both(scene, OFF, OFF)
        sale = await till.card(sale)
        scene.cut_headquarters(Cut.CLOSED)
        assert await refusal(till.complete(sale)) == "CONCLUDE_NOT_ALLOWED"
        sale = await till.cash(await till.take_back(sale, "T1"))
        await till.complete(sale)
        scene.heal_headquarters()
        await scene.settled()
        assert await ledger(scene, OTHER) == [("OPENING", OPENING), ("RELOAD", 100)]
        assert await scene.spent() == []

    act(story, plan=TWO_CARDS)


# H10


def test_a_register_restored_to_before_its_receipt_cannot_take_the_money_back() -> None:
    """H10: the unlock of a tender that was debited meanwhile changes nothing."""

    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.with_card()
        await till.process.shut_down()
        image = image_of(scene, till.name)
        await till.process.start()
        await till.sign_in()
        await till.complete(sale)
        await scene.settled()
        await till.process.shut_down()
        restore(scene, till.name, image)
        await till.process.start()
        await till.sign_in()
        assert (await till.sale()).version == sale.version
        assert await refusal(till.complete(sale)) == "CONFIRM_REFUSED"
        await till.complete(await till.cash(await till.take_back(sale, "T1")))
        await asyncio.sleep(60)
        assert await scene.spent() == [PRICE]
        assert await scene.locks() == []

    act(story)


# H12


def test_two_registers_that_issue_one_card_are_told_apart() -> None:
    """H12.1: the second issue is no credit to a stranger's card."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        sale = await card_line(first, await first.begin(), ISSUE, FRESH, 1_000)
        sale = await first.cash(sale)
        first.cut(Cut.SILENT)
        await first.complete(sale)
        theirs = await second.begin()
        assert await refusal(card_line(second, theirs, ISSUE, FRESH, 700)) == "CARD_PENDING"
        await asyncio.sleep(GRACE_OVER_S)
        theirs = await second.cash(await card_line(second, theirs, ISSUE, FRESH, 700))
        await second.complete(theirs)
        await asyncio.sleep(5)
        first.heal()
        await scene.settled()
        assert await ledger(scene, FRESH) == [("ISSUE", 700)]
        [raised] = await scene.exceptions()
        assert (raised.reason, raised.shortfall.minor_units) == ("CARD_EXISTS", 1_000)
        assert raised.transaction_id == sale.transaction_id

    act(story, plan=small(SHORT))


def test_without_terms_no_card_is_issued_without_headquarters() -> None:
    """H12.1: an issue has the terms of its lock, like any operation."""

    async def story(scene: Scene) -> None:
        till = scene.till
        sale = await till.cash(await card_line(till, await till.begin(), ISSUE, FRESH, 1_000))
        scene.cut_headquarters(Cut.CLOSED)
        assert await refusal(till.complete(sale)) == "CONCLUDE_NOT_ALLOWED"
        scene.heal_headquarters()
        await asyncio.sleep(5)
        await till.complete(sale)
        await scene.settled()
        assert await ledger(scene, FRESH) == [("ISSUE", 1_000)]

    act(story)


def test_a_card_sold_offline_is_pending_in_the_next_store_until_its_sale_is_home() -> None:
    """H12.2: it is not unknown."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        sale = await card_line(first, await first.begin(), ISSUE, FRESH, 1_000)
        sale = await first.cash(sale)
        first.cut(Cut.SILENT)
        await first.complete(sale)
        theirs = await rung_up(second)
        assert await refusal(seen(second, FRESH)) == "CARD_PENDING"
        assert await refusal(second.card(theirs, FRESH)) == "CARD_PENDING"
        first.heal()
        await scene.settled()
        await second.complete(await second.card(theirs, FRESH))
        await scene.settled()
        assert await ledger(scene, FRESH) == [("ISSUE", 1_000), ("REDEEM", -PRICE)]

    act(story, plan=small(ALLOWED, TWO_STORES))


def test_a_card_that_was_sold_is_emptied_by_cashing_it_out_and_is_no_goods_to_be_returned() -> None:
    """H12.3: a debit without a lock would take what another holds."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        bought = await first.cash(await card_line(first, await first.begin(), ISSUE, FRESH, 1_000))
        bought = await first.complete(bought)
        await scene.settled()
        back = await second.begin()
        returned = second.give_back(back, bought.receipt.receipt_number)
        assert await refusal(returned) == "NOT_RETURNABLE"
        theirs = await first.card(await rung_up(first), FRESH)
        assert await refusal(card_line(second, back, CASH_OUT, FRESH)) == "CARD_LOCKED"
        await voided(first, theirs)
        await asyncio.sleep(2)
        sale = await card_line(second, back, CASH_OUT, FRESH)
        await second.complete(await second.cash(sale))
        await scene.settled()
        assert await ledger(scene, FRESH) == [("ISSUE", 1_000), ("CASH_OUT", -1_000)]

    act(story, plan=small(CardParameters(cash_out_up_to_minor=5_000)))


# H26


def test_an_import_that_runs_again_with_last_nights_balances_changes_no_card() -> None:
    async def story(scene: Scene) -> None:
        await scene.till.complete(await scene.till.with_card())
        await scene.settled()
        report = await import_cards(scene, (CARD, OPENING), (FRESH, 700))
        again = await import_cards(scene, (CARD, OPENING), (FRESH, 900))
        assert (report.accepted, len(report.refusals)) == (1, 1)
        assert len(again.refusals) == 1
        assert await ledger(scene, CARD) == [("OPENING", OPENING), ("REDEEM", -PRICE)]
        assert await ledger(scene, FRESH) == [("OPENING", 700)]

    act(story)


# H31


def test_terms_that_were_given_outlive_the_parameter_and_none_come_with_a_renewal() -> None:
    async def story(scene: Scene) -> None:
        first, second = scene.tills
        with_terms = await first.with_card()
        await set_both(scene, OFF, OFF)
        await asyncio.sleep(ALLOWED.lease_s)  # renewed meanwhile
        scene.cut_headquarters(Cut.CLOSED)
        await first.complete(with_terms)
        scene.heal_headquarters()
        await scene.settled()
        without = await second.with_card()
        await set_both(scene, ALLOWED, OFF)
        await asyncio.sleep(ALLOWED.lease_s)
        scene.cut_headquarters(Cut.CLOSED)
        assert await refusal(second.complete(without)) == "CONCLUDE_NOT_ALLOWED"
        scene.heal_headquarters()
        await asyncio.sleep(5)
        await second.complete(without)
        await scene.settled()
        assert await scene.spent() == [PRICE, PRICE]

    act(story, plan=small(ALLOWED))


# H35


def test_of_two_cards_one_confirm_is_refused_and_the_other_card_stays_with_the_sale() -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        sale = await till.begin()
        for _ in range(2):
            sale = await till.line(sale)
        sale = await till.card(await card_line(till, sale, RELOAD, OTHER, 100))
        await person_ends(scene, OTHER)
        assert await refusal(till.complete(sale)) == "CONFIRM_REFUSED"
        [lock] = await scene.locks()
        assert lock.lock.blocks_for.seconds > OFF.lease_s  # the confirm gave it the grace
        theirs = await rung_up(other)
        assert await refusal(other.card(theirs)) == "CARD_LOCKED"
        await voided(till, sale)
        await asyncio.sleep(2)
        assert await scene.locks() == []
        assert (await other.card(theirs)).due.minor_units == 0
        await scene.settled()
        assert await ledger(scene, OTHER) == [("OPENING", OPENING)]

    act(story, plan=TWO_CARDS)


def test_a_return_refunded_onto_a_card_that_another_pays_with_waits_for_it() -> None:
    async def story(scene: Scene) -> None:
        first, second = scene.tills
        paying = await first.with_card()
        back = await brought_back(second)
        assert await refusal(second.card(back)) == "CARD_LOCKED"
        await first.complete(paying)
        await scene.settled()
        await second.complete(await second.card(back))
        await scene.settled()
        assert await scene.spent() == [PRICE, -PRICE]

    act(story)
