"""Questions to the other end of a stream, and who waits for their answers."""

import asyncio

from stillopen.core.errors import Reason, Unreachable
from stillopen.replication.frames import QUESTIONS_MAX
from stillopen.replication.news import News
from stillopen.replication.server_half import ServerHalf
from stillopen.v1 import sync_pb2

ANSWER_S = 60.0
"""For how long an answer is waited for."""


class Questions:
    """Those of one stream. `wake` is told when there is something to send."""

    def __init__(self, half: ServerHalf, wake: News, name: str) -> None:
        self._half = half
        self._wake = wake
        self._name = name
        self._room = asyncio.Semaphore(QUESTIONS_MAX)
        self._waiting: dict[int, asyncio.Future[sync_pb2.Digests]] = {}
        self._closed = False

    async def ask(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """The answer, under the number that was asked; waits its turn when many ask."""
        try:
            async with asyncio.timeout(ANSWER_S), self._room:
                answer = await self._ask(asked)
        except TimeoutError:
            raise Unreachable(
                Reason.TIMED_OUT, f"{self._name} did not answer in {ANSWER_S:.0f} seconds"
            ) from None
        answer.number = asked.number
        return answer

    def answered(self, digests: sync_pb2.Digests) -> None:
        """An answer came."""
        waiting = self._waiting.get(digests.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(digests)

    def close(self) -> None:
        """The stream ended: nobody answers any more."""
        self._closed = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._gone())

    async def _ask(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        if self._closed:
            raise self._gone()
        number = self._half.ask(asked)
        answer: asyncio.Future[sync_pb2.Digests] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._wake.tell()
        try:
            return await answer
        finally:
            del self._waiting[number]
            self._half.give_up(number)

    def _gone(self) -> Unreachable:
        return Unreachable(Reason.UNREACHABLE, f"the stream of {self._name} ended")
