"""Entries received, at a channel or at headquarters: stored once, in the bytes they came in.

1. An entry is stored under (register, epoch, sequence). The same key with another digest is kept
   beside the first as a conflict; it never overwrites.
2. `through` is the last sequence before the first gap; it never goes back.
3. What is stored is STORED, then APPLIED or QUARANTINED. DAMAGED bytes are kept and not applied.
"""

from dataclasses import dataclass

from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.core.ports import Clock
from stillopen.replication.news import News
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

CONFLICTS_MAX = 1_000
"""More than these in one estate are for people first."""

_ENTRY = "register_id, epoch, sequence, parent_digest, digest, payload"
_LANE = "register_id, epoch, through, headquarters_through, purge_through, headquarters_knows"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A stored entry and the order in which it came."""

    arrival: int
    entry: Entry


def epoch_text(epoch: int) -> str:
    """An epoch as the database holds it: 16 hexadecimal digits."""
    return f"{epoch:016x}"


def lane_key(lane: Lane) -> tuple[str, str]:
    """A lane's key in the database."""
    return lane.register_id, epoch_text(lane.epoch)


class Inbox:
    """The entries that a server received. `last` says that nothing lies beyond (headquarters)."""

    def __init__(self, engine: Engine, clock: Clock, *, last: bool) -> None:
        self.engine = engine
        self.news = News()
        self.registers: set[str] = set()
        """The registers that a lane is known of."""
        self._clock = clock
        self._last = last

    async def load(self) -> None:
        """Reads which registers are known, and has what is in quarantine tried again."""
        await self.engine.write(
            lambda session: session.run(
                "UPDATE entry SET state = 'STORED' WHERE state = 'QUARANTINED'"
            )
        )
        rows = await self.engine.read(
            lambda session: session.all("SELECT DISTINCT register_id FROM lane")
        )
        self.registers = {row[0] for row in rows}

    async def claim(self, heads: list[Head]) -> list[Stored]:
        """Notes how long lanes say they are; the highest claim is kept."""
        wall_s = self._clock.wall_s()

        def put(session: Session) -> tuple[bool, list[Stored]]:
            new = [_claim(session, head, wall_s, last=self._last) for head in heads]
            return any(new), [_stored(session, head.lane) for head in heads]

        changed, stored = await self.engine.write(put) if heads else (False, [])
        self.registers.update(head.lane.register_id for head in heads)
        if changed:
            self.news.tell()
        return stored

    async def receive(self, entries: list[Entry], damaged: list[Entry]) -> list[Stored]:
        """Stores a batch in one transaction and says what is here of its lanes."""
        wall_s = self._clock.wall_s()
        lanes = list(dict.fromkeys(entry.lane for entry in (*entries, *damaged)))

        def put(session: Session) -> list[Stored]:
            _insert(session, entries, "STORED")
            _insert(session, damaged, "DAMAGED")
            return [_advance(session, lane, wall_s, last=self._last) for lane in lanes]

        stored = await self.engine.write(put)
        self.registers.update(lane.register_id for lane in lanes)
        self.news.tell()
        return stored

    async def stored(self, lanes: list[Lane]) -> list[Stored]:
        """What is here of each lane."""
        return await self.engine.read(lambda session: [_stored(session, lane) for lane in lanes])

    async def heads(self) -> list[Head]:
        """Every lane as far as it is here without a gap: what this server can send on."""

        def read(session: Session) -> list[Head]:
            rows = session.all(
                "SELECT lane.register_id, lane.epoch, lane.first, lane.through,"
                " coalesce(entry.digest, x'') FROM lane LEFT JOIN entry ON"
                " entry.register_id = lane.register_id AND entry.epoch = lane.epoch"
                " AND entry.sequence = lane.through"
            )
            return [Head(Lane(r[0], int(r[1], 16)), r[2], r[3], r[4]) for r in rows]

        return await self.engine.read(read)

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

    async def remember(self, lanes: list[Stored]) -> None:
        """Takes headquarters' word on what it has."""

        def put(session: Session) -> None:
            session.run_many(
                "UPDATE lane SET headquarters_through = ?, purge_through = ?,"
                " headquarters_knows = 1 WHERE register_id = ? AND epoch = ?",
                [(s.headquarters_through, s.purge_through, *lane_key(s.lane)) for s in lanes],
            )

        await self.engine.write(put)
        self.news.tell()

    async def to_apply(self, after: int, limit: int) -> list[Arrived]:
        """Entries that are stored and not applied, by arrival, from the one behind `after`."""

        def read(session: Session) -> list[Arrived]:
            rows = session.all(
                f"SELECT arrival, {_ENTRY} FROM entry WHERE state = 'STORED'"  # noqa: S608
                " AND arrival > ? ORDER BY arrival LIMIT ?",
                after,
                limit,
            )
            return [Arrived(row[0], entry_of(row[1:])) for row in rows]

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
    rows = session.all(
        f"SELECT {_ENTRY} FROM {table}"  # noqa: S608 - constants
        " WHERE register_id = ? AND epoch = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        *lane_key(lane),
        after,
        entries_max,
    )
    found: list[Entry] = []
    size = 0
    for row in rows:
        size += len(row[5])
        if found and size > bytes_max:
            break
        found.append(entry_of(row))
    return found


