"""The tables of cards, locks and ledger, and their rows as values."""

from stillopen.core.card import Card, Lock, LockState
from stillopen.core.money import Money
from stillopen.storage.engine import Row, Session
from stillopen.storage.schema import Schema

SCHEMA = Schema(
    "realtime",
    (
        (
            """CREATE TABLE service_clock (
                 id INTEGER PRIMARY KEY CHECK (id = 1),
                 served_s REAL NOT NULL) STRICT""",
            "INSERT INTO service_clock VALUES (1, 0.0)",
            """CREATE TABLE card (
                 card_id TEXT PRIMARY KEY,
                 look_up BLOB NOT NULL UNIQUE,
                 last_four TEXT NOT NULL,
                 currency TEXT NOT NULL,
                 balance_minor INTEGER NOT NULL CHECK (balance_minor >= 0)
               ) STRICT, WITHOUT ROWID""",
            """CREATE TABLE ledger (
                 entry_id INTEGER PRIMARY KEY,
                 card_id TEXT NOT NULL REFERENCES card,
                 amount_minor INTEGER NOT NULL,
                 kind TEXT NOT NULL,
                 source TEXT NOT NULL UNIQUE,
                 transaction_id TEXT NOT NULL,
                 wall_s REAL NOT NULL) STRICT""",
            "CREATE INDEX ledger_by_card ON ledger (card_id)",
            """CREATE TABLE card_lock (
                 lock_key BLOB PRIMARY KEY,
                 holder TEXT NOT NULL,
                 state TEXT NOT NULL,
                 end_reason TEXT NOT NULL,
                 card_id TEXT NOT NULL,
                 transaction_id TEXT NOT NULL,
                 line_id TEXT NOT NULL,
                 currency TEXT NOT NULL,
                 amount_minor INTEGER NOT NULL,
                 terms_s REAL NOT NULL,
                 lease_s REAL NOT NULL,
                 grace_s REAL NOT NULL,
                 granted_s REAL NOT NULL,
                 until_s REAL NOT NULL) STRICT, WITHOUT ROWID""",
            "CREATE INDEX card_lock_open ON card_lock (card_id) WHERE state = 'OPEN'",
            """CREATE INDEX card_lock_of_sale ON card_lock (card_id, transaction_id)
                 WHERE card_id <> ''""",
            """CREATE TABLE settled (
                 transaction_id TEXT NOT NULL,
                 line_id TEXT NOT NULL,
                 digest BLOB NOT NULL,
                 applied INTEGER NOT NULL,
                 PRIMARY KEY (transaction_id, line_id)) STRICT, WITHOUT ROWID""",
            """CREATE TABLE card_exception (
                 exception_id INTEGER PRIMARY KEY,
                 transaction_id TEXT NOT NULL,
                 line_id TEXT NOT NULL,
                 digest BLOB NOT NULL,
                 lock_key BLOB NOT NULL,
                 card_id TEXT NOT NULL,
                 currency TEXT NOT NULL,
                 amount_minor INTEGER NOT NULL,
                 shortfall_minor INTEGER NOT NULL,
                 reason TEXT NOT NULL,
                 register_id TEXT NOT NULL,
                 epoch TEXT NOT NULL,
                 sequence INTEGER NOT NULL,
                 UNIQUE (transaction_id, line_id, digest)) STRICT""",
        ),
        (
            "ALTER TABLE card ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE card_lock ADD COLUMN amount_only INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE card_exception ADD COLUMN resolution TEXT NOT NULL DEFAULT ''",
            """CREATE TABLE card_action (
                 action_id INTEGER PRIMARY KEY,
                 card_id TEXT NOT NULL,
                 action TEXT NOT NULL,
                 person TEXT NOT NULL,
                 reason TEXT NOT NULL,
                 wall_s REAL NOT NULL) STRICT""",
            """CREATE TABLE key_check (
                 id INTEGER PRIMARY KEY CHECK (id = 1),
                 digest BLOB NOT NULL) STRICT""",
            "CREATE INDEX card_action_by_card ON card_action (card_id)",
        ),
    ),
)

