"""Files of every shape and encoding, read row by row; what is no table is refused."""

from pathlib import Path

import pytest

from stillopen.cli import csv_rows
from stillopen.cli.csv_rows import records, rows
from stillopen.core.errors import Misuse


def read(tmp_path: Path, data: bytes) -> list[tuple[int, dict[str, str]]]:
    path = tmp_path / "rows.csv"
    path.write_bytes(data)
    return list(rows(path, ["id", "name"], ["price"]))


MUG = (2, {"id": "M1", "name": "Mug", "price": "2.50"})


@pytest.mark.parametrize(
    "text",
    [
        "id,name,price\nM1,Mug,2.50\n",
        "price,name,id\n2.50,Mug,M1",
        "ID , Name,colour,Price\r\nM1, Mug ,red,2.50\r\n",
        "\ufeffid,name,price\nM1,Mug,2.50\n",
        "id;name;price\nM1;Mug;2.50\n",
        "id\tname\tprice\nM1\tMug\t2.50\n",
        '"id","name","price"\n"M1","Mug","2.50"\n',
        "id,name,price\nM1,Mug,2.50\n,,\n\n",
    ],
)
def test_columns_are_found_however_the_file_is_written(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text.encode()) == [MUG]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("id,name\nM1,Café €\n".encode(), "Café €"),
        ("id,name\nM1,Café €\n".encode("cp1252"), "Café €"),
        (b'id,name\nM1,"Mug, ""big"""\n', 'Mug, "big"'),
        (b'id;name\nM1;"Mug; big, red"\n', "Mug; big, red"),
        ("id,name\nM1,杯子 🥤\n".encode(), "杯子 🥤"),
        (b'id,name\nM1,5" mug\n', '5" mug'),
    ],
)
def test_names_come_as_they_were_written(tmp_path: Path, data: bytes, name: str) -> None:
    assert [values["name"] for _, values in read(tmp_path, data)] == [name]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "no column id"),
        (b"id\nM1\n", "no column name"),
        (b"id,name,Id\nM1,Mug,M2\n", "column id 2 times"),
        (b"id,name,price,PRICE\nM1,Mug,1,2\n", "column price 2 times"),
        (b"\x89PNG\x00\x00", "not text"),
        ("id,name\nM1,Mug\n".encode("utf-16"), "UTF-16"),
        (b'id,name\nM1,"Mug\nM2,Cup\n', "line 3"),
        (b'id,name\nM1,"Mug"s\n', "line 2"),
        (b'id,name\nM1,"' + b"x" * 200_000 + b'"\n', "line 2"),
    ],
)
def test_what_is_no_table_is_refused_and_the_message_says_why(
    tmp_path: Path, data: bytes, says: str
) -> None:
    with pytest.raises(Misuse) as refused:
        read(tmp_path, data)
    assert refused.value.field == "file"
    assert says in refused.value.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="folder"):
        list(rows(tmp_path, ["id"], []))


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_character_cut_by_a_block_is_still_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(csv_rows, "CHUNK_BYTES", 4)
    data = b"x" * at + "🥤é".encode() + b",name\nM1,Mug\n"
    path = tmp_path / "rows.csv"
    path.write_bytes(data)
    assert csv_rows.encoding_of(path) == "utf-8-sig"
    path.write_bytes(data[:-1] + b"\xe9")
    assert csv_rows.encoding_of(path) == "cp1252"


def test_more_values_than_columns_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,name\nM1,Mug,\nM2,Cup, blue\nM3\n")
    found = list(records(path, ["id", "name"], []))
    assert [(each.line, each.beyond) for each in found] == [(2, False), (3, True), (4, False)]
    assert found[-1].values == {"id": "M3", "name": ""}
    assert found[-1].position == path.stat().st_size
