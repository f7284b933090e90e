"""Where what comes down a stream lands: bytes on the shelf, whole packages in the replica. Thin.

1. A package is finished and applied aside, so that journals go up meanwhile.
2. What fails is said, and ends no stream.
3. Where replicas stand is not read while one moves, nor on the stream that comes next.
4. What came whole is applied, also when the stream ends meanwhile; what did not stays on the shelf,
   and the next stream goes on behind it. Of what was refused no file stays.
"""

import asyncio

from stillopen.core.errors import StillopenError
from stillopen.replication.client_half import ClientHalf, Digest
from stillopen.replication.news import News
from stillopen.replication.ports import Arriving, Package, PackageSink
from stillopen.replication.receiving import Apply, Begin, Drop, ReceivingEffect, Take
from stillopen.rpc.shielded import to_its_end
from stillopen.v1 import sync_pb2

DIGESTS_AT_ONCE = 4
"""Questions that are being answered at a time; the others wait."""


class Landing:
    """One connection's packages and questions. Its tasks belong to the connection's group.

    `moving` is held while replicas move or are looked at, by whichever connection.
    """

    def __init__(
        self,
        half: ClientHalf,
        wake: News,
        replica: PackageSink,
        group: asyncio.TaskGroup,
        moving: asyncio.Lock,
    ) -> None:
        self._half = half
        self._wake = wake
        self._replica = replica
        self._group = group
        self._moving = moving
        self._coming: tuple[Package, Arriving] | None = None
        self._digesting = asyncio.Semaphore(DIGESTS_AT_ONCE)

    async def carry_out(self, effect: ReceivingEffect | Digest) -> None:
        """Does what the half asks for."""
        match effect:
            case Begin(package, offset):
                await to_its_end(self._begin(package, offset))
            case Take(data):
                if self._coming is not None:
                    await to_its_end(self._take(*self._coming, data))
            case Drop():
                self._drop()
            case Apply(package):
                if self._coming is not None:
                    self._group.create_task(self._apply(self._coming[1], package))
                self._coming = None
            case Digest(asked):
                self._group.create_task(self._digest(asked))

    async def watch(self, known: int) -> None:
        """Says where replicas stand, whenever that is news to the server."""
        while True:
            known = await self._replica.news.after(known)
            await self._stand()

    async def look(self) -> None:
        """Notices a replica that went without a word, by a person's hand say."""
        if not self._moving.locked():
            await self._stand()

    def end(self) -> None:
        """The stream ended: what is not being applied waits on the shelf for the next stream."""
        self._coming = None

    def _drop(self) -> None:
        if self._coming is not None:
            self._coming[1].drop()
        self._coming = None

    async def _stand(self) -> None:
        async with self._moving:
            self._half.stand(await self._replica.cursors())
        self._wake.tell()

    async def _begin(self, package: Package, offset: int) -> None:
        try:
            self._coming = package, await self._replica.receive(package, offset)
        except StillopenError as error:
            self._half.refused(package.cursor, error)

    async def _take(self, package: Package, coming: Arriving, data: bytes) -> None:
        try:
            await coming.write(data)
        except StillopenError as error:
            self._drop()
            self._half.refused(package.cursor, error)
        else:
            self._half.taken(coming.there)

    async def _apply(self, coming: Arriving, package: Package) -> None:
        await to_its_end(self._finish_and_apply(coming, package))

    async def _finish_and_apply(self, coming: Arriving, package: Package) -> None:
        async with self._moving:
            try:
                await self._finish(coming)
                await self._replica.apply(package)
            except StillopenError as error:
                self._half.refused(package.cursor, error)
            else:
                self._half.applied(package.cursor)
        self._wake.tell()

    async def _finish(self, coming: Arriving) -> None:
        try:
            await coming.finish()
        except BaseException:
            coming.drop()
            raise

    async def _digest(self, asked: sync_pb2.DigestsAsked) -> None:
        async with self._digesting:
            try:
                digests = await self._replica.digests(asked)
            except StillopenError as error:
                digests = sync_pb2.Digests(refusal=str(error))
        digests.number = asked.number
        self._half.digested(digests)
        self._wake.tell()
