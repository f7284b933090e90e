"""What the channel's clock shows, as far as the register can tell; its own may be years off.

Wall time orders, deduplicates, purges and authorises nothing (protocol rule 21). It is written into
entries as information, and people are told when it cannot be right.
"""

from stillopen.core.ports import Clock

SUSPECT_S = 86_400.0
"""A register whose clock is further from its channel's is not believed."""


class ServerTime:
    """The channel's clock, carried on by the clock of this machine that counts suspend."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_s: float | None = None
        self._boot_id = ""

    def heard(self, server_wall_s: float) -> None:
        """The channel just said what its clock shows."""
        self._ahead_s = server_wall_s - self._clock.elapsed_s()
        self._boot_id = self._clock.boot_id()

    @property
    def wall_s(self) -> float | None:
        """What the channel's clock shows now; nothing before it was heard in this boot."""
        if self._ahead_s is None or self._boot_id != self._clock.boot_id():
            return None
        return self._ahead_s + self._clock.elapsed_s()

    @property
    def suspect(self) -> bool:
        """Whether this machine's clock is more than a day from the channel's."""
        server_s = self.wall_s
        return server_s is not None and abs(server_s - self._clock.wall_s()) > SUSPECT_S
