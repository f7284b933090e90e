"""What a stream asks of the source of its packages: one thing at a time, beside everything else.

A source may build a snapshot before it answers, or look at a whole file: entries are stored and
acknowledged meanwhile, and the client's silence is not taken for that of a busy server.
"""

import logging
from collections import deque
from collections.abc import Callable

from stillopen.core.errors import StillopenError
from stillopen.replication.news import News
from stillopen.replication.ports import Package, PackageSource
from stillopen.replication.sending import Declined, Offer, SendingEffect
from stillopen.replication.server_half import ServerHalf
from stillopen.rpc.shielded import to_its_end

LOG = logging.getLogger("stillopen.sync")


class Offers:
    """Those of one stream. `tell` is called when a package may have begun."""

    def __init__(
        self, half: ServerHalf, packages: PackageSource, name: str, tell: Callable[[], None]
    ) -> None:
        self._half = half
        self._packages = packages
        self._name = name
        self._tell = tell
        self._todo: deque[SendingEffect] = deque()
        self._added = News()

    def put(self, effect: SendingEffect) -> None:
        """Does this after what was put before; an offer takes the place of an earlier one."""
        if isinstance(effect, Offer):
            self._todo = deque(each for each in self._todo if not isinstance(each, Offer))
        self._todo.append(effect)
        self._added.tell()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            version = self._added.version
            while self._todo:
                match self._todo.popleft():
                    case Offer() as offer:
                        await self._look(offer)
                    case Declined(cursor, message):
                        # Noted, also when the stream ends meanwhile.
                        await to_its_end(self._packages.refused(self._name, cursor, message))
            await self._added.after(version)

    async def _look(self, offer: Offer) -> None:
        if offer != self._half.looking:
            return  # a package is under way since
        effects = await self._answer(offer)
        asked_again = bool(self._todo)
        # What was not there may be there by now: unless a package began, it begins with the first.
        for effect in self._half.look() if asked_again else effects:
            self.put(effect)
        self._tell()

    async def _answer(self, offer: Offer) -> list[SendingEffect]:
        try:
            package = await self._packages.newest(self._name, offer.cursor)
            whole = await self._whole(package) if package is not None else b""
            paused = package is None and (await self._packages.flow(self._name)).paused
        except StillopenError as error:
            # Journals go on: a source without room for a package may still have some for sales.
            LOG.warning("no package for %s: %s", self._name, error)
            return self._half.missed(offer)
        # No event tells that a pause ended: a heartbeat looks again.
        return self._half.missed(offer) if paused else self._half.offered(offer, package, whole)

    async def _whole(self, package: Package) -> bytes:
        """All of a small package; nothing where it is to go a block at a time."""
        if not self._half.takes_whole(package):
            return b""
        flow = await self._packages.flow(self._name)
        if flow.paused or flow.bytes_per_s_max:
            return b""
        data = await self._packages.block(package, 0, package.size)
        return data if len(data) == package.size else b""
