"""News: lets any number of tasks wait until something changed, without missing or counting it."""

import asyncio


class News:
    """A version that rises, and those who wait for the next one."""

    def __init__(self) -> None:
        self.version = 0
        self._next: asyncio.Future[None] | None = None

    def tell(self) -> None:
        """Something changed."""
        self.version += 1
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def after(self, version: int) -> int:
        """Waits until there is a version after `version` and returns it."""
        while self.version <= version:
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._next)
        return self.version
