"""A register refuses what the person who is signed in may not do, and its status says so."""

import pytest
from tests.support.estate import Estate
from tests.support.estate_cards import card_line
from tests.support.estate_parts import GIFT, eur, one
from tests.support.estate_till import Till
from tests.support.staffing import SELL, cashiers_may, staffed, until_it_may

from stillopen.core.errors import Reason
from stillopen.v1 import headquarters_pb2, types_pb2

BACK = types_pb2.ReturnOf(reason="bruised")


@pytest.fixture
async def trainee(estate: Estate, till: Till) -> Till:
    """A till at which somebody may sell and nothing else."""
    await cashiers_may(estate, SELL)
    await until_it_may(till, "BEGIN")
    return till


async def test_a_trainee_sells_suspends_and_recalls(trainee: Till) -> None:
    sale = await trainee.rung_up()
    sale = await trainee.change(sale, "L1", 2_000)
    suspended = await trainee.suspend(sale)
    sale = await trainee.recall(suspended.transaction_id)
    assert (await trainee.complete(await trainee.cash(sale))).HasField("receipt")


async def test_another_price_needs_a_permission(estate: Estate, trainee: Till) -> None:
    sale = await trainee.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.line(sale, unit_price=eur(90), price_reason="bruised")
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.priced(sale, "L1", eur(90))
    sale = await trainee.line(sale, unit_price=eur(100), price_reason="as always")
    assert sale.total == eur(400)


async def test_a_return_without_a_receipt_needs_a_permission(estate: Estate, trainee: Till) -> None:
    sold = await trainee.sold()
    sale = await trainee.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.line(sale, quantity_milli=-1_000, return_of=BACK)
    sale = await trainee.give_back(sale, sold.transaction_id)
    assert sale.total == eur(200)


async def test_giving_a_sale_or_a_line_up_needs_a_permission(estate: Estate, trainee: Till) -> None:
    sale = await trainee.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.void_line(sale, "L1")
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.void(sale)
    sale = await trainee.void_tender(await trainee.cash(sale, eur(100)), "T1")
    assert sale.due == eur(300)


async def test_cashing_out_needs_a_permission_and_locks_nothing_without_it(
    estate: Estate, trainee: Till
) -> None:
    sale = await trainee.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await card_line(trainee, sale, types_pb2.CARD_PURPOSE_CASH_OUT, GIFT)
    assert await estate.people.locks() == []


async def test_disconnecting_by_hand_needs_a_permission(estate: Estate, trainee: Till) -> None:
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.switch(connect=False)
    assert (await trainee.status()).link_up


async def test_somebody_whose_role_is_for_headquarters_sells_nothing(
    estate: Estate, till: Till
) -> None:
    await staffed(estate, "carl", "clerk")
    assert await till.sign_in("carl") == "Carl"
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await till.begin()
    why = {each.name: each.why_not for each in (await till.status()).all_operations}
    assert (why["BEGIN"], why["PRICE_CHECK"]) == ("NOT_ALLOWED", "")


async def test_a_repeat_is_answered_though_the_person_may_no_more(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    changed = await till.priced(sale, "L1", eur(90))
    await cashiers_may(estate, SELL)
    await until_it_may(till, "BEGIN")
    assert await till.priced(sale, "L1", eur(90)) == changed


async def test_permissions_hold_offline_too(estate: Estate, trainee: Till) -> None:
    await estate.channel.stop()
    sale = await trainee.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.void(sale)
    await trainee.complete(await trainee.cash(sale))
    await trainee.sign_in("maria")
    await trainee.void(await trainee.rung_up())


async def test_a_role_that_changes_counts_for_whoever_is_signed_in(
    estate: Estate, trainee: Till
) -> None:
    sale = await trainee.rung_up()
    await cashiers_may(estate, SELL, types_pb2.PERMISSION_VOID)
    await until_it_may(trainee, "BEGIN", "VOID", "VOID_LINE")
    await trainee.void(sale)
    await staffed(estate, "anna", blocked=True)
    await until_it_may(trainee)
    async with estate.refuses(Reason.NOT_ALLOWED):
        await trainee.begin()


async def test_a_kind_whose_tender_types_are_all_closed_is_not_taken(
    estate: Estate, till: Till
) -> None:
    rows = [
        types_pb2.TenderType(
            tender_type_id=name, name=name.title(), kind=types_pb2.TENDER_KIND_CASH, closed=closed
        )
        for name, closed in (("coins", True), ("notes", False))
    ]
    await tender_types(estate, rows)
    sale = await till.cash(await till.rung_up(), eur(100))
    rows[1].closed = True
    sequence = await tender_types(estate, rows)
    await till.until(lambda status: status.catalogue_sequence >= sequence)
    async with estate.refuses(Reason.TENDER_NOT_TAKEN, "kind"):
        await till.cash(sale)
    await till.complete(await till.card(sale))


async def tender_types(estate: Estate, rows: list[types_pb2.TenderType]) -> int:
    """Gives the shop these ways to pay; the sequence that shows them."""
    report = await estate.people.import_tender_types(
        one(headquarters_pb2.ImportTenderTypesRequest(rows=rows))
    )
    assert report.refused == 0, report
    return await estate.until_channel_shows()
