"""Card intents: a lock key is durable before LockCard is sent, and never forgotten after.

INTENT -> GRANTED when the tender is on the sale -> DONE with the journal entry of the sale or of
the unlock. After a restart every INTENT is unlocked: the lock may have been granted and never
heard of.
"""

from dataclasses import dataclass

from stillopen.core.ports import Clock
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import types_pb2


@dataclass(frozen=True, slots=True)
class Sent:
    """When a request was sent, on the clocks that a window is counted on."""

    elapsed_s: float
    wall_s: float
    boot_id: str


def sent_now(clock: Clock) -> Sent:
    """This moment."""
    return Sent(clock.elapsed_s(), clock.wall_s(), clock.boot_id())


def window_open(sent: Sent, conclude_within_s: float, now: Sent) -> bool:
    """Whether a sale may still be concluded without headquarters' word (protocol rule 4).

    Counted from the moment LockCard was sent, by the larger of the clock that counts suspend and
    the wall clock's difference; a reboot closes the window.
    """
    if not now.boot_id or now.boot_id != sent.boot_id:
        return False
    passed_s = max(now.elapsed_s - sent.elapsed_s, now.wall_s - sent.wall_s)
    return passed_s < conclude_within_s


def intend(session: Session, lock_key: bytes, transaction_id: str, sent: Sent) -> None:
    """Writes a key down, before anybody hears of it."""
    session.run(
        "INSERT INTO card_intent VALUES (?,?,'INTENT',0,?,?,?)",
        lock_key,
        transaction_id,
        sent.elapsed_s,
        sent.wall_s,
        sent.boot_id,
    )


def granted(session: Session, lock_key: bytes, conclude_within_s: float) -> None:
    """The lock was granted and its tender is on the sale."""
    session.run(
        "UPDATE card_intent SET state = 'GRANTED', conclude_within_s = ? WHERE lock_key = ?",
        conclude_within_s,
        lock_key,
    )


def done(session: Session, lock_key: bytes) -> None:
    """The journal tells what became of it."""
    session.run("UPDATE card_intent SET state = 'DONE' WHERE lock_key = ?", lock_key)


def windows_open(session: Session, lock_keys: list[bytes], now: Sent) -> bool:
    """Whether the window of every one of these locks is open."""
    rows = [
        session.one(
            "SELECT sent_elapsed_s, sent_wall_s, boot_id, conclude_within_s FROM card_intent"
            " WHERE lock_key = ? AND state = 'GRANTED'",
            key,
        )
        for key in lock_keys
    ]
    return all(row is not None and _row_open(row, now) for row in rows)


def _row_open(row: Row, now: Sent) -> bool:
    return window_open(Sent(row[0], row[1], row[2]), row[3], now)


def oldest_s(session: Session, lock_keys: list[bytes], now: Sent) -> float:
    """The age of the oldest of these locks in this boot."""
    rows = [
        session.one("SELECT sent_elapsed_s, boot_id FROM card_intent WHERE lock_key = ?", key)
        for key in lock_keys
    ]
    ages = [now.elapsed_s - row[0] for row in rows if row and row[1] == now.boot_id]
    return max(ages, default=0.0)


def orphans(session: Session) -> list[tuple[bytes, str]]:
    """Keys that were intended and not granted: lock key and transaction."""
    rows = session.all("SELECT lock_key, transaction_id FROM card_intent WHERE state = 'INTENT'")
    return [(row[0], row[1]) for row in rows]


def unlock_record(lock_key: bytes, transaction_id: str, wall_s: float) -> types_pb2.JournalRecord:
    """The journal's word that a lock was given up."""
    return types_pb2.JournalRecord(
        wall_time=time_to(wall_s),
        unlock=types_pb2.CardUnlock(lock_key=lock_key, transaction_id=transaction_id),
    )
