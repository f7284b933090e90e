"""Returns by receipt: at the price that was paid, and no more than was sold, as far as is known."""

from typing import TypeVar

import grpc.aio
import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import CHANNEL, R1, ask, transaction_of
from tests.support.estate_parts import ME, eur
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, StillopenError
from stillopen.rpc.identity import Caller
from stillopen.v1 import channel_data_pb2, headquarters_pb2, types_pb2

Request = TypeVar("Request")
Response = TypeVar("Response")


async def returned(till: Till, receipt: str) -> dict[str, int]:
    """How much of each line was returned, as the register knows it."""
    answer = await till.receipt(receipt)
    for line in answer.returned:
        assert line.returned_milli == sum(each.quantity_milli for each in line.returns)
    return {line.line_id: line.returned_milli for line in answer.returned}


async def refused(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    caller: Caller = R1,
) -> Reason:
    """Why a call is refused."""
    with pytest.raises(StillopenError) as caught:
        await ask(method, request, caller)
    return caught.value.reason


async def paid_out(till: Till, sale: types_pb2.Sale) -> types_pb2.Sale:
    return await till.complete(await till.cash(sale))


async def over_returns(estate: Estate) -> list[headquarters_pb2.OverReturn]:
    found: list[headquarters_pb2.OverReturn] = []
    token = ""
    while True:
        request = headquarters_pb2.ListOverReturnsRequest(page_size=1, page_token=token)
        page = await ask(estate.people_stub.ListOverReturns, request, ME)
        found += page.over_returns
        if not (token := page.next_page_token):
            return found


async def test_a_part_is_returned_at_the_price_that_was_paid_and_then_the_rest(
    estate: Estate, till: Till
) -> None:
    begun = await till.line(
        await till.begin(), "PEAR", 3_000, unit_price=eur(199), price_reason="dent"
    )
    bought = await till.complete(await till.cash(begun))
    await estate.until_home(till)
    number = bought.receipt.receipt_number
    back = await till.give_back(await till.begin(), number, quantity_milli=1_000)
    [line] = back.lines
    [original] = bought.lines
    assert (line.product_id, line.name, line.unit_price, line.list_price) == (
        original.product_id,
        original.name,
        original.unit_price,
        original.list_price,
    )
    assert (line.catalogue_sequence, line.price_reason) == (original.catalogue_sequence, "dent")
    assert (line.quantity_milli, line.return_of.reason) == (-1_000, "bruised")
    assert line.return_of.transaction_id == bought.transaction_id
    assert back.due == eur(-199)
    async with estate.refuses(Reason.RETURN_TOO_MUCH, "quantity_milli"):
        await till.give_back(back, number, quantity_milli=2_001)
    await paid_out(till, await till.give_back(back, bought.transaction_id, quantity_milli=1_500))
    assert await returned(till, number) == {"L1": 2_500}
    begun = await till.begin()
    async with estate.refuses(Reason.RETURN_TOO_MUCH):
        await till.give_back(begun, number, quantity_milli=501)


async def test_what_one_store_took_back_another_does_not(estate: Estate, till: Till) -> None:
    bought = await till.sold()
    await estate.until_home(till)
    other = await estate.till("R2")
    await paid_out(other, await other.give_back(await other.begin(), bought.transaction_id))
    await estate.until_home(till, other)
    answer = await till.receipt(bought.receipt.receipt_number)
    assert (answer.all_stores, await returned(till, bought.transaction_id)) == (True, {"L1": 1_000})
    assert answer.sale == bought
    request = headquarters_pb2.HeadquartersServiceGetTransactionRequest(
        receipt_number=bought.receipt.receipt_number
    )
    home = await ask(estate.people_stub.GetTransaction, request, CHANNEL)
    assert [line.returned_milli for line in home.returned] == [1_000]
    sale = await till.begin()
    async with estate.refuses(Reason.RETURN_TOO_MUCH):
        await till.give_back(sale, bought.transaction_id, quantity_milli=2_001)
    assert len((await till.give_back(sale, bought.transaction_id, "L1", 2_000)).lines) == 1


async def test_without_headquarters_the_channel_says_what_it_received(
    estate: Estate, till: Till
) -> None:
    bought = await till.sold()
    await estate.until_home(till)
    await estate.headquarters.stop()
    await paid_out(till, await till.give_back(await till.begin(), bought.transaction_id))
    answer = await till.receipt(bought.receipt.receipt_number)
    assert (answer.all_stores, await returned(till, bought.transaction_id)) == (
        False,
        {"L1": 1_000},
    )


async def test_offline_a_register_knows_its_own_receipts_and_what_it_gave_back(
    estate: Estate, till: Till
) -> None:
    other = await estate.till("R2")
    elsewhere = await other.sold()
    await estate.until_home(other)
    await till.switch(connect=False)
    bought = await till.sold()
    number = bought.receipt.receipt_number
    await paid_out(till, await till.give_back(await till.begin(), number, quantity_milli=2_000))
    answer = await till.receipt(number)
    assert (answer.sale, answer.all_stores) == (bought, False)
    assert await returned(till, number) == {"L1": 2_000}
    sale = await till.begin()
    async with estate.refuses(Reason.RETURN_TOO_MUCH):
        await till.give_back(sale, number, quantity_milli=1_001)
    async with estate.refuses(Reason.SALE_UNKNOWN, "receipt"):
        await till.give_back(sale, elsewhere.receipt.receipt_number)
    sale = await till.line(
        sale,
        quantity_milli=-1_000,
        return_of=types_pb2.ReturnOf(reason="no receipt here"),
    )
    await paid_out(till, sale)
    await till.switch(connect=True)
    assert await returned(till, number) == {"L1": 2_000}
    await estate.until_home(till)
    assert await returned(till, number) == {"L1": 2_000}
    assert await over_returns(estate) == []


