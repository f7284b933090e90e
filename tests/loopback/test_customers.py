"""Who buys: found at the channel or on the register, kept with the sale."""

import pytest
from tests.support.estate import Estate
from tests.support.estate_parts import one
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.v1 import headquarters_pb2, types_pb2

CUSTOMERS = (
    types_pb2.Customer(customer_id="C1", name="Ada King", email="ada@example.org"),
    types_pb2.Customer(customer_id="C2", name="Bo Reyes", phone="+49 30 123"),
)


@pytest.fixture
async def shop(estate: Estate, till: Till) -> Till:
    """A till that knows two customers."""
    report = await estate.people.import_customers(
        one(headquarters_pb2.ImportCustomersRequest(rows=CUSTOMERS))
    )
    assert report.accepted == len(CUSTOMERS)
    sequence = await estate.until_channel_shows()
    await till.until(lambda status: status.catalogue_sequence >= sequence)
    return till


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
async def test_customers_are_found_by_id_name_address_and_number(
    estate: Estate, shop: Till, *, online: bool
) -> None:
    if not online:
        await estate.channel.stop()
    assert await shop.customers("") == list(CUSTOMERS)
    for query, found in (("c2", "C2"), ("king", "C1"), ("example", "C1"), ("30 123", "C2")):
        assert [each.customer_id for each in await shop.customers(query)] == [found]
    assert await shop.customers("nobody") == []


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
async def test_the_sale_says_who_bought_and_brings_it_home(
    estate: Estate, shop: Till, *, online: bool
) -> None:
    if not online:
        await estate.channel.stop()
    sale = await shop.customer(await shop.rung_up(), "C1")
    await shop.complete(await shop.cash(sale))
    await estate.channel.start()
    await estate.until_home(shop)
    [home] = await estate.sales_home()
    assert home.sale.customer_id == "C1"


async def test_an_unknown_customer_is_refused(estate: Estate, shop: Till) -> None:
    sale = await shop.rung_up()
    async with estate.refuses(Reason.CUSTOMER_UNKNOWN):
        await shop.customer(sale, "C9")


async def test_a_customer_is_taken_back_and_a_repeat_is_the_same_answer(
    estate: Estate, shop: Till
) -> None:
    sale = await shop.rung_up()
    named = await shop.customer(sale, "C1")
    assert await shop.customer(sale, "C1") == named
    async with estate.refuses(Reason.VERSION_OLD):
        await shop.customer(sale, "C2")
    assert (await shop.customer(named, "")).customer_id == ""


async def test_a_recalled_sale_keeps_its_customer(shop: Till) -> None:
    suspended = await shop.suspend(await shop.customer(await shop.rung_up(), "C2"))
    assert (await shop.recall(suspended.transaction_id)).customer_id == "C2"


async def test_a_final_sale_has_its_customer_for_ever(estate: Estate, shop: Till) -> None:
    sale = await shop.complete(await shop.cash(await shop.customer(await shop.rung_up(), "C1")))
    async with estate.refuses(Reason.SALE_FINAL):
        await shop.customer(sale, "")
