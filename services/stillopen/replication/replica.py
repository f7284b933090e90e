"""A replica of headquarters' master data: what a channel or a register shows.

It shows the data before a package or after it, never a mix: a package is applied in one transaction
that also moves the cursor. A damaged package changes nothing.

A channel's replica relays: it keeps the packages it got and gives them on unchanged. When the
deltas have outgrown their snapshot it makes a new one of its own tables rather than ask
headquarters for one: they show the same, and a store whose link up is down can still begin a till.
"""

import asyncio
import hashlib
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from stillopen.core.customers import Customer
from stillopen.core.errors import Reason, Refused
from stillopen.core.parameters import DEFAULT_PROFILE, OfflineProfile, Parameters
from stillopen.core.products import Product, StaffMember
from stillopen.core.tender_types import TenderType
from stillopen.replication import package_log
from stillopen.replication.news import News
from stillopen.replication.package_log import Needs
from stillopen.replication.packages import Built, Scope, build_snapshot
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.replica_apply import apply_package, where_it_stands
from stillopen.replication.replica_people import (
    RegisterRow,
    all_tender_types,
    find_customer,
    find_staff,
    registers_of,
    search_customers,
    store_of,
)
from stillopen.replication.replica_products import find_product, search_products
from stillopen.replication.replica_tables import SCHEMA
from stillopen.replication.tables import PARAMETERS
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.wire import profile_from
from stillopen.rpc.wire_parameters import parameters_from
from stillopen.storage.engine import Engine, Session
from stillopen.v1 import types_pb2

__all__ = ["SCHEMA", "Replica", "open_replica"]

POSTING = "Posting"
"""The name of the group of parameters."""


@dataclass(frozen=True, slots=True)
class _Seen:
    at: Cursor
    store_id: str
    has_staff: bool
    parameters: Parameters
    profile: OfflineProfile
    tender_types: tuple[TenderType, ...]
    registers: dict[str, RegisterRow]


