"""Bringing files to headquarters as the `stillopen import` command does, kind by kind."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from stillopen.cli import import_kinds
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.import_run import bring
from stillopen.v1 import headquarters_pb2, types_pb2

Report = types_pb2.ImportReport
Bring = Callable[[Headquarters, Path, bool], Awaitable[Report]]
"""Brings a file of one kind, or only has it checked."""


async def products(people: Headquarters, file: Path, check: bool = False) -> Report:  # noqa: FBT001
    async def send(batches: AsyncIterator[list[types_pb2.Product]]) -> Report:
        return await people.import_products(
            headquarters_pb2.ImportProductsRequest(rows=batch, check_only=check)
            async for batch in batches
        )

    rates = {each.tax_group: each.percent_milli async for each in people.tax_groups()}
    return await bring(file, import_kinds.products("EUR", rates), send)


async def prices(people: Headquarters, file: Path, check: bool = False) -> Report:  # noqa: FBT001
    async def send(batches: AsyncIterator[list[types_pb2.Price]]) -> Report:
        return await people.import_prices(
            headquarters_pb2.ImportPricesRequest(rows=batch, check_only=check)
            async for batch in batches
        )

    return await bring(file, import_kinds.prices("EUR"), send)


async def staff(people: Headquarters, file: Path, check: bool = False) -> Report:  # noqa: FBT001
    async def send(batches: AsyncIterator[list[types_pb2.StaffMember]]) -> Report:
        return await people.import_staff(
            headquarters_pb2.ImportStaffRequest(rows=batch, check_only=check)
            async for batch in batches
        )

    hashed = f"scrypt$16384$8$1${'A' * 22}==${'A' * 43}="
    blocked = frozenset([each.staff_id async for each in people.staff() if each.blocked])
    return await bring(file, import_kinds.staff(lambda _: hashed, blocked), send)


async def customers(people: Headquarters, file: Path, check: bool = False) -> Report:  # noqa: FBT001
    async def send(batches: AsyncIterator[list[types_pb2.Customer]]) -> Report:
        return await people.import_customers(
            headquarters_pb2.ImportCustomersRequest(rows=batch, check_only=check)
            async for batch in batches
        )

    return await bring(file, import_kinds.CUSTOMERS, send)


async def tender_types(people: Headquarters, file: Path, check: bool = False) -> Report:  # noqa: FBT001
    async def send(batches: AsyncIterator[list[types_pb2.TenderType]]) -> Report:
        return await people.import_tender_types(
            headquarters_pb2.ImportTenderTypesRequest(rows=batch, check_only=check)
            async for batch in batches
        )

    return await bring(file, import_kinds.TENDER_TYPES, send)


def written(tmp_path: Path, data: str | bytes) -> Path:
    """A file with these contents."""
    """Tender types."""
    """Customers."""
    """Staff; every password has one hash."""
    """Prices."""
    """Products."""
    path = tmp_path / "rows.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path
