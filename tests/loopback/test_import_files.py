"""Files that people bring: right ones in any form, and wrong ones, which change nothing wrong."""

from pathlib import Path

import pytest
from tests.support.catalogue import contents, products_of
from tests.support.estate import Estate
from tests.support.import_files import (
    Bring,
    customers,
    prices,
    products,
    staff,
    tender_types,
    written,
)

from stillopen.core.errors import Misuse

# Whole files

PRODUCT_COLUMNS = "product_id,name,price\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        PRODUCT_COLUMNS.encode(),
        b"product_id,price\nM1,2\n",
        b"product_id,name,price,product id\nM1,Mug,2,M2\n",
        b"\x1f\x8b\x08\x00\x00",
        f"{PRODUCT_COLUMNS}M1,Mug,2\n".encode("utf-16"),
        b'product_id,name,price\nM1,Mug,2\nM2,"Cup,3\n',
        b"product_id,name,price\n" + b"M1,Mug,2\n" * 2_500 + b'M2,"Cup,3\nM3,Jug,4\n',
    ],
)
async def test_a_file_that_is_no_table_changes_nothing(
    estate: Estate, tmp_path: Path, data: bytes
) -> None:
    before = await contents(estate.people)
    with pytest.raises(Misuse) as refused:
        await products(estate.people, written(tmp_path, data))
    assert refused.value.field == "file"
    assert "rows.csv" in refused.value.message
    assert await contents(estate.people) == before


@pytest.mark.parametrize(
    "data",
    [
        "price,name,product_id\n2.50,Café “Mug”,M1\n".encode("cp1252"),
        "\ufeffproduct_id;name;price\r\nM1;Café “Mug”;2.50\r\n".encode(),
        "Product ID\tNAME\tPrice\tcolour\nM1\tCafé “Mug”\t2.5\tred\n".encode(),
        'product_id,name,price\n"M1","Café “Mug”","2.50"\n'.encode(),
    ],
)
async def test_the_same_product_comes_in_however_its_file_is_written(
    estate: Estate, tmp_path: Path, data: bytes
) -> None:
    report = await products(estate.people, written(tmp_path, data))
    assert (report.accepted, report.refused) == (1, 0)
    found = (await products_of(estate.people))["M1"]
    assert (found.name, found.price.minor_units) == ("Café “Mug”", 250)


async def test_a_product_has_the_rate_of_its_group_when_the_file_does_not_say(
    estate: Estate, tmp_path: Path
) -> None:
    columns = "product_id,name,price,tax_group,tax_percent\n"
    await products(estate.people, written(tmp_path, f"{columns}M1,Mug,2,HIGH,21\n"))
    report = await products(
        estate.people, written(tmp_path, f"{columns}M2,Cup,2,HIGH,\nM3,Jug,2,LOW,\nM4,Pot,2,,\n")
    )
    assert [(each.row, each.field) for each in report.refusals] == [(3, "tax_percent")]
    found = await products_of(estate.people)
    assert (found["M2"].tax_percent_milli, found["M4"].tax_percent_milli) == (21_000, 0)


# Rows

