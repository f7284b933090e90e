"""What headquarters heard of the replicas of channels: where each stands, what it refused.

A channel has its own replica, and one for each scope that its registers need beside it.
"""

from dataclasses import dataclass, replace

from stillopen.core.ports import Clock
from stillopen.replication.package_log import generation_text
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import Scope
from stillopen.storage.engine import Engine, Session

STEP: tuple[str, ...] = (
    """CREATE TABLE channel_heard (
         store_id TEXT NOT NULL,
         excluded TEXT NOT NULL,
         schema_version INTEGER NOT NULL,
         generation TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         heard_wall_s REAL NOT NULL,
         refusal TEXT NOT NULL,
         PRIMARY KEY (store_id, excluded, schema_version)) STRICT, WITHOUT ROWID""",
)
"""The statements that make the table: one row a replica, however many packages there are."""


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
        self._known: dict[tuple[str, Scope], ChannelHeard] = {}
        self._sending: dict[tuple[str, Scope], int] = {}

    @property
    def sending(self) -> frozenset[str]:
        """The stores whose channel's own replica has a package on its way."""
        return frozenset(store for store, scope in self._sending if not scope.excluded)

    async def stands(self, store_id: str, cursor: Cursor) -> None:
        """A replica of a channel stands there."""
        key = (store_id, cursor.scope)
        known = self._known.get(key, ChannelHeard())
        if not cursor.generation and known.generation:
            return  # asked for a snapshot; it stands where it stood
        if cursor.generation and not cursor.digest:
            return  # the same in the place of a delta that it refused: nobody stands there
        there = (generation_text(cursor.generation), cursor.sequence)
        if key not in self._known or there != (known.generation, known.sequence):
            await self._keep(*key, ChannelHeard(*there, self._clock.wall_s()))

    async def refused(self, store_id: str, scope: Scope, why: str) -> None:
        """A replica of a channel kept what it had."""
        key = (store_id, scope)
        self._sending.pop(key, None)
        known = self._known.get(key, ChannelHeard())
        heard_wall_s = self._clock.wall_s()
        await self._keep(*key, replace(known, heard_wall_s=heard_wall_s, refusal=why[:200]))

    def sends(self, store_id: str, scope: Scope, package: Package | None) -> None:
        """A package is on its way, or nothing is any more."""
        self._sending.pop((store_id, scope), None)
        if package is not None:
            self._sending[store_id, scope] = package.cursor.sequence

    def forget(self, generation: int) -> None:
        """A log is gone: whoever stood on it may say so again."""
        name = generation_text(generation)
        for key in [key for key, heard in self._known.items() if heard.generation == name]:
            del self._known[key]

    async def _keep(self, store_id: str, scope: Scope, heard: ChannelHeard) -> None:
        def put(session: Session) -> None:
            session.run(
                "INSERT OR REPLACE INTO channel_heard VALUES (?,?,?,?,?,?,?)",
                store_id,
                scope.text,
                scope.version,
                heard.generation,
                heard.sequence,
                heard.heard_wall_s,
                heard.refusal,
            )

        self._known[store_id, scope] = heard
        await self._engine.write(put)


def heard_of(session: Session, store_id: str) -> ChannelHeard:
    """What was heard last of the own replica of a store's channel."""
    row = session.one(
        "SELECT generation, sequence, heard_wall_s, refusal FROM channel_heard"
        " WHERE store_id = ? AND excluded = '' ORDER BY schema_version DESC LIMIT 1",
        store_id,
    )
    return ChannelHeard(*row) if row else ChannelHeard()


def forget_heard(session: Session, generation: int) -> None:
    """Forgets who stood on a log of some tables only that is gone."""
    session.run(
        "DELETE FROM channel_heard WHERE generation = ? AND excluded <> ''",
        generation_text(generation),
    )
