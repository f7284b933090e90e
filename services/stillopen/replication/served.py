"""Seconds served: a clock that neither down-time nor a jump of the wall clock moves."""

import asyncio


class ServedClock:
    """Goes on from what was saved, while the process runs. Whoever has one saves it."""

    def __init__(self, served_s: float) -> None:
        self._served_s = served_s
        self._started_s = asyncio.get_running_loop().time()

    def now_s(self) -> float:
        """Seconds served until now."""
        return self._served_s + asyncio.get_running_loop().time() - self._started_s
