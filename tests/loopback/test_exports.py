"""What is exported and imported again is the same, whatever it is called."""

import csv
from pathlib import Path

import pytest
from tests.support.catalogue import FEBRUARY, JANUARY, contents, plum, price, products_of
from tests.support.estate import Estate
from tests.support.estate_parts import one
from tests.support.import_files import customers, prices, products, staff, tender_types

from stillopen.cli import export_kinds
from stillopen.cli.exports import write
from stillopen.core.errors import StillopenError
from stillopen.v1 import headquarters_pb2, types_pb2

NAMES = [
    'Mug, "big", blue',
    "O'Hara's",
    "tab-less; semi;colon",
    "Crème brûlée €",
    "杯子 🥤 נמל",
    '"',
    ",",
    "=1+1",
    "007",
    "x" * 200,
]


@pytest.fixture
async def filled(estate: Estate) -> Estate:
    """An estate whose rows have every kind of name."""
    people = estate.people
    rows = [
        plum(f'P"{n}', name, n * 101, [f"{n} 1", f'"{n}', f"{n}3"], ("HIGH", 21_125))
        for n, name in enumerate(NAMES)
    ]
    await people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=rows)))
    await people.import_prices(
        one(
            headquarters_pb2.ImportPricesRequest(
                rows=[price('P"1'), price('P"1', 0, FEBRUARY, FEBRUARY + 1), price(begins=JANUARY)]
            )
        )
    )
    found = [
        types_pb2.Customer(customer_id=f"C{n}", name=name, email=email, phone="+31, 20")
        for n, (name, email) in enumerate(zip(NAMES, ["", "a,b@c"] * 5, strict=True))
    ]
    await people.import_customers(one(headquarters_pb2.ImportCustomersRequest(rows=found)))
    kinds = [types_pb2.TENDER_KIND_CASH, types_pb2.TENDER_KIND_CREDIT_MEMO]
    tenders = [
        types_pb2.TenderType(tender_type_id=f"T{n}", name=name, kind=kinds[n % 2], closed=n > 3)
        for n, name in enumerate(NAMES)
    ]
    await people.import_tender_types(one(headquarters_pb2.ImportTenderTypesRequest(rows=tenders)))
    maria = types_pb2.StaffMember(staff_id="maria", name=NAMES[0], blocked=True)
    await people.import_staff(one(headquarters_pb2.ImportStaffRequest(rows=[maria])))
    return estate


async def test_what_is_exported_removed_and_imported_again_is_the_same(
    filled: Estate, tmp_path: Path
) -> None:
    people = filled.people
    before = await contents(people)
    kinds = {
        "products": (export_kinds.PRODUCTS, products),
        "prices": (export_kinds.PRICES, prices),
        "customers": (export_kinds.CUSTOMERS, customers),
        "tender types": (export_kinds.TENDER_TYPES, tender_types),
        "staff": (export_kinds.STAFF, staff),
    }
    for what, (kind, _) in kinds.items():
        assert await write(people, kind, tmp_path / what) == len(before[what])
    await people.remove(headquarters_pb2.MASTER_DATA_KIND_PRODUCT, list(await products_of(people)))
    for removed, ids in (
        (
            headquarters_pb2.MASTER_DATA_KIND_CUSTOMER,
            [x.customer_id async for x in people.customers()],
        ),
        (
            headquarters_pb2.MASTER_DATA_KIND_TENDER_TYPE,
            [x.tender_type_id async for x in people.tender_types()],
        ),
        (headquarters_pb2.MASTER_DATA_KIND_TAX_GROUP, ["HIGH"]),
    ):
        await people.remove(removed, ids)
    emptied = await contents(people)
    assert [what for what, rows in emptied.items() if rows] == ["staff"]
    for what, (_, bring_them) in kinds.items():
        report = await bring_them(people, tmp_path / what)
        assert (report.accepted, report.refused) == (len(before[what]), 0)
    assert await contents(people) == before


async def test_exported_barcodes_and_tax_groups_are_read_as_they_are_written(
    filled: Estate, tmp_path: Path
) -> None:
    await write(filled.people, export_kinds.BARCODES, tmp_path / "barcodes")
    await write(filled.people, export_kinds.TAX_GROUPS, tmp_path / "taxes")
    with (tmp_path / "barcodes").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["barcode", "product_id"]
    assert ["0 1", 'P"0'] in rows
    assert (tmp_path / "taxes").read_text() == "tax_group,name,percent\nHIGH,HIGH,21.125\n"


async def test_an_export_to_standard_output_is_the_file(
    filled: Estate, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    await write(filled.people, export_kinds.CUSTOMERS, tmp_path / "customers")
    capfdbinary.readouterr()
    await write(filled.people, export_kinds.CUSTOMERS, None)
    assert capfdbinary.readouterr().out == (tmp_path / "customers").read_bytes()


async def test_an_export_that_breaks_off_leaves_the_file_as_it_was(
    estate: Estate, tmp_path: Path
) -> None:
    file = tmp_path / "products.csv"
    file.write_text("what was there")
    await estate.headquarters.stop()
    with pytest.raises(StillopenError):
        await write(estate.people, export_kinds.PRODUCTS, file)
    assert file.read_text() == "what was there"
    assert not file.with_name("products.csv.new").exists()
