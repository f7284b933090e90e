"""Files that carry messages where there is no line: parts in order, and proof that all are there.

A file is a line that says what it is, one zstandard frame, and the SHA-256 of both. In the frame
each part follows its length, four bytes, the highest first. A file that lost its end, or a bit
anywhere, does not end in the digest of the rest and is refused before any part of it is read.
"""

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

import zstandard

from stillopen.core.errors import Misuse, Reason, Refused, invalid

LEVEL = 3
PART_BYTES_MAX = 4 * 2**20
WINDOW_BYTES_MAX = 2**23
"""More memory than that no file may ask for."""
KIND_BYTES_MAX = 40
_PIECE_BYTES = 2**20
_DIGEST_BYTES = 32
_LENGTH_BYTES = 4


class Parts:
    """A file that is being written. Made by `writing_parts`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def add(self, part: bytes) -> None:
        """Puts a part behind the others."""
        if not 0 < len(part) <= PART_BYTES_MAX:
            raise invalid("part", f"from 1 to {PART_BYTES_MAX} bytes, not {len(part)}")
        self._stream.write(len(part).to_bytes(_LENGTH_BYTES, "big"))
        self._stream.write(part)


@contextmanager
def writing_parts(path: Path, kind: str, *, replace: bool = False) -> Generator[Parts]:
    """Makes a file that its owner alone may read: whole and durable, or not at all.

    Refused ALREADY_EXISTS when there is one, unless it may be replaced.
    """
    if not replace:
        check_free(path)
    # A name of its own: what else is there, whatever it is called, is not touched.
    handle, name = mkstemp(dir=path.parent, prefix=".stillopen-", suffix=".new")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_line(kind))
            compressor = zstandard.ZstdCompressor(level=LEVEL)
            with compressor.stream_writer(file, closefd=False) as stream:
                yield Parts(stream)  # pyright: ignore[reportArgumentType]
            file.flush()
            file.write(_digest_of(new, new.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        if replace:
            new.replace(path)
        else:
            give_name(new, path)
        _flush_names(path.parent)
    finally:
        new.unlink(missing_ok=True)


def give_name(new: Path, path: Path) -> None:
    """Gives a new file its name; Refused ALREADY_EXISTS when another has it, also since now."""
    try:
        os.link(new, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # a stick may have no second names for a file
        check_free(path)
        new.rename(path)
    else:
        new.unlink()


def check_free(path: Path) -> None:
    """Refused ALREADY_EXISTS when there is such a file."""
    if path.exists() or path.is_symlink():
        raise _taken(path)


def kind_of(path: Path) -> str:
    """What a file says it is; Misuse for one that is none of these, or not whole."""
    with path.open("rb") as file:
        first = file.readline(KIND_BYTES_MAX)
    if not first.startswith(b"stillopen ") or not first.endswith(b"\n"):
        raise invalid("file", f"{path} is no file that stillopen wrote for the way by hand")
    size = path.stat().st_size - _DIGEST_BYTES
    if size < len(first):
        raise _not_whole(path)
    with path.open("rb") as file:
        file.seek(size)
        if file.read() != _digest_of(path, size):
            raise _not_whole(path)
    return first.decode("ascii", "replace").removeprefix("stillopen ").rstrip("\n")


def read_parts(path: Path, kind: str) -> Iterator[bytes]:
    """The parts of a file, in order; Misuse when it is of another kind, or not whole."""
    if (found := kind_of(path)) != kind:
        raise invalid("file", f"{path} is a file of another kind: {found}")
    with path.open("rb") as file:
        file.seek(len(_line(kind)))
        whole = _Bounded(file, path.stat().st_size - _DIGEST_BYTES - file.tell())
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        with decompressor.stream_reader(
            whole,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            read_size=_PIECE_BYTES,
            read_across_frames=True,
        ) as stream:
            try:
                yield from _parts(path, stream)  # pyright: ignore[reportArgumentType]
            except zstandard.ZstdError:
                raise _not_whole(path) from None


class _Bounded:
    """The first bytes of a file, and no more."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        return data


def _parts(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    while length := _exactly(stream, _LENGTH_BYTES):
        size = int.from_bytes(length, "big")
        if len(length) < _LENGTH_BYTES or not 0 < size <= PART_BYTES_MAX:
            raise _not_whole(path)
        part = _exactly(stream, size)
        if len(part) < size:
            raise _not_whole(path)
        yield part


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """So many bytes, or fewer at the end."""
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found


def _flush_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _line(kind: str) -> bytes:
    return f"stillopen {kind}\n".encode("ascii")


def _digest_of(path: Path, size: int) -> bytes:
    """The SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(min(_PIECE_BYTES, size)):
            digest.update(piece)
            size -= len(piece)
    return digest.digest()


def _taken(path: Path) -> Refused:
    return Refused(Reason.ALREADY_EXISTS, f"{path} exists; nothing is ever written over it")


def _not_whole(path: Path) -> Misuse:
    return Misuse(
        Reason.DIGEST_MISMATCH,
        f"{path} is cut off or damaged; nothing of it was taken: bring it again",
        "file",
    )