P, I = "product_id,name,price", "INVALID_ARGUMENT"  # noqa: E741
WRONG: dict[str, tuple[Bring, str, str, list[tuple[int, str, str]]]] = {
    "an id is missing": (products, P, ",Mug,2", [(3, "product_id", I)]),
    "an id is too long": (products, P, f"{'M' * 41},Mug,2", [(3, "product_id", I)]),
    "an id is not ASCII": (products, P, "Mü,Mug,2", [(3, "product_id", I)]),
    "a name is missing": (products, P, "M1,,2", [(3, "name", I)]),
    "a name has a line break": (products, P, 'M1,"Mug\nblue",2', [(4, "name", I)]),
    "a name has a control character": (products, P, "M1,Mug\x1b[2J,2", [(3, "name", I)]),
    "a price is missing": (products, P, "M1,Mug,", [(3, "price", I)]),
    "a row is too short": (products, P, "M1,Mug", [(3, "price", I)]),
    "a row is too long": (products, P, "M1,Mug, blue,2", [(3, "", I)]),
    "a price is a word": (products, P, "M1,Mug,dear", [(3, "price", I)]),
    "a price is no number": (products, P, "M1,Mug,NaN", [(3, "price", I)]),
    "a price is endless": (products, P, "M1,Mug,1e999999", [(3, "price", I)]),
    "a price is negative": (products, P, "M1,Mug,-2", [(3, "price", I)]),
    "a price is too exact": (products, P, "M1,Mug,2.505", [(3, "price", I)]),
    "columns are swapped": (products, P, "Mug,2,M1", [(3, "price", I)]),
    "an id comes twice": (products, P, "M1,Mug,2\nm1,Cup,3", [(4, "product_id", "ALREADY_EXISTS")]),
    "a barcode comes twice": (
        products,
        f"{P},barcodes",
        "M1,Mug,2,77\nM2,Cup,3,77 78",
        [(4, "barcodes", "ALREADY_EXISTS")],
    ),
    "a barcode is another's": (
        products,
        f"{P},barcodes",
        "M1,Mug,2,4001",
        [(3, "barcodes", "ALREADY_EXISTS")],
    ),
    "a barcode's quotes are open": (
        products,
        f"{P},barcodes",
        'M1,Mug,2,"""4 5"',
        [(3, "barcodes", I)],
    ),
    "a rate is a word": (
        products,
        f"{P},tax_group,tax_percent",
        "M1,Mug,2,HIGH,much",
        [(3, "tax_percent", I)],
    ),
    "a rate without a group": (
        products,
        f"{P},tax_percent",
        "M1,Mug,2,21",
        [(3, "tax_group", I)],
    ),
    "a price of no product": (
        prices,
        "product_id,price,valid_from",
        "NUT,1,2026-01-31",
        [(3, "product_id", "PRODUCT_UNKNOWN")],
    ),
    "a price that ends before it begins": (
        prices,
        "product_id,price,valid_from,valid_to",
        "APPLE,1,2026-02-01,2026-01-31",
        [(3, "valid_to", I)],
    ),
    "a price below nothing": (
        prices,
        "product_id,price,valid_from",
        "APPLE,-0.01,2026-02-01",
        [(3, "price", I)],
    ),
    "a date that is none": (
        prices,
        "product_id,price,valid_from",
        "APPLE,1,2026-02-30\nAPPLE,1,yesterday\nAPPLE,1,\nAPPLE,1,1969-12-31",
        [(row, "valid_from", I) for row in (3, 4, 5, 6)],
    ),
    "a role that is not there": (
        staff,
        "staff_id,name,password,role",
        "ben,Ben,secret,astronaut",
        [(3, "role_id", "NAME_UNKNOWN")],
    ),
    "somebody new without a password": (
        staff,
        "staff_id,name",
        "ben,Ben",
        [(3, "password_hash", I)],
    ),
    "neither yes nor no": (
        staff,
        "staff_id,name,blocked",
        "anna,Anna,perhaps",
        [(3, "blocked", I)],
    ),
    "an address that is none": (
        customers,
        "customer_id,name,email",
        "C1,Anne,anne at home",
        [(3, "email", I)],
    ),
    "a tender of no kind": (
        tender_types,
        "tender_type_id,name,kind",
        "9,Shells,shells",
        [(3, "kind", I)],
    ),
}
RIGHT: dict[Bring, tuple[str, str]] = {
    products: ("ZZ,Pot,1", "products"),
    prices: ("PEAR,1,2026-01-31", "prices"),
    staff: ("maria,Maria", "staff"),
    customers: ("ZZ,Zoe", "customers"),
    tender_types: ("99,Coins,cash", "tender types"),
}


@pytest.mark.parametrize(
    ("bring_them", "columns", "wrong", "refused"), WRONG.values(), ids=WRONG.keys()
)
async def test_a_wrong_row_is_refused_by_its_line_and_the_right_ones_are_taken(
    estate: Estate,
    tmp_path: Path,
    bring_them: Bring,
    columns: str,
    wrong: str,
    refused: list[tuple[int, str, str]],
) -> None:
    right, what = RIGHT[bring_them]
    file = written(tmp_path, f"{columns}\n{right}\n{wrong}\n")
    before = await contents(estate.people)
    checked = await bring_them(estate.people, file, True)  # noqa: FBT003 - check
    assert await contents(estate.people) == before
    report = await bring_them(estate.people, file, False)  # noqa: FBT003 - do not only check
    assert [(each.row, each.field, each.reason) for each in report.refusals] == refused
    assert all(each.message for each in report.refusals)
    assert checked == report
    after = await contents(estate.people)
    taken = report.accepted - (1 if bring_them is staff else 0)  # maria was there
    assert len(after.pop(what)) == len(before.pop(what)) + taken
    after.pop("barcodes")
    before.pop("barcodes")
    assert after == before


async def test_a_file_of_nothing_but_wrong_rows_is_reported_and_not_sent(
    estate: Estate, tmp_path: Path
) -> None:
    before = await contents(estate.people)
    rows = "".join(f"M{n},Mug,dear\n" for n in range(2_345))
    report = await products(estate.people, written(tmp_path, f"{P}\n{rows}"))
    assert (report.accepted, report.refused, len(report.refusals)) == (0, 2_345, 1_000)
    assert await contents(estate.people) == before


async def test_who_is_blocked_stays_so_when_the_file_does_not_say(
    estate: Estate, tmp_path: Path
) -> None:
    await staff(estate.people, written(tmp_path, "staff_id,name,blocked\nmaria,Maria,yes\n"))
    await staff(estate.people, written(tmp_path, "staff_id,name\nmaria,Maria\n"))
    blocked = {each.staff_id for each in [x async for x in estate.people.staff()] if each.blocked}
    assert blocked == {"maria"}
    await staff(estate.people, written(tmp_path, "staff_id,name,blocked\nmaria,Maria,no\n"))
    assert not [each async for each in estate.people.staff() if each.blocked]
