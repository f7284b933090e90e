"""Package files: a database, compressed with zstandard; identified by the SHA-256 of its bytes.

Nothing is held whole: a package of any size takes the same memory. Unpacking is bounded by what the
package says of its own size, which in turn may not be out of proportion to what arrived.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from stillopen.core.errors import Reason, Refused
from stillopen.storage.written import Written

LEVEL = 1
"""Higher ones take twice the time for three hundredths of the size."""
PIECE_BYTES = 2**20
UNPACKED_BYTES_MAX = 2**34
SMALL_BYTES = 2**24
"""A package may unpack to that much however small it is: empty tables are pages of nothing."""
RATIO_MAX = 100
ROOM_BYTES = 2**24
"""What a package leaves free: a till that has no room left cannot sell."""
HEADER_BYTES = 18


@dataclass(frozen=True, slots=True)
class Packed:
    """A package file as it was written."""

    digest: bytes
    size: int


class _Digested:
    """A file that is written, and the digest of what was."""

    def __init__(self, file: Written) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)


class _Read:
    """A file that is read, and the digest of what was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def damaged(why: str) -> Refused:
    """The package cannot be used."""
    return Refused(Reason.PACKAGE_DAMAGED, f"the package cannot be used: {why}")


def pack(database: Path, target: Path) -> Packed:
    """Compresses a database that nobody has open; durable when it returns."""
    with database.open("rb") as source, Written(target) as file:
        packed = _Digested(file)
        zstandard.ZstdCompressor(level=LEVEL).copy_stream(
            source,
            packed,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            size=database.stat().st_size,
            read_size=PIECE_BYTES,
            write_size=PIECE_BYTES,
        )
        file.finish()
        return Packed(packed.digest.digest(), file.size)


def digest_of(package: Path) -> bytes:
    """The SHA-256 of a file."""
    with package.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def unpack(
    package: Path, target: Path, unpacked_max: int = UNPACKED_BYTES_MAX, *, durable: bool = True
) -> bytes:
    """Writes the database of a package and returns the digest of the package.

    Refused PACKAGE_DAMAGED for bytes that are no package or unpack to more than they may, DISK_FULL
    when there is no room. The target is then a part of a file, for the caller to remove.
    """
    with package.open("rb") as source:
        size = _unpacked_size(source.read(HEADER_BYTES), package.stat().st_size, unpacked_max)
        source.seek(0)
        check_room(target.parent, size)
        passed = _Read(source)
        try:
            with Written(target, durable=durable) as file:
                _unpack(passed, file, size)
        except zstandard.ZstdError as error:
            raise damaged(str(error)) from None
        except OSError as error:
            raise Refused(Reason.DISK_FULL, f"it cannot be unpacked: {error}") from None
        if file.size != size:
            raise damaged(f"it unpacks to {file.size} bytes and not to {size}")
        return passed.digest.digest()


def unpacked(package: bytes) -> bytes:
    """The database of a small package that is in no file; Refused PACKAGE_DAMAGED."""
    size = _unpacked_size(package[:HEADER_BYTES], len(package), UNPACKED_BYTES_MAX)
    try:
        database = zstandard.ZstdDecompressor().decompress(
            package, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise damaged(str(error)) from None
    if len(database) != size:
        raise damaged(f"it unpacks to {len(database)} bytes and not to {size}")
    return database


def _unpacked_size(head: bytes, packed: int, unpacked_max: int) -> int:
    try:
        size = zstandard.frame_content_size(head)
    except zstandard.ZstdError as error:
        raise damaged(str(error)) from None
    most = min(unpacked_max, max(SMALL_BYTES, RATIO_MAX * packed))
    if not 0 < size <= most:
        raise damaged(f"it does not unpack to at most {most} bytes")
    return size


def check_room(folder: Path, size: int) -> None:
    """Refused DISK_FULL unless there is room for so many bytes, and for the sales of a while."""
    there = os.statvfs(folder)
    if (room := there.f_bavail * there.f_frsize) < size + ROOM_BYTES:
        raise Refused(
            Reason.DISK_FULL, f"a package needs {size} bytes and there is room for {room}"
        )


def _unpack(source: _Read, file: Written, size: int) -> None:
    """Reads one byte more than there may be, across frames: nothing may follow the first."""
    reader = zstandard.ZstdDecompressor().stream_reader(
        source,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        read_size=PIECE_BYTES,
        read_across_frames=True,
    )
    while file.size <= size and (piece := reader.read(min(PIECE_BYTES, size + 1 - file.size))):
        file.write(piece)
    file.finish()
