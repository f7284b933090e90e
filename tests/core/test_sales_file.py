"""Files of sales of every shape: what is no sale is counted and named, nothing is hidden."""

from pathlib import Path

import pytest

from stillopen.cli.csv_rows import rows
from stillopen.cli.replay_plan import Planned, comes_again_at
from stillopen.cli.sales_file import SalesFile, read_sales
from stillopen.core.errors import Misuse

HEADER = "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country\n"


def read(tmp_path: Path, text: str | bytes) -> SalesFile:
    """Reads a file with these contents."""
    path = tmp_path / "sales.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_sales(path)


def test_lines_are_gathered_into_invoices_in_file_order(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER + "2,A,a,1,1.00,,\n1,B,b,2,0.50,,\n2,A,a,3,1.25,,\n")
    assert [invoice.number for invoice in found.invoices] == ["2", "1"]
    assert [invoice.total_minor for invoice in found.invoices] == [475, 100]
    assert found.total_minor == 575


def test_columns_are_found_by_name_in_any_order_and_others_ignored(tmp_path: Path) -> None:
    text = "Country,unit price,QUANTITY,Stock_Code,invoice-no,Colour\nUK,1.50,2,A,7,red\n"
    [invoice] = read(tmp_path, text).invoices
    assert (invoice.number, invoice.total_minor) == ("7", 300)


def test_a_byte_order_mark_and_crlf_are_as_usual(tmp_path: Path) -> None:
    text = ("\ufeff" + HEADER + "1,A,a,1,1.00,,\n").replace("\n", "\r\n")
    assert len(read(tmp_path, text).invoices) == 1


def test_text_that_is_not_utf_8_is_read_as_windows_1252(tmp_path: Path) -> None:
    found = read(tmp_path, (HEADER + "1,A,Caf\xe9 \x80,1,1.00,,\n").encode("latin-1"))
    assert found.names["A"] == "Café €"


def test_stock_codes_are_one_whatever_their_case(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER + "1,85123a,,1,1.00,,\n1,85123A,Heart,1,2.00,,\n")
    assert list(found.prices) == ["85123A"]
    assert found.names == {"85123A": "Heart"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1,A,a,1,0.00,,", "price zero"),
        ("1,A,a,1,-5.00,,", "price below zero"),
        ("1,A,a,0,1.00,,", "quantity zero"),
        ("1,A,a,-3,1.00,,", "negative quantity outside a cancellation"),
        ("C1,A,a,3,1.00,,", "positive quantity in a cancellation"),
        (",A,a,3,1.00,,", "no invoice number"),
        ("1,,a,3,1.00,,", "no usable stock code"),
        ("1,Ä,a,3,1.00,,", "no usable stock code"),
        ("1,A,a,many,1.00,,", "quantity or price is no number"),
        ("1,A,a,1,NaN,,", "quantity or price is no number"),
        ("1,A,a,1,0.001,,", "quantity or price out of range"),
        ("1,A,a,1000001,1.00,,", "quantity or price out of range"),
        ("1,A,a,1,1e30,,", "quantity or price out of range"),
        ("1,A", "quantity or price is no number"),
    ],
)
def test_a_line_that_is_no_sale_is_counted_and_named(tmp_path: Path, line: str, why: str) -> None:
    found = read(tmp_path, HEADER + line + "\n2,B,b,1,1.00,,\n")
    assert found.lines == 2
    assert dict(found.lines_not_sales) == {why: 1}
    assert len(found.invoices) == 1


def test_an_invoice_without_a_line_that_is_a_sale_is_counted_too(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER + "1,A,a,1,0.00,,\n2,B,b,1,1.00,,\n")
    assert found.not_sales == ["1"]


def test_a_cancellation_is_a_return(tmp_path: Path) -> None:
    [invoice] = read(tmp_path, HEADER + "C9,A,a,-2,1.50,,\n").invoices
    assert invoice.cancelled
    assert invoice.total_minor == -300


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n",
        HEADER.encode(),
        b"InvoiceNo,StockCode,Quantity\n1,A,1\n",
        b"InvoiceNo,InvoiceNo,StockCode,Quantity,UnitPrice\n1,1,A,1,1\n",
        b"\x00\x01\x02",
        HEADER.encode() + b'1,"A' + b"x" * 200_000 + b'",1,1\n',
    ],
)
def test_a_file_that_holds_no_sales_is_refused_with_a_reason(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(Misuse) as refused:
        read(tmp_path, text)
    assert refused.value.field == "file"


def test_a_row_names_its_line_even_behind_line_breaks_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('a,b\n"one\ntwo",2\nx,3\n')
    assert [line for line, _ in rows(path, ["a", "b"], [])] == [3, 4]


def test_a_customer_who_waits_for_a_memo_lets_one_pass_who_does_not(tmp_path: Path) -> None:
    text = HEADER + "C1,A,a,-1,1.00,,\nC2,A,a,-1,1.00,,\n3,A,a,1,1.00,,\nC4,A,a,-1,1.00,,\n"
    waiting = [Planned(n, each) for n, each in enumerate(read(tmp_path, text).invoices)]
    assert comes_again_at(waiting) == 3
    assert comes_again_at(waiting[3:]) == 1
    assert comes_again_at([]) == 0
