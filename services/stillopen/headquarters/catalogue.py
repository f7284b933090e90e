"""Headquarters' master data as HeadquartersService works with it: imports, lists, removal."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stillopen.headquarters.imports import Imports
from stillopen.headquarters.listings import Listing
from stillopen.headquarters.removal import ABOUT_PEOPLE, Removable, remove
from stillopen.replication.news import News
from stillopen.storage.engine import Engine, Session

V = TypeVar("V")


class Catalogue:
    """Products and what belongs to them, customers, tender types, staff."""

    def __init__(
        self, engine: Engine, news: News, people_changed: Callable[[], Awaitable[None]]
    ) -> None:
        self._engine = engine
        self._news = news
        self.people_changed = people_changed
        """Called after staff or roles changed."""
        self.imports = Imports(engine, news)

    async def page(self, listing: Listing[V], after: str, limit: int) -> tuple[list[V], str]:
        """A page of a list, and the token of the next."""
        return await listing.page(self._engine, after, limit)

    async def remove(self, kind: Removable, keys: list[str]) -> int:
        """Removes rows, all or none."""

        def work(session: Session) -> int:
            return remove(session, kind, keys)

        removed = await self._engine.write(work)
        self._news.tell()
        if kind in ABOUT_PEOPLE:
            await self.people_changed()
        return removed
