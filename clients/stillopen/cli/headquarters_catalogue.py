"""Headquarters' master data as commands see it: imports, lists, removal."""

from collections.abc import AsyncIterator, Iterable

from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call, send_all
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, types_pb2

TIMEOUT_S = 10.0
IMPORT_TIMEOUT_S = 3_600.0
PAGE = 1_000


class CatalogueQuestions:
    """The part of headquarters that has products, customers, tender types and staff."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def import_products(
        self, requests: AsyncIterator[headquarters_pb2.ImportProductsRequest]
    ) -> types_pb2.ImportReport:
        """Adds and changes products."""
        answer = await send_all(self._stub.ImportProducts, requests, self._caller, IMPORT_TIMEOUT_S)
        return answer.report

    async def import_barcodes(
        self, requests: AsyncIterator[headquarters_pb2.ImportBarcodesRequest]
    ) -> types_pb2.ImportReport:
        """Adds and changes barcodes."""
        answer = await send_all(self._stub.ImportBarcodes, requests, self._caller, IMPORT_TIMEOUT_S)
        return answer.report

    async def import_prices(
        self, requests: AsyncIterator[headquarters_pb2.ImportPricesRequest]
    ) -> types_pb2.ImportReport:
        """Adds and changes prices."""
        answer = await send_all(self._stub.ImportPrices, requests, self._caller, IMPORT_TIMEOUT_S)
        return answer.report

    async def import_tax_groups(
        self, requests: AsyncIterator[headquarters_pb2.ImportTaxGroupsRequest]
    ) -> types_pb2.ImportReport:
        """Adds and changes tax groups."""
        send = self._stub.ImportTaxGroups
        return (await send_all(send, requests, self._caller, IMPORT_TIMEOUT_S)).report

    async def import_customers(
        self, requests: AsyncIterator[headquarters_pb2.ImportCustomersRequest]
    ) -> types_pb2.ImportReport:
        """Adds and changes customers."""
        send = self._stub.ImportCustomers
        return (await send_all(send, requests, self._caller, IMPORT_TIMEOUT_S)).report

    async def import_tender_types(
        self, requests: AsyncIterator[headquarters_pb2.ImportTenderTypesRequest]
    ) -> types_pb2.ImportReport:
        """Adds and changes tender types."""
        send = self._stub.ImportTenderTypes
        return (await send_all(send, requests, self._caller, IMPORT_TIMEOUT_S)).report

    async def import_staff(
        self, requests: AsyncIterator[headquarters_pb2.ImportStaffRequest]
    ) -> types_pb2.ImportReport:
        """Adds and changes staff."""
        answer = await send_all(self._stub.ImportStaff, requests, self._caller, IMPORT_TIMEOUT_S)
        return answer.report

    async def import_cards(
        self, requests: AsyncIterator[headquarters_pb2.HeadquartersServiceImportCardsRequest]
    ) -> types_pb2.ImportReport:
        """Creates cards."""
        answer = await send_all(self._stub.ImportCards, requests, self._caller, IMPORT_TIMEOUT_S)
        return answer.report

    async def products(self) -> AsyncIterator[types_pb2.Product]:
        """Every product, by id."""
        token = ""
        while True:
            request = headquarters_pb2.ListProductsRequest(page_size=PAGE, page_token=token)
            answer = await call(self._stub.ListProducts, request, self._caller, TIMEOUT_S)
            for each in answer.products:
                yield each
            if not (token := answer.next_page_token):
                return

    async def barcodes(self) -> AsyncIterator[types_pb2.Barcode]:
        """Every barcode, in order."""
        token = ""
        while True:
            request = headquarters_pb2.ListBarcodesRequest(page_size=PAGE, page_token=token)
            answer = await call(self._stub.ListBarcodes, request, self._caller, TIMEOUT_S)
            for each in answer.barcodes:
                yield each
            if not (token := answer.next_page_token):
                return

    async def prices(self) -> AsyncIterator[types_pb2.Price]:
        """Every price, by product and beginning."""
        token = ""
        while True:
            request = headquarters_pb2.ListPricesRequest(page_size=PAGE, page_token=token)
            answer = await call(self._stub.ListPrices, request, self._caller, TIMEOUT_S)
            for each in answer.prices:
                yield each
            if not (token := answer.next_page_token):
                return

    async def tax_groups(self) -> AsyncIterator[types_pb2.TaxGroup]:
        """Every tax group, by id."""
        token = ""
        while True:
            request = headquarters_pb2.ListTaxGroupsRequest(page_size=PAGE, page_token=token)
            answer = await call(self._stub.ListTaxGroups, request, self._caller, TIMEOUT_S)
            for each in answer.tax_groups:
                yield each
            if not (token := answer.next_page_token):
                return

    async def customers(self) -> AsyncIterator[types_pb2.Customer]:
        """Every customer, by id."""
        token = ""
        while True:
            request = headquarters_pb2.ListCustomersRequest(page_size=PAGE, page_token=token)
            answer = await call(self._stub.ListCustomers, request, self._caller, TIMEOUT_S)
            for each in answer.customers:
                yield each
            if not (token := answer.next_page_token):
                return

    async def tender_types(self) -> AsyncIterator[types_pb2.TenderType]:
        """Every tender type, by id."""
        token = ""
        while True:
            request = headquarters_pb2.ListTenderTypesRequest(page_size=PAGE, page_token=token)
            answer = await call(self._stub.ListTenderTypes, request, self._caller, TIMEOUT_S)
            for each in answer.tender_types:
                yield each
            if not (token := answer.next_page_token):
                return

    async def staff(self) -> AsyncIterator[types_pb2.StaffMember]:
        """Everybody who may sign in, by id, without password hashes."""
        token = ""
        while True:
            request = headquarters_pb2.ListStaffRequest(page_size=PAGE, page_token=token)
            answer = await call(self._stub.ListStaff, request, self._caller, TIMEOUT_S)
            for each in answer.staff:
                yield each
            if not (token := answer.next_page_token):
                return

    async def remove(
        self, kind: headquarters_pb2.MasterDataKind.ValueType, ids: Iterable[str]
    ) -> int:
        """Removes rows, all or none; how many."""
        request = headquarters_pb2.RemoveMasterDataRequest(kind=kind, ids=ids)
        answer = await call(self._stub.RemoveMasterData, request, self._caller, TIMEOUT_S)
        return answer.removed
