"""Gift cards at the till: sold, reloaded, refunded, cashed out; and what is refused."""

from collections.abc import Awaitable
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_cards import (
    CASH_OUT,
    CREDIT_MEMO,
    ISSUE,
    RELOAD,
    brought_back,
    card_line,
    card_line_of,
    card_seen,
    files_holding,
    forms_of,
    issued,
    refund,
    set_cards,
    tender_of,
)
from tests.support.estate_messages import ask
from tests.support.estate_parts import DOLLARS, GIFT, ME, SECOND, UNKNOWN, eur
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.parameters import CardParameters
from stillopen.v1 import register_pb2, types_pb2

FRESH = "6009-0001"
REDEEM = types_pb2.CARD_PURPOSE_REDEEM
REFUND = types_pb2.CARD_PURPOSE_REFUND
NOTHING = types_pb2.CARD_PURPOSE_UNSPECIFIED
GIFT_TENDER = types_pb2.TENDER_KIND_GIFT_CARD


async def entries(estate: Estate, number: str) -> list[tuple[str, int]]:
    """The ledger of a card."""
    ledger = await estate.people.ledger(number=number)
    assert ledger.balance.minor_units == sum(e.amount.minor_units for e in ledger.entries)
    return [(each.kind, each.amount.minor_units) for each in ledger.entries]


async def reason_of(work: Awaitable[object]) -> Reason:
    """Why it is refused."""
    with pytest.raises(StillopenError) as caught:
        await work
    return caught.value.reason


async def test_a_card_that_was_sold_is_spent_at_another_register(
    estate: Estate, till: Till
) -> None:
    sale = await issued(till, FRESH, 2_000)
    [line] = sale.lines
    assert (line.total, line.product_id, line.card.last_four) == (eur(2_000), "", "0001")
    await estate.until_home(till)
    other = await estate.till("R2")
    assert (await card_seen(other, FRESH)).free == eur(2_000)
    await other.sold_by_card(FRESH)
    await estate.until_home(till, other)
    assert await entries(estate, FRESH) == [("ISSUE", 2_000), ("REDEEM", -300)]
    assert await estate.people.locks() == []


async def test_a_card_that_is_being_sold_is_nothing_yet_to_anybody_else(
    estate: Estate, till: Till
) -> None:
    other = await estate.till("R2")
    sale = await card_line(till, await till.begin(), ISSUE, FRESH, 2_000)
    theirs = await other.rung_up()
    assert await reason_of(card_seen(other, FRESH)) is Reason.CARD_PENDING
    async with estate.refuses(Reason.CARD_PENDING):
        await other.card(theirs, number=FRESH)
    async with estate.refuses(Reason.CARD_PENDING):
        await card_line(other, theirs, ISSUE, FRESH, 100)
    await till.void_line(sale, "L1")
    await estate.until_home(till)
    assert await reason_of(card_seen(other, FRESH)) is Reason.CARD_UNKNOWN
    assert (await card_line(other, theirs, ISSUE, FRESH, 100)).total == eur(400)


async def test_a_voided_sale_sells_no_card(estate: Estate, till: Till) -> None:
    sale = await till.void(await card_line(till, await till.begin(), ISSUE, FRESH, 2_000))
    assert [line.voided for line in sale.lines] == [True]
    await estate.until_home(till)
    assert await reason_of(card_seen(till, FRESH)) is Reason.CARD_UNKNOWN
    assert await estate.people.locks() == []


async def test_a_card_is_reloaded_and_the_money_is_there_once_the_sale_is_home(
    estate: Estate, till: Till
) -> None:
    sale = await card_line(till, await till.begin(), RELOAD, SECOND, 1_300)
    assert (sale.total, sale.due) == (eur(1_300), eur(1_300))
    assert (await card_seen(till, SECOND)).balance == eur(700)
    await till.complete(await till.cash(sale))
    await estate.until_home(till)
    assert await entries(estate, SECOND) == [("OPENING", 700), ("RELOAD", 1_300)]
    assert (await card_seen(till, SECOND)).free == eur(2_000)


async def test_a_return_is_refunded_onto_a_card(estate: Estate, till: Till) -> None:
    sale = await refund(till, await brought_back(till), SECOND)
    assert (sale.total, sale.tendered, sale.due) == (eur(-300), eur(-300), eur(0))
    await till.complete(sale)
    await estate.until_home(till)
    assert await entries(estate, SECOND) == [("OPENING", 700), ("REFUND", 300)]


async def test_a_refund_may_be_split_between_a_card_and_cash(estate: Estate, till: Till) -> None:
    sale = await refund(till, await brought_back(till), SECOND, -100)
    async with estate.refuses(Reason.EXCEEDS_DUE):
        await refund(till, sale, GIFT, -201)
    await till.complete(await till.cash(sale))
    await estate.until_home(till)
    assert (await estate.balance(SECOND)).balance == eur(800)


