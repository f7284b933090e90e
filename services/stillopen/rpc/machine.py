"""The machine itself: its clocks and its randomness. Only programs that are put together use it."""

import random
import time
from pathlib import Path


class SystemClock:
    """The clocks of this machine."""

    def wall_s(self) -> float:
        """Seconds since 1970."""
        return time.time()  # noqa: TID251 - this is the clock

    def elapsed_s(self) -> float:
        """Seconds that count suspend; on systems without such a clock, the monotonic one."""
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime(clock)

    def boot_id(self) -> str:
        """The kernel's id of this boot; empty where there is none."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""


def system_random() -> random.Random:
    """Randomness of the operating system: keys and numbers are bearer money."""
    return random.SystemRandom()
