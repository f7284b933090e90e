"""A replica of headquarters' master data: what a channel or a register shows.

It shows the data before a package or after it, never a mix: a package is applied in one transaction
that also moves the cursor. A damaged package changes nothing.
"""

import hashlib

from google.protobuf.message import DecodeError

from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import fold_code
from stillopen.core.money import Money
from stillopen.core.parameters import OfflineProfile, Parameters
from stillopen.core.products import Product, StaffMember
from stillopen.core.tax import Tax
from stillopen.replication.news import News
from stillopen.replication.ports import Cursor, Package
from stillopen.rpc.wire import product_from, profile_from, profile_to, staff_from
from stillopen.rpc.wire_parameters import parameters_from, parameters_to
from stillopen.storage.engine import Engine, Row, Session
from stillopen.storage.schema import Schema
from stillopen.v1 import sync_pb2, types_pb2

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
    ),
)

_PRODUCT = "product_id, name, currency, price_minor, barcodes, tax_group, tax_percent_milli"


class Replica:
    """Master data as headquarters last sent it. Open with `open_replica`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.news = News()
        self.at = Cursor()
        self.parameters = Parameters()
        self.profile = OfflineProfile()
        self.has_staff = False

    async def load(self) -> None:
        """Reads what every request needs, so that none has to."""

        def read(session: Session) -> tuple[Row | None, bool]:
            state = session.one(
                "SELECT generation, sequence, digest, parameters, profile FROM replica_state"
            )
            return state, session.one("SELECT 1 FROM replica_staff LIMIT 1") is not None

        row, self.has_staff = await self.engine.read(read)
        if row is not None:
            self.at = Cursor(int(row[0], 16), row[1], row[2])
            self.parameters = parameters_from(types_pb2.Parameters.FromString(row[3]))
            self.profile = profile_from(types_pb2.OfflineProfile.FromString(row[4]))

    async def cursor(self) -> Cursor:
        """What it has."""
        return self.at

    async def apply(self, package: Package) -> None:
        """Shows the package from now on; Refused PACKAGE_DAMAGED changes nothing."""
        data = _read(package)
        await self.engine.write(lambda session: _replace(session, package, data))
        await self.load()
        self.news.tell()

    async def newest(self, cursor: Cursor) -> Package | None:
        """The package it was made from, unchanged, for a replica that has another."""
        if cursor == self.at or not self.at.generation:
            return None
        row = await self.engine.read(
            lambda session: session.one(
                "SELECT generation, sequence, digest, package FROM replica_state"
            )
        )
        return Package(Cursor(int(row[0], 16), row[1], row[2]), row[3]) if row else None

    async def product(self, code: str) -> Product:
        """The product of an id or a barcode; Refused PRODUCT_UNKNOWN."""
        found = await self.engine.read(lambda session: _find(session, fold_code(code)))
        if found is None:
            raise Refused(Reason.PRODUCT_UNKNOWN, f"no product {code[:40]!r}", "code")
        return found

    async def search(self, query: str, after: str, limit: int) -> list[Product]:
        """Products by the beginning of id or barcode, or a part of the name, in order of id."""
        folded = fold_code(query)

        def read(session: Session) -> list[Product]:
            rows = session.all(
                f"SELECT {_PRODUCT} FROM replica_product WHERE code > ?1 AND (?2 = ''"  # noqa: S608
                " OR substr(code, 1, length(?2)) = ?2 OR instr(upper(name), ?2) OR code IN"
                " (SELECT code FROM replica_barcode WHERE barcode >= ?2 AND barcode < ?2 || '~'))"
                " ORDER BY code LIMIT ?3",
                fold_code(after),
                folded,
                limit,
            )
            return [_product(row) for row in rows]

        return await self.engine.read(read)

    async def staff(self, staff_id: str) -> StaffMember | None:
        """The person of that id."""
        row = await self.engine.read(
            lambda session: session.one(
                "SELECT staff_id, name, password_hash, manager FROM replica_staff"
                " WHERE staff_id = ?",
                staff_id,
            )
        )
        return StaffMember(row[0], row[1], row[2], bool(row[3])) if row else None


async def open_replica(engine: Engine) -> Replica:
    """The replica on an open database."""
    replica = Replica(engine)
    await replica.load()
    return replica


def _read(package: Package) -> sync_pb2.MasterData:
    if hashlib.sha256(package.data).digest() != package.cursor.digest:
        raise Refused(Reason.PACKAGE_DAMAGED, "the package does not have its digest")
    try:
        return sync_pb2.MasterData.FromString(package.data)
    except DecodeError:
        raise Refused(Reason.PACKAGE_DAMAGED, "the package cannot be read") from None


def _replace(session: Session, package: Package, data: sync_pb2.MasterData) -> None:
    for table in ("replica_product", "replica_barcode", "replica_staff", "replica_state"):
        session.run(f"DELETE FROM {table}")  # noqa: S608 - constants
    products = [(fold_code(p.product_id), product_from(p)) for p in data.products]
    session.run_many(
        f"INSERT OR REPLACE INTO replica_product (code, {_PRODUCT}) VALUES (?,?,?,?,?,?,?,?)",  # noqa: S608
        [
            (
                code,
                p.product_id,
                p.name,
                p.price.currency,
                p.price.minor,
                "\n".join(p.barcodes),
                p.tax.group,
                p.tax.percent_milli,
            )
            for code, p in products
        ],
    )
    session.run_many(
        "INSERT OR REPLACE INTO replica_barcode VALUES (?,?)",
        [(fold_code(barcode), code) for code, p in products for barcode in p.barcodes],
    )
    staff = [staff_from(member) for member in data.staff]
    session.run_many(
        "INSERT OR REPLACE INTO replica_staff VALUES (?,?,?,?)",
        [(m.staff_id, m.name, m.password_hash, int(m.manager)) for m in staff],
    )
    parameters = parameters_from(data.parameters)
    session.run(
        "INSERT INTO replica_state VALUES (1,?,?,?,?,?,?)",
        f"{package.cursor.generation:016x}",
        package.cursor.sequence,
        package.cursor.digest,
        parameters_to(parameters).SerializeToString(),
        profile_to(profile_from(data.offline_profile)).SerializeToString(),
        package.data,
    )


def _find(session: Session, code: str) -> Product | None:
    row = session.one(f"SELECT {_PRODUCT} FROM replica_product WHERE code = ?", code)  # noqa: S608
    if row is None:
        row = session.one(
            f"SELECT {_PRODUCT} FROM replica_product WHERE code ="  # noqa: S608 - constants
            " (SELECT code FROM replica_barcode WHERE barcode = ?)",
            code,
        )
    return _product(row) if row else None


def _product(row: Row) -> Product:
    barcodes = tuple(row[4].split("\n")) if row[4] else ()
    return Product(row[0], row[1], Money(row[2], row[3]), barcodes, Tax(row[5], row[6]))
