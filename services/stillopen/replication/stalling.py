"""A peer that is there and does not move, told by heartbeats, so that no clock is needed."""


class Stalling:
    """Counts whole intervals since something last moved while it was waited for."""

    def __init__(self) -> None:
        self._beats = 0

    def moved(self) -> None:
        """Something moved."""
        self._beats = 0

    def beat(self, *, waiting: bool) -> int:
        """A heartbeat: how many intervals passed since; 0 while nothing is waited for.

        The one in which it last moved does not count: a slow heartbeat may come right behind.
        """
        self._beats = self._beats + 1 if waiting else 0
        return max(0, self._beats - 1)
