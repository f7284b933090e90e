"""The database of a replica: the replicated tables, where it stands, and what it relays."""

from stillopen.replication.package_log import STEP as LOG_STEP
from stillopen.replication.tables import CREATE_STEP
from stillopen.storage.schema import Schema

SCHEMA = Schema(
    "replica",
    (
        (
            """CREATE TABLE replica_product (
                 code TEXT PRIMARY KEY,
                 product_id TEXT NOT NULL,
                 name TEXT NOT NULL,
                 currency TEXT NOT NULL,
                 price_minor INTEGER NOT NULL,
                 barcodes TEXT NOT NULL) STRICT, WITHOUT ROWID""",
            """CREATE TABLE replica_barcode (
                 barcode TEXT PRIMARY KEY,
                 code TEXT NOT NULL) STRICT, WITHOUT ROWID""",
            """CREATE TABLE replica_staff (
                 staff_id TEXT PRIMARY KEY,
                 name TEXT NOT NULL,
                 password_hash TEXT NOT NULL) STRICT, WITHOUT ROWID""",
            """CREATE TABLE replica_state (
                 id INTEGER PRIMARY KEY CHECK (id = 1),
                 generation TEXT NOT NULL,
                 sequence INTEGER NOT NULL,
                 digest BLOB NOT NULL,
                 parameters BLOB NOT NULL,
                 profile BLOB NOT NULL,
                 package BLOB NOT NULL) STRICT""",
        ),
        (
            "ALTER TABLE replica_staff ADD COLUMN manager INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE replica_product ADD COLUMN tax_group TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE replica_product ADD COLUMN tax_percent_milli INTEGER NOT NULL DEFAULT 0",
        ),
        # Packages have another form from here on: a replica begins anew and gets a snapshot.
        (
            "DROP TABLE replica_product",
            "DROP TABLE replica_barcode",
            "DROP TABLE replica_staff",
            "DROP TABLE replica_state",
            *CREATE_STEP,
            *LOG_STEP,
            """CREATE TABLE replica_state (
                 id INTEGER PRIMARY KEY CHECK (id = 1),
                 generation TEXT NOT NULL,
                 sequence INTEGER NOT NULL,
                 digest BLOB NOT NULL) STRICT""",
        ),
    ),
)
