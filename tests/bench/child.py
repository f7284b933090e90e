"""A process that answers lines with JSON."""

import asyncio
import json
import os
import sys
from typing import Self, cast

ANSWER_BYTES_MAX = 2**24


class Child:
    """One of them, by its module and arguments. Use it with `async with`; leaving it ends it."""

    def __init__(self, *arguments: str, answers_in_s: float = 60.0) -> None:
        self._arguments = arguments
        self._answers_in_s = answers_in_s
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *self._arguments),
            stdin=pipe,
            stdout=pipe,
            limit=ANSWER_BYTES_MAX,
            env={**os.environ, "GRPC_VERBOSITY": "ERROR"},  # thousands that lose a server say so
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    @property
    def process_id(self) -> int:
        """The number of the process."""
        assert self._process is not None
        return self._process.pid

    def say(self, line: str = "") -> None:
        """Says a line."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def hears(self) -> object:
        """What it says next."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(self._answers_in_s):
            answer: object = json.loads(await self._process.stdout.readline())
            return answer

    async def hears_moment(self) -> float:
        """The moment that it says next."""
        return float(str(await self.hears()))

    async def hears_list(self) -> list[str]:
        """The list that it says next."""
        answer = await self.hears()
        assert isinstance(answer, list)
        return [str(each) for each in cast("list[object]", answer)]
