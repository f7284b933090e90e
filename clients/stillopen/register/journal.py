"""The register's journal: appended in the transaction of what it tells, delivered from there.

Each start of the process opens a lane: a random epoch whose sequences start at 1; the first entry
names its parent, the last entry before. Bytes are written once and never again.
"""

import random
from dataclasses import dataclass, replace

from stillopen.core.errors import Misuse, Reason
from stillopen.core.ids import new_epoch
from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, Stored, append, is_intact
from stillopen.core.lanes import epoch_text
from stillopen.core.money import Money
from stillopen.core.ports import Clock
from stillopen.register.waiting import Waiting, WaitingCount
from stillopen.replication.inbox import entry_of, read_entries
from stillopen.replication.news import News
from stillopen.storage.engine import Engine, Session
from stillopen.v1 import types_pb2

_ACKNOWLEDGED = "acknowledged_wall_s"
_LANE = "epoch, head, head_digest, purged_through, headquarters_through"


@dataclass(frozen=True, slots=True)
class Noted:
    """What a journal entry is about, for lists."""

    kind: str
    transaction_id: str
    wall_s: float
    receipt_number: str = ""
    total: Money | None = None


@dataclass(frozen=True, slots=True)
class JournalLine:
    """An entry as a list shows it."""

    number: int
    lane: Lane
    sequence: int
    noted: Noted
    at_channel: bool
    at_headquarters: bool


