"""Imports of master data: what is taken, what is refused, and that nothing is taken by halves."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator

import pytest
from tests.support.catalogue import (
    FEBRUARY,
    JANUARY,
    barcodes_of,
    contents,
    listed,
    plum,
    price,
    products_of,
    refusals,
)
from tests.support.estate import Estate
from tests.support.estate_parts import ME, PRODUCTS, STAFF, eur, one, until

from stillopen.core.errors import Reason, Refused
from stillopen.rpc.status import send_all
from stillopen.v1 import headquarters_pb2, types_pb2

APPLE, PEAR = PRODUCTS
HASH = STAFF[0].password_hash
INVALID, EXISTS, UNKNOWN = "INVALID_ARGUMENT", "ALREADY_EXISTS", "PRODUCT_UNKNOWN"


async def bring_products(
    estate: Estate, *rows: types_pb2.Product, check_only: bool = False
) -> types_pb2.ImportReport:
    request = headquarters_pb2.ImportProductsRequest(rows=rows, check_only=check_only)
    return await estate.people.import_products(one(request))


async def bring_barcodes(estate: Estate, *rows: tuple[str, str]) -> types_pb2.ImportReport:
    messages = [types_pb2.Barcode(barcode=barcode, product_id=code) for barcode, code in rows]
    request = headquarters_pb2.ImportBarcodesRequest(rows=messages)
    return await estate.people.import_barcodes(one(request))


async def bring_prices(
    estate: Estate, *rows: types_pb2.Price, check_only: bool = False
) -> types_pb2.ImportReport:
    request = headquarters_pb2.ImportPricesRequest(rows=rows, check_only=check_only)
    return await estate.people.import_prices(one(request))


async def bring_staff(estate: Estate, *rows: types_pb2.StaffMember) -> types_pb2.ImportReport:
    return await estate.people.import_staff(one(headquarters_pb2.ImportStaffRequest(rows=rows)))


# Products


async def test_a_product_keeps_its_barcodes_when_none_are_named_and_has_those_that_are(
    estate: Estate,
) -> None:
    await bring_products(estate, plum(barcodes=["1", "2", "two words"]))
    await bring_products(estate, plum(name="Victoria plum"))
    assert (await products_of(estate.people))["PLUM"].barcodes == ["1", "2", "two words"]
    await bring_products(estate, plum(barcodes=["3", "2"]))
    assert (await products_of(estate.people))["PLUM"].barcodes == ["3", "2"]
    assert "1" not in await barcodes_of(estate.people)


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ([plum(), plum(), plum("plum ".strip())], [(2, "product_id"), (3, "product_id")]),
        ([plum(barcodes=["7"]), plum("FIG", barcodes=["7"])], [(2, "barcodes")]),
        ([plum(barcodes=["4001", "8"])], [(1, "barcodes")]),
        ([plum(barcodes=["4001"]), plum(barcodes=["4001"])], [(1, "barcodes"), (2, "product_id")]),
    ],
)
async def test_what_comes_twice_or_belongs_to_another_is_refused_row_by_row(
    estate: Estate, rows: list[types_pb2.Product], refused: list[tuple[int, str]]
) -> None:
    report = await bring_products(estate, *rows, plum("NUT"))
    assert refusals(report) == [(row, field, EXISTS) for row, field in refused]
    assert report.accepted == len(rows) + 1 - len(refused)
    found = await products_of(estate.people)
    assert found["APPLE"].barcodes == ["4001"]
    assert "NUT" in found
    assert "8" not in await barcodes_of(estate.people)


async def test_a_product_makes_a_tax_group_that_is_not_there_and_must_have_the_rate_of_one_that_is(
    estate: Estate,
) -> None:
    report = await bring_products(
        estate, plum(tax=("HIGH", 21_000)), plum("FIG", tax=("HIGH", 9_000)), plum("NUT")
    )
    assert refusals(report) == [(2, "tax_percent_milli", INVALID)]
    assert "21 %" in report.refusals[0].message
    group = types_pb2.TaxGroup(tax_group="HIGH", name="High", percent_milli=22_000)
    await estate.people.import_tax_groups(
        one(headquarters_pb2.ImportTaxGroupsRequest(rows=[group]))
    )
    assert (await products_of(estate.people))["PLUM"].tax_percent_milli == 22_000
    stale = await bring_products(estate, plum(tax=("HIGH", 21_000)))
    assert refusals(stale) == [(1, "tax_percent_milli", INVALID)]


async def test_a_rate_of_an_earlier_import_is_forgotten(estate: Estate) -> None:
    await bring_products(estate, plum(tax=("LOW", 9_000)), check_only=True)
    report = await bring_products(estate, plum(tax=("LOW", 6_000)))
    assert refusals(report) == []
    assert (await products_of(estate.people))["PLUM"].tax_percent_milli == 6_000


async def test_only_what_really_changed_is_marked(estate: Estate) -> None:
    await bring_products(estate, plum(barcodes=["1"]))
    marked = await changes(estate)
    await bring_products(estate, plum(barcodes=["1"]), plum("FIG"))
    assert [row[:2] for row in await changes(estate) - marked] == [("product", "FIG")]
    again = await changes(estate)
    assert (await bring_products(estate, plum(barcodes=["1"]), plum("FIG"))).accepted == 2
    assert await changes(estate) == again


async def changes(estate: Estate) -> set[tuple[str, str, int]]:
    """Which rows are marked, and when, from the database's own file."""
    path = estate.folder / "headquarters" / "headquarters.db"
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:  # noqa: TID251
        found = database.execute("SELECT table_name, key, number FROM change").fetchall()
    database.close()
    return set(found)


