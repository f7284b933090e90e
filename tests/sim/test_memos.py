"""H11: credit memos, their numbers and what is left of them."""

import asyncio
import random
from functools import partial

import pytest
from tests.sim.cards import (
    CREDIT_MEMO,
    PRICE,
    brought_back,
    given_memo,
    image_of,
    import_cards,
    ledger,
    memo,
    person_ends,
    printed,
    resolve,
    restore,
    rung_up,
    seen,
    set_both,
)
from tests.sim.disk import Moment
from tests.sim.network import Cut
from tests.sim.process import Process
from tests.sim.scene import ALLOWED, CARD, OPENING, Scene, Till, act, refusal, small

from stillopen.cli.machine import Machine
from stillopen.core.card_number import number_digest
from stillopen.core.errors import Refused, StillopenError
from stillopen.core.memo_number import new_memo_number, prefix_of
from stillopen.v1 import types_pb2

MEMO_5 = 5 * PRICE
TWO_STORES = (1, 1)


def test_a_register_restored_from_an_image_draws_other_numbers() -> None:
    """H11.1: a counter would give two customers one number."""

    async def story(scene: Scene) -> None:
        till = scene.till
        await till.sold()
        await scene.settled()
        await till.process.shut_down()
        image = image_of(scene, till.name)
        await till.process.start()
        await till.sign_in()
        first = await given_memo(till)
        await scene.settled()
        await till.process.shut_down()
        restore(scene, till.name, image)
        await till.process.start()
        await till.sign_in()
        second = await given_memo(till)
        await scene.settled()
        assert first != second
        for number in (first, second):
            assert await ledger(scene, number) == [("ISSUE", MEMO_5)]
        assert await scene.exceptions() == []

    act(story)


def test_numbers_come_from_the_operating_system() -> None:
    """H11.2: one that can be predicted is money for whoever predicts it."""
    assert isinstance(Machine().rng, random.SystemRandom)


@pytest.mark.parametrize("resolution", ["applied", "written off"])
def test_the_remainder_of_a_memo_that_was_spent_elsewhere_is_not_made_from_nothing(
    resolution: str,
) -> None:
    """H11.3: while the redemption is an exception its remainder is PENDING and ends with it."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        await set_both(scene, ALLOWED, ALLOWED)
        number = await given_memo(first)
        await scene.settled()
        sale = await memo(first, await rung_up(first, 3), number)
        first.cut(Cut.SILENT)
        done = await first.complete(sale)
        left = printed(done)
        await person_ends(scene, number, CREDIT_MEMO)
        other = await memo(second, await rung_up(second, 5), number)
        if resolution == "written off":
            await second.complete(other)
        first.heal()
        await scene.settled()
        [raised] = await scene.exceptions()
        assert raised.transaction_id == sale.transaction_id
        assert await refusal(seen(second, left, CREDIT_MEMO)) == "CARD_PENDING"
        begun = other if resolution == "applied" else await rung_up(second)
        if resolution == "applied":
            assert raised.reason == "SHORT"
            begun = await second.take_back(begun, "T1")
        assert await refusal(memo(second, begun, left, PRICE)) == "CARD_PENDING"
        assert await ledger(scene, left) == []
        await asyncio.sleep(5)
        await resolve(scene, apply=resolution == "applied")
        spent = [("REDEEM", -MEMO_5)]
        if resolution == "applied":
            spent = [("EXCEPTION", -3 * PRICE), ("REMAINDER", -2 * PRICE)]
            assert (await seen(second, left, CREDIT_MEMO)).free.minor_units == 2 * PRICE
        else:
            assert raised.reason == "CARD_USED"
            assert await refusal(seen(second, left, CREDIT_MEMO)) == "CARD_USED"
        assert await ledger(scene, number) == [("ISSUE", MEMO_5), *spent]
        assert await scene.exceptions() == []

    act(story)


@pytest.mark.parametrize("after_s", [0.0, 61.0])
@pytest.mark.parametrize("made", ["issued", "remainder"])
def test_a_memo_whose_sale_is_not_home_is_pending_and_not_unknown(
    made: str, after_s: float
) -> None:
    """H11.4: the customer is in the next store before the journal is at headquarters."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        await set_both(scene, ALLOWED, ALLOWED)
        if made == "issued":
            sale, worth = await memo(first, await brought_back(first, 2)), 2 * PRICE
        else:
            number = await given_memo(first)
            await scene.settled()
            sale, worth = await memo(first, await rung_up(first, 1), number), 4 * PRICE
        first.cut(Cut.SILENT)
        new = printed(await first.complete(sale))
        await asyncio.sleep(after_s)
        theirs = await rung_up(second)
        for asks in (seen(second, new, CREDIT_MEMO), memo(second, theirs, new)):
            with pytest.raises(Refused) as caught:
                await asks
            assert caught.value.reason == "CARD_PENDING"
            if made == "remainder":
                assert first.name in caught.value.message
        foreign = new_memo_number("R9-9", random.Random(1))  # noqa: S311 - nobody's
        assert await refusal(memo(second, theirs, foreign)) == "CARD_UNKNOWN"
        first.heal()
        await scene.settled()
        assert (await seen(second, new, CREDIT_MEMO)).free.minor_units == worth
        await second.complete(await memo(second, theirs, new))

    act(story, plan=small(tills=TWO_STORES))


