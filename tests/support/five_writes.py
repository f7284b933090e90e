"""Answers five writes: `python -m tests.support.five_writes DATABASE durable|careless`.

A line goes to standard output after each answer, with a system call of its own.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.notes import SCHEMA, add

from stillopen.storage.sqlite import open_sqlite

WRITES = 5


async def main(path: Path, *, durable: bool) -> None:
    """Writes, and says so after each answer."""
    engine = await open_sqlite(path, SCHEMA, durable=durable)
    os.write(1, b"answered 0\n")
    for number in range(1, WRITES + 1):
        await engine.write(add(f"note {number}"))
        os.write(1, f"answered {number}\n".encode())
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), durable=sys.argv[2] == "durable"))
