"""journal.db: what a register must never lose: journal, sales, card intents, settings."""

from stillopen.register.carts import TABLES as CART_TABLES
from stillopen.register.receipts import TABLES as RECEIPT_TABLES
from stillopen.replication.sign_in_failures import STEP as SIGN_IN_STEP
from stillopen.storage.schema import Schema

SCHEMA = Schema(
    "journal",
    (
        (
            """CREATE TABLE journal_lane (
                 opened INTEGER PRIMARY KEY,
                 epoch TEXT NOT NULL UNIQUE,
                 head INTEGER NOT NULL,
                 head_digest BLOB NOT NULL,
                 through INTEGER NOT NULL,
                 headquarters_through INTEGER NOT NULL,
                 headquarters_knows INTEGER NOT NULL,
                 purge_through INTEGER NOT NULL) STRICT""",
            """CREATE TABLE journal_entry (
                 register_id TEXT NOT NULL,
                 epoch TEXT NOT NULL,
                 sequence INTEGER NOT NULL,
                 parent_digest BLOB NOT NULL,
                 digest BLOB NOT NULL,
                 payload BLOB NOT NULL,
                 number INTEGER PRIMARY KEY,
                 kind TEXT NOT NULL,
                 transaction_id TEXT NOT NULL,
                 receipt_number TEXT NOT NULL,
                 currency TEXT NOT NULL,
                 total_minor INTEGER NOT NULL,
                 wall_s REAL NOT NULL,
                 UNIQUE (register_id, epoch, sequence)) STRICT""",
            """CREATE TABLE sale (
                 transaction_id TEXT PRIMARY KEY,
                 version INTEGER NOT NULL,
                 state TEXT NOT NULL,
                 data BLOB NOT NULL,
                 last_request BLOB NOT NULL) STRICT, WITHOUT ROWID""",
            "CREATE UNIQUE INDEX sale_open ON sale (state) WHERE state = 'OPEN'",
            """CREATE TABLE card_intent (
                 lock_key BLOB PRIMARY KEY,
                 transaction_id TEXT NOT NULL,
                 state TEXT NOT NULL,
                 conclude_within_s REAL NOT NULL,
                 sent_elapsed_s REAL NOT NULL,
                 sent_wall_s REAL NOT NULL,
                 boot_id TEXT NOT NULL) STRICT, WITHOUT ROWID""",
            "CREATE INDEX card_intent_live ON card_intent (state) WHERE state <> 'DONE'",
            """CREATE TABLE setting (
                 name TEXT PRIMARY KEY,
                 value TEXT NOT NULL) STRICT, WITHOUT ROWID""",
        ),
        (
            """CREATE TABLE mode_change (
                 number INTEGER PRIMARY KEY AUTOINCREMENT,
                 mode TEXT NOT NULL,
                 reason TEXT NOT NULL,
                 wall_s REAL NOT NULL) STRICT""",
            # Lanes grow with the starts of the register; the status asks for the few that wait.
            """CREATE INDEX journal_lane_waiting ON journal_lane (opened)
                 WHERE through < head OR headquarters_through < head""",
        ),
        (
            # Numbers of memos that this register drew, to be printed; a journal never holds one.
            """CREATE TABLE memo_number (
                 lock_key BLOB PRIMARY KEY,
                 number TEXT NOT NULL) STRICT, WITHOUT ROWID""",
        ),
        (
            "ALTER TABLE journal_lane ADD COLUMN purged_through INTEGER NOT NULL DEFAULT 0",
            """CREATE INDEX journal_lane_to_purge ON journal_lane (opened)
                 WHERE purged_through < min(purge_through, headquarters_through, head)""",
            "CREATE INDEX card_intent_of_sale ON card_intent (transaction_id)",
        ),
        (*CART_TABLES, *RECEIPT_TABLES),
        SIGN_IN_STEP,
    ),
)