def test_the_journal_tells_headquarters_of_a_memo_without_its_number() -> None:
    """H11.5: what is at headquarters has the digest of the number; files: test_credit_memos."""

    async def story(scene: Scene) -> None:
        number = await given_memo(scene.till)
        await scene.settled()
        [sale] = await scene.home()
        made = sale.tenders[0].card.new_memo
        assert (made.number, made.number_sha256) == ("", number_digest(number))
        assert number.startswith(prefix_of(scene.till.name))

    act(story)


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("commits", range(1, 8))
def test_wherever_the_power_fails_one_number_is_printed_and_it_is_the_one_that_works(
    commits: int, moment: Moment
) -> None:
    """H11.6: drawn again after a crash, paper and journal would name two memos."""

    async def story(scene: Scene) -> None:
        till = scene.till
        await till.sold()
        await scene.settled()
        sale = await brought_back(till)
        till.process.commits.die_at(commits, moment)
        keeper = asyncio.create_task(kept(till.process))
        while sale.state != types_pb2.SALE_STATE_COMPLETED:
            write = partial(memo, till) if sale.due.minor_units else till.complete
            try:
                sale = await till.repeated(write, sale)
            except StillopenError:
                await asyncio.sleep(1)
                sale = await till.repeated(partial(again, till), sale)
        number = printed(sale)
        assert printed(await till.repeated(till.complete, sale)) == number
        await scene.settled()
        keeper.cancel()
        assert await ledger(scene, number) == [("ISSUE", PRICE)]
        assert await scene.locks() == []

    act(story)


async def again(till: Till, sale: types_pb2.Sale) -> types_pb2.Sale:
    """The sale as it is now."""
    return await till.sale(sale.transaction_id)


async def kept(process: Process) -> None:
    """Starts the process again whenever it has died."""
    while True:
        await process.ended()
        await asyncio.sleep(1)
        await process.start()


def test_a_memo_and_a_card_have_the_same_names_at_a_restored_headquarters() -> None:
    """H11.7: facts name cards by an id that derives from the number, so they find them again."""

    async def story(scene: Scene) -> None:
        first, second = scene.tills
        await set_both(scene, ALLOWED, ALLOWED)
        card = await first.with_card()
        issue = await memo(second, await brought_back(second))
        for till in scene.tills:
            till.cut(Cut.SILENT)
        await first.complete(card)
        number = printed(await second.complete(issue))
        headquarters = scene.estate.processes[scene.hq]
        await headquarters.shut_down()
        for file in (scene.estate.folder / scene.hq).glob("realtime.db*"):
            file.unlink()
        await headquarters.start()
        await asyncio.sleep(2)
        await import_cards(scene, (CARD, OPENING))
        for till in scene.tills:
            till.heal()
        await scene.settled()
        assert await scene.spent(CARD) == [PRICE]
        assert await ledger(scene, number) == [("ISSUE", PRICE)]
        await asyncio.sleep(301)  # then a sale brings the register back
        await first.complete(await memo(first, await rung_up(first), number))
        await scene.settled()
        assert await scene.exceptions() == []

    act(story)
