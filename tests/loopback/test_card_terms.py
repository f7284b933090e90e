"""The two parameters "allow concluding offline": gift cards and credit memos, each its own.

Locked online or not, the parameter on or off, within its time or after: one table for both kinds.
"""

from collections.abc import Awaitable

import pytest
from tests.support.estate import Estate
from tests.support.estate_cards import (
    CREDIT_MEMO,
    GIFT_CARD,
    ISSUE,
    RELOAD,
    brought_back,
    card_line,
    given_memo,
    memo_tender,
    refund,
    set_cards,
)
from tests.support.estate_parts import GIFT, SECOND, eur
from tests.support.estate_till import Sale, Till

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.parameters import CardParameters
from stillopen.v1 import types_pb2

WINDOW_S = 3_600.0
ON = CardParameters(allow_concluding_offline=True, conclude_within_s=WINDOW_S)
OFF = CardParameters(conclude_within_s=WINDOW_S)
BOTH = [GIFT_CARD, CREDIT_MEMO]


async def reason_of(work: Awaitable[object]) -> Reason | None:
    """Why it is refused; None when it is not."""
    try:
        await work
    except StillopenError as error:
        return error.reason
    return None


async def allow(estate: Estate, kind: types_pb2.CardKind.ValueType, *, allowed: bool) -> None:
    """Sets the parameter of one kind, and the other kind's the other way round."""
    own, other = (ON, OFF) if allowed else (OFF, ON)
    memo = kind == CREDIT_MEMO
    await set_cards(estate, gift_card=other if memo else own, credit_memo=own if memo else other)


async def number_of(estate: Estate, till: Till, kind: types_pb2.CardKind.ValueType) -> str:
    """A card of that kind with at least 3.00 on it."""
    if kind == GIFT_CARD:
        return GIFT
    number = await given_memo(till)
    await estate.until_home(till)
    return number


async def paid(till: Till, sale: Sale, kind: types_pb2.CardKind.ValueType, number: str) -> Sale:
    """The sale, paid with a card of that kind."""
    if kind == CREDIT_MEMO:
        return await memo_tender(till, sale, number)
    return await till.card(sale, number=number)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("allowed", "passed_s", "reason"),
    [
        (True, 0.0, None),
        (True, WINDOW_S - 60, None),
        (True, WINDOW_S, Reason.CONCLUDE_NOT_ALLOWED),
        (False, 0.0, Reason.CONCLUDE_NOT_ALLOWED),
    ],
    ids=["on", "on, nearly over", "on, over", "off"],
)
@pytest.mark.parametrize("gone", ["channel", "headquarters"])
async def test_a_card_locked_online_is_concluded_by_the_parameter_of_its_kind_within_its_time(
    estate: Estate,
    till: Till,
    kind: types_pb2.CardKind.ValueType,
    gone: str,
    passed_s: float,
    reason: Reason | None,
    *,
    allowed: bool,
) -> None:
    number = await number_of(estate, till, kind)
    await allow(estate, kind, allowed=allowed)
    sale = await paid(till, await till.rung_up(), kind, number)
    place = estate.channel if gone == "channel" else estate.headquarters
    await place.stop()
    estate.clock.ahead_s += passed_s
    assert await reason_of(till.complete(sale)) is reason
    if reason is not None:
        assert await till.sale() == sale
        sale = await till.void_tender(sale, "T1")
        assert await reason_of(till.complete(await till.cash(sale))) is None
    await place.start()
    await estate.until_home(till)
    entries = (await estate.people.ledger(number=number)).entries
    spent = [e.amount.minor_units for e in entries if e.kind == "REDEEM"]
    assert spent == ([] if reason else [-300])
    assert await estate.people.exceptions() == []


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("allowed", [True, False])
async def test_a_card_that_is_not_locked_online_is_never_taken_offline(
    estate: Estate, till: Till, kind: types_pb2.CardKind.ValueType, *, allowed: bool
) -> None:
    number = await number_of(estate, till, kind)
    await allow(estate, kind, allowed=allowed)
    sale = await till.rung_up()
    await till.switch(connect=False)
    assert await reason_of(paid(till, sale, kind, number)) is Reason.OFFLINE
    assert await till.sale() == sale
    await till.complete(await till.cash(sale))
    back = await brought_back(till)
    assert await reason_of(memo_tender(till, back)) is Reason.OFFLINE
    assert await reason_of(refund(till, back, SECOND)) is Reason.OFFLINE
    assert await reason_of(card_line(till, back, ISSUE, "6009-0009", 100)) is Reason.OFFLINE
    assert await till.sale() == back


@pytest.mark.parametrize("allowed", [True, False])
async def test_what_brings_money_has_the_same_terms(
    estate: Estate, till: Till, *, allowed: bool
) -> None:
    await allow(estate, GIFT_CARD, allowed=allowed)
    sale = await card_line(till, await till.begin(), ISSUE, "6009-0009", 500)
    sale = await till.cash(await card_line(till, sale, RELOAD, SECOND, 100))
    await estate.channel.stop()
    reason = None if allowed else Reason.CONCLUDE_NOT_ALLOWED
    assert await reason_of(till.complete(sale)) is reason
    await estate.channel.start()
    await till.until(lambda status: status.link_up)
    if not allowed:
        await till.switch(connect=True)
        await till.complete(sale)
    await estate.until_home(till)
    assert (await estate.balance("6009-0009")).balance == eur(500)
    assert (await estate.balance(SECOND)).balance == eur(800)


async def test_a_memo_without_terms_holds_a_sale_with_a_gift_card_that_has_them(
    estate: Estate, till: Till
) -> None:
    number = await number_of(estate, till, CREDIT_MEMO)
    await allow(estate, GIFT_CARD, allowed=True)
    sale = await till.card(await till.rung_up(4_000), eur(100))
    sale = await memo_tender(till, sale, number)
    await estate.channel.stop()
    assert await reason_of(till.complete(sale)) is Reason.CONCLUDE_NOT_ALLOWED
    sale = await till.cash(await till.void_tender(sale, "T2"))
    assert await reason_of(till.complete(sale)) is None


async def test_a_memo_issued_and_spent_in_part_offline_comes_home_with_its_remainder(
    estate: Estate, till: Till
) -> None:
    number = await number_of(estate, till, CREDIT_MEMO)
    await allow(estate, CREDIT_MEMO, allowed=True)
    sale = await memo_tender(till, await till.rung_up(1_000), number)
    await estate.channel.stop()
    done = await till.complete(sale)
    left = done.tenders[0].card.new_memo.number
    assert done.receipt.offline
    assert left
    await estate.channel.start()
    await estate.until_home(till)
    ledger = await estate.people.ledger(number=left)
    assert ledger.balance == eur(200)