class Replica:
    """Master data as headquarters last sent it. Open with `open_replica`."""

    def __init__(
        self, engine: Engine, store_id: str, register_id: str = "", *, relays: bool = False
    ) -> None:
        self.engine = engine
        self.store_id = store_id
        """Its store; a register's own may be empty until its first package names it."""
        self._register_id = register_id
        self._relays = relays
        self.news = News()
        self._applying = asyncio.Lock()
        self.at = Cursor()
        self.parameters = Parameters()
        self.profile = OfflineProfile()
        self.registers: dict[str, RegisterRow] = {}
        """Those of its own store."""
        self.has_staff = False
        self.tender_types: tuple[TenderType, ...] = ()
        """The ways to pay, by id."""

    async def load(self) -> None:
        """Reads what every request needs, so that none has to."""
        seen = await self.engine.read(self._see)
        self.at, self.store_id, self.has_staff = seen.at, seen.store_id, seen.has_staff
        self.parameters, self.profile = seen.parameters, seen.profile
        self.tender_types, self.registers = seen.tender_types, seen.registers

    async def cursor(self) -> Cursor:
        """What it has, once a package that is being applied is."""
        async with self._applying:
            return self.at

    async def apply(self, package: Package) -> None:
        """Shows the package from now on; Refused PACKAGE_DAMAGED changes nothing."""
        if hashlib.sha256(package.data).digest() != package.cursor.digest:
            raise Refused(Reason.PACKAGE_DAMAGED, "the package does not have its digest")

        def put(session: Session) -> None:
            apply_package(session, package)
            if self._relays:
                _keep(session, package)

        async def show() -> None:
            async with self._applying:
                await self.engine.write(put)
                await self.load()
                self.news.tell()

        # What is written is shown, also when the stream that brought it ends meanwhile.
        await to_its_end(show())

    async def newest(self, caller: str, cursor: Cursor) -> Package | None:
        """What a register of this store needs next; nothing when it has or gets nothing."""
        register = self.registers.get(caller)
        paused = self.profile.pause_offline_sync
        if paused or (register is not None and not register.takes_packages):
            return None
        at = self.at
        if not at.generation:
            return None
        found = await self.engine.read(lambda s: package_log.next_package(s, at, cursor))
        if found is Needs.SNAPSHOT:
            await self._make_snapshot()
            at = self.at
            found = await self.engine.read(lambda s: package_log.next_package(s, at, cursor))
        return found if isinstance(found, Package) else None

    async def refused(self, caller: str, package: Cursor, message: str) -> None:
        """A register kept what it had; it says so in its report."""

    def offer_interval_s(self) -> float:
        """How often a register is offered something newer."""
        return self.profile.new_offline_database_check_interval_s

    async def product(self, code: str, wall_s: float) -> Product:
        """The product of an id or a barcode at a moment; Refused PRODUCT_UNKNOWN."""
        found = await self.engine.read(lambda session: find_product(session, code, wall_s))
        if found is None:
            raise Refused(Reason.PRODUCT_UNKNOWN, f"no product {code[:40]!r}", "code")
        return found

    async def search(self, query: str, after: str, limit: int, wall_s: float) -> list[Product]:
        """Products by the beginning of id or barcode, or a part of the name, in order of id."""
        return await self.engine.read(
            lambda session: search_products(session, query, after, limit, wall_s)
        )

    async def staff(self, staff_id: str) -> StaffMember | None:
        """The person of that id."""
        return await self.engine.read(lambda session: find_staff(session, staff_id))

    async def customer(self, customer_id: str) -> Customer:
        """The customer of that id; Refused CUSTOMER_UNKNOWN."""
        found = await self.engine.read(lambda session: find_customer(session, customer_id))
        if found is None:
            raise Refused(
                Reason.CUSTOMER_UNKNOWN, f"no customer {customer_id[:40]!r}", "customer_id"
            )
        return found

    async def search_customers(self, query: str, after: str, limit: int) -> list[Customer]:
        """Customers by the beginning of the id, or a part of name, address or number."""
        return await self.engine.read(
            lambda session: search_customers(session, query, after, limit)
        )

    def register(self, register_id: str) -> RegisterRow | None:
        """A register of its own store."""
        return self.registers.get(register_id)

    async def _make_snapshot(self) -> None:
        def build(session: Session) -> tuple[Cursor, Built]:
            at = where_it_stands(session)
            return at, build_snapshot(session, Scope(), at)

        at, built = await self.engine.read(build)

        def keep(session: Session) -> None:
            now = where_it_stands(session)
            if (now.generation, now.sequence) == (at.generation, at.sequence):
                package_log.keep_snapshot(session, at, built)

        await self.engine.write(keep)

    def _see(self, session: Session) -> _Seen:
        store_id = (self._register_id and store_of(session, self._register_id)) or self.store_id
        return _Seen(
            where_it_stands(session),
            store_id,
            session.one("SELECT 1 FROM staff LIMIT 1") is not None,
            _parameters(session) or Parameters(),
            _profile(session, store_id) or OfflineProfile(),
            tuple(all_tender_types(session)),
            registers_of(session, "" if self._relays else store_id),
        )


async def open_replica(
    engine: Engine, store_id: str = "", register_id: str = "", *, relays: bool = False
) -> Replica:
    """The replica on an open database, of a store; a register's finds its store by itself."""
    replica = Replica(engine, store_id, register_id, relays=relays)
    await replica.load()
    return replica


def _keep(session: Session, package: Package) -> None:
    built = Built(package.data, 0)
    package_log.forget_others(session, package.cursor.generation)
    if package.base is None:
        package_log.forget(session, package.cursor.generation)
        package_log.keep_snapshot(session, package.cursor, built)
    else:
        package_log.keep_delta(session, package.cursor, built)


def _parameters(session: Session) -> Parameters | None:
    row = session.one(f"SELECT message FROM {PARAMETERS.name} WHERE name = ?", POSTING)  # noqa: S608
    try:
        return parameters_from(types_pb2.Parameters.FromString(row[0])) if row else None
    except DecodeError:
        return None


def _profile(session: Session, store_id: str) -> OfflineProfile | None:
    row = session.one(
        "SELECT message FROM offline_profile WHERE name IN (?2, (SELECT offline_profile FROM store"
        " WHERE store_id = ?1)) ORDER BY name = ?2 LIMIT 1",
        store_id,
        DEFAULT_PROFILE,
    )
    try:
        return profile_from(types_pb2.OfflineProfile.FromString(row[0])) if row else None
    except DecodeError:
        return None
