"""CSV files of any shape: columns by name, in any order, others ignored, lines named in errors.

Text that is not UTF-8 is read as Windows-1252. A byte-order mark, CRLF and quotes are as usual.
"""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from stillopen.core.errors import invalid

FILE_BYTES_MAX = 2**30


def read_text(path: Path) -> str:
    """The file's text; Misuse when it is too large or holds NUL bytes."""
    if path.is_dir():
        raise invalid("file", f"{path} is a folder")
    if path.stat().st_size > FILE_BYTES_MAX:
        raise invalid("file", f"{path} is larger than a gigabyte")
    data = path.read_bytes()
    if b"\0" in data:
        raise invalid("file", f"{path} is not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def fold(name: str) -> str:
    """A column's name without case, spaces, hyphens and underscores."""
    return "".join(c for c in name.casefold() if c not in " -_")


def rows(
    path: Path, required: list[str], optional: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values by column name, for each row that is not empty.

    Misuse when a required column is missing or a wanted one is there twice.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    try:
        first = next(reader, list[str]())
        header = [fold(name) for name in first]
        places = _places(path, header, required, optional)
        for values in reader:
            if any(value.strip() for value in values):
                yield (
                    reader.line_num,
                    {
                        name: values[place].strip() if place < len(values) else ""
                        for name, place in places.items()
                    },
                )
    except csv.Error as error:
        raise invalid("file", f"{path} line {reader.line_num}: {error}") from None


def _places(
    path: Path, header: list[str], required: list[str], optional: list[str]
) -> dict[str, int]:
    places: dict[str, int] = {}
    for name in (*required, *optional):
        count = header.count(fold(name))
        if count > 1:
            raise invalid("file", f"{path} has column {name} {count} times")
        if count:
            places[name] = header.index(fold(name))
        elif name in required:
            raise invalid("file", f"{path} has no column {name}; it needs {', '.join(required)}")
    return places


def parse(path: Path, line: int, value: str, convert: Callable[[str], int]) -> int:
    """A number of a row; Misuse names the line."""
    try:
        return convert(value)
    except ValueError:
        raise invalid("file", f"{path} line {line}: {value[:40]!r} is not a number") from None