_CARD = "card_id, last_four, currency, balance_minor, blocked"
_LOCK_COLUMNS = (
    "lock_key, holder, state, end_reason, card_id, transaction_id, line_id, currency, amount_minor,"
    " terms_s, lease_s, grace_s, granted_s, until_s, amount_only"
)
LOCK_BY_KEY = f"SELECT {_LOCK_COLUMNS} FROM card_lock WHERE lock_key = ?"  # noqa: S608 - constants
LOCKS_OF_CARD = (
    f"SELECT {_LOCK_COLUMNS} FROM card_lock WHERE card_id = ?1 AND state = 'OPEN'"  # noqa: S608
    f" UNION SELECT {_LOCK_COLUMNS} FROM card_lock WHERE card_id = ?1 AND transaction_id = ?2"
    " AND card_id <> ''"
)
OPEN_LOCKS = (
    f"SELECT {_LOCK_COLUMNS} FROM card_lock"  # noqa: S608 - constants
    " WHERE state = 'OPEN' AND lock_key > ? ORDER BY lock_key LIMIT ?"
)
_PUT_LOCK = (
    f"INSERT INTO card_lock ({_LOCK_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
    " ON CONFLICT (lock_key) DO UPDATE SET state = excluded.state,"
    " end_reason = excluded.end_reason, until_s = excluded.until_s"
)


def lock_of(row: Row) -> Lock:
    """A lock from its row."""
    return Lock(
        lock_key=row[0],
        holder=row[1],
        state=LockState(row[2]),
        end_reason=row[3],
        card_id=row[4],
        transaction_id=row[5],
        line_id=row[6],
        amount=Money(row[7], row[8]) if row[7] else None,
        terms_s=row[9],
        lease_s=row[10],
        grace_s=row[11],
        granted_s=row[12],
        until_s=row[13],
        amount_only=bool(row[14]),
    )


def put_lock(session: Session, lock: Lock) -> None:
    """Writes a new lock, or what may change of an old one: state, reason and until when."""
    session.run(
        _PUT_LOCK,
        lock.lock_key,
        lock.holder,
        str(lock.state),
        lock.end_reason,
        lock.card_id,
        lock.transaction_id,
        lock.line_id,
        lock.amount.currency if lock.amount else "",
        lock.amount.minor if lock.amount else 0,
        lock.terms_s,
        lock.lease_s,
        lock.grace_s,
        lock.granted_s,
        lock.until_s,
        int(lock.amount_only),
    )


def find_lock(session: Session, lock_key: bytes) -> Lock | None:
    """The lock of a key."""
    row = session.one(LOCK_BY_KEY, lock_key)
    return lock_of(row) if row else None


def locks_of(session: Session, card_id: str, transaction_id: str) -> list[Lock]:
    """The card's open locks, and every lock the sale ever had on it."""
    return [lock_of(row) for row in session.all(LOCKS_OF_CARD, card_id, transaction_id)]


def find_card(session: Session, look_up: bytes) -> Card | None:
    """The card with that look-up value."""
    return _card(session.one(f"SELECT {_CARD} FROM card WHERE look_up = ?", look_up))  # noqa: S608


def card_by_id(session: Session, card_id: str) -> Card | None:
    """The card with that id."""
    return _card(session.one(f"SELECT {_CARD} FROM card WHERE card_id = ?", card_id))  # noqa: S608


def _card(row: Row | None) -> Card | None:
    return Card(row[0], row[1], Money(row[2], row[3]), bool(row[4])) if row else None


def save_clock(session: Session, served_s: float) -> None:
    """Saves the service clock; it never goes back."""
    session.run("UPDATE service_clock SET served_s = max(served_s, ?)", served_s)
