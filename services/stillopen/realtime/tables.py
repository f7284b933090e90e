"""The tables of cards, locks and ledger, and their rows as values."""

from stillopen.core.card import Card, CardState, Lock, LockState
from stillopen.core.memo_number import prefix_of
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, Purpose
from stillopen.core.standing import NotHome
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
        (
            "ALTER TABLE card ADD COLUMN kind TEXT NOT NULL DEFAULT 'GIFT_CARD'",
            "ALTER TABLE card ADD COLUMN state TEXT NOT NULL DEFAULT 'OPEN'",
            "ALTER TABLE card_lock ADD COLUMN purpose TEXT NOT NULL DEFAULT 'REDEEM'",
            "ALTER TABLE card_exception ADD COLUMN purpose TEXT NOT NULL DEFAULT 'REDEEM'",
            "ALTER TABLE card_exception ADD COLUMN kind TEXT NOT NULL DEFAULT 'GIFT_CARD'",
            "ALTER TABLE card_exception ADD COLUMN memo_sha256 BLOB NOT NULL DEFAULT x''",
            "ALTER TABLE card_exception ADD COLUMN memo_last_four TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE card_exception ADD COLUMN memo_minor INTEGER NOT NULL DEFAULT 0",
        ),
        ("CREATE INDEX card_exception_open ON card_exception (card_id) WHERE resolution = ''",),
    ),
)

# Faster than asking the enumeration: a card may have many locks, and each call reads them all.
_STATES = {str(each): each for each in LockState}
_PURPOSES = {str(each): each for each in Purpose}
_CARD = "card_id, last_four, currency, balance_minor, blocked, kind, state"
_LOCK_COLUMNS = (
    "lock_key, holder, state, end_reason, card_id, transaction_id, line_id, currency, amount_minor,"
    " terms_s, lease_s, grace_s, granted_s, until_s, amount_only, purpose"
)
LOCK_BY_KEY = f"SELECT {_LOCK_COLUMNS} FROM card_lock WHERE lock_key = ?"  # noqa: S608 - constants
LOCKS_OF_CARD = (
    f"SELECT {_LOCK_COLUMNS} FROM card_lock WHERE card_id = ?1 AND state = 'OPEN'"  # noqa: S608
    f" UNION ALL SELECT {_LOCK_COLUMNS} FROM card_lock WHERE card_id = ?1 AND transaction_id = ?2"
    " AND card_id <> '' AND state <> 'OPEN'"
)
_OTHERS_SHARE = " amount_only AND until_s > ?4 AND transaction_id <> ?2 AND lock_key <> ?3"
_TAKES = ", ".join(f"'{each}'" for each in Purpose if each.takes)
_LOCKS_AGAINST = (
    f"SELECT {_LOCK_COLUMNS} FROM card_lock"  # noqa: S608 - constants
    f" WHERE card_id = ?1 AND state = 'OPEN' AND NOT ({_OTHERS_SHARE})"
    f" UNION ALL SELECT {_LOCK_COLUMNS} FROM card_lock WHERE card_id = ?1 AND transaction_id = ?2"
    " AND card_id <> '' AND state <> 'OPEN'"
    " UNION ALL SELECT CAST('others' AS BLOB), '', 'OPEN', '', card_id, '', '', min(currency),"
    f" sum(CASE WHEN purpose IN ({_TAKES}) THEN amount_minor ELSE 0 END),"
    " 0.0, 0.0, 0.0, 0.0, max(until_s), 1, 'REDEEM' FROM card_lock"
    f" WHERE card_id = ?1 AND state = 'OPEN' AND {_OTHERS_SHARE} GROUP BY card_id"
)
OPEN_LOCKS = (
    f"SELECT {_LOCK_COLUMNS} FROM card_lock"  # noqa: S608 - constants
    " WHERE state = 'OPEN' AND lock_key > ? ORDER BY lock_key LIMIT ?"
)
_PUT_LOCK = (
    f"INSERT INTO card_lock ({_LOCK_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
    " ON CONFLICT (lock_key) DO UPDATE SET state = excluded.state,"
    " end_reason = excluded.end_reason, until_s = excluded.until_s"
)


def lock_of(row: Row) -> Lock:
    """A lock from its row."""
    return Lock(
        lock_key=row[0],
        holder=row[1],
        state=_STATES[row[2]],
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
        purpose=_PURPOSES[row[15]],
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
        str(lock.purpose),
    )


