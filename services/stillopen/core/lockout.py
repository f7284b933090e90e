"""Guessing passwords: a name under which sign-ins fail again and again is locked out for a while.

Pure. Times are of the wall clock, because a lock-out has to survive a restart. A clock that goes
back never unlocks: what it left in its future is counted from now on, so that a name is locked out
for at most one whole period more. A clock that is put ahead unlocks; who can do that has the
machine.
"""

from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused

FAILURES_MAX = 5
"""So many a person mistypes on a bad day, and so few of any dictionary."""
WITHIN_S = 15 * 60.0
"""Failures count together within it."""
LOCKED_S = 15 * 60.0
"""Long enough that guessing a password takes years, short enough that a shift goes on."""
NAMES_MAX = 10_000
"""Names whose failures are kept. To push one out takes longer than it is locked."""


@dataclass(frozen=True, slots=True)
class Failures:
    """When sign-ins under one name failed, the latest last; a success forgets them all."""

    walls_s: tuple[float, ...] = ()

    @property
    def locked(self) -> bool:
        """Whether they are enough, and close enough together; for how long is `left_s`."""
        many = len(self.walls_s) >= FAILURES_MAX
        return many and self.walls_s[-1] - self.walls_s[0] <= WITHIN_S


NONE = Failures()


def seen(failures: Failures, now_s: float) -> Failures:
    """What still counts: nothing lies in the future, and what is long ago is forgotten."""
    walls_s = failures.walls_s
    if not walls_s:
        return failures
    back_s = max(0.0, walls_s[-1] - now_s)
    moved = tuple(wall_s - back_s for wall_s in walls_s)
    if Failures(moved).locked:
        return Failures(moved) if now_s - moved[-1] < LOCKED_S else NONE
    return Failures(tuple(wall_s for wall_s in moved if now_s - wall_s < WITHIN_S))


def left_s(failures: Failures, now_s: float) -> float:
    """For how long nobody signs in under the name; zero when it is not locked out."""
    counted = seen(failures, now_s)
    return counted.walls_s[-1] + LOCKED_S - now_s if counted.locked else 0.0


def check(failures: Failures, now_s: float) -> None:
    """Refused LOCKED_OUT, with how long, whether or not anybody has the name."""
    if (seconds := left_s(failures, now_s)) > 0:
        minutes = max(1, -int(-seconds // 60))
        raise Refused(
            Reason.LOCKED_OUT,
            "too many sign-ins failed: nobody signs in under this name for"
            f" {minutes} minute{'' if minutes == 1 else 's'}",
            "staff_id",
        )


def failed(failures: Failures, now_s: float) -> Failures:
    """After one more failure."""
    return Failures((*seen(failures, now_s).walls_s, now_s)[-FAILURES_MAX:])
