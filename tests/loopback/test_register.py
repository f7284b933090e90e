"""RegisterService online: a sale from its first line to its receipt, and every write twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import transaction_of
from tests.support.estate_parts import DOLLARS, GIFT, SECOND, UNKNOWN, eur
from tests.support.estate_till import Sale, Till

from stillopen.core.errors import Reason, Refused
from stillopen.v1 import register_pb2, types_pb2

Write = Callable[[Till, Sale], Awaitable[Sale]]
OPEN, COMPLETED, VOIDED = (
    types_pb2.SALE_STATE_OPEN,
    types_pb2.SALE_STATE_COMPLETED,
    types_pb2.SALE_STATE_VOIDED,
)


async def test_a_sale_is_rung_up_paid_by_card_and_cash_and_comes_home(
    estate: Estate, till: Till
) -> None:
    sale = await till.line(await till.rung_up(2_500), "4002")
    sale = await till.change(sale, "L1", 3_000)
    sale = await till.card(sale, eur(200))
    sale = await till.cash(sale, eur(500))
    assert (sale.total, sale.due, sale.change) == (eur(550), eur(-150), eur(150))
    done = await till.complete(sale)
    assert done.state == COMPLETED
    assert done.receipt.receipt_number == "R1-000001"
    assert (done.receipt.sequence, len(done.receipt.digest_prefix)) == (1, 8)
    assert not done.receipt.offline
    await estate.until_home(till)
    [home] = await estate.sales_home()
    assert home.position.sequence == done.receipt.sequence
    assert (home.sale.lines, home.sale.tenders) == (done.lines, done.tenders)
    assert (await estate.balance(GIFT)).balance == eur(4_800)
    assert "6001" not in str(home)


async def test_a_return_gives_cash_out_and_comes_home(estate: Estate, till: Till) -> None:
    back = types_pb2.ReturnOf(reason="bruised", transaction_id=transaction_of(5), line_id="L1")
    sale = await till.line(await till.begin(), "APPLE", -2_000, return_of=back)
    assert sale.total == eur(-200)
    async with estate.refuses(Reason.EXCEEDS_DUE):
        await till.cash(sale, eur(-201))
    await till.complete(await till.cash(sale))
    await estate.until_home(till)
    [home] = await estate.sales_home()
    assert home.sale.lines[0].return_of == back


WRITES: dict[str, Write] = {
    "add line": lambda till, sale: till.line(sale, "PEAR"),
    "change line": lambda till, sale: till.change(sale, "L1", 2_000),
    "void line": lambda till, sale: till.void_line(sale, "L1"),
    "cash": lambda till, sale: till.cash(sale, eur(100)),
    "gift card": lambda till, sale: till.card(sale, eur(100)),
    "void": lambda till, sale: till.void(sale),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_repeated_write_gets_the_same_answer_also_after_a_restart(
    estate: Estate, till: Till, write: Write
) -> None:
    sale = await till.rung_up()
    first = await write(till, sale)
    assert first.version == sale.version + 1
    assert await write(till, sale) == first
    await estate.restart("R1")
    await estate.till("R1")
    assert await write(till, sale) == first
    assert await till.sale(sale.transaction_id) == first


async def test_a_repeated_void_of_a_tender_gets_the_same_answer(estate: Estate, till: Till) -> None:
    sale = await till.card(await till.rung_up())
    first = await till.void_tender(sale, "T1")
    assert await till.void_tender(sale, "T1") == first
    assert (first.due, first.tenders[0].voided) == (eur(300), True)
    await estate.until_home(till)
    assert (await estate.balance(GIFT)).free == eur(5_000)


async def test_a_repeated_card_tender_locks_one_card_once(estate: Estate, till: Till) -> None:
    sale = await till.rung_up()
    await till.card(sale)
    await till.card(sale)
    assert len(await estate.people.locks()) == 1


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_an_older_version_is_refused_and_changes_nothing(
    estate: Estate, till: Till, write: Write
) -> None:
    old = await till.line(await till.begin())
    await till.line(await till.line(old))
    async with estate.refuses(Reason.VERSION_OLD, "version"):
        await write(till, old)


async def test_the_same_write_with_other_contents_is_no_repeat(estate: Estate, till: Till) -> None:
    sale = await till.rung_up()
    await till.cash(sale, eur(100))
    async with estate.refuses(Reason.VERSION_OLD):
        await till.cash(sale, eur(101))


async def test_begin_with_the_same_id_is_the_same_sale(estate: Estate, till: Till) -> None:
    name = transaction_of(77)
    first = await till.begin(name)
    rung_up = await till.line(first)
    assert first.transaction_id == name
    assert await till.begin(name) == rung_up
    async with estate.refuses(Reason.SALE_OPEN):
        await till.begin(transaction_of(78))
    async with estate.refuses(Reason.SALE_OPEN):
        await till.begin()
    done = await till.complete(await till.cash(rung_up))
    assert await till.begin(name) == done


async def test_complete_of_a_completed_sale_is_its_receipt_again(
    estate: Estate, till: Till
) -> None:
    sale = await till.cash(await till.rung_up())
    done = await till.complete(sale)
    assert await till.complete(sale) == done
    assert await till.complete(done) == done
    await estate.restart("R1")
    await estate.till("R1")
    assert await till.complete(sale) == done
    assert len(await till.journal()) == 1


FINAL: dict[str, Write] = {**WRITES, "void tender": lambda till, sale: till.void_tender(sale, "T1")}


@pytest.mark.parametrize("write", FINAL.values(), ids=FINAL.keys())
async def test_a_completed_sale_changes_no_more(estate: Estate, till: Till, write: Write) -> None:
    done = await till.sold()
    async with estate.refuses(Reason.SALE_FINAL):
        await write(till, done)


async def test_a_voided_sale_cannot_be_completed(estate: Estate, till: Till) -> None:
    void = await till.void(await till.cash(await till.rung_up()))
    assert void.state == VOIDED
    async with estate.refuses(Reason.SALE_FINAL):
        await till.complete(void)


async def test_a_voided_sale_frees_its_card_and_comes_home(estate: Estate, till: Till) -> None:
    await till.void(await till.card(await till.rung_up()))
    await estate.until_home(till)
    assert [line.kind for line in await till.journal()] == ["VOIDED", "UNLOCK"]
    assert (await estate.balance(GIFT)).free == eur(5_000)
    assert [each.sale.state for each in await estate.sales_home()] == [VOIDED]


async def test_a_sale_that_is_empty_or_not_paid_is_not_completed(
    estate: Estate, till: Till
) -> None:
    empty = await till.begin()
    async with estate.refuses(Reason.SALE_EMPTY):
        await till.complete(empty)
    sale = await till.line(empty)
    async with estate.refuses(Reason.NOT_PAID):
        await till.complete(sale)
    async with estate.refuses(Reason.LINE_UNKNOWN, "line_id"):
        await till.void_line(sale, "L9")
    async with estate.refuses(Reason.LINE_UNKNOWN, "line_id"):
        await till.void_tender(sale, "T1")


async def test_lines_paid_by_card_stay(estate: Estate, till: Till) -> None:
    sale = await till.card(await till.rung_up())
    async with estate.refuses(Reason.TENDERS_PRESENT):
        await till.void_line(sale, "L1")


@pytest.mark.parametrize(
    ("number", "minor", "reason"),
    [
        (UNKNOWN, 300, Reason.CARD_UNKNOWN),
        (DOLLARS, 300, Reason.CURRENCY_MISMATCH),
        (SECOND, 701, Reason.INSUFFICIENT_BALANCE),
        ("6", 300, Reason.INVALID_ARGUMENT),
    ],
)
async def test_a_card_that_cannot_pay_is_refused_and_the_sale_goes_on(
    estate: Estate, till: Till, number: str, minor: int, reason: Reason
) -> None:
    sale = await till.rung_up(10_000)
    async with estate.refuses(reason):
        await till.card(sale, eur(minor), number)
    await till.complete(await till.cash(sale))


async def test_the_same_card_twice_in_a_sale_is_refused(estate: Estate, till: Till) -> None:
    sale = await till.card(await till.rung_up(), eur(100))
    async with estate.refuses(Reason.CARD_TWICE):
        await till.card(sale, eur(200))


async def test_a_card_held_by_another_register_is_refused(estate: Estate, till: Till) -> None:
    other = await estate.till("R2")
    await till.card(await till.rung_up())
    sale = await other.rung_up()
    async with estate.refuses(Reason.CARD_LOCKED):
        await other.card(sale)


async def test_nobody_sells_without_signing_in(estate: Estate) -> None:
    till = await estate.till("R1")
    await till.sign_out()
    async with estate.refuses(Reason.NOT_SIGNED_IN):
        await till.begin()
    async with estate.refuses(Reason.SIGN_IN_FAILED):
        await till.sign_in("anna", "wrong")
    assert await till.sign_in() == "Anna"
    await till.rung_up()
    async with estate.refuses(Reason.SALE_OPEN):
        await till.sign_out()
    await till.void(await till.sale())
    await till.sign_out()
    assert (await till.status()).staff_id == ""


async def test_a_sale_nobody_knows_is_not_found(estate: Estate, till: Till) -> None:
    for name in ("", transaction_of(9), "x"):
        async with estate.refuses(Reason.SALE_UNKNOWN):
            await till.sale(name)


async def test_two_frontends_on_one_agent_share_a_sale_and_one_of_them_wins(
    estate: Estate, till: Till
) -> None:
    other = estate.another_till("R1")
    sale = await till.rung_up()
    assert await other.sale() == sale
    attempts = [till.line(sale, "PEAR"), other.line(sale, "APPLE", 5_000)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    [won] = [each for each in outcomes if isinstance(each, Sale)]
    [lost] = [each for each in outcomes if isinstance(each, BaseException)]
    assert isinstance(lost, Refused)
    assert lost.reason is Reason.VERSION_OLD
    assert await till.sale() == won


async def test_two_frontends_that_complete_at_once_get_one_receipt(
    estate: Estate, till: Till
) -> None:
    other = estate.another_till("R1")
    sale = await till.card(await till.rung_up())
    first, second = await asyncio.gather(till.complete(sale), other.complete(sale))
    assert first == second
    await estate.until_home(till)
    assert len(await estate.sales_home()) == 1
    assert (await estate.balance(GIFT)).balance == eur(4_700)


async def test_a_frontend_that_gives_up_does_not_undo_its_write(estate: Estate, till: Till) -> None:
    sale = await till.cash(await till.rung_up())
    request = register_pb2.CompleteRequest(transaction_id=sale.transaction_id, version=sale.version)
    given_up = till.stub.Complete(request)
    await asyncio.sleep(0)
    given_up.cancel()
    done = await till.complete(sale)
    assert done.receipt.sequence == 1
    await estate.until_home(till)
    assert len(await estate.sales_home()) == 1


async def test_the_journal_says_what_is_home(estate: Estate, till: Till) -> None:
    sold = await till.sold()
    await estate.until_home(till)
    [line] = await till.journal()
    assert (line.kind, line.transaction_id) == ("COMPLETED", sold.transaction_id)
    assert (line.at_channel, line.at_headquarters, line.total) == (True, True, eur(300))
    status = await till.status()
    assert (status.waiting_entries, status.waiting_headquarters) == (0, 0)
    assert status.open_transaction_id == ""
