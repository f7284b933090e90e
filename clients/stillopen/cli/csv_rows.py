"""CSV files of any shape: columns by name, in any order, others ignored, lines named in errors.

A file is read twice, never as a whole: once to learn how its text is written, then row by row.
Text that is not UTF-8 is read as Windows-1252. Columns are apart by commas, semicolons or tabs; a
byte-order mark, CRLF and quotes are as usual.
"""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from stillopen.core.errors import invalid

FILE_BYTES_MAX = 2**36
CHUNK_BYTES = 2**20
HEADER_CHARACTERS_MAX = 100_000
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a file: where it ends, its values by column name, what is beyond the last column."""

    line: int
    values: dict[str, str]
    beyond: bool
    position: int
    """How many bytes of the file were read when it was."""


def fold(name: str) -> str:
    """A column's name without case, spaces, hyphens and underscores."""
    return "".join(c for c in name.casefold() if c not in " -_")


def rows(
    path: Path, required: list[str], optional: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values by column name, for each row that is not empty."""
    return ((record.line, record.values) for record in records(path, required, optional))


def records(path: Path, required: list[str], optional: list[str]) -> Iterator[Record]:
    """Each row that is not empty.

    Misuse when a required column is missing, a wanted one is there twice, or it is no text.
    """
    encoding = encoding_of(path)
    with path.open(encoding=encoding, errors=_errors(encoding), newline="") as text:
        delimiter = _delimiter(text, {fold(name) for name in (*required, *optional)})
        text.seek(0)
        yield from _records(path, text, delimiter, required, optional)


def encoding_of(path: Path) -> str:
    """How the file's text is written; Misuse when it is too large or no text."""
    if path.is_dir():
        raise invalid("file", f"{path} is a folder")
    size = path.stat().st_size
    if not path.is_file():
        raise invalid("file", f"{path} is not a file; it is read twice, so a pipe will not do")
    if size > FILE_BYTES_MAX:
        raise invalid("file", f"{path} is larger than 64 gigabytes")
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8-sig"
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in chunk:
                raise invalid("file", f"{path} is written in UTF-16; save it as UTF-8")
            if b"\0" in chunk:
                raise invalid("file", f"{path} is not text")
            encoding = encoding if _decodes(decoder, chunk) else "cp1252"
    return encoding if _decodes(decoder, b"", final=True) else "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, data: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(data, final)
    except UnicodeDecodeError:
        return False
    return True


def _errors(encoding: str) -> str:
    return "replace" if encoding == "cp1252" else "strict"


def _delimiter(text: TextIO, wanted: set[str]) -> str:
    """What the columns are apart by: what makes the most wanted ones of the first line."""
    first = text.readline(HEADER_CHARACTERS_MAX)

    def found(delimiter: str) -> int:
        header = next(csv.reader([first], delimiter=delimiter), list[str]())
        return len(wanted & {fold(name.strip()) for name in header})

    return max(DELIMITERS, key=found)


def _records(
    path: Path, text: TextIO, delimiter: str, required: list[str], optional: list[str]
) -> Iterator[Record]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        first = next(reader, None)
        if first is None:
            raise invalid("file", f"{path} is empty")
        header = [fold(name) for name in first]
        places = _places(path, header, required, optional)
        for values in reader:
            if any(value.strip() for value in values):
                yield Record(
                    reader.line_num,
                    {
                        name: values[place].strip() if place < len(values) else ""
                        for name, place in places.items()
                    },
                    any(value.strip() for value in values[len(header) :]),
                    text.buffer.tell(),
                )
    except csv.Error as error:
        raise invalid(
            "file",
            f"{path} line {reader.line_num}: {error}; is a quotation mark open or one too many?",
        ) from None
    except UnicodeDecodeError:
        raise invalid("file", f"{path} was changed while it was read") from None


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
