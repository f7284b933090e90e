"""Package files: what is packed comes out, and what is no package is refused, bounded."""

import hashlib
import os
import sqlite3
from pathlib import Path

import pytest
import zstandard

from stillopen.core.errors import Reason, Refused
from stillopen.storage.package_file import UNPACKED_BYTES_MAX, digest_of, pack, unpack, unpacked


def database(folder: Path, rows: int = 500) -> Path:
    """A database that nobody has open."""
    path = folder / "rows.db"
    connection = sqlite3.connect(path)  # noqa: TID251 - not by our own code
    connection.execute("CREATE TABLE goods (code TEXT PRIMARY KEY, minor INTEGER)")
    connection.executemany("INSERT INTO goods VALUES (?, ?)", ((f"P{n}", n) for n in range(rows)))
    connection.commit()
    connection.close()
    return path


def refused(folder: Path, data: bytes, unpacked_max: int = UNPACKED_BYTES_MAX) -> str:
    """Why bytes are refused; nothing larger than allowed is written."""
    package = folder / "bad"
    package.write_bytes(data)
    target = folder / "unpacked"
    target.unlink(missing_ok=True)
    with pytest.raises(Refused) as caught:
        unpack(package, target, unpacked_max)
    assert caught.value.reason is Reason.PACKAGE_DAMAGED
    assert not target.exists() or target.stat().st_size <= unpacked_max
    if unpacked_max == UNPACKED_BYTES_MAX:
        with pytest.raises(Refused) as caught:
            unpacked(data)
        assert caught.value.reason is Reason.PACKAGE_DAMAGED
    return caught.value.message


def test_what_is_packed_comes_out(tmp_path: Path) -> None:
    rows = database(tmp_path)
    packed = pack(rows, tmp_path / "packed")
    data = (tmp_path / "packed").read_bytes()
    assert (packed.size, packed.digest) == (len(data), hashlib.sha256(data).digest())
    assert digest_of(tmp_path / "packed") == packed.digest
    assert unpack(tmp_path / "packed", tmp_path / "out") == packed.digest
    assert (tmp_path / "out").read_bytes() == unpacked(data) == rows.read_bytes()


def test_a_package_is_never_written_over_a_file_that_is_there(tmp_path: Path) -> None:
    rows = database(tmp_path)
    (tmp_path / "packed").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        pack(rows, tmp_path / "packed")
    assert (tmp_path / "packed").read_bytes() == b"mine"


def test_bytes_that_are_no_package_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, b"")
    assert refused(tmp_path, b"not a package at all")


def test_every_cut_of_a_package_is_refused(tmp_path: Path) -> None:
    pack(database(tmp_path), tmp_path / "packed")
    data = (tmp_path / "packed").read_bytes()
    for length in range(0, len(data), max(1, len(data) // 97)):
        assert refused(tmp_path, data[:length])


def test_bytes_after_a_package_are_refused(tmp_path: Path) -> None:
    pack(database(tmp_path), tmp_path / "packed")
    data = (tmp_path / "packed").read_bytes()
    assert refused(tmp_path, data + b"more")
    assert refused(tmp_path, data + data)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(2**28))
    assert len(bomb) < 100_000
    assert "unpack" in refused(tmp_path, bomb)
    assert not (tmp_path / "unpacked").exists()


def test_more_than_is_allowed_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    pack(database(tmp_path), tmp_path / "packed")
    assert "unpack" in refused(tmp_path, (tmp_path / "packed").read_bytes(), unpacked_max=4_096)
    assert not (tmp_path / "unpacked").exists()


def test_a_package_that_says_less_than_it_unpacks_to_is_refused(tmp_path: Path) -> None:
    rows = database(tmp_path)
    honest = zstandard.ZstdCompressor().compress(rows.read_bytes())
    size = rows.stat().st_size
    lying = honest.replace(size.to_bytes(2, "little"), (size // 2).to_bytes(2, "little"), 1)
    if lying == honest:  # the size is kept less 256 in two bytes
        lying = honest.replace((size - 256).to_bytes(2, "little"), (100).to_bytes(2, "little"), 1)
    assert lying != honest
    assert refused(tmp_path, lying)


def test_a_package_that_does_not_say_its_size_is_refused(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor(write_content_size=False)
    assert refused(tmp_path, packer.compress(database(tmp_path).read_bytes()))


def test_without_room_for_all_of_it_nothing_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(database(tmp_path), tmp_path / "packed")

    class Full:
        f_bavail, f_frsize = 1, 512

    def full(path: Path) -> Full:
        del path
        return Full()

    monkeypatch.setattr(os, "statvfs", full)
    with pytest.raises(Refused) as caught:
        unpack(tmp_path / "packed", tmp_path / "out")
    assert caught.value.reason is Reason.DISK_FULL
    assert not (tmp_path / "out").exists()
