"""A package in a person's hands: checked, opened, and refused when it is not what it says."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.packages import FIRST, goods, make_delta, make_snapshot, shelf_in
from typer.testing import CliRunner

from stillopen.cli.package import app
from stillopen.cli.package_files import find, look_into, named, open_to, verify
from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.replication.ports import Package
from stillopen.storage.package_file import pack, unpack
from stillopen.storage.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A shelf of a place."""
    return shelf_in(tmp_path / "S1")


@pytest.fixture
def snapshot(shelf: Shelf) -> Package:
    """A snapshot on it."""
    return make_snapshot(shelf, goods("APPLE", "PEAR"))


def test_a_snapshot_says_what_is_in_it(shelf: Shelf, snapshot: Package) -> None:
    found = look_into(shelf.path(snapshot.name))
    assert found.package == snapshot
    assert (found.rows["product"], found.rows["staff"], found.rows["customer"]) == (2, 1, 0)
    assert found.facts["generation"] == f"{FIRST.generation:016x}"


def test_a_delta_says_where_it_goes_on_from(shelf: Shelf, snapshot: Package) -> None:
    delta = make_delta(shelf, snapshot.cursor, goods("PLUM"))
    found = look_into(shelf.path(delta.name))
    assert found.package == delta
    assert (found.rows["product"], found.removed) == (1, 0)
    assert named(delta.name) is not None


