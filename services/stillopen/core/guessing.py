"""Guessing numbers and codes: who asks for too many that do not exist is made to wait.

Pure; times are seconds on any clock that does not go back.
"""

from collections import OrderedDict
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused

UNKNOWN_MAX = 20
"""Unknown numbers that a caller may ask for at once; a cashier mistypes a few."""
PER_UNKNOWN_S = 3.0
"""After so many seconds one of them is forgotten."""
CALLERS_MAX = 10_000


@dataclass(slots=True)
class _Asked:
    unknown: float
    since_s: float


class Guesses:
    """How many unknown numbers each caller asked for lately; bounded."""

    def __init__(self, what: str = "card numbers") -> None:
        self._what = what
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    def check(self, caller: str, now_s: float) -> None:
        """Refuses a caller that has asked for too many: Refused TOO_MANY_UNKNOWN."""
        if self._now(caller, now_s) >= UNKNOWN_MAX:
            raise Refused(Reason.TOO_MANY_UNKNOWN, f"too many unknown {self._what}; wait a minute")

    def unknown(self, caller: str, now_s: float) -> None:
        """The caller asked for a number that does not exist."""
        self._asked[caller] = _Asked(self._now(caller, now_s) + 1, now_s)
        self._asked.move_to_end(caller)
        while len(self._asked) > CALLERS_MAX:
            self._asked.popitem(last=False)

    def _now(self, caller: str, now_s: float) -> float:
        asked = self._asked.get(caller)
        if asked is None:
            return 0.0
        return max(0.0, asked.unknown - (now_s - asked.since_s) / PER_UNKNOWN_S)
