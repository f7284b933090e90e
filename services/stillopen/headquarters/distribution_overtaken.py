"""Logs that registers are ahead of, although their channels are not: headquarters was restored.

A channel that is ahead of its log says so when it asks for packages. One that lost its copy since
knows of nothing, and its registers would wait for a log to come to where they stand already; so
what they report is looked at, too.
"""

from collections.abc import Collection, Mapping

from stillopen.headquarters.distribution_logs import logs_of
from stillopen.headquarters.distribution_scopes import group_of
from stillopen.storage.engine import Session


class Overtaken:
    """The generations that came to an end because of a report."""

    def __init__(self) -> None:
        self.generations: frozenset[int] = frozenset()
        self._begun: set[int] = set()

    def note(self, generations: Collection[int]) -> bool:
        """Registers are ahead of these; whether that makes one of them end.

        Nobody is ahead of what this process began itself: a register that says so errs, and may
        not make headquarters begin again and again.
        """
        fresh = frozenset(generations) - self._begun - self.generations
        self.generations |= fresh
        return bool(fresh)

    def begun(self, generation: int, before: int) -> None:
        """A generation began, in the place of another."""
        self._begun = self._begun - {before} | {generation}
        self.generations -= {before}


def overtaken(session: Session, store_id: str, furthest: Mapping[int, int]) -> list[int]:
    """The generations of the logs of a store's group which end before its registers' place."""
    ends = [log.end for log in logs_of(session, group_of(session, store_id))]
    return [end.generation for end in ends if end.sequence < furthest.get(end.generation, 0)]
