"""Headquarters' database: which part made which tables, and in which order."""

from stillopen.core.permissions import FIRST_ROLES
from stillopen.headquarters.activation import STEP as ACTIVATION_STEP
from stillopen.headquarters.audit import STEP as AUDIT_STEP
from stillopen.headquarters.changes import STEP as CHANGES_STEP
from stillopen.headquarters.credentials import STEP as CREDENTIALS_STEP
from stillopen.headquarters.distribution import STEP as DISTRIBUTION_STEP
from stillopen.headquarters.imports import STEP as IMPORTS_STEP
from stillopen.headquarters.lanes import STEP as LOST_STEP
from stillopen.headquarters.parameters import STEP as PARAMETERS_STEP
from stillopen.headquarters.periods import STEP as PERIODS_STEP
from stillopen.headquarters.profiles import STEP as PROFILES_STEP
from stillopen.headquarters.retention import STEP as RETENTION_STEP
from stillopen.headquarters.set_up import STEP as SET_UP_STEP
from stillopen.replication.completed import STEP as COMPLETED_STEP
from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.lane_counts import STEP as LANE_COUNTS_STEP
from stillopen.replication.lanes import STEP as LANES_STEP
from stillopen.replication.quarantine import STEP as QUARANTINE_STEP
from stillopen.replication.received import STEP as RECEIVED_STEP
from stillopen.replication.reports import STEP as REPORTS_STEP
from stillopen.replication.returned import STEP as RETURNED_STEP
from stillopen.replication.sign_in_failures import STEP as SIGN_IN_STEP
from stillopen.replication.tables import CREATE_STEP
from stillopen.storage.schema import Schema

_ROLES = ", ".join(
    f"('{role.role_id}', '{role.name}', '{' '.join(sorted(role.permissions))}')"
    for role in FIRST_ROLES
)

REPLICATED_STEP = (
    "ALTER TABLE product RENAME TO product_before",
    "ALTER TABLE staff RENAME TO staff_before",
    *CREATE_STEP,
    """INSERT INTO tax_group SELECT tax_group, tax_group, max(tax_percent_milli)
         FROM product_before WHERE tax_group <> '' GROUP BY tax_group""",
    """INSERT INTO product SELECT code, product_id, name, currency, price_minor, tax_group
         FROM product_before""",
    """INSERT OR IGNORE INTO barcode
         WITH RECURSIVE cut(code, barcode, rest, place) AS (
           SELECT code, '', barcodes || char(10), -1 FROM product_before WHERE barcodes <> ''
           UNION ALL
           SELECT code, substr(rest, 1, instr(rest, char(10)) - 1),
             substr(rest, instr(rest, char(10)) + 1), place + 1 FROM cut WHERE rest <> '')
         SELECT upper(trim(barcode)), barcode, code, place FROM cut WHERE place >= 0""",
    """INSERT INTO staff SELECT staff_id, name, password_hash,
         iif(manager, 'manager', 'cashier'), 0 FROM staff_before""",
    f"INSERT INTO role VALUES {_ROLES}",  # noqa: S608 - constants
    "DROP TABLE product_before",
    "DROP TABLE staff_before",
)

SCHEMA = Schema(
    "headquarters",
    (
        (
            """CREATE TABLE product (
                 code TEXT PRIMARY KEY,
                 product_id TEXT NOT NULL,
                 name TEXT NOT NULL,
                 currency TEXT NOT NULL,
                 price_minor INTEGER NOT NULL,
                 barcodes TEXT NOT NULL) STRICT, WITHOUT ROWID""",
            """CREATE TABLE staff (
                 staff_id TEXT PRIMARY KEY,
                 name TEXT NOT NULL,
                 password_hash TEXT NOT NULL) STRICT, WITHOUT ROWID""",
            """CREATE TABLE master (
                 id INTEGER PRIMARY KEY CHECK (id = 1),
                 generation TEXT NOT NULL,
                 sequence INTEGER NOT NULL,
                 parameters BLOB NOT NULL,
                 profile BLOB NOT NULL) STRICT""",
            *INBOX_STEP,
            *RECEIVED_STEP,
        ),
        (
            "ALTER TABLE staff ADD COLUMN manager INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE product ADD COLUMN tax_group TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE product ADD COLUMN tax_percent_milli INTEGER NOT NULL DEFAULT 0",
        ),
        RETURNED_STEP,
        (*LANES_STEP, *RETENTION_STEP, *LOST_STEP),
        (
            *REPLICATED_STEP,
            *CHANGES_STEP,
            *CREDENTIALS_STEP,
            *SIGN_IN_STEP,
            *AUDIT_STEP,
            *PARAMETERS_STEP,
            *PROFILES_STEP,
            *SET_UP_STEP,
            *ACTIVATION_STEP,
            *IMPORTS_STEP,
            *DISTRIBUTION_STEP,
            *REPORTS_STEP,
            *COMPLETED_STEP,
            *LANE_COUNTS_STEP,
            *PERIODS_STEP,
        ),
        QUARANTINE_STEP,
    ),
)
