"""News: lets any number of tasks wait until something changed, without missing or counting it."""

import asyncio


class News:
    """A version that rises, and those who wait for the next one.

    Each waits for itself: thousands who stop waiting at once cost no more than one after another.
    """

    def __init__(self) -> None:
        self.version = 0
        self._waiting: dict[asyncio.Future[None], None] = {}

    def tell(self) -> None:
        """Something changed."""
        self.version += 1
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def after(self, version: int) -> int:
        """Waits until there is a version after `version` and returns it."""
        while self.version <= version:
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[told] = None
            try:
                await told
            finally:
                self._waiting.pop(told, None)
        return self.version
