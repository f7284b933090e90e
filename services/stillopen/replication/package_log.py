"""The packages that a place has to give: a snapshot and the deltas after it, of each generation.

Headquarters keeps a log for each channel group and scope, a channel those that it relays. The
packages themselves are files on a shelf; here stands which of them there are, and what they are.

1. A delta goes on from the package before it. A replica gets one only where it is known to stand.
2. At one sequence replicas may stand with different digests: that of the delta, and those of
   snapshots made there. All of them show the same.
3. A delta that is new where others are known already is of another history: headquarters was
   restored, and who relays its packages had lost that one with its power. Nobody stands with the
   others any more: whoever does gets a snapshot.
4. A log is bounded: once its deltas are larger than a snapshot the oldest go. Whoever needed them
   gets a snapshot instead.
"""

import json
from collections.abc import Collection
from dataclasses import replace
from enum import Enum, auto

from stillopen.replication.ports import Cursor, Package, file_name
from stillopen.storage.engine import Session

STEP: tuple[str, ...] = (
    """CREATE TABLE kept_package (
         generation TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         snapshot INTEGER NOT NULL,
         size INTEGER NOT NULL,
         digest BLOB NOT NULL,
         PRIMARY KEY (generation, sequence, snapshot)) STRICT""",
    """CREATE TABLE package_position (
         generation TEXT NOT NULL,
         sequence INTEGER NOT NULL,
         digest BLOB NOT NULL,
         PRIMARY KEY (generation, sequence, digest)) STRICT, WITHOUT ROWID""",
)
"""The statements that make the tables; the schemas of headquarters and of channels include them."""

DELTAS_BYTES_MIN = 4 * 2**20
"""Deltas of fewer bytes are kept, however small the snapshot is."""
DELTAS_MAX = 1_000


class Needs(Enum):
    """What to do for a replica when no package is there to give."""

    NOTHING = auto()
    SNAPSHOT = auto()


def generation_text(generation: int) -> str:
    """A generation as the tables keep it."""
    return f"{generation:016x}"


def keep_delta(session: Session, package: Package) -> None:
    """Adds a delta to its log."""
    if _is_of_another_history(session, package.cursor):
        _forget_from(session, package.cursor)
    _keep(session, package)
    _trim(session, package.cursor.generation)


def keep_snapshot(session: Session, package: Package) -> None:
    """Puts a snapshot in the place of an earlier one; the deltas stay for those who need them."""
    generation = package.cursor.generation
    session.run(
        "DELETE FROM kept_package WHERE generation = ? AND snapshot", generation_text(generation)
    )
    _keep(session, package)
    _trim(session, generation)


def drop(session: Session, package: Package) -> None:
    """Forgets a package whose file cannot be used."""
    session.run(
        "DELETE FROM kept_package WHERE generation = ? AND sequence = ? AND digest = ?",
        generation_text(package.cursor.generation),
        package.cursor.sequence,
        package.cursor.digest,
    )


def drop_missing(session: Session, there: Collection[str]) -> None:
    """Forgets the packages whose files are not there."""
    for generation, sequence, digest, snapshot in session.all(
        "SELECT generation, sequence, digest, snapshot FROM kept_package"
    ):
        if file_name(sequence, digest, snapshot=bool(snapshot)) not in there:
            session.run(
                "DELETE FROM kept_package WHERE generation = ? AND sequence = ? AND snapshot = ?",
                generation,
                sequence,
                snapshot,
            )


def forget_deltas(session: Session, generation: int) -> None:
    """Drops a generation's deltas: a snapshot is worth more than what is to come."""
    session.run(
        "DELETE FROM kept_package WHERE generation = ? AND NOT snapshot",
        generation_text(generation),
    )


def forget(session: Session, generation: int) -> None:
    """Drops a generation."""
    for table in ("kept_package", "package_position"):
        session.run(
            f"DELETE FROM {table} WHERE generation = ?",  # noqa: S608 - constants
            generation_text(generation),
        )


def forget_others(session: Session, generations: Collection[int]) -> None:
    """Drops every generation but some."""
    kept = json.dumps([generation_text(each) for each in generations])
    for table in ("kept_package", "package_position"):
        session.run(
            f"DELETE FROM {table} WHERE generation NOT IN (SELECT value FROM json_each(?))",  # noqa: S608
            kept,
        )


def names(session: Session, generations: Collection[int] | None = None) -> set[str]:
    """The files of the packages that are kept, of some generations or of all."""
    every = "SELECT sequence, digest, snapshot FROM kept_package"
    if generations is None:
        rows = session.all(every)
    else:
        some = json.dumps([generation_text(each) for each in generations])
        rows = session.all(f"{every} WHERE generation IN (SELECT value FROM json_each(?))", some)  # noqa: S608
    return {file_name(row[0], row[1], snapshot=bool(row[2])) for row in rows}


def next_package(
    session: Session, end: Cursor, at: Cursor, fresh: Collection[int] = ()
) -> Package | Needs:
    """The package that a replica needs next on its way to the end of a log.

    `fresh` are the generations whose snapshot was made a short while ago (`replication/fresh.py`).
    """
    if at.generation == end.generation and _is_known(session, at):
        if at.sequence >= end.sequence:
            return Needs.NOTHING
        if delta := _delta_after(session, end, at):
            return delta
    snapshot = snapshot_of(session, end)
    if snapshot is None or not _leads_on(session, end, snapshot.cursor.sequence):
        return Needs.SNAPSHOT
    if snapshot.cursor.sequence < _at_least(end, at, fresh):
        return Needs.SNAPSHOT
    return snapshot