def test_a_file_that_was_renamed_is_sound_and_has_another_name(
    shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    path = shelf.path(snapshot.name)
    assert (verify(path).sound, verify(path).remark) == (True, "")
    renamed = path.rename(tmp_path / "prices of may")
    found = verify(renamed)
    assert (found.sound, snapshot.name in found.remark) == (True, True)


def test_a_file_under_the_name_of_another_is_not_sound(shelf: Shelf, snapshot: Package) -> None:
    other = make_snapshot(shelf, goods("PLUM"), replace(FIRST, sequence=2))
    Path(shelf.path(other.name)).replace(shelf.path(snapshot.name))
    found = verify(shelf.path(snapshot.name))
    assert (found.sound, found.remark) == (False, "it is another package than its name says")


def test_a_file_cut_or_with_a_bit_that_fell_over_is_not_sound(
    shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    data = shelf.path(snapshot.name).read_bytes()
    bad = tmp_path / "bad"
    for length in (0, 1, 17, 18, len(data) // 2, len(data) - 5, len(data) - 1):
        bad.write_bytes(data[:length])
        assert not verify(bad).sound
    named_so = tmp_path / snapshot.name
    for place in range(0, len(data), 97):
        named_so.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        assert not verify(named_so).sound


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM product WHERE code = 'PEAR'",
        "CREATE TRIGGER t AFTER INSERT ON product BEGIN DELETE FROM staff; END",
        "DELETE FROM package WHERE name = 'generation'",
        "UPDATE package SET value = 'x' WHERE name = 'sequence'",
        "DROP TABLE package",
    ],
)
def test_a_database_that_was_changed_is_not_sound(
    shelf: Shelf, snapshot: Package, tmp_path: Path, statement: str
) -> None:
    opened = tmp_path / "opened.db"
    open_to(shelf.path(snapshot.name), opened)
    connection = sqlite3.connect(opened)  # noqa: TID251 - not by our own code
    connection.execute(statement)
    connection.commit()
    connection.close()
    pack(opened, tmp_path / "again")
    assert not verify(tmp_path / "again").sound


NEVER_ENDS = (
    "CREATE VIEW package (name, value) AS WITH RECURSIVE n(i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n WHERE i < 0"
)
HOSTILE = {
    "a view that never ends": ("DROP TABLE package", NEVER_ENDS),
    "a trigger": ("CREATE TRIGGER t AFTER INSERT ON product BEGIN DELETE FROM staff; END",),
    "a virtual table": (
        "DROP TABLE package",
        "CREATE VIRTUAL TABLE package USING fts5(name, value)",
    ),
    "a virtual table beside the others": ("CREATE VIRTUAL TABLE more USING fts5(name)",),
    "integers as facts": (
        "ALTER TABLE package RENAME TO of_texts",
        "CREATE TABLE package (name TEXT PRIMARY KEY, value)",
        "INSERT INTO package SELECT name, 1 FROM of_texts",
        "DROP TABLE of_texts",
    ),
    "no facts": ("DROP TABLE package",),
    "a version that nobody knows": ("UPDATE package SET value = '9' WHERE name LIKE 'schema%'",),
    "a sequence too high": (
        "UPDATE package SET value = '9223372036854775808' WHERE name = 'sequence'",
    ),
    "a sequence of words": ("UPDATE package SET value = 'x' WHERE name = 'sequence'",),
    "another table altogether": ("CREATE TABLE more (x)",),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("command", ["verify", "show", "open"])
def test_a_hostile_file_is_refused_in_one_line_whatever_a_person_does_with_it(
    shelf: Shelf, snapshot: Package, tmp_path: Path, kind: str, command: str
) -> None:
    unpacked = tmp_path / "unpacked"
    unpack(shelf.path(snapshot.name), unpacked)
    connection = sqlite3.connect(unpacked)  # noqa: TID251 - not by our own code
    for statement in HOSTILE[kind]:
        connection.execute(statement)
    connection.commit()
    connection.close()
    folder = tmp_path / "stick"
    folder.mkdir()
    hostile = folder / "hostile"
    pack(unpacked, hostile)
    to = ["--to", str(folder / "look.db")] if command == "open" else []
    found = CliRunner().invoke(app, [command, str(hostile), *to])
    assert found.exit_code == 1
    assert isinstance(found.exception, SystemExit)
    assert len(found.output.strip().splitlines()) == 1
    assert [each.name for each in folder.iterdir()] == ["hostile"]


def test_a_database_that_appears_while_one_is_opened_stays(
    shelf: Shelf, snapshot: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tmp_path / "look.db"

    def meanwhile(package: Path, target: Path) -> bytes:
        opened.write_bytes(b"mine")
        return unpack(package, target)

    monkeypatch.setattr("stillopen.cli.package_files.unpack", meanwhile)
    with pytest.raises(Refused) as caught:
        open_to(shelf.path(snapshot.name), opened)
    assert (caught.value.reason, opened.read_bytes()) == (Reason.ALREADY_EXISTS, b"mine")


def test_what_is_beside_a_database_to_be_opened_stays(
    shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    beside = tmp_path / "look.db.new"
    beside.write_bytes(b"mine")
    open_to(shelf.path(snapshot.name), tmp_path / "look.db")
    assert beside.read_bytes() == b"mine"


def test_an_opened_package_is_a_database_and_nothing_is_written_over(
    shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    opened = tmp_path / "look.db"
    open_to(shelf.path(snapshot.name), opened)
    connection = sqlite3.connect(opened)  # noqa: TID251 - as a person would
    assert connection.execute("SELECT code FROM product ORDER BY code").fetchall() == [
        ("APPLE",),
        ("PEAR",),
    ]
    connection.close()
    before = opened.read_bytes()
    with pytest.raises(Refused) as caught:
        open_to(shelf.path(snapshot.name), opened)
    assert (caught.value.reason, opened.read_bytes()) == (Reason.ALREADY_EXISTS, before)


def test_what_cannot_be_unpacked_leaves_no_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(os.urandom(500))
    with pytest.raises(Refused) as caught:
        open_to(bad, tmp_path / "look.db")
    assert caught.value.reason is Reason.PACKAGE_DAMAGED
    assert [each.name for each in tmp_path.iterdir()] == ["bad"]


def test_a_package_is_found_by_the_beginning_of_its_name(
    shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    place = shelf.folder.parent
    assert find("00000001", place) == shelf.path(snapshot.name)
    assert find(str(shelf.path(snapshot.name)), None) == shelf.path(snapshot.name)
    make_delta(shelf, replace(snapshot.cursor, sequence=0), goods("PLUM"))
    for name in ("0000", "9"):
        with pytest.raises(Misuse):
            find(name, place)
    with pytest.raises(Misuse, match="no packages"):
        find("1", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "name",
    ["", "a", "00000001-snapshot-ab.sqlite.zst", "../00000001-delta-" + "a" * 64 + ".sqlite.zst"],
)
def test_a_name_of_something_else_is_no_package_s(name: str) -> None:
    assert named(name) is None
