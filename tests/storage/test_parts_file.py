"""Files that carry messages by hand: whole, of their kind, or refused before a part is read."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import zstandard

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.storage.parts_file import (
    PART_BYTES_MAX,
    kind_of,
    read_parts,
    writing_parts,
)

KIND = "notes 1"
PARTS = (b"first", b"\0" * 3_000, bytes(range(256)) * 20)


def written(path: Path, parts: Iterable[bytes] = PARTS, kind: str = KIND) -> Path:
    """A file of these parts."""
    with writing_parts(path, kind) as file:
        for part in parts:
            file.add(part)
    return path


def refused(path: Path) -> Reason:
    """Why a file is not read; nothing of it was."""
    with pytest.raises(Misuse) as caught:
        next(read_parts(path, KIND))
    return caught.value.reason


def test_parts_come_back_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    assert tuple(read_parts(path, KIND)) == PARTS
    assert kind_of(path) == KIND
    assert list(read_parts(written(tmp_path / "none", ()), KIND)) == []


def test_its_owner_alone_may_read_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(written(tmp_path / "a").stat().st_mode) == 0o600


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    with pytest.raises(Refused) as caught:
        written(path, [b"other"])
    assert caught.value.reason is Reason.ALREADY_EXISTS
    assert tuple(read_parts(path, KIND)) == PARTS
    with writing_parts(path, KIND, replace=True) as file:
        file.add(b"other")
    assert list(read_parts(path, KIND)) == [b"other"]


def test_what_lies_beside_a_file_that_is_written_stays(tmp_path: Path) -> None:
    beside, elsewhere = tmp_path / "a.new", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    beside.symlink_to(elsewhere)
    written(tmp_path / "a")
    assert tuple(read_parts(tmp_path / "a", KIND)) == PARTS
    assert (beside.is_symlink(), elsewhere.read_bytes()) == (True, b"mine")


@pytest.mark.parametrize("links", [True, False], ids=["second names", "no second names"])
def test_a_file_that_appears_while_it_is_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("this disk has none")

    def meanwhile() -> Iterator[bytes]:
        yield b"first"
        (tmp_path / "a").write_bytes(b"mine")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(Refused) as caught:
        written(tmp_path / "a", meanwhile())
    assert caught.value.reason is Reason.ALREADY_EXISTS
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"mine"
    assert tuple(read_parts(written(tmp_path / "b"), KIND)) == PARTS
    assert {each.name for each in tmp_path.iterdir()} == {"a", "b"}


def test_a_file_whose_writing_breaks_off_is_not_there(tmp_path: Path) -> None:
    def pulled_out() -> Iterator[bytes]:
        yield b"first"
        raise OSError("pulled out")

    with pytest.raises(OSError, match="pulled out"):
        written(tmp_path / "a", pulled_out())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, PART_BYTES_MAX + 1])
def test_a_part_of_no_size_or_too_large_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(Misuse), writing_parts(tmp_path / "a", KIND) as file:
        file.add(bytes(size))
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "a").read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        assert refused(cut) in {Reason.DIGEST_MISMATCH, Reason.INVALID_ARGUMENT}


def test_a_file_with_a_bit_that_fell_over_or_more_at_its_end_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "a").read_bytes()
    bad = tmp_path / "bad"
    for place in range(len(data)):
        bad.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert refused(bad) in {Reason.DIGEST_MISMATCH, Reason.INVALID_ARGUMENT}
    for more in (b"\0", data, zstandard.compress(b"more")):
        bad.write_bytes(data + more)
        assert refused(bad) is Reason.DIGEST_MISMATCH


@pytest.mark.parametrize(
    "data", [b"", b"stillopen", b"SQLite format 3\0" * 40, zstandard.compress(b"notes"), b"\n" * 99]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(data)
    assert refused(path) is Reason.INVALID_ARGUMENT


def test_a_file_of_another_kind_is_refused_and_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a", kind="answer 1")
    with pytest.raises(Misuse, match="answer 1"):
        next(read_parts(path, KIND))
