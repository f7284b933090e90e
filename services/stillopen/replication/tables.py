"""The replicated tables, described once: headquarters, channels and registers make them from here.

Each table's first column is its key, one text. A job is what a distribution schedule carries
(the incumbent's numbers). These tables are everywhere the same; every other table has one owner.

The description has versions. A later one only adds, tables or columns with a default, so that newer
software reads older files and older software is given what it knows.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

ALL_JOBS = 9999
CUSTOMERS, PRICES, PRODUCTS, STAFF, CHANNELS, TAX, REGISTERS, GLOBAL = (
    1010,
    1020,
    1040,
    1060,
    1070,
    1080,
    1090,
    1110,
)
JOBS = (CUSTOMERS, PRICES, PRODUCTS, STAFF, CHANNELS, TAX, REGISTERS, GLOBAL)
NEVER_EXCLUDED = (STAFF, CHANNELS, REGISTERS, GLOBAL)
"""Without them a register could not work at all."""
SCHEMA_VERSION = 1
"""The newest version of the description."""


@dataclass(frozen=True, slots=True)
class Table:
    """One replicated table; `columns` are SQL column definitions, the key first."""

    name: str
    job: int
    columns: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    """Columns that are looked up by, each an index of its own."""
    since: int = 1
    """The version of the description that it came with."""
    added: tuple[tuple[int, str], ...] = ()
    """Columns that came later: the version, and a definition that has a default."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns, the key first."""
        return tuple(column.split()[0] for column in self.columns)

    @property
    def key(self) -> str:
        """The name of its key column."""
        return self.names[0]

    def create(self, *, unless_there: bool = False) -> tuple[str, ...]:
        """The statements that make it; SQLite keeps the same text of either form."""
        unless = "IF NOT EXISTS " if unless_there else ""
        head, *rest = self.columns
        columns = ", ".join((f"{head} PRIMARY KEY", *rest))
        return (
            f"CREATE TABLE {unless}{self.name} ({columns}) STRICT, WITHOUT ROWID",
            *(
                f"CREATE INDEX {unless}{self.name}_by_{column} ON {self.name} ({column})"
                for column in self.indexes
            ),
        )

    def at(self, version: int) -> "Table":
        """The table as a version of the description has it."""
        columns = (definition for since, definition in self.added if since <= version)
        return replace(self, columns=(*self.columns, *columns), added=())


PRODUCT = Table(
    "product",
    PRODUCTS,
    (
        "code TEXT",  # the product id, folded (core.ids.fold_code)
        "product_id TEXT NOT NULL",
        "name TEXT NOT NULL",
        "currency TEXT NOT NULL",
        "price_minor INTEGER NOT NULL",
        "tax_group TEXT NOT NULL",
    ),
)
BARCODE = Table(
    "barcode",
    PRODUCTS,
    (
        "folded TEXT",
        "barcode TEXT NOT NULL",
        "code TEXT NOT NULL",
        "place INTEGER NOT NULL",  # its place among the product's barcodes
    ),
    ("code",),
)
PRICE = Table(
    "price",
    PRICES,
    (
        "price_key TEXT",  # the code, a space, the beginning as 2026-01-31T00:00:00Z
        "code TEXT NOT NULL",
        "currency TEXT NOT NULL",
        "price_minor INTEGER NOT NULL",
        "valid_from_s INTEGER NOT NULL",  # seconds since 1970, UTC
        "valid_to_s INTEGER",
    ),
    ("code",),
)
TAX_GROUP = Table(
    "tax_group", TAX, ("tax_group TEXT", "name TEXT NOT NULL", "percent_milli INTEGER NOT NULL")
)
CUSTOMER = Table(
    "customer",
    CUSTOMERS,
    ("customer_id TEXT", "name TEXT NOT NULL", "email TEXT NOT NULL", "phone TEXT NOT NULL"),
)
STAFF_MEMBER = Table(
    "staff",
    STAFF,
    (
        "staff_id TEXT",
        "name TEXT NOT NULL",
        "password_hash TEXT NOT NULL",
        "role_id TEXT NOT NULL",
        "blocked INTEGER NOT NULL",
    ),
)
ROLE = Table(
    "role",
    STAFF,
    ("role_id TEXT", "name TEXT NOT NULL", "permissions TEXT NOT NULL"),  # apart by spaces
)
TENDER_TYPE = Table(
    "tender_type",
    CHANNELS,
    (
        "tender_type_id TEXT",
        "name TEXT NOT NULL",
        "kind TEXT NOT NULL",  # CASH, GIFT_CARD, CREDIT_MEMO
        "closed INTEGER NOT NULL",
    ),
)
OFFLINE_PROFILE = Table(
    "offline_profile",
    CHANNELS,
    ("name TEXT", "message BLOB NOT NULL"),  # stillopen.v1.OfflineProfile
)
STORE = Table(
    "store",
    CHANNELS,
    (
        "store_id TEXT",
        "name TEXT NOT NULL",
        "group_id TEXT NOT NULL",
        "offline_profile TEXT NOT NULL",
    ),
    ("group_id",),
)
REGISTER = Table(
    "register",
    REGISTERS,
    (
        "register_id TEXT",
        "store_id TEXT NOT NULL",
        "name TEXT NOT NULL",
        "support_offline INTEGER NOT NULL",
        "state TEXT NOT NULL",  # NEW, ACTIVE, RETIRED
        "credential_version INTEGER NOT NULL",
        "secret_sha256 BLOB NOT NULL",  # of its secret; empty before it was activated
    ),
    ("store_id",),
)
PARAMETERS = Table(
    "parameters",
    GLOBAL,
    ("name TEXT", "message BLOB NOT NULL"),  # "Posting", stillopen.v1.Parameters
)
TABLES = (
    PRODUCT,
    BARCODE,
    PRICE,
    TAX_GROUP,
    CUSTOMER,
    STAFF_MEMBER,
    ROLE,
    TENDER_TYPE,
    OFFLINE_PROFILE,
    STORE,
    REGISTER,
    PARAMETERS,
)
"""Every table, as the first version has it and with what was added later."""
CREATE_STEP = tuple(statement for table in TABLES for statement in table.create())


def tables_at(version: int) -> tuple[Table, ...]:
    """The tables of a version of the description."""
    return _at(TABLES, version)


@lru_cache(maxsize=16)  # versions are what peers say they are
def _at(tables: tuple[Table, ...], version: int) -> tuple[Table, ...]:
    return tuple(table.at(version) for table in tables if table.since <= version)