async def is_running(estate: Estate) -> bool:
    """Whether an import of products is running; brings a fig when none is."""
    try:
        await bring_products(estate, plum("FIG"))
    except Refused as refused:
        return refused.reason is Reason.IMPORT_RUNNING
    return False


# Barcodes and prices


async def test_barcodes_are_added_to_those_that_a_product_has(estate: Estate) -> None:
    assert (await bring_barcodes(estate, ("aa", "apple"), ("bb", "APPLE"))).accepted == 2
    assert (await bring_barcodes(estate, ("bb", "APPLE"), ("AA", "apple"))).accepted == 2
    assert (await products_of(estate.people))["APPLE"].barcodes == ["4001", "AA", "bb"]


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ([("", "APPLE")], (1, "barcode", INVALID)),
        ([("é", "APPLE")], (1, "barcode", INVALID)),
        ([("1", "")], (1, "product_id", INVALID)),
        ([("1", "PLUM")], (1, "product_id", UNKNOWN)),
        ([("4001", "PEAR")], (1, "barcode", EXISTS)),
        ([("x", "PEAR"), ("X", "PEAR")], (2, "barcode", EXISTS)),
        ([(f"n{n}", "APPLE") for n in range(20)], (20, "barcode", INVALID)),
    ],
)
async def test_a_barcode_that_cannot_be_is_refused(
    estate: Estate, rows: list[tuple[str, str]], refused: tuple[int, str, str]
) -> None:
    report = await bring_barcodes(estate, *rows)
    assert refusals(report) == [refused]
    assert report.accepted == len(rows) - 1
    assert (await barcodes_of(estate.people))["4001"] == "APPLE"


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (price("PLUM"), "product_id", UNKNOWN),
        (price(minor=-1), "price", INVALID),
        (price(begins=FEBRUARY, ends=JANUARY), "valid_to", INVALID),
        (price(begins=FEBRUARY, ends=FEBRUARY), "valid_to", INVALID),
        (types_pb2.Price(product_id="APPLE", price=eur(1)), "valid_from", INVALID),
        (
            types_pb2.Price(
                product_id="APPLE",
                price=types_pb2.Money(currency_code="USD", minor_units=1),
                valid_from=price().valid_from,
            ),
            "price",
            "CURRENCY_MISMATCH",
        ),
    ],
)
async def test_a_price_that_could_not_hold_is_refused_and_the_others_are_taken(
    estate: Estate, row: types_pb2.Price, field: str, reason: str
) -> None:
    report = await bring_prices(estate, row, price(minor=75), price("pear", 199, FEBRUARY))
    assert refusals(report) == [(1, field, reason)]
    assert await listed(estate.people.prices()) == [("APPLE", 75), ("PEAR", 199)]


