"""Two processes that use one name by turns: each connects, and so ends the other's stream."""

from dataclasses import dataclass

WINDOW_S = 600.0
KEPT_MAX = 8


@dataclass(slots=True)
class _Seen:
    instance: int
    until_s: float
    """When another took its place; for the newest, when it was met."""


class Turns:
    """Who spoke under each name, as far back as the window reaches. Times of one steady clock."""

    def __init__(self) -> None:
        self._seen: dict[str, list[_Seen]] = {}

    def met(self, name: str, instance: int, now_s: float) -> bool:
        """Notes who speaks; True when it spoke before and another did meanwhile.

        A process that connects again, and one that was started anew, are no alarm. 0 is nobody.
        """
        if not instance:
            return False
        seen = self._seen.setdefault(name, [])
        if seen:
            seen[-1].until_s = now_s
            if seen[-1].instance == instance:
                return False
        recent = [each for each in seen if now_s - each.until_s <= WINDOW_S]
        back = any(each.instance == instance for each in recent)
        recent = [each for each in recent if each.instance != instance]
        self._seen[name] = [*recent[1 - KEPT_MAX :], _Seen(instance, now_s)]
        return back
