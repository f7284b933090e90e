"""ChannelDataService: the channel database's answers, and entries without a stream."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import (
    LANE,
    R1,
    R2,
    ask,
    damaged,
    entries_of,
    entry_of,
    sale_of,
    transaction_of,
)
from tests.support.estate_parts import FAST, ME, PASSWORD, PRODUCTS, STORE, eur, one, until

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.journal import PAYLOAD_BYTES_MAX, Entry, Lane, append
from stillopen.core.products import hash_password
from stillopen.replication.sign_in import check_off_loop
from stillopen.rpc.identity import Caller
from stillopen.rpc.wire import entry_to
from stillopen.v1 import channel_data_pb2, headquarters_pb2, types_pb2

APPLE, PEAR = PRODUCTS


async def save(estate: Estate, entry: Entry, caller: Caller = R1) -> bool:
    """Saves an entry; whether it was there."""
    request = channel_data_pb2.SaveTransactionRequest(entry=entry_to(entry))
    return (await ask(estate.data.SaveTransaction, request, caller)).repeated


async def find(estate: Estate, code: str) -> channel_data_pb2.GetProductResponse:
    return await ask(estate.data.GetProduct, channel_data_pb2.GetProductRequest(code=code))


async def search(estate: Estate, query: str) -> list[str]:
    """The ids of all products found, a page of one at a time."""
    found: list[str] = []
    token = ""
    while True:
        request = channel_data_pb2.SearchProductsRequest(query=query, page_size=1, page_token=token)
        page = await ask(estate.data.SearchProducts, request)
        found += [product.product_id for product in page.products]
        if not (token := page.next_page_token):
            return found


async def sign_in(estate: Estate, staff_id: str, password: str, caller: Caller = R1) -> str:
    request = channel_data_pb2.SignInRequest(staff_id=staff_id, password=password)
    return str((await ask(estate.data.SignIn, request, caller)).staff)


async def until_settled_down(estate: Estate, through: int) -> None:
    """Waits until the lane is home as far as that, and everybody has worked it off."""

    async def settled_down() -> bool:
        found = (await estate.people.completeness()).lanes
        done = [(lane.stored_through, lane.applied + lane.quarantined) for lane in found]
        page = await ask(estate.data.ListTransactions, channel_data_pb2.ListTransactionsRequest())
        readable = through - sum(lane.quarantined for lane in found)
        return done == [(through, through)] and len(page.sales) == readable

    await until(settled_down)


async def test_a_channel_says_which_store_it_is_and_how_registers_behave(estate: Estate) -> None:
    shown = await estate.until_channel_shows()
    request = channel_data_pb2.GetChannelConfigurationRequest()
    answer = await ask(estate.data.GetChannelConfiguration, request)
    assert (answer.store_id, answer.catalogue_sequence) == (STORE, shown)
    assert answer.offline_profile.heartbeat_interval_s == FAST.heartbeat_interval_s
    parameters = await ask(estate.data.GetParameters, channel_data_pb2.GetParametersRequest())
    assert parameters.parameters.currency_code == "EUR"


@pytest.mark.parametrize("code", ["APPLE", "apple", " Apple ", "4001"])
async def test_a_product_is_found_by_id_in_any_case_or_barcode(estate: Estate, code: str) -> None:
    assert (await find(estate, code)).product == APPLE


@pytest.mark.parametrize("code", ["PLUM", "", "%", "' OR 1=1 --", "x" * 10_000, "APPLE\x00"])
async def test_an_unknown_product_is_refused(estate: Estate, code: str) -> None:
    async with estate.refuses(Reason.PRODUCT_UNKNOWN, "code"):
        await find(estate, code)


async def test_products_are_searched_by_id_barcode_and_name(estate: Estate) -> None:
    assert await search(estate, "") == ["APPLE", "PEAR"]
    assert await search(estate, "pe") == ["PEAR"]
    assert await search(estate, "4002") == ["PEAR"]
    assert await search(estate, "ppl") == ["APPLE"]
    assert await search(estate, "plum") == []


async def test_a_password_is_checked_by_its_hash(tmp_path: Path) -> None:
    hashed = hash_password(PASSWORD, b"0123456789abcdef")
    staff = (types_pb2.StaffMember(staff_id="anna", name="Anna", password_hash=hashed),)
    profile = replace(FAST, timeout_s=10.0)
    async with Estate(tmp_path, profile, check_off_loop, staff) as estate:
        answer = await sign_in(estate, "anna", PASSWORD)
        assert "Anna" in answer
        assert "scrypt" not in answer
        till = await estate.till("R1")
        assert (await till.status()).staff_id == "anna"
        for staff_id, password in (
            ("anna", "wrong"),
            ("anna", ""),
            ("anna", "x" * 201),
            ("nobody", PASSWORD),
            ("", PASSWORD),
            ("anna", PASSWORD + "\x00"),
        ):
            async with estate.refuses(Reason.SIGN_IN_FAILED):
                await sign_in(estate, staff_id, password)
            async with estate.refuses(Reason.SIGN_IN_FAILED):
                await till.sign_in(staff_id, password)
            await sign_in(estate, "anna", PASSWORD)  # who is known is not locked out


async def test_only_registers_sign_people_in_and_save_sales(estate: Estate) -> None:
    async with estate.refuses(Reason.CALLER_UNKNOWN):
        await sign_in(estate, "anna", PASSWORD, ME)
    async with estate.refuses(Reason.CALLER_UNKNOWN):
        await save(estate, entry_of(sale_of(1)), ME)
    async with estate.refuses(Reason.NOT_ALLOWED):
        await save(estate, entry_of(sale_of(1)), R2)


async def test_a_saved_sale_is_there_once_and_comes_home(estate: Estate) -> None:
    first, second = entries_of(2)
    assert not await save(estate, first)
    assert await save(estate, first)
    assert not await save(estate, second)
    await until_settled_down(estate, 2)
    request = channel_data_pb2.ListTransactionsRequest(page_size=1)
    page = await ask(estate.data.ListTransactions, request)
    request.page_token = page.next_page_token
    rest = await ask(estate.data.ListTransactions, request)
    listed = [sale.transaction_id for sale in (*page.sales, *rest.sales)]
    assert [each.sale.transaction_id for each in await estate.sales_home()] == listed
    one_of = channel_data_pb2.GetTransactionRequest(transaction_id=listed[1])
    found = (await ask(estate.data.GetTransaction, one_of)).sale
    assert found.receipt.receipt_number
    found.ClearField("receipt")
    assert found == rest.sales[0]
    assert (await estate.people.completeness()).complete


async def test_a_sale_that_has_not_arrived_is_unknown(estate: Estate) -> None:
    request = channel_data_pb2.GetTransactionRequest(transaction_id=transaction_of(1))
    async with estate.refuses(Reason.SALE_UNKNOWN, "transaction_id"):
        await ask(estate.data.GetTransaction, request)


async def test_bytes_that_do_not_fit_their_digest_are_refused_every_time(estate: Estate) -> None:
    entry = entry_of(sale_of(1))
    for _ in range(3):
        async with estate.refuses(Reason.DIGEST_MISMATCH, "digest"):
            await save(estate, damaged(entry))
    assert not await save(estate, entry)


async def conflict_at_headquarters(estate: Estate) -> bool:
    """Whether headquarters has heard that two entries have one key."""
    return [lane.conflicts for lane in (await estate.people.completeness()).lanes] == [1]


async def test_the_same_key_with_other_contents_is_kept_beside_the_first(estate: Estate) -> None:
    await save(estate, entry_of(sale_of(1)))
    await until_settled_down(estate, 1)
    with pytest.raises(StillopenError) as refused:
        await save(estate, entry_of(sale_of(2)))
    assert refused.value.reason is Reason.KEY_REUSED
    await until(partial(conflict_at_headquarters, estate))
    request = channel_data_pb2.GetTransactionRequest(transaction_id=transaction_of(1))
    assert (await ask(estate.data.GetTransaction, request)).sale.transaction_id == transaction_of(1)


NOT_ENTRIES = {
    "no register": replace(entry_of(sale_of(1)), lane=Lane("", 1)),
    "control character": replace(entry_of(sale_of(1)), lane=Lane("R1\n", 1)),
    "no epoch": replace(entry_of(sale_of(1)), lane=Lane("R1", 0)),
    "no sequence": replace(entry_of(sale_of(1)), sequence=0),
    "sequence too large": replace(entry_of(sale_of(1)), sequence=2**63),
    "short digest": replace(entry_of(sale_of(1)), digest=b"short"),
    "short parent": replace(entry_of(sale_of(1)), parent_digest=b""),
    "too large": replace(entry_of(sale_of(1)), payload=bytes(PAYLOAD_BYTES_MAX + 1)),
}


@pytest.mark.parametrize("entry", NOT_ENTRIES.values(), ids=NOT_ENTRIES.keys())
async def test_what_no_register_could_have_written_is_refused(estate: Estate, entry: Entry) -> None:
    async with estate.refuses(Reason.INVALID_ARGUMENT):
        await save(estate, entry)


async def test_an_entry_nobody_can_read_is_kept_and_quarantined(estate: Estate) -> None:
    unreadable = append(LANE, 1, bytes(32), b"\xff\xff\xff from the future")
    assert not await save(estate, unreadable)
    sold = entry_of(sale_of(2), 2, LANE, unreadable.digest)
    await save(estate, sold)
    await until_settled_down(estate, 2)
    [lane] = (await estate.people.completeness()).lanes
    assert (lane.stored_through, lane.applied, lane.quarantined) == (2, 1, 1)
    assert not (await estate.people.completeness()).complete


async def test_a_product_changed_at_headquarters_changes_here(estate: Estate) -> None:
    """A row that names no barcodes keeps those there are; one that names some has these."""
    apple = types_pb2.Product(product_id="APPLE", name="Apple", price=eur(120))
    await estate.people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=[apple])))
    await estate.until_channel_shows()
    assert (await find(estate, "4001")).product.price == eur(120)
    apple.barcodes.append("4009")
    await estate.people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=[apple])))
    await estate.until_channel_shows()
    assert (await find(estate, "4009")).product.price == eur(120)
    async with estate.refuses(Reason.PRODUCT_UNKNOWN):
        await find(estate, "4001")


async def test_a_restarted_channel_shows_what_it_had_before_it_hears_anything(
    estate: Estate,
) -> None:
    await save(estate, entry_of(sale_of(1)))
    await estate.headquarters.stop()
    await estate.channel.stop()
    await estate.channel.start()
    assert (await find(estate, "PEAR")).product == PEAR
    request = channel_data_pb2.GetTransactionRequest(transaction_id=transaction_of(1))

    async def shown() -> bool:
        answer = await ask(estate.data.ListTransactions, channel_data_pb2.ListTransactionsRequest())
        return bool(answer.sales)

    await until(shown)
    assert (await ask(estate.data.GetTransaction, request)).sale.store_id == STORE
