"""What headquarters heard of the replicas of channels: where each stands, what it refused."""

from dataclasses import dataclass, replace

from stillopen.core.ports import Clock
from stillopen.replication.package_log import generation_text
from stillopen.replication.ports import Cursor, Package
from stillopen.storage.engine import Engine, Session

STEP: tuple[str, ...] = (
    """CREATE TABLE channel_heard (
         store_id TEXT PRIMARY KEY,
         generation TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         heard_wall_s REAL NOT NULL,
         refusal TEXT NOT NULL) STRICT, WITHOUT ROWID""",
)
"""The statements that make the table: one row a channel, however many packages there are."""


@dataclass(frozen=True, slots=True)
class ChannelHeard:
    """Where a channel's replica stands, as it said itself."""

    generation: str = ""
    sequence: int = 0
    heard_wall_s: float = 0.0
    refusal: str = ""


class Heard:
    """What channels say; what is kept changes only when they say another thing."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._known: dict[str, ChannelHeard] = {}
        self.sending: dict[str, int] = {}
        """The sequence of the package that is on its way to a store's channel."""

    async def stands(self, store_id: str, cursor: Cursor) -> None:
        """A channel's replica stands there."""
        known = self._known.get(store_id, ChannelHeard())
        if not cursor.generation and known.generation:
            return  # asked for a snapshot; it stands where it stood
        there = (generation_text(cursor.generation), cursor.sequence)
        if store_id not in self._known or there != (known.generation, known.sequence):
            await self._keep(store_id, ChannelHeard(*there, self._clock.wall_s()))

    async def refused(self, store_id: str, why: str) -> None:
        """A channel's replica kept what it had."""
        self.sending.pop(store_id, None)
        known = self._known.get(store_id, ChannelHeard())
        heard_wall_s = self._clock.wall_s()
        await self._keep(store_id, replace(known, heard_wall_s=heard_wall_s, refusal=why[:200]))

    def sends(self, store_id: str, package: Package | None) -> None:
        """A package is on its way, or nothing is any more."""
        self.sending.pop(store_id, None)
        if package is not None:
            self.sending[store_id] = package.cursor.sequence

    async def _keep(self, store_id: str, heard: ChannelHeard) -> None:
        def put(session: Session) -> None:
            session.run(
                "INSERT OR REPLACE INTO channel_heard VALUES (?,?,?,?,?)",
                store_id,
                heard.generation,
                heard.sequence,
                heard.heard_wall_s,
                heard.refusal,
            )

        self._known[store_id] = heard
        await self._engine.write(put)


def heard_of(session: Session, store_id: str) -> ChannelHeard:
    """What was heard last of a store's channel."""
    row = session.one(
        "SELECT generation, sequence, heard_wall_s, refusal FROM channel_heard WHERE store_id = ?",
        store_id,
    )
    return ChannelHeard(*row) if row else ChannelHeard()
