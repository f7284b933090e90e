"""A replica of headquarters' master data: what a channel or a register shows.

What every request needs is read when a package came, so that none has to. The rows are in a copy
(`replication/copies.py`), which is replaced whole or changed in one transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from google.protobuf.message import DecodeError

from stillopen.core.customers import Customer
from stillopen.core.errors import Reason, Refused
from stillopen.core.parameters import DEFAULT_PROFILE, OfflineProfile, Parameters
from stillopen.core.products import Product, StaffMember
from stillopen.core.tender_types import TenderType
from stillopen.replication.copies import Copy, open_copy
from stillopen.replication.news import News
from stillopen.replication.ports import Arriving, Cursor, Package, Partial
from stillopen.replication.replica_apply import where_it_stands
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
from stillopen.replication.scope import EVERYTHING
from stillopen.replication.tables import PARAMETERS
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.wire import profile_from
from stillopen.rpc.wire_parameters import parameters_from
from stillopen.storage.engine import OpenEngine, Session
from stillopen.storage.held import HELD_BYTES_MAX, Held
from stillopen.storage.shelf import Shelf
from stillopen.v1 import sync_pb2, types_pb2

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
        self, copy: Copy, store_id: str, register_id: str = "", *, whole_group: bool = False
    ) -> None:
        self.copy = copy
        self.store_id = store_id
        """Its store; a register's own may be empty until its first package names it."""
        self._register_id = register_id
        self._whole_group = whole_group
        self.news = News()
        """Told when it shows another thing, or its copy stands elsewhere."""
        self.parameters = Parameters()
        self.profile = OfflineProfile()
        self.registers: dict[str, RegisterRow] = {}
        """Those of its own store; with `whole_group` those of every store of the group."""
        self.has_staff = False
        self.tender_types: tuple[TenderType, ...] = ()
        """The ways to pay, by id."""
        self.at = Cursor()
        """Where what it shows stands."""
        self._coming: Held | None = None
        self._whole: tuple[str, bytes] | None = None
        """A small package that came and is about to be shown, and its name."""
        copy.news = self.news

    async def load(self) -> None:
        """Reads what every request needs, so that none has to."""
        self._shows(await self.copy.read(self._see))

    def _shows(self, seen: _Seen) -> None:
        self.at, self.store_id, self.has_staff = seen.at, seen.store_id, seen.has_staff
        self.parameters, self.profile = seen.parameters, seen.profile
        self.tender_types, self.registers = seen.tender_types, seen.registers

    async def cursors(self) -> list[Cursor]:
        """Where it stands."""
        return [await self.copy.cursor()]

    async def partials(self) -> list[Partial]:
        """The package of which a part is there, from a stream that broke off."""
        return await self.copy.partials()

    async def receive(self, package: Package, offset: int = 0) -> Arriving:
        """Makes room for a package that is about to come, behind what is there of it."""
        if self._coming is not None:
            self._coming.replaced = True
        self._coming = None
        if package.base is not None and not offset and package.size <= HELD_BYTES_MAX:
            self._coming = Held(package.size, partial(self._came, package.name))
            return self._coming
        return await self.copy.shelf.receive(package.name, package.size, offset)

    async def apply(self, package: Package) -> None:
        """Shows a package that came, and keeps it no longer."""

        async def take() -> None:
            data = self._taken(package.name)
            try:
                await self.show(package, data)
            finally:
                if data is None:
                    await self.copy.shelf.remove([package.name])

        # What is written is shown, also when the stream that brought it ends meanwhile.
        await to_its_end(take())

    async def show(self, package: Package, data: bytes | None = None) -> None:
        """Shows a package that is on the shelf, or its bytes; Refused PACKAGE_DAMAGED.

        What is begun must be ended: whoever calls shields it from being cancelled.
        """
        seen = await self.copy.apply(package, data, self._see)
        if seen is None:
            await self.load()
        else:
            self._shows(seen)
        self.news.tell()

    async def close(self) -> None:
        """Lets its file go."""
        await self.copy.close()

    async def digests(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """What ranges of a table's rows come to."""
        return await self.copy.digests(asked)

    async def product(self, code: str, wall_s: float) -> Product:
        """The product of an id or a barcode at a moment; Refused PRODUCT_UNKNOWN."""
        found = await self.copy.read(lambda session: find_product(session, code, wall_s))
        if found is None:
            raise Refused(Reason.PRODUCT_UNKNOWN, f"no product {code[:40]!r}", "code")
        return found

    async def search(self, query: str, after: str, limit: int, wall_s: float) -> list[Product]:
        """Products by the beginning of id or barcode, or a part of the name, in order of id."""
        return await self.copy.read(
            lambda session: search_products(session, query, after, limit, wall_s)
        )

    async def staff(self, staff_id: str) -> StaffMember | None:
        """The person of that id."""
        return await self.copy.read(lambda session: find_staff(session, staff_id))

    async def customer(self, customer_id: str) -> Customer:
        """The customer of that id; Refused CUSTOMER_UNKNOWN."""
        found = await self.copy.read(lambda session: find_customer(session, customer_id))
        if found is None:
            raise Refused(
                Reason.CUSTOMER_UNKNOWN, f"no customer {customer_id[:40]!r}", "customer_id"
            )
        return found

    async def search_customers(self, query: str, after: str, limit: int) -> list[Customer]:
        """Customers by the beginning of the id, or a part of name, address or number."""
        return await self.copy.read(lambda session: search_customers(session, query, after, limit))

    def register(self, register_id: str) -> RegisterRow | None:
        """A register of its own store."""
        return self.registers.get(register_id)

    def _came(self, name: str, data: bytes) -> None:
        self._whole = name, data

    def _taken(self, name: str) -> bytes | None:
        whole, self._whole = self._whole, None
        return whole[1] if whole is not None and whole[0] == name else None

    def _see(self, session: Session) -> _Seen:
        store_id = (self._register_id and store_of(session, self._register_id)) or self.store_id
        return _Seen(
            where_it_stands(session),
            store_id,
            session.one("SELECT 1 FROM staff LIMIT 1") is not None,
            _parameters(session) or Parameters(),
            _profile(session, store_id) or OfflineProfile(),
            tuple(all_tender_types(session)),
            registers_of(session, "" if self._whole_group else store_id),
        )


async def open_replica(
    path: Path,
    shelf: Shelf,
    open_engine: OpenEngine,
    store_id: str = "",
    register_id: str = "",
    *,
    whole_group: bool = False,
    warn: Callable[[str], None] = lambda _: None,
) -> Replica:
    """The replica that a name leads to, of a store; a register's finds its store by itself."""
    copy = await open_copy(path, shelf, open_engine, EVERYTHING, warn)
    replica = Replica(copy, store_id, register_id, whole_group=whole_group)
    await replica.load()
    return replica


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