@pytest.mark.parametrize(("up_to", "reason"), [(700, None), (699, "CASH_OUT_TOO_MUCH"), (0, "")])
async def test_a_card_is_cashed_out_up_to_the_threshold(
    estate: Estate, till: Till, up_to: int, reason: str | None
) -> None:
    await set_cards(estate, gift_card=CardParameters(cash_out_up_to_minor=up_to))
    begun = await till.begin()
    if reason is not None:
        async with estate.refuses(Reason.CASH_OUT_TOO_MUCH):
            await card_line(till, begun, CASH_OUT, SECOND)
        return
    sale = await card_line(till, begun, CASH_OUT, SECOND)
    assert (sale.total, sale.due) == (eur(-700), eur(-700))
    await till.complete(await till.cash(sale))
    await estate.until_home(till)
    assert await entries(estate, SECOND) == [("OPENING", 700), ("CASH_OUT", -700)]
    another = await till.begin()
    async with estate.refuses(Reason.INSUFFICIENT_BALANCE):
        await card_line(till, another, CASH_OUT, SECOND)


async def test_one_card_is_reloaded_cashed_out_and_pays_in_different_sales_only(
    estate: Estate, till: Till
) -> None:
    sale = await card_line(till, await till.begin(), RELOAD, GIFT, 100)
    async with estate.refuses(Reason.CARD_TWICE):
        await till.card(sale)
    async with estate.refuses(Reason.CARD_TWICE):
        await card_line(till, sale, RELOAD, GIFT, 100)
    paid = await till.card(sale, number=SECOND)
    await till.complete(paid)
    await estate.until_home(till)
    assert (await estate.balance(GIFT)).balance == eur(5_100)
    assert (await estate.balance(SECOND)).balance == eur(600)


@pytest.mark.parametrize(
    ("purpose", "number", "minor", "reason"),
    [
        (ISSUE, GIFT, 100, Reason.CARD_EXISTS),
        (RELOAD, UNKNOWN, 100, Reason.CARD_UNKNOWN),
        (RELOAD, DOLLARS, 100, Reason.CURRENCY_MISMATCH),
        (CASH_OUT, DOLLARS, None, Reason.CURRENCY_MISMATCH),
        (CASH_OUT, UNKNOWN, None, Reason.CARD_UNKNOWN),
        (ISSUE, FRESH, 0, Reason.INVALID_ARGUMENT),
        (ISSUE, FRESH, -100, Reason.INVALID_ARGUMENT),
        (ISSUE, FRESH, 10**15 + 1, Reason.INVALID_ARGUMENT),
        (ISSUE, FRESH, None, Reason.INVALID_ARGUMENT),
        (CASH_OUT, SECOND, 700, Reason.INVALID_ARGUMENT),
        (ISSUE, "", 100, Reason.INVALID_ARGUMENT),
        (ISSUE, "12", 100, Reason.INVALID_ARGUMENT),
        (ISSUE, "6009\x00001", 100, Reason.INVALID_ARGUMENT),
        (ISSUE, "9" * 41, 100, Reason.INVALID_ARGUMENT),
        (REDEEM, SECOND, 5, Reason.INVALID_ARGUMENT),
        (REFUND, SECOND, 5, Reason.INVALID_ARGUMENT),
        (NOTHING, SECOND, 5, Reason.INVALID_ARGUMENT),
    ],
)
async def test_a_card_line_that_cannot_be_changes_neither_cart_nor_card(
    estate: Estate,
    till: Till,
    purpose: types_pb2.CardPurpose.ValueType,
    number: str,
    minor: int | None,
    reason: Reason,
) -> None:
    sale = await till.rung_up()
    async with estate.refuses(reason):
        await card_line(till, sale, purpose, number, minor)


