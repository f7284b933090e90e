"""Entries received, at a channel or at headquarters: stored once, in the bytes they came in.

1. An entry is stored under (register, epoch, sequence). The same key with another digest is kept
   beside the first as a conflict; it never overwrites.
2. How far each lane is here is in `replication/lanes.py`.
3. What is stored is STORED, then APPLIED or QUARANTINED. DAMAGED bytes are kept and not applied.
   Why and since when something is in no effect is in `replication/quarantine.py`.
"""

from collections.abc import Mapping
from dataclasses import replace

from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.core.lanes import Alarm, AlarmKind
from stillopen.core.ports import Clock
from stillopen.replication import lanes, quarantine
from stillopen.replication.alarms import note_conflicts, note_parent, raise_alarm
from stillopen.replication.changes import Changes
from stillopen.replication.lanes import lane_key
from stillopen.replication.news import News
from stillopen.replication.quarantine import Arrived
from stillopen.storage.engine import Engine, Row, Session

STEP: tuple[str, ...] = (
    """CREATE TABLE entry (
         arrival INTEGER PRIMARY KEY,
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         parent_digest BLOB NOT NULL,
         digest BLOB NOT NULL,
         payload BLOB NOT NULL,
         state TEXT NOT NULL DEFAULT 'STORED',
         UNIQUE (register_id, epoch, sequence)) STRICT""",
    "CREATE INDEX entry_to_apply ON entry (arrival) WHERE state = 'STORED'",
    "CREATE INDEX entry_not_applied ON entry (state) WHERE state IN ('QUARANTINED', 'DAMAGED')",
    """CREATE TABLE entry_conflict (
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         parent_digest BLOB NOT NULL,
         digest BLOB NOT NULL,
         payload BLOB NOT NULL,
         PRIMARY KEY (register_id, epoch, sequence, digest)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE lane (
         register_id TEXT NOT NULL,
         epoch TEXT NOT NULL,
         first INTEGER NOT NULL,
         head INTEGER NOT NULL,
         head_digest BLOB NOT NULL,
         through INTEGER NOT NULL,
         headquarters_through INTEGER NOT NULL,
         headquarters_knows INTEGER NOT NULL,
         purge_through INTEGER NOT NULL,
         contact_wall_s REAL NOT NULL,
         PRIMARY KEY (register_id, epoch)) STRICT, WITHOUT ROWID""",
)
"""The statements that make the tables; a schema's step includes them."""

NEVER_S = 0.0
"""Before every moment: a register that was not heard."""

ARRIVAL_MAX = 2**63 - 1
CONFLICTS_MAX = 1_000
"""More than these in one estate are for people first."""

_ENTRY = "register_id, epoch, sequence, parent_digest, digest, payload"