class Journal:
    """The journal of one register, in its journal.db. Open with `open_journal`."""

    def __init__(self, engine: Engine, lane: Lane, clock: Clock, acknowledged: str) -> None:
        self.engine = engine
        self.lane = lane
        self._clock = clock
        self._waiting = WaitingCount(engine, lane.register_id)
        self.acknowledged_wall_s = float(acknowledged) if acknowledged else None
        """When the channel last took entries, or headquarters was known to have more."""
        self.news = News()
        """Told when entries were appended."""
        self.delivered = News()
        """Told when the channel or headquarters has more of them."""
        self.headquarters_knows = False
        """True once headquarters has heard of this run's lane."""

    def append(self, session: Session, record: types_pb2.JournalRecord, noted: Noted) -> Entry:
        """Adds an entry in the caller's transaction; tell `news` once that is committed."""
        [(head, head_digest)] = session.all(
            "SELECT head, head_digest FROM journal_lane WHERE epoch = ?",
            epoch_text(self.lane.epoch),
        )
        if head == 0:
            head_digest = self._name_parent(session, record)
        entry = append(self.lane, head + 1, head_digest, record.SerializeToString())
        session.run(
            "INSERT INTO journal_entry VALUES (?,?,?,?,?,?,NULL,?,?,?,?,?,?)",
            entry.lane.register_id,
            epoch_text(entry.lane.epoch),
            entry.sequence,
            entry.parent_digest,
            entry.digest,
            entry.payload,
            noted.kind,
            noted.transaction_id,
            noted.receipt_number,
            noted.total.currency if noted.total else "",
            noted.total.minor if noted.total else 0,
            noted.wall_s,
        )
        session.run(
            "UPDATE journal_lane SET head = ?, head_digest = ? WHERE epoch = ?",
            entry.sequence,
            entry.digest,
            epoch_text(entry.lane.epoch),
        )
        return entry

    @staticmethod
    def _name_parent(session: Session, record: types_pb2.JournalRecord) -> bytes:
        parent = session.one(
            "SELECT epoch, head, head_digest FROM journal_lane WHERE head > 0"
            " ORDER BY opened DESC LIMIT 1"
        )
        if parent is None:
            return NO_PARENT
        record.parent.epoch = int(parent[0], 16)
        record.parent.sequence = parent[1]
        record.parent.digest = parent[2]
        digest: bytes = parent[2]
        return digest

    async def heads(self) -> list[Head]:
        """Every lane this register still has entries of, and the one of this run."""
        return await self._heads(
            f"SELECT {_LANE} FROM journal_lane"  # noqa: S608 - constants
            " WHERE purged_through < head OR epoch = ?1 ORDER BY opened"
        )

    async def moved(self) -> list[Head]:
        """The lanes that headquarters lacks something of, and the one of this run."""
        return await self._heads(
            f"SELECT {_LANE}, opened FROM journal_lane"  # noqa: S608 - constants
            " WHERE through < head OR headquarters_through < head"
            f" UNION SELECT {_LANE}, opened FROM journal_lane WHERE epoch = ?1 ORDER BY opened"
        )

    async def _heads(self, query: str) -> list[Head]:
        rows = await self.engine.read(
            lambda session: session.all(query, epoch_text(self.lane.epoch))
        )
        return [
            Head(replace(self.lane, epoch=int(r[0], 16)), r[3] + 1, r[1], r[2], r[4]) for r in rows
        ]

    async def read(self, lane: Lane, after: int, entries_max: int, bytes_max: int) -> list[Entry]:
        """The entries of a lane that follow `after`."""
        return await self.engine.read(
            lambda session: read_entries(
                session, "journal_entry", lane, after, entries_max, bytes_max
            )
        )

    async def conflicts(self) -> list[Entry]:
        """None: a register writes each key once."""
        return []

    async def remember(self, words: list[Stored]) -> None:
        """Takes the channel's word on what it and headquarters have."""
        wall_s = self._clock.wall_s()

        def put(session: Session) -> bool:
            grown = any(_has_grown(session, each) for each in words)
            if grown:
                _set(session, _ACKNOWLEDGED, repr(wall_s))
            session.run_many(
                "UPDATE journal_lane SET through = ?, headquarters_through = ?,"
                " headquarters_knows = ?, purge_through = ? WHERE epoch = ?",
                [
                    (
                        each.through,
                        each.headquarters_through,
                        int(each.headquarters_knows),
                        each.purge_through,
                        epoch_text(each.lane.epoch),
                    )
                    for each in words
                ],
            )
            return grown

        if await self.engine.write(put):
            self.acknowledged_wall_s = wall_s
        for each in words:
            if each.lane == self.lane:
                self.headquarters_knows = each.headquarters_knows
        self.delivered.tell()

    async def get(self, name: str) -> str:
        """A setting kept in journal.db; empty when it was never set."""
        row = await self.engine.read(
            lambda session: session.one("SELECT value FROM setting WHERE name = ?", name)
        )
        return str(row[0]) if row else ""

    async def set(self, name: str, value: str) -> None:
        """Keeps a setting in journal.db."""
        await self.engine.write(lambda session: _set(session, name, value))

    async def waiting(self) -> Waiting:
        """What the channel, and what headquarters does not have yet."""
        return await self._waiting.now()

    async def lines(self, before: int, limit: int) -> list[JournalLine]:
        """Entries for people, newest first; `before` 0 begins with the newest."""

        def read(session: Session) -> list[JournalLine]:
            rows = session.all(
                "SELECT number, epoch, sequence, kind, transaction_id, wall_s, receipt_number,"
                " currency, total_minor, sequence <= through, sequence <= headquarters_through"
                " FROM journal_entry JOIN journal_lane USING (epoch)"
                " WHERE ?1 = 0 OR number < ?1 ORDER BY number DESC LIMIT ?2",
                before,
                limit,
            )
            return [
                JournalLine(
                    r[0],
                    replace(self.lane, epoch=int(r[1], 16)),
                    r[2],
                    Noted(r[3], r[4], r[5], r[6], Money(r[7], r[8]) if r[7] else None),
                    bool(r[9]),
                    bool(r[10]),
                )
                for r in rows
            ]

        return await self.engine.read(read)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of the whole journal found."""

    entries: int
    faults: tuple[str, ...]


def verify(session: Session) -> Verified:
    """Checks every digest, parent and sequence of a journal."""
    faults: list[str] = []
    count = 0
    last: dict[str, Entry] = {}
    rows = session.all(
        "SELECT register_id, epoch, sequence, parent_digest, digest, payload FROM journal_entry"
        " ORDER BY number"
    )
    for entry in map(entry_of, rows):
        count += 1
        where = f"{entry.lane.register_id}/{epoch_text(entry.lane.epoch)}/{entry.sequence}"
        before = last.get(epoch_text(entry.lane.epoch))
        if not is_intact(entry):
            faults.append(f"{where}: the digest does not fit the bytes")
        if before is not None and entry.sequence != before.sequence + 1:
            faults.append(f"{where}: follows {before.sequence}")
        if before is not None and entry.parent_digest != before.digest:
            faults.append(f"{where}: does not name the entry before it")
        last[epoch_text(entry.lane.epoch)] = entry
    return Verified(count, tuple(faults))


def _set(session: Session, name: str, value: str) -> None:
    session.run(
        "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        name,
        value,
    )


def _has_grown(session: Session, stored: Stored) -> bool:
    row = session.one(
        "SELECT through, headquarters_through FROM journal_lane WHERE epoch = ?",
        epoch_text(stored.lane.epoch),
    )
    return row is not None and (stored.through > row[0] or stored.headquarters_through > row[1])


async def open_journal(
    engine: Engine, register_id: str, clock: Clock, rng: random.Random
) -> Journal:
    """Opens a new lane. Misuse when the journal belongs to another register."""
    lane = Lane(register_id, new_epoch(rng))

    def begin(session: Session) -> str:
        session.run(
            "INSERT INTO setting VALUES ('register_id', ?) ON CONFLICT DO NOTHING", register_id
        )
        [(owner,)] = session.all("SELECT value FROM setting WHERE name = 'register_id'")
        if owner != register_id:
            raise Misuse(
                Reason.NOT_ALLOWED, f"this journal belongs to register {owner}, not {register_id}"
            )
        session.run(
            "INSERT INTO journal_lane (epoch, head, head_digest, through, headquarters_through,"
            " headquarters_knows, purge_through) VALUES (?, 0, x'', 0, 0, 0, 0)",
            epoch_text(lane.epoch),
        )
        row = session.one("SELECT value FROM setting WHERE name = ?", _ACKNOWLEDGED)
        return str(row[0]) if row else ""

    return Journal(engine, lane, clock, await engine.write(begin))
