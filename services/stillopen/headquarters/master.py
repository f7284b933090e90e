"""Headquarters' master data, and the package that brings it to the stores."""

import hashlib
import random
from dataclasses import replace

from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import fold_code
from stillopen.core.money import Money
from stillopen.core.parameters import (
    OfflineProfile,
    Parameters,
    check_parameters,
    check_profile,
)
from stillopen.core.products import Product, StaffMember
from stillopen.core.tax import Tax
from stillopen.headquarters.lanes import STEP as LOST_STEP
from stillopen.headquarters.retention import STEP as RETENTION_STEP
from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.lanes import STEP as LANES_STEP
from stillopen.replication.news import News
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.received import STEP as RECEIVED_STEP
from stillopen.replication.returned import STEP as RETURNED_STEP
from stillopen.rpc.wire import (
    product_to,
    profile_from,
    profile_to,
    staff_to,
)
from stillopen.rpc.wire_parameters import parameters_from, parameters_to
from stillopen.storage.engine import Engine, Row, Session
from stillopen.storage.schema import Schema
from stillopen.v1 import sync_pb2, types_pb2

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
    ),
)


class MasterData:
    """Products, staff, parameters and the offline profile. Open with `open_master`."""

    def __init__(self, engine: Engine, row: Row) -> None:
        self.engine = engine
        self.news = News()
        self._generation = int(row[0], 16)
        self._sequence: int = row[1]
        self.parameters = parameters_from(types_pb2.Parameters.FromString(row[2]))
        self.profile = profile_from(types_pb2.OfflineProfile.FromString(row[3]))
        self._package: Package | None = None

    async def put_products(self, products: list[Product]) -> None:
        """Adds and changes products, all in one transaction."""
        rows = [
            (
                fold_code(p.product_id),
                p.product_id,
                p.name,
                p.price.currency,
                p.price.minor,
                "\n".join(p.barcodes),
                p.tax.group,
                p.tax.percent_milli,
            )
            for p in products
        ]

        def put(session: Session) -> None:
            session.run_many("INSERT OR REPLACE INTO product VALUES (?,?,?,?,?,?,?,?)", rows)
            session.run("UPDATE master SET sequence = sequence + 1")

        await self.engine.write(put)
        self._moved()

    async def barcodes(self) -> dict[str, str]:
        """Every barcode, and the product it stands for."""
        rows = await self.engine.read(
            lambda session: session.all("SELECT code, barcodes FROM product WHERE barcodes <> ''")
        )
        return {fold_code(each): row[0] for row in rows for each in row[1].split("\n")}

    async def put_staff(self, staff: list[StaffMember]) -> None:
        """Adds and changes staff, all in one transaction."""

        def put(session: Session) -> None:
            session.run_many(
                "INSERT OR REPLACE INTO staff VALUES (?,?,?,?)",
                [(m.staff_id, m.name, m.password_hash, int(m.manager)) for m in staff],
            )
            session.run("UPDATE master SET sequence = sequence + 1")

        await self.engine.write(put)
        self._moved()

    async def put_parameters(self, wanted: Parameters) -> None:
        """Changes parameters; in effect with the next lock. Refused VERSION_OLD."""
        seen = wanted.version
        parameters = replace(check_parameters(wanted), version=seen + 1)
        data = parameters_to(parameters).SerializeToString()

        def put(session: Session) -> None:
            [(stored,)] = session.all("SELECT parameters FROM master")
            version = types_pb2.Parameters.FromString(stored).version
            if version != seen:
                raise Refused(Reason.VERSION_OLD, f"version {version} is in force", "version")
            session.run("UPDATE master SET sequence = sequence + 1, parameters = ?", data)

        await self.engine.write(put)
        self.parameters = parameters
        self._moved()

    async def put_profile(self, profile: OfflineProfile) -> None:
        """Changes when registers go offline and come back."""
        data = profile_to(check_profile(profile)).SerializeToString()

        def put(session: Session) -> None:
            session.run("UPDATE master SET sequence = sequence + 1, profile = ?", data)

        await self.engine.write(put)
        self.profile = replace(profile)
        self._moved()

    async def newest(self, cursor: Cursor) -> Package | None:
        """Everything, as one package, for a replica that has another state."""
        sequence = self._sequence
        package = self._package
        if package is None or package.cursor.sequence != sequence:
            package = await self.engine.read(self._build)
            self._package = package
        return package if package.cursor != cursor else None

    def _moved(self) -> None:
        self._sequence += 1
        self.news.tell()

    def _build(self, session: Session) -> Package:
        [(sequence, parameters, profile)] = session.all(
            "SELECT sequence, parameters, profile FROM master"
        )
        products = session.all(
            "SELECT product_id, name, currency, price_minor, barcodes, tax_group,"
            " tax_percent_milli FROM product ORDER BY code"
        )
        staff = session.all(
            "SELECT staff_id, name, password_hash, manager FROM staff ORDER BY staff_id"
        )
        data = sync_pb2.MasterData(
            parameters=types_pb2.Parameters.FromString(parameters),
            offline_profile=types_pb2.OfflineProfile.FromString(profile),
            staff=[staff_to(StaffMember(r[0], r[1], r[2], bool(r[3]))) for r in staff],
            products=[product_to(_product(row)) for row in products],
        ).SerializeToString()
        cursor = Cursor(self._generation, sequence, hashlib.sha256(data).digest())
        return Package(cursor, data)


def _product(row: Row) -> Product:
    barcodes = tuple(row[4].split("\n")) if row[4] else ()
    return Product(row[0], row[1], Money(row[2], row[3]), barcodes, Tax(row[5], row[6]))


async def open_master(engine: Engine, rng: random.Random, currency: str) -> MasterData:
    """The master data of an open database; begins it, in `currency`, when there is none."""
    generation = f"{rng.getrandbits(64) or 1:016x}"
    parameters = parameters_to(Parameters(0, currency)).SerializeToString()
    profile = profile_to(OfflineProfile()).SerializeToString()

    def begin(session: Session) -> Row:
        session.run(
            "INSERT INTO master VALUES (1, ?, 0, ?, ?) ON CONFLICT DO NOTHING",
            generation,
            parameters,
            profile,
        )
        return session.all("SELECT generation, sequence, parameters, profile FROM master")[0]

    return MasterData(engine, await engine.write(begin))