async def test_a_return_is_repeated_without_a_second_line(estate: Estate, till: Till) -> None:
    bought = await till.sold()
    await estate.until_home(till)
    sale = await till.begin()
    first = await till.give_back(sale, bought.transaction_id)
    assert await till.give_back(sale, bought.transaction_id) == first
    await estate.restart("R1")
    await till.sign_in()
    assert await till.give_back(sale, bought.transaction_id) == first


async def test_what_is_no_receipt_line_is_refused_and_changes_nothing(
    estate: Estate, till: Till
) -> None:
    two = await till.void_line(await till.line(await till.rung_up(), "PEAR"), "L2")
    bought = await till.complete(await till.cash(two))
    back = await paid_out(till, await till.give_back(await till.begin(), bought.transaction_id))
    given_up = await till.void(await till.rung_up())
    await estate.until_home(till)
    sale = await till.begin()
    name = bought.transaction_id
    async with estate.refuses(Reason.NOT_RETURNABLE, "line_id"):
        await till.give_back(sale, name, "L2")
    async with estate.refuses(Reason.NOT_RETURNABLE, "line_id"):
        await till.give_back(sale, back.transaction_id)
    async with estate.refuses(Reason.NOT_RETURNABLE, "line_id"):
        await till.give_back(sale, given_up.transaction_id)
    async with estate.refuses(Reason.LINE_UNKNOWN, "line_id"):
        await till.give_back(sale, name, "L9")
    async with estate.refuses(Reason.SALE_UNKNOWN, "receipt"):
        await till.give_back(sale, transaction_of(77))
    async with estate.refuses(Reason.SALE_UNKNOWN, "receipt"):
        await till.receipt("R1-999999")
    async with estate.refuses(Reason.INVALID_ARGUMENT, "receipt"):
        await till.receipt("")
    for quantity in (0, -1_000, 2_000_000_000):
        async with estate.refuses(Reason.INVALID_ARGUMENT, "quantity_milli"):
            await till.give_back(sale, name, quantity_milli=quantity)
    async with estate.refuses(Reason.INVALID_ARGUMENT, "reason"):
        await till.give_back(sale, name, reason=" ")
    line = await till.give_back(sale, name, quantity_milli=1_000)
    async with estate.refuses(Reason.VERSION_OLD):
        await till.give_back(sale, name, quantity_milli=2_000)
    async with estate.refuses(Reason.RETURN_TOO_MUCH):
        await till.change(line, "L1", -2_000)
    assert (await till.change(line, "L1", -500)).lines[0].quantity_milli == -500


async def test_more_returned_than_sold_is_an_exception_for_people(
    estate: Estate, till: Till
) -> None:
    other = await estate.till("R2")
    bought = await till.sold()
    await estate.until_home(till)
    await till.switch(connect=False)
    await other.switch(connect=False)
    name = bought.transaction_id
    named = types_pb2.ReturnOf(reason="torn", transaction_id=name, line_id="L1")
    first = await till.give_back(await till.begin(), name, quantity_milli=2_000)
    second = await other.line(await other.begin(), quantity_milli=-2_000, return_of=named)
    backs = [await paid_out(till, first), await paid_out(other, second)]
    for each in (till, other):
        await each.switch(connect=True)
    await estate.until_home(till, other)
    [over] = await over_returns(estate)
    assert (over.transaction_id, over.receipt_number) == (
        bought.transaction_id,
        bought.receipt.receipt_number,
    )
    assert (over.sold_milli, over.line.returned_milli) == (3_000, 4_000)
    assert {each.transaction_id for each in over.line.returns} == {
        each.transaction_id for each in backs
    }
    assert len(await estate.sales_home()) == 3


async def test_only_those_concerned_ask_headquarters(estate: Estate) -> None:
    request = headquarters_pb2.HeadquartersServiceGetTransactionRequest()
    listing = headquarters_pb2.ListOverReturnsRequest(page_token="no")  # noqa: S106 - a place
    both = channel_data_pb2.GetTransactionRequest(
        transaction_id=transaction_of(1), receipt_number="R1-000001"
    )
    people = estate.people_stub
    assert [
        await refused(people.GetTransaction, request, R1),
        await refused(people.GetTransaction, request, ME),
        await refused(people.ListOverReturns, listing, ME),
        await refused(people.ListOverReturns, listing, CHANNEL),
        await refused(estate.data.GetTransaction, both),
    ] == [
        Reason.NOT_ALLOWED,
        Reason.INVALID_ARGUMENT,
        Reason.INVALID_ARGUMENT,
        Reason.NOT_ALLOWED,
        Reason.INVALID_ARGUMENT,
    ]