def put_locks(session: Session, locks: tuple[Lock, ...]) -> None:
    """Writes every lock that a decision changed."""
    for lock in locks:
        put_lock(session, lock)


def find_lock(session: Session, lock_key: bytes) -> Lock | None:
    """The lock of a key."""
    row = session.one(LOCK_BY_KEY, lock_key)
    return lock_of(row) if row else None


def locks_of(session: Session, card_id: str, transaction_id: str) -> list[Lock]:
    """The card's open locks, and every lock the sale ever had on it."""
    return [lock_of(row) for row in session.all(LOCKS_OF_CARD, card_id, transaction_id)]


def locks_against(
    session: Session, card_id: str, transaction_id: str, lock_key: bytes, now_s: float
) -> list[Lock]:
    """As `locks_of`, but other sales that share the card now are one lock, which holds their sum.

    That is what a decision needs, and many may share a card: to read each would cost more than all
    the rest of a call.
    """
    return [
        lock_of(row)
        for row in session.all(_LOCKS_AGAINST, card_id, transaction_id, lock_key, now_s)
    ]


def redeeming(session: Session, memo_prefix: str) -> tuple[NotHome, ...]:
    """Registers with that prefix that hold a memo now: its remainder may be printed already."""
    rows = session.all(
        "SELECT DISTINCT k.holder FROM card_lock k JOIN card c USING (card_id)"
        " WHERE k.state = 'OPEN' AND c.kind = ?",
        str(CardKind.CREDIT_MEMO),
    )
    return tuple(NotHome(row[0]) for row in rows if prefix_of(row[0]) == memo_prefix)


def find_card(session: Session, look_up: bytes) -> Card | None:
    """The card with that look-up value."""
    return _card(session.one(f"SELECT {_CARD} FROM card WHERE look_up = ?", look_up))  # noqa: S608


def card_by_id(session: Session, card_id: str) -> Card | None:
    """The card with that id."""
    return _card(session.one(f"SELECT {_CARD} FROM card WHERE card_id = ?", card_id))  # noqa: S608


def _card(row: Row | None) -> Card | None:
    if row is None:
        return None
    money = Money(row[2], row[3])
    return Card(row[0], row[1], money, bool(row[4]), CardKind(row[5]), CardState(row[6]))


def put_card(session: Session, look_up: bytes, card: Card) -> bool:
    """Makes a card, or makes one that is only reserved anew; False when it is in use."""
    return bool(
        session.run(
            f"INSERT INTO card (look_up, {_CARD}) VALUES (?,?,?,?,?,?,?,?)"  # noqa: S608
            " ON CONFLICT (card_id) DO UPDATE SET currency = excluded.currency,"
            " balance_minor = excluded.balance_minor, kind = excluded.kind, state = excluded.state"
            " WHERE card.state = 'NEW' AND NOT EXISTS (SELECT 1 FROM card_lock k"
            " WHERE k.card_id = card.card_id AND k.state = 'OPEN')",
            look_up,
            card.card_id,
            card.last_four,
            card.balance.currency,
            card.balance.minor,
            int(card.blocked),
            str(card.kind),
            str(card.state),
        )
    )


def move_money(
    session: Session,
    card_id: str,
    change: Money,
    kind: str,
    source: str,
    transaction_id: str,
    wall_s: float,
) -> None:
    """Adds an entry to a card's ledger, and to its balance; once for each source."""
    session.run(
        "UPDATE card SET balance_minor = balance_minor + ? WHERE card_id = ?",
        change.minor,
        card_id,
    )
    session.run(
        "INSERT INTO ledger (card_id, amount_minor, kind, source, transaction_id, wall_s)"
        " VALUES (?,?,?,?,?,?)",
        card_id,
        change.minor,
        kind,
        source,
        transaction_id,
        wall_s,
    )


def put_state(session: Session, card_id: str, state: CardState) -> None:
    """What becomes of a card."""
    session.run("UPDATE card SET state = ? WHERE card_id = ?", str(state), card_id)


def save_clock(session: Session, served_s: float) -> None:
    """Saves the service clock; it never goes back."""
    session.run("UPDATE service_clock SET served_s = max(served_s, ?)", served_s)
