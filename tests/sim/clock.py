"""Clocks of simulated machines: each wrong in its own way, all driven by the loop's time."""

import asyncio

WALL_AT_START_S = 1_800_000_000.0


class SimClock:
    """The clocks of one machine; a `Clock` of `stillopen.core.ports`.

    The loop's time 0 is the machine's first boot. Loop timers run at one pace for all machines:
    only what a machine reads from its clock drifts, jumps and counts suspend.
    """

    def __init__(self, machine: str, *, wall_offset_s: float = 0.0, drift: float = 1.0) -> None:
        self._machine = machine
        self._drift = drift
        self._wall_ahead_s = WALL_AT_START_S + wall_offset_s
        self._slept_s = 0.0
        self._boots = 1
        self._elapsed_at_boot_s = 0.0

    def wall_s(self) -> float:
        """Seconds since 1970, as this machine believes."""
        return self._wall_ahead_s + self._since_start_s()

    def elapsed_s(self) -> float:
        """Seconds since this boot, suspend included."""
        return self._since_start_s() - self._elapsed_at_boot_s

    def boot_id(self) -> str:
        """Another string after each reboot."""
        return f"{self._machine}-boot-{self._boots}"

    def jump(self, seconds: float) -> None:
        """Sets the wall clock forward or, with a negative number, back. Nothing else notices."""
        self._wall_ahead_s += seconds

    def suspend(self, seconds: float) -> None:
        """The machine slept: both its clocks went on, its timers (the loop's) did not."""
        if seconds < 0:
            raise ValueError("time asleep is not negative")
        self._slept_s += seconds

    def reboot(self) -> None:
        """Another boot begins now; the wall clock goes on."""
        self._boots += 1
        self._elapsed_at_boot_s = self._since_start_s()

    def _since_start_s(self) -> float:
        return asyncio.get_running_loop().time() * self._drift + self._slept_s
