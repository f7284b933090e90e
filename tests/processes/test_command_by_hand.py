"""`stillopen package` and `stillopen journal` on files, as a person at a terminal meets them."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from tests.support.nursery import COMMAND, spawn
from tests.support.packages import goods, make_delta, make_snapshot, shelf_in

from stillopen.replication.ports import Package
from stillopen.rpc.identity import CallerKind
from stillopen.storage.identity_file import Identity, write_identity
from stillopen.storage.shelf import Shelf

TIMEOUT_S = 90.0


async def stillopen(*arguments: str) -> tuple[int, str, str]:
    """Runs the command and returns its exit status, output and errors."""
    process = await spawn(
        COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(TIMEOUT_S):
        out, err = await process.communicate()
    assert "Traceback" not in err.decode()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture(name="place")
def folder_of_a_channel(tmp_path: Path) -> Path:
    """A channel's folder that nothing runs in."""
    place = tmp_path / "S1"
    write_identity(place, Identity(CallerKind.CHANNEL, "S1", "S1", "nowhere:1", "secret"))
    return place


@pytest.fixture(name="shelf")
def shelf_of_the_channel(place: Path) -> Shelf:
    """Its shelf."""
    return shelf_in(place)


@pytest.fixture(name="snapshot")
def snapshot_on_the_shelf(shelf: Shelf) -> Package:
    """A snapshot on it."""
    return make_snapshot(shelf, goods("APPLE", "PEAR"))


async def test_packages_are_listed_shown_and_opened(
    place: Path, shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    delta = make_delta(shelf, snapshot.cursor, goods("PLUM"))
    code, out, _ = await stillopen("package", "list", "--data", str(place), "--json")
    listed = [(each["file"], each["kind"]) for each in json.loads(out)["packages"]]
    assert (code, listed) == (0, [(snapshot.name, "snapshot"), (delta.name, "delta")])
    code, out, _ = await stillopen("package", "show", "00000001", "--data", str(place), "--json")
    shown = json.loads(out)
    assert (code, shown["name"], shown["rows"]["product"]) == (0, snapshot.name, 2)
    database = tmp_path / "look.db"
    opening = ("package", "open", str(shelf.path(snapshot.name)), "--to", str(database))
    code, out, _ = await stillopen(*opening)
    assert (code, "sqlite3" in out) == (0, True)
    connection = sqlite3.connect(database)  # noqa: TID251 - as a person would
    assert connection.execute("SELECT count(*) FROM product").fetchone() == (2,)
    connection.close()
    code, _, err = await stillopen(*opening)
    assert (code, "ALREADY_EXISTS" in err) == (1, True)


async def test_verify_says_of_each_file_what_is_wrong_and_fails_when_one_is(
    shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    path = shelf.path(snapshot.name)
    renamed, cut = tmp_path / "may", tmp_path / "cut"
    renamed.write_bytes(path.read_bytes())
    cut.write_bytes(path.read_bytes()[:-3])
    code, out, _ = await stillopen("package", "verify", str(path), str(renamed), "--json")
    assert (code, [each["sound"] for each in json.loads(out)["files"]]) == (0, [True, True])
    code, out, _ = await stillopen("package", "verify", str(cut), str(renamed), str(path))
    words = [line.split(" /")[0] for line in out.splitlines()]
    assert (code, words) == (1, ["not sound", "sound", "sound"])
    assert snapshot.name in out.splitlines()[1]


async def test_a_package_that_does_not_know_the_store_is_refused_with_its_reason(
    place: Path, shelf: Shelf, snapshot: Package, tmp_path: Path
) -> None:
    file = shelf.path(snapshot.name).rename(tmp_path / "elsewhere")
    code, _, err = await stillopen("package", "import", str(file), "--data", str(place))
    assert (code, "NAME_UNKNOWN" in err, "S1" in err) == (1, True, True)
    assert not (place / "replica.db").exists()


async def test_what_is_no_journal_file_is_refused_with_its_reason(
    place: Path, tmp_path: Path
) -> None:
    for name, data in (("empty", b""), ("cut", b"stillopen journal 1\n")):
        file = tmp_path / name
        file.write_bytes(data)
        code, out, err = await stillopen("journal", "import", str(file))
        assert (code, out, "error" in err) == (2, "", True)
    exporting = ("journal", "export", "--to", str(tmp_path / "s1.journal"), "--data")
    code, _, err = await stillopen(*exporting, str(tmp_path))
    assert (code, "NOT_INSTALLED" in err) == (2, True)
    code, _, err = await stillopen(*exporting, str(place))
    assert (code, "channel.db" in err) == (2, True)
    assert not (tmp_path / "s1.journal").exists()
