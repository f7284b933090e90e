"""What many ask for at one moment is looked up once: a package that is news to thousands, say."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Asked = TypeVar("Asked", bound=Hashable)
Answer = TypeVar("Answer")


class Shared(Generic[Asked, Answer]):
    """The answers that are being looked up. Nothing is kept: who asks later asks anew."""

    def __init__(self, look_up: Callable[[Asked], Awaitable[Answer]]) -> None:
        self._look_up = look_up
        self._under_way: dict[Asked, asyncio.Task[Answer]] = {}

    async def __call__(self, asked: Asked) -> Answer:
        """The answer, also that which another waits for; one who gives up leaves it to the rest."""
        task = self._under_way.get(asked)
        if task is None:
            task = asyncio.create_task(self._look(asked), name="shared look")
            self._under_way[asked] = task
            task.add_done_callback(lambda done: self._done(asked, done))
        return await asyncio.shield(task)

    def anew(self) -> None:
        """What was asked for changed: who asks from now on does not share an earlier look."""
        self._under_way.clear()

    async def _look(self, asked: Asked) -> Answer:
        return await self._look_up(asked)

    def _done(self, asked: Asked, task: asyncio.Task[Answer]) -> None:
        if self._under_way.get(asked) is task:
            del self._under_way[asked]
        if not task.cancelled():
            task.exception()  # whoever waited has it; perhaps nobody does any more
