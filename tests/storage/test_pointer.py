"""A name that leads to numbered files: switched whole, and what it does not lead to goes."""

from pathlib import Path

import pytest

from stillopen.storage.pointer import Pointer, pointers


def made(pointer: Pointer, text: str) -> Path:
    """The next file, with a text."""
    path = pointer.next()
    path.write_text(text)
    return path


def test_a_name_that_leads_nowhere_has_no_file(tmp_path: Path) -> None:
    pointer = Pointer(tmp_path / "offline.db")
    assert pointer.target() is None
    assert pointer.next() == tmp_path / "offline-1.db"


def test_it_leads_to_the_file_that_it_was_switched_to(tmp_path: Path) -> None:
    pointer = Pointer(tmp_path / "offline.db")
    for text in ("first", "second"):
        pointer.switch(made(pointer, text))
        assert (tmp_path / "offline.db").read_text() == text
    assert pointer.target() == tmp_path / "offline-2.db"


def test_a_file_that_it_was_never_switched_to_is_swept_away_with_its_companions(
    tmp_path: Path,
) -> None:
    pointer = Pointer(tmp_path / "offline.db")
    pointer.switch(made(pointer, "in use"))
    half = made(pointer, "half done")
    half.with_name(f"{half.name}-wal").write_text("log")
    other = tmp_path / "journal-7.db"
    other.write_text("of another")
    pointer.sweep()
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "journal-7.db",
        "offline-1.db",
        "offline.db",
    ]


@pytest.mark.parametrize("gone", ["offline-1.db", "offline.db"])
def test_a_file_or_a_name_that_is_gone_leads_nowhere(tmp_path: Path, gone: str) -> None:
    pointer = Pointer(tmp_path / "offline.db")
    pointer.switch(made(pointer, "here"))
    (tmp_path / gone).unlink()
    assert pointer.target() is None


def test_the_name_of_a_file_that_is_gone_is_not_given_to_the_next(tmp_path: Path) -> None:
    """Whoever has the one that is gone open would remove the next when they leave."""
    pointer = Pointer(tmp_path / "offline.db")
    first = made(pointer, "first")
    pointer.switch(first)
    first.unlink()
    assert pointer.next() != first


def test_what_is_set_aside_is_kept_once(tmp_path: Path) -> None:
    pointer = Pointer(tmp_path / "offline.db")
    for text in ("first", "second"):
        pointer.switch(made(pointer, text))
        kept = pointer.set_aside()
        assert kept is not None
        assert kept.read_text() == text
        assert pointer.target() is None
    assert [each.read_text() for each in tmp_path.glob("*.damaged-*")] == ["second"]


def test_a_plain_file_in_its_place_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "offline.db").write_text("of older software")
    pointer = Pointer(tmp_path / "offline.db")
    assert pointer.target() is None
    kept = pointer.set_aside()
    assert kept is not None
    assert kept.read_text() == "of older software"


def test_a_name_that_goes_takes_its_files_along(tmp_path: Path) -> None:
    pointer = Pointer(tmp_path / "registers-1.db")
    pointer.switch(made(pointer, "here"))
    assert [each.path.name for each in pointers(tmp_path, "registers-")] == ["registers-1.db"]
    pointer.remove()
    assert list(tmp_path.iterdir()) == []