async def test_a_card_line_of_another_currency_or_version_is_refused(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    request = card_line_of(sale, ISSUE, FRESH, 100)
    request.amount.currency_code = "USD"
    async with estate.refuses(Reason.CURRENCY_MISMATCH):
        await ask(till.stub.AddCardLine, request, ME)
    request = card_line_of(sale, ISSUE, FRESH, 100)
    request.version -= 1
    async with estate.refuses(Reason.VERSION_OLD):
        await ask(till.stub.AddCardLine, request, ME)
    request.transaction_id = "f" * 32
    async with estate.refuses(Reason.SALE_UNKNOWN):
        await ask(till.stub.AddCardLine, request, ME)


async def test_a_line_that_holds_a_card_is_taken_off_and_never_changed(
    estate: Estate, till: Till
) -> None:
    sale = await card_line(till, await till.begin(), ISSUE, FRESH, 500)
    async with estate.refuses(Reason.TENDERS_PRESENT):
        await till.change(sale, "L1", 2_000)
    off = await till.void_line(sale, "L1")
    assert off.total == eur(0)
    await estate.until_home(till)
    assert await estate.people.locks() == []


async def test_cashing_out_under_what_cards_have_paid_ends_the_lock_again(
    estate: Estate, till: Till
) -> None:
    await set_cards(estate, gift_card=CardParameters(cash_out_up_to_minor=1_000))
    sale = await till.card(await till.rung_up())
    assert await reason_of(card_line(till, sale, CASH_OUT, SECOND)) is Reason.TENDERS_PRESENT
    assert await till.sale() == sale
    await estate.until_home(till)
    assert [each.lock.last_four for each in await estate.people.locks()] == ["0001"]


@pytest.mark.parametrize("purpose", [ISSUE, RELOAD, CASH_OUT])
@pytest.mark.parametrize("restarts", [False, True])
async def test_a_repeated_card_line_is_one_line_and_one_lock_also_after_a_restart(
    estate: Estate,
    till: Till,
    purpose: types_pb2.CardPurpose.ValueType,
    *,
    restarts: bool,
) -> None:
    await set_cards(estate, gift_card=CardParameters(cash_out_up_to_minor=1_000))
    number = FRESH if purpose == ISSUE else SECOND
    request = card_line_of(
        await till.begin(), purpose, number, None if purpose == CASH_OUT else 500
    )
    first = (await ask(till.stub.AddCardLine, request, ME)).sale
    if restarts:
        await estate.restart("R1")
        await till.until(lambda s: s.link_up)
        await till.sign_in()
    assert (await ask(till.stub.AddCardLine, request, ME)).sale == first
    assert len(await estate.people.locks()) == 1
    other = register_pb2.AddCardLineRequest()
    other.CopyFrom(request)
    other.card_number = SECOND if purpose == ISSUE else GIFT
    with pytest.raises(StillopenError) as caught:
        await ask(till.stub.AddCardLine, other, ME)
    assert caught.value.reason is Reason.VERSION_OLD
    await till.complete(await till.cash(first))
    await estate.until_home(till)
    moved = [minor for kind, minor in await entries(estate, number) if kind != "OPENING"]
    assert moved == [-700 if purpose == CASH_OUT else 500]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_repeated_refund_is_one_tender_also_after_a_restart(
    estate: Estate, till: Till, *, restarts: bool
) -> None:
    request = tender_of(await brought_back(till), GIFT_TENDER, -300, SECOND)
    first = (await ask(till.stub.AddTender, request, ME)).sale
    if restarts:
        await estate.restart("R1")
        await till.until(lambda s: s.link_up)
        await till.sign_in()
    assert (await ask(till.stub.AddTender, request, ME)).sale == first
    await till.complete(first)
    await estate.until_home(till)
    assert (await estate.balance(SECOND)).balance == eur(1_000)


async def test_a_card_is_sold_beside_goods_and_paid_with_cash_and_another_card(
    estate: Estate, till: Till
) -> None:
    sale = await card_line(till, await till.rung_up(), ISSUE, FRESH, 2_000)
    sale = await till.card(sale, eur(700), SECOND)
    done = await till.complete(await till.cash(sale, eur(2_000)))
    assert (done.total, done.change) == (eur(2_300), eur(400))
    await estate.until_home(till)
    assert (await estate.balance(FRESH)).balance == eur(2_000)
    assert (await estate.balance(SECOND)).balance == eur(0)


async def test_a_gift_card_is_no_credit_memo(estate: Estate, till: Till) -> None:
    async with estate.refuses(Reason.CARD_KIND):
        await card_seen(till, GIFT, CREDIT_MEMO)


async def test_offline_no_card_is_sold_and_the_sale_stays_as_it_was(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    await estate.channel.stop()
    assert await reason_of(card_line(till, sale, ISSUE, FRESH, 100)) is Reason.OFFLINE
    assert await till.sale() == sale
    await till.complete(await till.cash(sale))


async def test_the_number_of_a_gift_card_is_kept_nowhere(
    estate: Estate, till: Till, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await issued(till, FRESH, 2_000)
    await estate.until_home(till)
    held = await till.card(await card_line(till, await till.rung_up(), RELOAD, FRESH, 100), eur(1))
    said = [str(held), *(str(each) for each in await estate.people.locks())]
    with pytest.raises(StillopenError) as caught:
        await till.card(held, eur(1), FRESH)
    said += [caught.value.message, *(str(each) for each in await till.journal())]
    said += [str(each) for each in await estate.sales_home()]
    said += [record.getMessage() for record in caplog.records]
    for place in (*estate.registers.values(), estate.channel, estate.headquarters):
        await place.stop()
    for number in (FRESH, GIFT):
        assert not [text for text in said for form in forms_of(number) if form in text]
        assert files_holding(tmp_path, number) == set()