class Inbox:
    """The entries that a server received. `last` says that nothing lies beyond (headquarters)."""

    def __init__(self, engine: Engine, clock: Clock, *, last: bool) -> None:
        self.engine = engine
        self.changes = Changes()
        self.came = 0
        """How many batches came since it was opened."""
        self.registers: set[str] = set()
        """The registers that a lane is known of."""
        self.recovering: list[tuple[Lane, int, int]] = []
        """Lanes that were further before headquarters was restored: where each is, and was."""
        self._clock = clock
        self._last = last
        self._to_tell: dict[Lane, bool] = {}
        """Lanes to tell of with the next heartbeat, and whether their register was heard."""

    @property
    def news(self) -> News:
        """Told when what is stored here or at headquarters changed."""
        return self.changes.news

    def wall_s(self) -> float:
        """Wall time, for people."""
        return self._clock.wall_s()

    async def load(self) -> None:
        """Reads which registers are known."""
        rows = await self.engine.read(
            lambda session: session.all("SELECT DISTINCT register_id FROM lane")
        )
        self.registers = {row[0] for row in rows}
        await self.look_for_recovery()

    async def claim(self, heads: list[Head], *, by_file: bool = False) -> list[Stored]:
        """Notes how long lanes say they are; the highest claim is kept.

        What comes by file says nothing of when a register was heard.
        """
        wall_s = self._clock.wall_s()

        def put(session: Session) -> tuple[list[Lane], list[Stored]]:
            for head in heads if by_file else ():
                lanes.begin(session, head.lane, NEVER_S, last=self._last)
            # What a process that is known claims less of, it said before and a link kept it back.
            anew = not self._last and lanes.is_new(session, [head.lane for head in heads])
            moved = [
                head.lane
                for head in heads
                if lanes.claim(session, head, wall_s, last=self._last, compares=anew)
            ]
            return moved, [lanes.stored(session, head.lane) for head in heads]

        if not heads:
            return []
        moved, stored = await self.engine.write(put)
        self.registers.update(head.lane.register_id for head in heads)
        if not self._last:
            self._to_tell.update((head.lane, True) for head in heads if head.heard)
        elif any(h.believed > s.through for h, s in zip(heads, stored, strict=True)):
            await self.look_for_recovery()
        if moved:
            self.changes.tell(moved)
        return stored

    async def receive(
        self,
        entries: list[Entry],
        damaged: list[Entry],
        heard_s: Mapping[Lane, float] | None = None,
    ) -> list[Stored]:
        """Stores a batch in one transaction and says what is here of its lanes.

        `heard_s` is for what comes by file: when the registers of lanes were heard, as far as the
        entries tell. Without it they are heard now.
        """
        wall_s = self._clock.wall_s()
        found = list(dict.fromkeys(entry.lane for entry in (*entries, *damaged)))

        def heard(lane: Lane) -> float:
            return wall_s if heard_s is None else min(wall_s, heard_s.get(lane, NEVER_S))

        def put(session: Session) -> list[Stored]:
            for lane in found:
                lanes.begin(session, lane, heard(lane), last=self._last)
            _insert(session, entries, "STORED", wall_s)
            _insert(session, damaged, "DAMAGED", wall_s)
            stored = [
                lanes.arrived(
                    session,
                    lane,
                    wall_s,
                    last=self._last,
                    heard_s=None if heard_s is None else heard(lane),
                )
                for lane in found
            ]
            for first in (entry for entry in entries if entry.sequence == 1):
                note_parent(session, first, wall_s)
            return stored

        stored = await self.engine.write(put)
        self.came += 1
        self.registers.update(lane.register_id for lane in found)
        if self.recovering:
            await self.look_for_recovery()
        self.changes.tell(found)
        return stored

    async def look_for_recovery(self) -> None:
        """Reads which lanes headquarters waits for since it was restored."""
        rows = await self.engine.read(lanes.recovering)
        self.recovering = [(Lane(r[0], int(r[1], 16)), r[2], r[3]) for r in rows]

    async def took_turns(self, name: str, instance: int) -> None:
        """Keeps that a caller of this name came back after another had taken its place.

        Its claim, which follows, has headquarters told.
        """
        lane, wall_s = Lane(name, instance), self._clock.wall_s()
        detail = "came back after another process under the same name had taken its place"
        alarm = Alarm(lane, AlarmKind.TAKES_TURNS, detail)
        await self.engine.write(lambda session: raise_alarm(session, alarm, wall_s))

    async def stored(self, of: list[Lane]) -> list[Stored]:
        """What is here of each lane."""
        return await self.engine.read(lambda session: [lanes.stored(session, each) for each in of])

    def changed(self, since: int) -> list[Lane]:
        """The lanes that changed after a version of the news."""
        return self.changes.since(since)

    async def heads(self) -> list[Head]:
        """Every lane that headquarters has not held for long enough, as far as it is here."""
        also = list(self._to_tell)
        return self._heard(await self.engine.read(lambda session: lanes.heads(session, also)))

    async def moved(self) -> list[Head]:
        """The lanes that headquarters lacks something of, and those to tell of since the last."""
        also = list(self._to_tell)
        return self._heard(await self.engine.read(lambda session: lanes.unfinished(session, also)))

    def _heard(self, heads: list[Head]) -> list[Head]:
        """The same, each with whether its register was heard; said once."""
        return [replace(h, heard=self._to_tell.pop(h.lane, False)) for h in heads]

    async def read(self, lane: Lane, after: int, entries_max: int, bytes_max: int) -> list[Entry]:
        """The entries that follow `after`, cut by count and bytes, at least one."""
        return await self.engine.read(
            lambda session: read_entries(session, "entry", lane, after, entries_max, bytes_max)
        )

    async def conflicts(self) -> list[Entry]:
        """Entries that came under a key another has; kept, and sent on beside the first."""
        rows = await self.engine.read(
            lambda session: session.all(
                f"SELECT {_ENTRY} FROM entry_conflict LIMIT ?",  # noqa: S608 - constants
                CONFLICTS_MAX,
            )
        )
        return [entry_of(row) for row in rows]

    async def remember(self, words: list[Stored]) -> None:
        """Takes headquarters' word on what it has."""

        def put(session: Session) -> None:
            session.run_many(
                "UPDATE lane SET headquarters_through = ?, purge_through = ?,"
                " headquarters_knows = 1 WHERE register_id = ? AND epoch = ?",
                [(s.headquarters_through, s.purge_through, *lane_key(s.lane)) for s in words],
            )

        await self.engine.write(put)
        self.changes.tell(word.lane for word in words)

    async def to_apply(self, after: int, limit: int, through: int = ARRIVAL_MAX) -> list[Arrived]:
        """Entries that are stored and not applied, by arrival, behind `after` and to `through`."""

        def read(session: Session) -> list[Arrived]:
            rows = session.each(
                f"SELECT arrival, {_ENTRY} FROM entry WHERE state = 'STORED'"  # noqa: S608
                " AND arrival > ? AND arrival <= ? ORDER BY arrival LIMIT ?",
                after,
                through,
                limit,
            )
            return [quarantine.arrived_of(row) for row in quarantine.bounded(rows, 6)]

        return await self.engine.read(read)


