"""A new file that is flushed a part at a time, while the next is written.

One large flush at the end would make a sale wait for the disk.
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Self

FLUSH_BYTES = 2**20
"""So much is flushed at a time, and as much may be written meanwhile."""


class Written:
    """A new file that its owner alone may read. Use it with `with`.

    What is read once and removed need not be durable.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._durable = durable
        self._unflushed = 0
        self._behind: ThreadPoolExecutor | None = None
        self._flushing: Future[None] | None = None
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._behind is not None:
            self._behind.shutdown()
        self._file.close()

    def write(self, data: bytes) -> int:
        """Writes, and now and then has a part flushed; raises what the flush before it did."""
        self._file.write(data)
        self.size += len(data)
        self._unflushed += len(data)
        if self._durable and self._unflushed >= FLUSH_BYTES:
            self._flush_behind()
        return len(data)

    def finish(self) -> None:
        """Everything is flushed when it returns."""
        self._file.flush()
        self._flushed()
        if self._durable:
            os.fsync(self._file.fileno())

    def _flush_behind(self) -> None:
        self._file.flush()
        self._flushed()
        if self._behind is None:
            self._behind = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._flushing = self._behind.submit(os.fdatasync, self._file.fileno())
        self._unflushed = 0

    def _flushed(self) -> None:
        if self._flushing is not None:
            self._flushing.result()
        self._flushing = None
