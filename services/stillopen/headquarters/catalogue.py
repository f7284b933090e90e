"""Headquarters' master data as HeadquartersService works with it: imports, lists, removal."""

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stillopen.headquarters.audit import Doer
from stillopen.headquarters.credentials import end_sessions
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

    async def remove(self, kind: Removable, keys: list[str], doer: Doer) -> int:
        """Removes rows, all or none; that of people and roles is audited."""

        def work(session: Session) -> int:
            if kind in ABOUT_PEOPLE:
                end_sessions(session, "SELECT value FROM json_each(?)", json.dumps(keys))
                for key in keys:
                    doer.note(session, "REMOVE", f"{kind.table.name} {key}")
            return remove(session, kind, keys)

        removed = await self._engine.write(work)
        self._news.tell()
        if kind in ABOUT_PEOPLE:
            await self.people_changed()
        return removed
