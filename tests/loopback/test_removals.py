"""Removing master data: with what belongs to it, never what is in use, all or none."""

import pytest
from tests.support.catalogue import (
    JANUARY,
    barcodes_of,
    contents,
    listed,
    plum,
    price,
    products_of,
)
from tests.support.estate import Estate
from tests.support.estate_messages import ask
from tests.support.estate_parts import ME, one, until
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, Refused, StillopenError
from stillopen.v1 import channel_data_pb2, headquarters_pb2, types_pb2

PRODUCT = headquarters_pb2.MASTER_DATA_KIND_PRODUCT
BARCODE = headquarters_pb2.MASTER_DATA_KIND_BARCODE
PRICE = headquarters_pb2.MASTER_DATA_KIND_PRICE
TAX_GROUP = headquarters_pb2.MASTER_DATA_KIND_TAX_GROUP
CUSTOMER = headquarters_pb2.MASTER_DATA_KIND_CUSTOMER
TENDER_TYPE = headquarters_pb2.MASTER_DATA_KIND_TENDER_TYPE
STAFF = headquarters_pb2.MASTER_DATA_KIND_STAFF
ROLE = headquarters_pb2.MASTER_DATA_KIND_ROLE


@pytest.fixture
async def filled(estate: Estate) -> Estate:
    """An estate with a row of every kind."""
    people = estate.people
    products = [plum(tax=("HIGH", 21_000), barcodes=["1", "2"]), plum("FIG")]
    await people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=products)))
    prices = [price("PLUM"), price("FIG"), price("FIG", begins=JANUARY + 1)]
    await people.import_prices(one(headquarters_pb2.ImportPricesRequest(rows=prices)))
    customer = types_pb2.Customer(customer_id="C1", name="Anne")
    await people.import_customers(one(headquarters_pb2.ImportCustomersRequest(rows=[customer])))
    cash = types_pb2.TenderType(tender_type_id="1", name="Cash", kind=types_pb2.TENDER_KIND_CASH)
    await people.import_tender_types(one(headquarters_pb2.ImportTenderTypesRequest(rows=[cash])))
    low = types_pb2.TaxGroup(tax_group="LOW", name="Low", percent_milli=9_000)
    await people.import_tax_groups(one(headquarters_pb2.ImportTaxGroupsRequest(rows=[low])))
    return estate


async def test_a_product_goes_with_its_barcodes_and_prices(filled: Estate) -> None:
    assert await filled.people.remove(PRODUCT, ["plum", "PLUM"]) == 1
    assert "PLUM" not in await products_of(filled.people)
    assert (await barcodes_of(filled.people)).keys() == {"4001", "4002"}
    assert [code for code, _ in await listed(filled.people.prices())] == ["FIG", "FIG"]


async def test_what_was_removed_is_gone_in_the_shop_too(filled: Estate, till: Till) -> None:
    assert await till.sign_in()
    await filled.people.remove(PRODUCT, ["APPLE"])
    request = channel_data_pb2.GetProductRequest(code="4001")

    async def gone() -> bool:
        try:
            await ask(filled.data.GetProduct, request)
        except Refused as refused:
            return refused.reason is Reason.PRODUCT_UNKNOWN
        return False

    await until(gone)


@pytest.mark.parametrize(
    ("kind", "name", "what"),
    [
        (BARCODE, "1", "barcodes"),
        (PRICE, "fig 2026-01-01T00:00:00Z", "prices"),
        (TAX_GROUP, "LOW", "tax groups"),
        (CUSTOMER, "C1", "customers"),
        (TENDER_TYPE, "1", "tender types"),
        (STAFF, "maria", "staff"),
    ],
)
async def test_one_row_of_a_kind_is_removed_and_no_other(
    filled: Estate, kind: headquarters_pb2.MasterDataKind.ValueType, name: str, what: str
) -> None:
    before = await contents(filled.people)
    assert await filled.people.remove(kind, [name]) == 1
    after = await contents(filled.people)
    assert len(after.pop(what)) == len(before.pop(what)) - 1
    if kind == BARCODE:  # it is shown with its product too
        after.pop("products")
        before.pop("products")
    assert after == before


@pytest.mark.parametrize(
    ("kind", "ids", "reason"),
    [
        (PRODUCT, ["PLUM", "NUT"], Reason.NAME_UNKNOWN),
        (PRICE, ["FIG 2026-01-01T00:00:00Z", "FIG 2027-01-01T00:00:00Z"], Reason.NAME_UNKNOWN),
        (PRICE, ["FIG"], Reason.INVALID_ARGUMENT),
        (PRICE, ["FIG 2026-01-01"], Reason.INVALID_ARGUMENT),
        (TAX_GROUP, ["LOW", "HIGH"], Reason.IN_USE),
        (ROLE, ["clerk", "manager"], Reason.IN_USE),
        (STAFF, ["maria", "nobody"], Reason.NAME_UNKNOWN),
        (CUSTOMER, [], Reason.INVALID_ARGUMENT),
        (CUSTOMER, ["C1'; DROP TABLE customer; --"], Reason.NAME_UNKNOWN),
        (CUSTOMER, ["C\n1"], Reason.INVALID_ARGUMENT),
        (CUSTOMER, [f"C{n}" for n in range(5_001)], Reason.INVALID_ARGUMENT),
        (headquarters_pb2.MASTER_DATA_KIND_UNSPECIFIED, ["PLUM"], Reason.INVALID_ARGUMENT),
    ],
)
async def test_when_one_cannot_go_none_does(
    filled: Estate,
    kind: headquarters_pb2.MasterDataKind.ValueType,
    ids: list[str],
    reason: Reason,
) -> None:
    before = await contents(filled.people)
    with pytest.raises(StillopenError) as refused:
        await filled.people.remove(kind, ids)
    assert refused.value.reason is reason
    assert await contents(filled.people) == before


async def test_a_role_that_nobody_has_any_more_can_go(filled: Estate) -> None:
    assert await filled.people.remove(STAFF, ["maria"]) == 1
    assert await filled.people.remove(ROLE, ["manager"]) == 1


async def test_lists_come_page_by_page_and_a_token_of_no_list_is_refused(filled: Estate) -> None:
    stub = filled.people_stub
    seen: list[str] = []
    token = ""
    while True:
        request = headquarters_pb2.ListProductsRequest(page_size=3, page_token=token)
        answer = await ask(stub.ListProducts, request, ME)
        assert len(answer.products) <= 3
        seen += [each.product_id for each in answer.products]
        if not (token := answer.next_page_token):
            break
    assert seen == ["APPLE", "FIG", "PEAR", "PLUM"]
    wrong = headquarters_pb2.ListProductsRequest(page_token="x" * 101)
    with pytest.raises(StillopenError) as refused:
        await ask(stub.ListProducts, wrong, ME)
    assert refused.value.field == "page_token"
