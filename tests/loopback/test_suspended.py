"""Suspend and recall: one owner, the same lines, and nothing is lost."""

from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import grpc.aio
import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import R1, R2, ask, sale_of, transaction_of
from tests.support.estate_parts import ME, PASSWORD, eur, one, until
from tests.support.estate_till import Till

from stillopen.channel.tables import SCHEMA
from stillopen.core.errors import Reason, StillopenError
from stillopen.core.sale import Sale, SaleState
from stillopen.core.sale import void_line as without_line
from stillopen.register import carts
from stillopen.register.sales import insert, stored
from stillopen.register.tables import SCHEMA as REGISTER_SCHEMA
from stillopen.rpc.identity import Caller
from stillopen.rpc.wire_sale import sale_to
from stillopen.storage.engine import Session
from stillopen.storage.inline import open_inline
from stillopen.v1 import channel_data_pb2, headquarters_pb2, types_pb2

Request = TypeVar("Request")
Response = TypeVar("Response")

OPEN, SUSPENDED = types_pb2.SALE_STATE_OPEN, types_pb2.SALE_STATE_SUSPENDED
NEW, NEWER = "a" * 32, "b" * 32


def word(
    staff_id: str = "maria", reason: str = "till broke down", password: str = PASSWORD
) -> types_pb2.ManagerWord:
    """A manager's word."""
    return types_pb2.ManagerWord(staff_id=staff_id, password=password, reason=reason)


async def at_channel(estate: Estate) -> list[str]:
    """The ids of the sales that are suspended at the channel, a page of one at a time."""
    found: list[str] = []
    token = ""
    while True:
        request = channel_data_pb2.ListTransactionsRequest(
            suspended=True, page_size=1, page_token=token
        )
        page = await ask(estate.data.ListTransactions, request)
        found += [sale.transaction_id for sale in page.sales]
        if not (token := page.next_page_token):
            return found


async def handed_over(estate: Estate, sale: types_pb2.Sale) -> None:
    async def there() -> bool:
        return sale.transaction_id in await at_channel(estate)

    await until(there)


async def refusal(work: Awaitable[object]) -> Reason:
    with pytest.raises(StillopenError) as caught:
        await work
    return caught.value.reason


async def refused(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    caller: Caller = R1,
) -> Reason:
    """Why a call is refused."""
    with pytest.raises(StillopenError) as caught:
        await ask(method, request, caller)
    return caught.value.reason


def lines_of(sale: types_pb2.Sale) -> list[bytes]:
    return [line.SerializeToString(deterministic=True) for line in sale.lines]


async def test_a_suspended_sale_is_recalled_at_another_register_with_its_lines_as_they_are(
    estate: Estate, till: Till
) -> None:
    sale = await till.line(await till.rung_up(), "PEAR", unit_price=eur(199), price_reason="dent")
    cart = await till.suspend(sale)
    assert (cart.state, cart.version) == (SUSPENDED, sale.version + 1)
    assert (await till.suspend(sale)) == cart
    await handed_over(estate, cart)
    other = await estate.till("R2")
    listed = await other.suspended()
    assert listed.whole_store
    assert list(listed.sales) == [cart]
    again = await other.recall(cart.transaction_id, NEW)
    assert (again.state, again.version, again.recalled_from) == (OPEN, 1, cart.transaction_id)
    assert (again.register_id, again.transaction_id) == ("R2", NEW)
    assert lines_of(again) == lines_of(sale)
    assert await other.recall(cart.transaction_id, NEW) == again
    assert list((await till.suspended()).sales) == []
    sold = await other.complete(await other.cash(again))
    await estate.until_home(till, other)
    [home] = await estate.sales_home()
    assert (home.sale.transaction_id, home.sale.recalled_from) == (NEW, cart.transaction_id)
    assert sold.total == sale.total
    await until_received(estate, NEW)
    assert await refusal(till.recall(cart.transaction_id, NEWER, word())) is Reason.CLAIMED


async def until_received(estate: Estate, transaction_id: str) -> None:
    """Waits until the channel knows that the sale is final."""

    async def known() -> bool:
        request = channel_data_pb2.ListTransactionsRequest()
        found = (await ask(estate.data.ListTransactions, request)).sales
        return transaction_id in [sale.transaction_id for sale in found]

    await until(known)


