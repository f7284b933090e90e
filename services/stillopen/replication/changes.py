"""Which lanes changed since when, so that a stream looks at those and not at all."""

from collections.abc import Iterable

from stillopen.core.journal import Lane
from stillopen.replication.news import News


class Changes:
    """News of lanes: a version that rises, and what each version was about."""

    def __init__(self) -> None:
        self.news = News()
        self._at: dict[Lane, int] = {}
        """The version at which a lane changed last; the newest lane is the last."""

    def tell(self, lanes: Iterable[Lane] = ()) -> None:
        """These lanes changed."""
        for lane in lanes:
            self._at.pop(lane, None)
            self._at[lane] = self.news.version + 1
        self.news.tell()

    def since(self, version: int) -> list[Lane]:
        """The lanes that changed after a version of the news, the newest first."""
        found: list[Lane] = []
        for lane, at in reversed(self._at.items()):
            if at <= version:
                break
            found.append(lane)
        return found
