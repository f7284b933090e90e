"""Master data: lists and removal."""

from typing import TypeVar

from stillopen.core.errors import Reason, Refused
from stillopen.core.permissions import Permission
from stillopen.headquarters import listings, removal
from stillopen.headquarters.listings import Listing
from stillopen.headquarters.office import Office
from stillopen.rpc.context import Context
from stillopen.rpc.paging import page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.rpc.wire import product_to, staff_to
from stillopen.rpc.wire_master import customer_to, price_to, tax_group_to, tender_type_to
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, types_pb2

PAGE_DEFAULT, PAGE_MAX = 50, 1_000
V = TypeVar("V")


class MasterDataCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """Products and what belongs to them, customers, tender types, staff."""

    _office: Office

    @answers
    async def ListProducts(
        self, request: headquarters_pb2.ListProductsRequest, context: Context
    ) -> headquarters_pb2.ListProductsResponse:
        """Lists products by id."""
        found, token = await self._page(listings.PRODUCTS, request, context)
        return headquarters_pb2.ListProductsResponse(
            products=map(product_to, found), next_page_token=token
        )

    @answers
    async def ListBarcodes(
        self, request: headquarters_pb2.ListBarcodesRequest, context: Context
    ) -> headquarters_pb2.ListBarcodesResponse:
        """Lists barcodes."""
        found, token = await self._page(listings.BARCODES, request, context)
        return headquarters_pb2.ListBarcodesResponse(
            barcodes=[
                types_pb2.Barcode(barcode=each.barcode, product_id=each.product_id)
                for each in found
            ],
            next_page_token=token,
        )

    @answers
    async def ListPrices(
        self, request: headquarters_pb2.ListPricesRequest, context: Context
    ) -> headquarters_pb2.ListPricesResponse:
        """Lists prices by product and beginning."""
        found, token = await self._page(listings.PRICES, request, context)
        return headquarters_pb2.ListPricesResponse(
            prices=map(price_to, found), next_page_token=token
        )

    @answers
    async def ListTaxGroups(
        self, request: headquarters_pb2.ListTaxGroupsRequest, context: Context
    ) -> headquarters_pb2.ListTaxGroupsResponse:
        """Lists tax groups by id."""
        found, token = await self._page(listings.TAX_GROUPS, request, context)
        return headquarters_pb2.ListTaxGroupsResponse(
            tax_groups=map(tax_group_to, found), next_page_token=token
        )

    @answers
    async def ListCustomers(
        self, request: headquarters_pb2.ListCustomersRequest, context: Context
    ) -> headquarters_pb2.ListCustomersResponse:
        """Lists customers by id."""
        found, token = await self._page(listings.CUSTOMERS, request, context)
        return headquarters_pb2.ListCustomersResponse(
            customers=map(customer_to, found), next_page_token=token
        )

    @answers
    async def ListTenderTypes(
        self, request: headquarters_pb2.ListTenderTypesRequest, context: Context
    ) -> headquarters_pb2.ListTenderTypesResponse:
        """Lists tender types by id."""
        found, token = await self._page(listings.TENDER_TYPES, request, context)
        return headquarters_pb2.ListTenderTypesResponse(
            tender_types=map(tender_type_to, found), next_page_token=token
        )

    @answers
    async def ListStaff(
        self, request: headquarters_pb2.ListStaffRequest, context: Context
    ) -> headquarters_pb2.ListStaffResponse:
        """Lists staff by id, without password hashes."""
        found, token = await self._page(listings.STAFF, request, context)
        return headquarters_pb2.ListStaffResponse(staff=map(staff_to, found), next_page_token=token)

    @answers
    async def RemoveMasterData(
        self, request: headquarters_pb2.RemoveMasterDataRequest, context: Context
    ) -> headquarters_pb2.RemoveMasterDataResponse:
        """Removes rows, all or none."""
        caller = self._office.gate.person(context, Permission.VIEW)
        kind = removal.removable(request.kind)
        about_people = kind in removal.ABOUT_PEOPLE
        self._office.gate.person(
            context, Permission.STAFF if about_people else Permission.MASTER_DATA
        )
        if about_people and caller.name in request.ids:
            raise Refused(Reason.IN_USE, "nobody removes oneself", "ids")
        keys = removal.keys_of(kind, request.ids)
        doer = self._office.doer(caller)
        removed = await to_its_end(self._office.catalogue.remove(kind, keys, doer))
        return headquarters_pb2.RemoveMasterDataResponse(removed=removed)

    async def _page(
        self, listing: Listing[V], request: listings.PageRequest, context: Context
    ) -> tuple[list[V], str]:
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        return await self._office.catalogue.page(listing, request.page_token, limit)