async def test_a_price_is_changed_by_one_that_begins_at_the_same_moment(estate: Estate) -> None:
    await bring_prices(estate, price(minor=75))
    report = await bring_prices(estate, price(minor=70), price(minor=65))
    assert refusals(report) == [(2, "valid_from", EXISTS)]
    assert await listed(estate.people.prices()) == [("APPLE", 70)]


# Staff


async def test_staff_of_an_unknown_role_or_without_a_password_are_refused(estate: Estate) -> None:
    report = await bring_staff(
        estate,
        types_pb2.StaffMember(staff_id="ben", name="Ben", password_hash=HASH, role_id="astronaut"),
        types_pb2.StaffMember(staff_id="carl", name="Carl"),
        types_pb2.StaffMember(staff_id="dan", name="Dan", password_hash=HASH),
    )
    assert refusals(report) == [(1, "role_id", "NAME_UNKNOWN"), (2, "password_hash", INVALID)]
    roles = {each.staff_id: each.role_id async for each in estate.people.staff()}
    assert roles["dan"] == "cashier"
    assert not roles.keys() & {"ben", "carl"}


async def test_who_is_there_keeps_password_and_role_where_none_comes(estate: Estate) -> None:
    renamed = types_pb2.StaffMember(staff_id="maria", name="Maria B.")
    assert (await bring_staff(estate, renamed)).accepted == 1
    [maria] = [each async for each in estate.people.staff() if each.staff_id == "maria"]
    assert (maria.name, maria.role_id, maria.password_hash) == ("Maria B.", "manager", "")
    till = await estate.till("R1")
    assert await till.sign_in("maria")


# All or none


@pytest.mark.parametrize("check_only", [True, False])
async def test_an_import_that_is_only_checked_says_the_same_and_changes_nothing(
    estate: Estate, *, check_only: bool
) -> None:
    before = await contents(estate.people)
    rows = [plum(tax=("HIGH", 21_000), barcodes=["1"]), plum(), plum("FIG", barcodes=["4001"])]
    report = await bring_products(estate, *rows, check_only=check_only)
    assert (report.accepted, len(report.refusals)) == (1, 2)
    assert (await contents(estate.people) == before) is check_only
    report = await bring_prices(estate, price(), price("FIG"), check_only=check_only)
    assert (report.accepted, len(report.refusals)) == (1, 1)
    assert len(await listed(estate.people.prices())) == (0 if check_only else 1)


async def test_a_second_import_of_a_kind_waits_for_nobody_and_is_refused(estate: Estate) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
        yield headquarters_pb2.ImportProductsRequest(rows=[plum()])
        begun.set()
        await go_on.wait()

    first = asyncio.create_task(estate.people.import_products(slow()))
    await begun.wait()
    await until(lambda: is_running(estate))
    assert (await bring_barcodes(estate, ("1", "APPLE"))).accepted == 1
    go_on.set()
    assert (await first).accepted == 1
    assert (await bring_products(estate, plum("NUT"))).accepted == 1


async def test_rows_of_a_stream_that_broke_off_are_not_taken_by_the_next(estate: Estate) -> None:
    async def breaks_off() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
        yield headquarters_pb2.ImportProductsRequest(rows=[plum(barcodes=["1"])])
        await asyncio.get_running_loop().create_future()

    before = await contents(estate.people)
    async with estate.refuses(Reason.TIMED_OUT):
        await send_all(estate.people_stub.ImportProducts, breaks_off(), ME, 0.3)
    assert await contents(estate.people) == before

    async def noticed() -> bool:
        return not await is_running(estate)

    await until(noticed)
    assert (await products_of(estate.people)).keys() == {"APPLE", "PEAR", "FIG"}
    assert "1" not in await barcodes_of(estate.people)


async def test_all_refusals_are_counted_and_the_first_thousand_are_told(estate: Estate) -> None:
    async def many() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
        for _ in range(3):
            yield headquarters_pb2.ImportProductsRequest(rows=[plum("P" * 41), plum("TWICE")] * 500)

    report = await estate.people.import_products(many())
    assert (report.accepted, report.refused, len(report.refusals)) == (1, 2_999, 1_000)
    assert [each.row for each in report.refusals] == [1, *range(3, 1_002)]