def entry_of(row: Row) -> Entry:
    """An entry from its columns."""
    return Entry(Lane(row[0], int(row[1], 16)), row[2], row[3], row[4], row[5])


def mark(session: Session, arrivals: list[int], state: str) -> None:
    """Says what became of stored entries: APPLIED or QUARANTINED."""
    session.run_many(
        "UPDATE entry SET state = ? WHERE arrival = ?", [(state, each) for each in arrivals]
    )


def _claim(session: Session, head: Head, wall_s: float, *, last: bool) -> bool:
    row = session.one(
        "SELECT head FROM lane WHERE register_id = ? AND epoch = ?", *lane_key(head.lane)
    )
    if row is None:
        first = max(1, head.first)
        session.run(
            "INSERT INTO lane VALUES (?,?,?,?,?,?,0,?,0,?)",
            *lane_key(head.lane),
            first,
            head.last,
            head.digest,
            first - 1,
            int(last),
            wall_s,
        )
        return True
    session.run(
        "UPDATE lane SET contact_wall_s = ?3, head_digest = iif(?4 > head, ?5, head_digest),"
        " head = max(head, ?4) WHERE register_id = ?1 AND epoch = ?2",
        *lane_key(head.lane),
        wall_s,
        head.last,
        head.digest,
    )
    return False


def _insert(session: Session, entries: list[Entry], state: str) -> None:
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
        " payload = excluded.payload, state = excluded.state"
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


def _advance(session: Session, lane: Lane, wall_s: float, *, last: bool) -> Stored:
    key = lane_key(lane)
    row = session.one("SELECT through FROM lane WHERE register_id = ? AND epoch = ?", *key)
    if row is None:
        _claim(session, Head(lane, 1, 0), wall_s, last=last)
    [(through,)] = session.all(
        "WITH RECURSIVE run(n) AS (SELECT ?3 UNION ALL SELECT n + 1 FROM run WHERE EXISTS (SELECT 1"
        " FROM entry WHERE register_id = ?1 AND epoch = ?2 AND sequence = n + 1))"
        " SELECT max(n) FROM run",
        *key,
        row[0] if row else 0,
    )
    session.run(
        "UPDATE lane SET through = ?3, head = max(head, ?3), contact_wall_s = ?4,"
        " headquarters_through = iif(?5, ?3, headquarters_through)"
        " WHERE register_id = ?1 AND epoch = ?2",
        *key,
        through,
        wall_s,
        int(last),
    )
    return _stored(session, lane)


def _stored(session: Session, lane: Lane) -> Stored:
    row = session.one(
        f"SELECT {_LANE} FROM lane WHERE register_id = ? AND epoch = ?",  # noqa: S608 - constants
        *lane_key(lane),
    )
    if row is None:
        return Stored(lane, 0, 0)
    return Stored(lane, row[2], row[3], row[4], bool(row[5]))