def _at_least(end: Cursor, at: Cursor, fresh: Collection[int]) -> int:
    """How new a snapshot must be: a replica never goes back.

    A snapshot may be weeks old. Its people and prices must not be shown on the way to what is now:
    who comes from another log showed newer ones, and a newcomer whose line fails would sell by
    them.
    """
    if at.generation == end.generation:
        return at.sequence
    return 0 if not at.generation and end.generation in fresh else end.sequence


def find(session: Session, cursor: Cursor) -> Package | None:
    """The package that leads to a cursor."""
    row = session.one(
        "SELECT snapshot, size FROM kept_package WHERE generation = ? AND sequence = ?"
        " AND digest = ?",
        generation_text(cursor.generation),
        cursor.sequence,
        cursor.digest,
    )
    if row is None:
        return None
    base = None if row[0] else Cursor(cursor.generation, cursor.sequence - 1)
    return Package(cursor, row[1], base)


def snapshot_of(session: Session, end: Cursor) -> Package | None:
    """The snapshot of a log, whether the deltas after it are still there or not."""
    row = session.one(
        "SELECT sequence, digest, size FROM kept_package WHERE generation = ? AND snapshot",
        generation_text(end.generation),
    )
    return Package(Cursor(end.generation, row[0], row[1], end.scope), row[2]) if row else None


def last_digest(session: Session, at: Cursor) -> bytes:
    """The digest of a package that leads to a sequence; nothing when none is kept."""
    row = session.one(
        "SELECT digest FROM kept_package WHERE generation = ? AND sequence = ? ORDER BY snapshot",
        generation_text(at.generation),
        at.sequence,
    )
    return bytes(row[0]) if row else b""


def kept_from(session: Session, generation: int) -> int:
    """The sequence of the oldest delta that is kept; 0 when there is none."""
    row = session.one(
        "SELECT min(sequence) FROM kept_package WHERE generation = ? AND NOT snapshot",
        generation_text(generation),
    )
    return int(row[0] or 0) if row else 0


def snapshot_at(session: Session, end: Cursor) -> int:
    """The sequence of the snapshot that newcomers get; the end when it is still to be made."""
    row = session.one(
        "SELECT sequence FROM kept_package WHERE generation = ? AND snapshot",
        generation_text(end.generation),
    )
    return int(row[0]) if row and _leads_on(session, end, row[0]) else end.sequence


def _keep(session: Session, package: Package) -> None:
    name = generation_text(package.cursor.generation)
    sequence, digest = package.cursor.sequence, package.cursor.digest
    session.run(
        "INSERT OR REPLACE INTO kept_package VALUES (?,?,?,?,?)",
        name,
        sequence,
        int(package.base is None),
        package.size,
        digest,
    )
    session.run("INSERT OR IGNORE INTO package_position VALUES (?,?,?)", name, sequence, digest)


def _is_known(session: Session, at: Cursor) -> bool:
    found = session.one(
        "SELECT 1 FROM package_position WHERE generation = ? AND sequence = ? AND digest = ?",
        generation_text(at.generation),
        at.sequence,
        at.digest,
    )
    return found is not None


def _is_of_another_history(session: Session, at: Cursor) -> bool:
    """Whether others are known where a delta leads to, or beyond, and it is not."""
    [(is_known,)] = session.all(
        "SELECT max(sequence = ?2 AND digest = ?3) FROM package_position"
        " WHERE generation = ?1 AND sequence >= ?2",
        generation_text(at.generation),
        at.sequence,
        at.digest,
    )
    return bool(is_known == 0)  # nothing when nobody is known there


def _forget_from(session: Session, at: Cursor) -> None:
    """Forgets what led to a sequence and beyond, in a history that is not this one."""
    for table in ("kept_package", "package_position"):
        session.run(
            f"DELETE FROM {table} WHERE generation = ? AND sequence >= ?",  # noqa: S608
            generation_text(at.generation),
            at.sequence,
        )


def _delta_after(session: Session, end: Cursor, at: Cursor) -> Package | None:
    row = session.one(
        "SELECT sequence, digest, size FROM kept_package"
        " WHERE generation = ? AND sequence = ? AND NOT snapshot",
        generation_text(at.generation),
        at.sequence + 1,
    )
    if row is None:
        return None
    base = replace(at, scope=end.scope)
    return Package(Cursor(at.generation, row[0], row[1], end.scope), row[2], base)


def _leads_on(session: Session, end: Cursor, sequence: int) -> bool:
    """Whether every delta from a snapshot to the end is there."""
    [(deltas,)] = session.all(
        "SELECT count(*) FROM kept_package WHERE generation = ? AND sequence > ? AND sequence <= ?"
        " AND NOT snapshot",
        generation_text(end.generation),
        sequence,
        end.sequence,
    )
    return bool(deltas == end.sequence - sequence)


def _trim(session: Session, generation: int) -> None:
    name = generation_text(generation)
    kept = session.all(
        "SELECT sequence, snapshot, size FROM kept_package WHERE generation = ?"
        " ORDER BY sequence DESC",
        name,
    )
    room = max(DELTAS_BYTES_MIN, *(size for _, snapshot, size in kept if snapshot), 0)
    deltas = [(sequence, size) for sequence, snapshot, size in kept if not snapshot]
    oldest = 0
    for count, (sequence, size) in enumerate(deltas, 1):
        room -= size
        if (room < 0 or count > DELTAS_MAX) and count > 1:
            break
        oldest = sequence
    session.run(
        "DELETE FROM kept_package WHERE generation = ? AND NOT snapshot AND sequence < ?",
        name,
        oldest,
    )
    session.run(
        "DELETE FROM package_position WHERE generation = ?1 AND sequence < ?2 - 1"
        " AND sequence NOT IN (SELECT sequence FROM kept_package WHERE generation = ?1)",
        name,
        oldest,
    )
