"""Who owns a suspended sale of this register, and recalls that are on their way.

KEPT     suspended here, never sent: this register's alone
HANDING  about to be sent, or sent and not answered: only the channel's word counts from here on
HANDED   the channel owns it
RECALLED another sale of this register goes on from it; the channel never heard of it
GONE     as HANDED or RECALLED, and its lines were deleted

A copy of what was handed over or recalled only answers a repeat of Suspend; the last ones are kept.
A recall of what the channel may own is written down before it is sent, and ended in the transaction
that begins the sale which goes on: after a crash it is asked for again.
"""

from dataclasses import dataclass

from stillopen.storage.engine import Session

TABLES: tuple[str, ...] = (
    """CREATE TABLE cart (
         number INTEGER PRIMARY KEY,
         transaction_id TEXT NOT NULL UNIQUE,
         state TEXT NOT NULL,
         recalled_by TEXT NOT NULL DEFAULT '') STRICT""",
    "CREATE INDEX cart_state ON cart (state, number)",
    """CREATE TABLE recall_intent (
         recalling_id TEXT PRIMARY KEY,
         transaction_id TEXT NOT NULL,
         staff_id TEXT NOT NULL) STRICT, WITHOUT ROWID""",
)
"""The statements that make the tables; a step of the register's schema includes them."""

COPIES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Cart:
    """A suspended sale of this register, and who owns it."""

    transaction_id: str
    state: str
    recalled_by: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A recall: which suspended sale, as which sale it goes on, and who asked."""

    transaction_id: str
    recalling_id: str
    staff_id: str


def keep(session: Session, transaction_id: str) -> None:
    """A sale was suspended: it is this register's."""
    session.run("INSERT INTO cart (transaction_id, state) VALUES (?, 'KEPT')", transaction_id)


def reopen(session: Session, transaction_id: str) -> None:
    """It is open again, and no suspended sale."""
    session.run("DELETE FROM cart WHERE transaction_id = ?", transaction_id)


def find(session: Session, transaction_id: str) -> Cart | None:
    """What is known of it; nothing when it was never suspended here."""
    row = session.one(
        "SELECT transaction_id, state, recalled_by FROM cart WHERE transaction_id = ?",
        transaction_id,
    )
    return Cart(*row) if row else None


def own(session: Session, limit: int) -> list[Cart]:
    """Those that the channel is not known to own, oldest first."""
    rows = session.all(
        "SELECT transaction_id, state, recalled_by FROM cart WHERE state IN ('KEPT', 'HANDING')"
        " ORDER BY number LIMIT ?",
        limit,
    )
    return [Cart(*row) for row in rows]


def waiting(session: Session) -> int:
    """How many the channel is not known to own."""
    [(count,)] = session.all("SELECT count(*) FROM cart WHERE state IN ('KEPT', 'HANDING')")
    return int(count)


def hand(session: Session, transaction_id: str) -> bytes | None:
    """Marks it as about to be sent, and returns its bytes; nothing when it is not to be sent."""
    cart = find(session, transaction_id)
    if cart is None or cart.state not in {"KEPT", "HANDING"}:
        return None
    session.run("UPDATE cart SET state = 'HANDING' WHERE transaction_id = ?", transaction_id)
    [(data,)] = session.all("SELECT data FROM sale WHERE transaction_id = ?", transaction_id)
    return bytes(data)


def handed(session: Session, transaction_id: str) -> None:
    """The channel owns it from now on."""
    session.run("UPDATE cart SET state = 'HANDED' WHERE transaction_id = ?", transaction_id)
    _forget(session)


def recalled(session: Session, transaction_id: str, recalled_by: str) -> None:
    """A sale of this register goes on from it."""
    session.run(
        "UPDATE cart SET state = 'RECALLED', recalled_by = ? WHERE transaction_id = ?",
        recalled_by,
        transaction_id,
    )
    _forget(session)


def _forget(session: Session) -> None:
    for state in ("HANDED", "RECALLED"):
        old = session.all(
            "SELECT transaction_id FROM cart WHERE state = ? ORDER BY number DESC"
            " LIMIT -1 OFFSET ?",
            state,
            COPIES_KEPT,
        )
        session.run_many("DELETE FROM sale WHERE transaction_id = ?", old)
        session.run_many("UPDATE cart SET state = 'GONE' WHERE transaction_id = ?", old)


def intend(session: Session, intent: Intent) -> None:
    """Writes a recall down, before the channel hears of it."""
    session.run(
        "INSERT INTO recall_intent VALUES (?,?,?) ON CONFLICT DO NOTHING",
        intent.recalling_id,
        intent.transaction_id,
        intent.staff_id,
    )


def end(session: Session, intent: Intent) -> bool:
    """The recall is over; whether it was still on its way."""
    ended = session.run("DELETE FROM recall_intent WHERE recalling_id = ?", intent.recalling_id)
    return ended > 0


def intents(session: Session) -> list[Intent]:
    """Recalls that are on their way."""
    rows = session.all("SELECT transaction_id, recalling_id, staff_id FROM recall_intent")
    return [Intent(*row) for row in rows]


def is_recalling(session: Session, recalling_id: str) -> bool:
    """Whether a recall is on its way under that id."""
    row = session.one("SELECT 1 FROM recall_intent WHERE recalling_id = ?", recalling_id)
    return row is not None