async def test_what_is_suspended_offline_is_recalled_offline_and_handed_over_on_return(
    estate: Estate, till: Till
) -> None:
    await estate.channel.stop()
    first = await till.suspend(await till.rung_up())
    second = await till.suspend(await till.rung_up(1_000))
    assert (await till.until(lambda status: status.waiting_suspended == 2)).waiting_entries == 0
    listed = await till.suspended()
    assert not listed.whole_store
    assert list(listed.sales) in ([first, second], [second, first])
    again = await till.recall(first.transaction_id, NEW)
    assert again.recalled_from == first.transaction_id
    assert await till.recall(first.transaction_id, NEW) == again
    await till.complete(await till.cash(again))
    assert await refusal(till.recall(first.transaction_id, NEWER)) is Reason.CLAIMED
    await estate.channel.start()
    await handed_over(estate, second)
    await till.until(lambda status: status.waiting_suspended == 0)
    assert await at_channel(estate) == [second.transaction_id]
    await estate.until_home(till)


async def test_what_the_channel_has_cannot_be_recalled_without_it(
    estate: Estate, till: Till
) -> None:
    cart = await till.suspend(await till.rung_up())
    await handed_over(estate, cart)
    await till.switch(connect=False)
    async with estate.refuses(Reason.HANDED_OVER):
        await till.recall(cart.transaction_id, NEW)
    async with estate.refuses(Reason.OFFLINE):
        await till.recall(transaction_of(77), NEW)
    assert list((await till.suspended()).sales) == []
    await till.switch(connect=True)
    assert (await till.recall(cart.transaction_id, NEWER)).recalled_from == cart.transaction_id


async def test_a_suspended_sale_survives_sign_out_and_a_restart(estate: Estate, till: Till) -> None:
    await till.switch(connect=False)
    cart = await till.suspend(await till.rung_up())
    await till.sign_out()
    await estate.restart("R1")
    await till.sign_in()
    again = await till.recall(cart.transaction_id, NEW)
    await estate.restart("R1")
    await till.sign_in()
    assert await till.recall(cart.transaction_id, NEW) == again
    assert (await till.sale()).transaction_id == NEW


async def test_two_registers_do_not_go_on_with_one_sale_unless_a_manager_ends_a_claim(
    estate: Estate, till: Till
) -> None:
    other = await estate.till("R2")
    cart = await till.suspend(await till.rung_up())
    await handed_over(estate, cart)
    await till.recall(cart.transaction_id, NEW)
    async with estate.refuses(Reason.CLAIMED):
        await other.recall(cart.transaction_id, NEWER)
    with pytest.raises(StillopenError, match=f"register R1 .* {NEW}"):
        await other.recall(cart.transaction_id, NEWER)
    async with estate.refuses(Reason.SIGN_IN_FAILED):
        await other.recall(cart.transaction_id, NEWER, word("maria", "till broke down", "wrong"))
    async with estate.refuses(Reason.NOT_ALLOWED):
        await other.recall(cart.transaction_id, NEWER, word("anna"))
    async with estate.refuses(Reason.INVALID_ARGUMENT, "manager.reason"):
        await other.recall(cart.transaction_id, NEWER, word(reason=" "))
    again = await other.recall(cart.transaction_id, NEWER, word())
    assert again.recalled_from == cart.transaction_id
    assert await other.recall(cart.transaction_id, NEWER, word("anna", "", "wrong")) == again


async def test_an_ended_claim_is_kept_with_who_and_why(estate: Estate) -> None:
    cart = suspended_of(1)
    await ask(estate.data.SuspendTransaction, hand_over(cart))
    claim = channel_data_pb2.RecallTransactionRequest(
        transaction_id=cart.transaction_id, recalling_id=NEW, staff_id="anna"
    )
    await ask(estate.data.RecallTransaction, claim)
    claim.recalling_id, claim.staff_id = NEWER, "bert"
    claim.manager.CopyFrom(word())
    await ask(estate.data.RecallTransaction, claim, R2)
    claim.manager.password = "forgotten meanwhile"  # noqa: S105 - of nobody
    assert (await ask(estate.data.RecallTransaction, claim, R2)).sale == cart
    await estate.channel.stop()
    engine = await open_inline(estate.folder / "channel" / "channel.db", SCHEMA)
    [row] = await engine.read(
        lambda session: session.all(
            "SELECT transaction_id, recalling_id, claim_register_id, claim_staff_id, manager_id,"
            " reason, register_id FROM ended_claim"
        )
    )
    await engine.close()
    assert row == (
        cart.transaction_id, NEW, "R1", "anna", "maria", "till broke down", "R2",
    )  # fmt: skip


