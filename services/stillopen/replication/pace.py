"""How fast something goes, pure: a bucket that leaks at a rate, with room for one share.

1. Over any time no more goes than the rate allows in it, and one share.
2. The rate may be another at any time; 0 has no bound, and forgets what went before.
3. A share is what goes in a second at most, so that a slow rate is a steady one and another rate is
   noticed soon.
"""

SHARE_S = 1.0
SOON_S = 0.001
"""A wait so short is none: a clock may not tell it."""


class Pace:
    """One way of one stream. Time is any clock's that does not go back."""

    def __init__(self) -> None:
        self._owed_bytes = 0.0
        """What went and still has to leak."""
        self._seen_s = 0.0

    def wait_s(self, now_s: float, size_bytes: int, bytes_per_s: float) -> float:
        """So much went just now: how long until more may; asked with 0, how long it is still."""
        if bytes_per_s <= 0:
            self._owed_bytes, self._seen_s = 0.0, now_s
            return 0.0
        leaked = (now_s - self._seen_s) * bytes_per_s
        self._owed_bytes = max(0.0, self._owed_bytes - leaked) + size_bytes
        self._seen_s = now_s
        wait_s = self._owed_bytes / bytes_per_s
        return wait_s if wait_s > SOON_S else 0.0


def share(size_bytes: int, bytes_per_s: float) -> int:
    """How much of so much goes at a time."""
    if bytes_per_s <= 0:
        return size_bytes
    return min(size_bytes, max(1, int(bytes_per_s * SHARE_S)))
