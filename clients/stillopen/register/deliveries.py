"""When something was last delivered each way, and how old the register's data is."""

import asyncio
import contextlib

from stillopen.core.errors import StillopenError
from stillopen.core.ports import Clock
from stillopen.register.journal import Journal
from stillopen.replication.client import SyncClient
from stillopen.replication.replica import Replica

_PACKAGE, _HEARD = "last_package_wall_s", "last_heard_wall_s"


class Deliveries:
    """Kept in journal.db, so that a register started without its channel still knows."""

    def __init__(self, journal: Journal, replica: Replica, link: SyncClient, clock: Clock) -> None:
        self._journal = journal
        self._replica = replica
        self._link = link
        self._clock = clock
        self.package_wall_s: float | None = None
        """When master data last came down."""
        self._heard_wall_s: float | None = None

    @property
    def acknowledged_wall_s(self) -> float | None:
        """When the channel last took entries, or headquarters was known to have more."""
        return self._journal.acknowledged_wall_s

    @property
    def data_age_s(self) -> float | None:
        """For how long the channel was not heard, as of when the data is known to be its data."""
        if not self._replica.at.generation:
            return None
        heard_s = self._link.heard_s
        if heard_s > float("-inf"):
            return asyncio.get_running_loop().time() - heard_s
        known = [at_s for at_s in (self._heard_wall_s, self.package_wall_s) if at_s is not None]
        return max(0.0, self._clock.wall_s() - max(known)) if known else None

    async def load(self) -> None:
        """Reads what the last process knew."""
        self.package_wall_s = _moment(await self._journal.get(_PACKAGE))
        self._heard_wall_s = _moment(await self._journal.get(_HEARD))

    async def note_packages(self) -> None:
        """Notes each package that is applied."""
        version = self._replica.news.version
        while True:
            version = await self._replica.news.after(version)
            self.package_wall_s = self._clock.wall_s()
            await self._keep(_PACKAGE, self.package_wall_s)

    async def note_link(self) -> None:
        """Notes when the link was lost: until then the data was the channel's."""
        was_up = False
        version = self._link.news.version
        while True:
            if was_up and not self._link.up:
                await self.note_heard()
            was_up = self._link.up
            version = await self._link.news.after(version)

    async def note_heard(self) -> None:
        """Notes when the channel was last heard by this process, if it was."""
        heard_s = self._link.heard_s
        if heard_s > float("-inf"):
            ago_s = asyncio.get_running_loop().time() - heard_s
            await self._keep(_HEARD, self._clock.wall_s() - ago_s)

    async def _keep(self, name: str, wall_s: float) -> None:
        with contextlib.suppress(StillopenError):  # a full disk: the age is then overstated
            await self._journal.set(name, repr(wall_s))


def _moment(text: str) -> float | None:
    return float(text) if text else None
