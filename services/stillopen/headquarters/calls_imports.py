"""Master data: imports by client stream."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from stillopen.core.customers import check_customer
from stillopen.core.errors import Reason, Refused
from stillopen.core.permissions import Permission
from stillopen.core.prices import Price, check_price
from stillopen.core.products import Product, StaffMember, check_member, check_product, check_staff
from stillopen.core.tax import check_tax_group
from stillopen.core.tender_types import check_tender_type
from stillopen.headquarters.catalogue_codes import (
    BARCODES,
    PRICES,
    Barcode,
    check_barcode,
)
from stillopen.headquarters.catalogue_products import PRODUCTS
from stillopen.headquarters.catalogue_rows import CUSTOMERS, STAFF, TAX_GROUPS, TENDER_TYPES
from stillopen.headquarters.office import Office
from stillopen.headquarters.staging import Kind
from stillopen.rpc.context import Context
from stillopen.rpc.importing import check_whole
from stillopen.rpc.status import answers, send_all
from stillopen.rpc.wire import product_from, staff_from
from stillopen.rpc.wire_master import (
    customer_from,
    price_from,
    tax_group_from,
    tender_type_from,
)
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, realtime_pb2, types_pb2

CARDS_TIMEOUT_S = 120.0

Message_co = TypeVar("Message_co", covariant=True)
Row = TypeVar("Row")
V = TypeVar("V")


class ImportRequest(Protocol[Message_co]):
    """A part of an import's rows."""

    @property
    def rows(self) -> Sequence[Message_co]:
        """Rows in order."""
        ...

    @property
    def check_only(self) -> bool:
        """Whether nothing is to be changed; read from the first message."""
        ...


class ImportCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """Products, barcodes, prices, tax groups, customers, tender types, staff and cards."""

    _office: Office

    @answers
    async def ImportProducts(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportProductsRequest],
        context: Context,
    ) -> headquarters_pb2.ImportProductsResponse:
        """Adds and changes products."""
        self._office.gate.person(context, Permission.MASTER_DATA)
        currency = self._office.posting.current.currency

        def check(row: types_pb2.Product) -> Product:
            product = check_product(product_from(row))
            if product.price.currency != currency:
                raise Refused(Reason.CURRENCY_MISMATCH, f"prices are in {currency}", "price")
            return product

        report = await self._taken(PRODUCTS, request_iterator, check, context)
        return headquarters_pb2.ImportProductsResponse(report=report)

    @answers
    async def ImportBarcodes(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportBarcodesRequest],
        context: Context,
    ) -> headquarters_pb2.ImportBarcodesResponse:
        """Adds and changes barcodes."""
        self._office.gate.person(context, Permission.MASTER_DATA)

        def check(row: types_pb2.Barcode) -> Barcode:
            return check_barcode(Barcode(row.barcode, row.product_id))

        report = await self._taken(BARCODES, request_iterator, check, context)
        return headquarters_pb2.ImportBarcodesResponse(report=report)

    @answers
    async def ImportPrices(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportPricesRequest],
        context: Context,
    ) -> headquarters_pb2.ImportPricesResponse:
        """Adds and changes prices."""
        self._office.gate.person(context, Permission.MASTER_DATA)
        currency = self._office.posting.current.currency

        def check(row: types_pb2.Price) -> Price:
            return check_price(price_from(row), currency)

        report = await self._taken(PRICES, request_iterator, check, context)
        return headquarters_pb2.ImportPricesResponse(report=report)

    @answers
    async def ImportTaxGroups(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportTaxGroupsRequest],
        context: Context,
    ) -> headquarters_pb2.ImportTaxGroupsResponse:
        """Adds and changes tax groups."""
        self._office.gate.person(context, Permission.MASTER_DATA)
        report = await self._taken(
            TAX_GROUPS, request_iterator, lambda row: check_tax_group(tax_group_from(row)), context
        )
        return headquarters_pb2.ImportTaxGroupsResponse(report=report)

    @answers
    async def ImportCustomers(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportCustomersRequest],
        context: Context,
    ) -> headquarters_pb2.ImportCustomersResponse:
        """Adds and changes customers."""
        self._office.gate.person(context, Permission.MASTER_DATA)
        report = await self._taken(
            CUSTOMERS, request_iterator, lambda row: check_customer(customer_from(row)), context
        )
        return headquarters_pb2.ImportCustomersResponse(report=report)

    @answers
    async def ImportTenderTypes(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportTenderTypesRequest],
        context: Context,
    ) -> headquarters_pb2.ImportTenderTypesResponse:
        """Adds and changes tender types."""
        self._office.gate.person(context, Permission.MASTER_DATA)
        report = await self._taken(
            TENDER_TYPES,
            request_iterator,
            lambda row: check_tender_type(tender_type_from(row)),
            context,
        )
        return headquarters_pb2.ImportTenderTypesResponse(report=report)

    @answers
    async def ImportStaff(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportStaffRequest],
        context: Context,
    ) -> headquarters_pb2.ImportStaffResponse:
        """Adds and changes staff; who is there keeps password and role where none comes."""
        self._office.gate.person(context, Permission.STAFF)

        def check(row: types_pb2.StaffMember) -> StaffMember:
            member = staff_from(row)
            checked = check_staff(member) if member.password_hash else check_member(member)
            return replace(checked, role_id=row.role_id)

        report = await self._taken(
            STAFF, request_iterator, check, context, self._office.catalogue.people_changed
        )
        return headquarters_pb2.ImportStaffResponse(report=report)

    @answers
    async def ImportCards(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.HeadquartersServiceImportCardsRequest],
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceImportCardsResponse:
        """Creates cards, through RealtimeService."""
        self._office.gate.person(context, Permission.CARDS)

        async def requests() -> AsyncIterator[realtime_pb2.ImportCardsRequest]:
            async for request in request_iterator:
                yield realtime_pb2.ImportCardsRequest(
                    import_id=request.import_id, rows=request.rows
                )
            await check_whole(context)

        response = await send_all(
            self._office.realtime.ImportCards, requests(), self._office.house, CARDS_TIMEOUT_S
        )
        return headquarters_pb2.HeadquartersServiceImportCardsResponse(report=response.report)

    async def _taken(
        self,
        kind: Kind[V],
        requests: AsyncIterator[ImportRequest[Row]],
        check: Callable[[Row], V],
        context: Context,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> types_pb2.ImportReport:
        first: list[bool] = []
        caller = self._office.gate.caller(context)
        doer = self._office.doer(caller)

        async def batches() -> AsyncIterator[Iterable[Row]]:
            async for request in requests:
                first[:] = first or [request.check_only]
                yield request.rows

        return await self._office.catalogue.imports.run(
            kind,
            batches(),
            check,
            context,
            check_only=lambda: any(first),
            doer=doer,
            after=after,
        )
