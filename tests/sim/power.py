"""What the power leaves of files: a database with its log, and packages that are on their way.

A process that is killed leaves what it had written: the database and its write-ahead log, as they
are. When the power fails, only what was flushed is certain. SQLite says what that is:

- With synchronous=FULL the log is flushed at each commit, so every commit that returned stays; of
  one that was under way any part of its frames may be there, the commit too.
- With NORMAL the log is flushed when it is copied into the database (a checkpoint): every commit
  since then may be gone, the last ones first.
- The database itself changes at a checkpoint only, which flushes the log before and the database
  after; the log is begun anew only then. So nothing in it is in doubt.

What is in doubt may be there, be cut off anywhere, inside a frame too, or be there with a sector of
zeros or with garbage to its end. Of a package that is on its way what follows the last whole
mebibyte is in doubt.

Not played: a disk that lies about what it flushed, a sector that rots later, and files that were
removed and come back, because their folder was not flushed.
"""

import random
import struct
from dataclasses import dataclass
from pathlib import Path

from stillopen.storage.written import FLUSH_BYTES

_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_SECTOR_BYTES = 512
# The head of the log's index, in the byte order of the machine: page size, how many frames are
# committed, the salts of the log, and how many frames a checkpoint has copied.
_INDEX = struct.Struct("=14xHI12x8s56xI")


@dataclass(frozen=True, slots=True)
class Log:
    """How far the write-ahead log of an open database is."""

    salts: bytes
    """Others each time the log is begun anew."""
    frames: int
    """Those of commits that returned."""
    copied: int
    """Of these, those that are in the database as well."""
    page_bytes: int

    def end(self, frames: int) -> int:
        """Where so many frames end."""
        return _HEADER_BYTES + frames * (_FRAME_HEADER_BYTES + self.page_bytes)

    def certain(self, before: "Log | None", *, flushes: bool) -> int:
        """How many frames stay whatever happens; `before` is the log before an open commit."""
        if not flushes:
            return self.copied
        if before is None:
            return self.frames
        return max(self.copied, before.frames if before.salts == self.salts else 0)


def log_of(database: Path) -> Log | None:
    """The log of a database that this process has open; nothing when there is none yet."""
    try:
        with Path(f"{database}-shm").open("rb") as index:
            head = index.read(_INDEX.size)
    except FileNotFoundError:
        return None
    if len(head) < _INDEX.size:
        return None
    page_bytes, frames, salts, copied = _INDEX.unpack(head)
    return Log(salts, frames, copied, 2**16 if page_bytes == 1 else page_bytes)


@dataclass(frozen=True, slots=True)
class Left:
    """A database and its log as they lie on the disk: what closing them would change."""

    database: Path
    files: tuple[tuple[Path, bytes], ...]

    @classmethod
    def of(cls, database: Path) -> "Left":
        """Takes them as they are now."""
        paths = (database, Path(f"{database}-wal"))
        return cls(database, tuple((each, each.read_bytes()) for each in paths if each.is_file()))

    def put_back(self) -> None:
        """After SQLite has closed the database, as if it had not."""
        for path, data in self.files:
            path.touch(0o600)
            path.write_bytes(data)


def lose_log(database: Path, log: Log, certain: int, rng: random.Random) -> bool:
    """Takes away some of what is in doubt of a log that nobody has open; whether it lost anything.

    In one of five cases the disk had written all of it.
    """
    path = Path(f"{database}-wal")
    begin, end = log.end(certain) if certain else 0, log.end(log.frames)
    if not path.is_file() or log.frames <= certain or rng.random() < 0.2:
        return False
    frame_bytes = log.end(1) - log.end(0)
    at = rng.randrange(begin, end)
    if rng.random() < 0.3:
        at = log.end(rng.randrange(certain, log.frames))
    with path.open("r+b") as file:
        match rng.choice(["cut", "garbage", "zeros"]):
            case "cut":
                file.truncate(at)
            case "garbage":
                file.seek(at)
                file.write(rng.randbytes(end - at))
            case _:
                file.seek(at)
                file.write(bytes(min(_SECTOR_BYTES, frame_bytes, end - at)))
    return True


def lose_parts(folder: Path, rng: random.Random) -> bool:
    """The same for packages that are on their way to a place with this folder."""
    lost = False
    for part in sorted(folder.glob("*/coming-*")):
        size = part.stat().st_size
        certain = size // FLUSH_BYTES * FLUSH_BYTES
        if size == certain:
            continue
        lost = True
        at = rng.randrange(certain, size)
        with part.open("r+b") as file:
            if rng.random() < 0.5:
                file.truncate(at)
            else:  # the file had its length, and not yet its contents
                file.seek(at)
                file.write(bytes(size - at))
    return lost