async def test_a_sale_with_payments_or_without_lines_is_not_suspended(
    estate: Estate, till: Till
) -> None:
    begun = await till.begin()
    async with estate.refuses(Reason.SALE_EMPTY):
        await till.suspend(begun)
    sale = await till.line(begun)
    paid = await till.cash(sale)
    async with estate.refuses(Reason.TENDERS_PRESENT):
        await till.suspend(paid)
    async with estate.refuses(Reason.VERSION_OLD):
        await till.suspend(sale)
    sold = await till.complete(paid)
    async with estate.refuses(Reason.SALE_FINAL):
        await till.suspend(sold)
    assert await at_channel(estate) == []


async def test_one_sale_is_open_at_a_time_and_ids_are_used_once(estate: Estate, till: Till) -> None:
    cart = await till.suspend(await till.rung_up())
    open_sale = await till.rung_up()
    async with estate.refuses(Reason.SALE_OPEN):
        await till.recall(cart.transaction_id, NEW)
    sold = await till.complete(await till.cash(open_sale))
    async with estate.refuses(Reason.KEY_REUSED, "recalling_id"):
        await till.recall(cart.transaction_id, sold.transaction_id)
    async with estate.refuses(Reason.INVALID_ARGUMENT, "recalling_id"):
        await till.recall(cart.transaction_id, cart.transaction_id)
    async with estate.refuses(Reason.INVALID_ARGUMENT, "recalling_id"):
        await till.recall(cart.transaction_id, "no id")
    async with estate.refuses(Reason.INVALID_ARGUMENT, "transaction_id"):
        await till.recall("no id", NEW)
    async with estate.refuses(Reason.SALE_UNKNOWN):
        await till.recall(transaction_of(77), NEW)
    await handed_over(estate, cart)
    assert (await till.recall(cart.transaction_id, NEW)).version == 1


async def test_a_suspended_sale_cannot_be_changed_or_completed(estate: Estate, till: Till) -> None:
    cart = await till.suspend(await till.rung_up())
    await handed_over(estate, cart)
    for write in (till.line, till.cash, till.complete, till.void):
        async with estate.refuses(Reason.SALE_FINAL):
            await write(cart)


async def test_who_is_not_signed_in_suspends_and_recalls_nothing(
    estate: Estate, till: Till
) -> None:
    cart = await till.suspend(await till.rung_up())
    await till.sign_out()
    async with estate.refuses(Reason.NOT_SIGNED_IN):
        await till.recall(cart.transaction_id, NEW)


async def test_a_price_change_meanwhile_changes_no_line(estate: Estate, till: Till) -> None:
    cart = await till.suspend(await till.rung_up())
    await handed_over(estate, cart)
    apple = types_pb2.Product(product_id="APPLE", name="Apple", price=eur(999), barcodes=["4001"])

    rows = one(headquarters_pb2.ImportProductsRequest(rows=[apple]))
    await estate.people.import_products(rows)
    await estate.until_channel_shows()
    again = await till.recall(cart.transaction_id, NEW)
    assert (lines_of(again), again.total) == (lines_of(cart), cart.total)


# The channel itself


def suspended_of(number: int, register_id: str = "R1") -> types_pb2.Sale:
    """A cart as a register suspended it."""
    sold: Sale = sale_of(number, register_id=register_id)
    return sale_to(replace(sold, state=SaleState.SUSPENDED, tenders=(), receipt=None))


def hand_over(sale: types_pb2.Sale) -> channel_data_pb2.SuspendTransactionRequest:
    return channel_data_pb2.SuspendTransactionRequest(sale=sale)


