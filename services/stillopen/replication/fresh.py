"""Which logs have a snapshot that was made a short while ago, by this process."""

import asyncio

FRESH_S = 600.0
"""A newcomer may be taken through what was so long ago, on its way to what is now; no further."""


class Fresh:
    """Notes when snapshots were made."""

    def __init__(self) -> None:
        self._made_s: dict[int, float] = {}

    def note(self, generation: int) -> None:
        """One was made now."""
        self._made_s = {each: self._made_s[each] for each in self.generations()}
        self._made_s[generation] = asyncio.get_running_loop().time()

    def generations(self) -> frozenset[int]:
        """The generations of the logs that have one."""
        since_s = asyncio.get_running_loop().time() - FRESH_S
        return frozenset(each for each, made_s in self._made_s.items() if made_s > since_s)