async def open_inbox(engine: Engine, clock: Clock, *, last: bool) -> Inbox:
    """The inbox on an open database; `last` at headquarters, where nothing lies beyond."""
    inbox = Inbox(engine, clock, last=last)
    await inbox.load()
    return inbox


def read_entries(
    session: Session, table: str, lane: Lane, after: int, entries_max: int, bytes_max: int
) -> list[Entry]:
    """Entries of a lane from a table with the columns of `entry`, cut by count and bytes."""
    rows = session.each(
        f"SELECT sequence, parent_digest, digest, payload FROM {table}"  # noqa: S608 - constants
        " WHERE register_id = ? AND epoch = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        *lane_key(lane),
        after,
        entries_max,
    )
    found: list[Entry] = []
    size = 0
    for sequence, parent_digest, digest, payload in rows:
        size += len(payload)
        if found and size > bytes_max:
            break
        found.append(Entry(lane, sequence, parent_digest, digest, payload))
    return found


def entry_of(row: Row) -> Entry:
    """An entry from its columns."""
    return Entry(Lane(row[0], int(row[1], 16)), row[2], row[3], row[4], row[5])


def mark(session: Session, arrivals: list[int], state: str) -> None:
    """Says what became of entries: APPLIED, or STORED once more, to be tried until it is known.

    No arrival is named twice.
    """
    first, last = min(arrivals, default=0), max(arrivals, default=-1)
    if last - first == len(arrivals) - 1:  # they came one after another, as entries do
        between = "UPDATE entry SET state = ? WHERE arrival BETWEEN ? AND ?"
        session.run(between, state, first, last)
        return
    session.run_many(
        "UPDATE entry SET state = ? WHERE arrival = ?", [(state, each) for each in arrivals]
    )


def _insert(session: Session, entries: list[Entry], state: str, wall_s: float) -> None:
    if not entries:
        return
    rows = [
        (*lane_key(e.lane), e.sequence, e.parent_digest, e.digest, e.payload, state)
        for e in entries
    ]
    inserted = session.run_many(
        f"INSERT INTO entry ({_ENTRY}, state) VALUES (?,?,?,?,?,?,?)"  # noqa: S608 - constants
        " ON CONFLICT (register_id, epoch, sequence) DO UPDATE SET"
        " parent_digest = excluded.parent_digest, digest = excluded.digest,"
        " payload = excluded.payload, state = excluded.state,"
        " arrival = (SELECT max(arrival) + 1 FROM entry)"  # it has come only now
        " WHERE entry.state = 'DAMAGED' AND excluded.state = 'STORED'",
        rows,
    )
    if inserted < len(rows):
        session.run_many(
            "INSERT INTO entry_conflict SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM"
            " entry WHERE register_id = ?1 AND epoch = ?2 AND sequence = ?3 AND digest <> ?5)"
            " ON CONFLICT DO NOTHING",
            [row[:6] for row in rows],
        )
        quarantine.explain(session, entries, "CONFLICT", wall_s)
        note_conflicts(session, dict.fromkeys(entry.lane for entry in entries), wall_s)
    if state == "DAMAGED":
        quarantine.explain(session, entries, state, wall_s)