async def test_the_channel_takes_a_sale_over_once(estate: Estate) -> None:
    cart = suspended_of(1)
    for _ in range(2):
        await ask(estate.data.SuspendTransaction, hand_over(cart))
    assert await at_channel(estate) == [cart.transaction_id]
    other = suspended_of(1)
    other.staff_id = "bert"
    assert await refused(estate.data.SuspendTransaction, hand_over(other)) is Reason.KEY_REUSED
    claim = channel_data_pb2.RecallTransactionRequest(
        transaction_id=cart.transaction_id, recalling_id=NEW
    )
    for _ in range(2):
        assert (await ask(estate.data.RecallTransaction, claim, R2)).sale == cart
    await ask(estate.data.SuspendTransaction, hand_over(cart))
    assert await at_channel(estate) == []
    assert await refused(estate.data.RecallTransaction, claim, R1) is Reason.CLAIMED
    await ask(estate.data.SuspendTransaction, hand_over(suspended_of(2)))
    claim.transaction_id = transaction_of(2)
    assert await refused(estate.data.RecallTransaction, claim, R2) is Reason.KEY_REUSED


async def test_a_cart_that_is_suspended_again_is_done_and_goes_on_under_its_new_name(
    estate: Estate,
) -> None:
    first, second = suspended_of(1), suspended_of(2, "R2")
    second.recalled_from = first.transaction_id
    await ask(estate.data.SuspendTransaction, hand_over(first))
    claim = channel_data_pb2.RecallTransactionRequest(
        transaction_id=first.transaction_id, recalling_id=second.transaction_id
    )
    await ask(estate.data.RecallTransaction, claim, R2)
    await ask(estate.data.SuspendTransaction, hand_over(second), R2)
    assert await at_channel(estate) == [second.transaction_id]
    claim.recalling_id = NEW
    claim.staff_id = "x" * 201
    assert await refused(estate.data.RecallTransaction, claim) is Reason.INVALID_ARGUMENT
    claim.staff_id = "anna"
    claim.manager.CopyFrom(word())
    assert await refused(estate.data.RecallTransaction, claim, R1) is Reason.CLAIMED


async def test_the_channel_refuses_what_no_register_would_hand_over(estate: Estate) -> None:
    good = suspended_of(1)
    sold = sale_to(sale_of(1))
    paid = suspended_of(1)
    paid.tenders.extend(sold.tenders)
    empty = sale_to(replace(without_all(sale_of(1)), state=SaleState.SUSPENDED, tenders=()))
    nameless, odd = suspended_of(1), suspended_of(1)
    nameless.transaction_id = "x"
    odd.recalled_from = "x"
    stub = estate.data.SuspendTransaction
    assert [
        await refused(stub, hand_over(sold)),
        await refused(stub, hand_over(paid)),
        await refused(stub, hand_over(empty)),
        await refused(stub, hand_over(nameless)),
        await refused(stub, hand_over(odd)),
        await refused(stub, hand_over(types_pb2.Sale())),
        await refused(stub, hand_over(good), R2),
        await refused(stub, hand_over(good), ME),
    ] == [
        Reason.INVALID_ARGUMENT,
        Reason.TENDERS_PRESENT,
        Reason.SALE_EMPTY,
        Reason.INVALID_ARGUMENT,
        Reason.INVALID_ARGUMENT,
        Reason.INVALID_ARGUMENT,
        Reason.NOT_ALLOWED,
        Reason.CALLER_UNKNOWN,
    ]
    assert await at_channel(estate) == []


def without_all(sale: Sale) -> Sale:
    opened = replace(sale, state=SaleState.OPEN, tenders=())
    for line in sale.lines:
        opened = without_line(opened, line.line_id)
    return opened


async def test_only_the_last_copies_of_what_was_handed_over_are_kept(tmp_path: Path) -> None:
    engine = await open_inline(tmp_path / "journal.db", REGISTER_SCHEMA)
    names = [transaction_of(number) for number in range(carts.COPIES_KEPT + 5)]

    def hand_all_over(session: Session) -> None:
        for number, name in enumerate(names):
            insert(session, replace(sale_of(number), state=SaleState.SUSPENDED))
            carts.keep(session, name)
            assert carts.hand(session, name)
            carts.handed(session, name)
            assert carts.hand(session, name) is None

    await engine.write(hand_all_over)
    kept = await engine.read(lambda session: [stored(session, name) for name in names])
    assert [each is not None for each in kept] == [False] * 5 + [True] * carts.COPIES_KEPT
    found = await engine.read(lambda session: carts.find(session, names[0]))
    assert found is not None
    assert found.state == "GONE"
    await engine.close()
