"""A folder with one copy of headquarters' rows, and the shelf that its packages come to."""

from pathlib import Path

import pytest
from tests.support.notes import Opener
from tests.support.packages import shelf_in

from stillopen.core.errors import Reason, Refused
from stillopen.replication.copies import Copy, open_copy
from stillopen.replication.ports import Package
from stillopen.replication.scope import EVERYTHING, Scope


class Place:
    """A folder with a copy, and the shelf that its packages come to."""

    def __init__(self, folder: Path, opener: Opener) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        self.shelf = shelf_in(folder)
        self._opener = opener
        self.copy: Copy

    async def open(self, scope: Scope = EVERYTHING) -> Copy:
        """Opens the copy, as a process does when it starts."""
        self.copy = await open_copy(
            self.folder / "offline.db", self.shelf, self._opener, scope, self.warnings.append
        )
        return self.copy

    async def prices(self) -> dict[str, int]:
        """What the copy shows."""
        rows = await self.copy.read(lambda s: s.all("SELECT code, price_minor FROM product"))
        return dict(rows)

    def databases(self) -> list[str]:
        """The numbered files, and what was set aside."""
        return sorted(
            each.name
            for each in self.folder.glob("offline-*")
            if not each.name.endswith(("-wal", "-shm", ".lock"))
        )

    async def refuses(self, package: Package, data: bytes | None = None) -> str:
        """Why a package on the shelf, or with these bytes, is refused; nothing changes."""
        await self.copy.left()
        before = await self.prices(), self.copy.at, self.databases()
        with pytest.raises(Refused) as caught:
            await self.copy.apply(package, data)
        assert caught.value.reason is Reason.PACKAGE_DAMAGED
        assert (await self.prices(), self.copy.at, self.databases()) == before
        assert not list(self.shelf.folder.glob("scratch-*"))
        return caught.value.message
