"""HeadquartersService: imports, parameters, and what came home."""

from collections.abc import AsyncIterator, Iterable

from stillopen.core.errors import Reason, Refused
from stillopen.core.journal import Lane
from stillopen.core.money import Money, check_money
from stillopen.core.products import Codes, Product, StaffMember, check_product, check_staff
from stillopen.headquarters import lanes, returns
from stillopen.headquarters.completeness import completeness
from stillopen.headquarters.master import MasterData
from stillopen.headquarters.processor import HEADQUARTERS
from stillopen.headquarters.standing import Standings, standing_to
from stillopen.replication.received import ReceivedSales
from stillopen.rpc.context import Context
from stillopen.rpc.identity import CallerKind, caller_of
from stillopen.rpc.importing import check_whole, collect
from stillopen.rpc.paging import number_token, page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers, send_all
from stillopen.rpc.wire import (
    product_from,
    profile_from,
    profile_to,
    staff_from,
)
from stillopen.rpc.wire_parameters import parameters_from, parameters_to
from stillopen.v1 import (
    headquarters_pb2,
    headquarters_pb2_grpc,
    realtime_pb2,
    realtime_pb2_grpc,
    types_pb2,
)

SERVICE = "stillopen.v1.HeadquartersService"
PAGE_DEFAULT, PAGE_MAX = 50, 500
CARDS_TIMEOUT_S = 120.0
_PEOPLE = (CallerKind.PERSON, CallerKind.HEADQUARTERS)


class HeadquartersServicer(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """What headquarters' people do."""

    def __init__(
        self,
        master: MasterData,
        received: ReceivedSales,
        standings: Standings,
        realtime: realtime_pb2_grpc.RealtimeServiceStub,
    ) -> None:
        self._master = master
        self._received = received
        self._standings = standings
        self._realtime = realtime

    @answers
    async def ImportProducts(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportProductsRequest],
        context: Context,
    ) -> headquarters_pb2.ImportProductsResponse:
        """Adds and changes products."""
        caller_of(context, *_PEOPLE)
        currency = self._master.parameters.currency

        codes = Codes(await self._master.barcodes())

        def check(row: types_pb2.Product) -> Product:
            product = codes.check(check_product(product_from(row)))
            if product.price.currency != currency:
                raise Refused(Reason.CURRENCY_MISMATCH, f"prices are in {currency}", "price")
            return product

        async def batches() -> AsyncIterator[Iterable[types_pb2.Product]]:
            async for request in request_iterator:
                yield request.rows

        products, report = await collect(batches(), check)
        await check_whole(context)
        if products:
            await to_its_end(self._master.put_products([product for _, product in products]))
        return headquarters_pb2.ImportProductsResponse(report=report)

    @answers
    async def ImportStaff(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportStaffRequest],
        context: Context,
    ) -> headquarters_pb2.ImportStaffResponse:
        """Adds and changes staff."""
        caller_of(context, *_PEOPLE)

        async def batches() -> AsyncIterator[Iterable[types_pb2.StaffMember]]:
            async for request in request_iterator:
                yield request.rows

        def check(row: types_pb2.StaffMember) -> StaffMember:
            return check_staff(staff_from(row))

        staff, report = await collect(batches(), check)
        await check_whole(context)
        if staff:
            await to_its_end(self._master.put_staff([member for _, member in staff]))
        return headquarters_pb2.ImportStaffResponse(report=report)

    @answers
    async def ImportCards(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.HeadquartersServiceImportCardsRequest],
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceImportCardsResponse:
        """Creates cards, through RealtimeService."""
        caller_of(context, *_PEOPLE)

        async def requests() -> AsyncIterator[realtime_pb2.ImportCardsRequest]:
            async for request in request_iterator:
                yield realtime_pb2.ImportCardsRequest(
                    import_id=request.import_id, rows=request.rows
                )
            await check_whole(context)

        response = await send_all(
            self._realtime.ImportCards, requests(), HEADQUARTERS, CARDS_TIMEOUT_S
        )
        return headquarters_pb2.HeadquartersServiceImportCardsResponse(report=response.report)

    @answers
    async def UpdateParameters(
        self, request: headquarters_pb2.UpdateParametersRequest, context: Context
    ) -> headquarters_pb2.UpdateParametersResponse:
        """Changes parameters."""
        caller_of(context, *_PEOPLE)
        wanted = parameters_from(request.parameters)
        check_money(Money(wanted.currency, 0), "currency_code")
        await to_its_end(self._master.put_parameters(wanted))
        return headquarters_pb2.UpdateParametersResponse(
            parameters=parameters_to(self._master.parameters)
        )

    @answers
    async def GetParameters(
        self,
        request: headquarters_pb2.HeadquartersServiceGetParametersRequest,  # noqa: ARG002
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceGetParametersResponse:
        """Returns the parameters in force."""
        caller_of(context)
        return headquarters_pb2.HeadquartersServiceGetParametersResponse(
            parameters=parameters_to(self._master.parameters)
        )

    @answers
    async def UpdateOfflineProfile(
        self, request: headquarters_pb2.UpdateOfflineProfileRequest, context: Context
    ) -> headquarters_pb2.UpdateOfflineProfileResponse:
        """Changes when registers go offline and come back."""
        caller_of(context, *_PEOPLE)
        await to_its_end(self._master.put_profile(profile_from(request.offline_profile)))
        return headquarters_pb2.UpdateOfflineProfileResponse(
            offline_profile=profile_to(self._master.profile)
        )

    @answers
    async def GetOfflineProfile(
        self,
        request: headquarters_pb2.GetOfflineProfileRequest,  # noqa: ARG002
        context: Context,
    ) -> headquarters_pb2.GetOfflineProfileResponse:
        """Returns the profile in force."""
        caller_of(context)
        return headquarters_pb2.GetOfflineProfileResponse(
            offline_profile=profile_to(self._master.profile)
        )

    @answers
    async def ListTransactions(
        self,
        request: headquarters_pb2.HeadquartersServiceListTransactionsRequest,
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceListTransactionsResponse:
        """Lists the sales that came home."""
        caller_of(context, *_PEOPLE)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        sales, more = await self._received.sales(number_token(request.page_token), limit)
        return headquarters_pb2.HeadquartersServiceListTransactionsResponse(
            transactions=[
                headquarters_pb2.ReceivedTransaction(position=each.position, sale=each.sale)
                for each in sales
            ],
            next_page_token=str(sales[-1].arrival) if more else "",
        )

    @answers
    async def GetTransaction(
        self,
        request: headquarters_pb2.HeadquartersServiceGetTransactionRequest,
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceGetTransactionResponse:
        """Returns a sale, and what of it was returned."""
        caller_of(context, *_PEOPLE, CallerKind.CHANNEL)
        return await returns.transaction(self._received, request)

    @answers
    async def ListOverReturns(
        self, request: headquarters_pb2.ListOverReturnsRequest, context: Context
    ) -> headquarters_pb2.ListOverReturnsResponse:
        """Lists lines of which more was returned than sold."""
        caller_of(context, *_PEOPLE)
        return await returns.over_returns(self._received, request)

    @answers
    async def GetCompleteness(
        self, request: headquarters_pb2.GetCompletenessRequest, context: Context
    ) -> headquarters_pb2.GetCompletenessResponse:
        """Says what came home and what is missing."""
        caller_of(context, *_PEOPLE)
        inbox = self._received.inbox
        return await completeness(inbox, request.register_id, self._standings.recovering)

    @answers
    async def AcknowledgeAlarm(
        self, request: headquarters_pb2.AcknowledgeAlarmRequest, context: Context
    ) -> headquarters_pb2.AcknowledgeAlarmResponse:
        """Notes that a person has seen an alarm."""
        person = lanes.Person(caller_of(context, *_PEOPLE).name, request.reason)
        lane = Lane(request.register_id, request.epoch)
        seen = lanes.acknowledge(self._received.inbox, lane, request.kind, person)
        return headquarters_pb2.AcknowledgeAlarmResponse(alarm=await to_its_end(seen))

    @answers
    async def EndRecovery(
        self, request: headquarters_pb2.EndRecoveryRequest, context: Context
    ) -> headquarters_pb2.EndRecoveryResponse:
        """Waits no longer for what a restore lost."""
        person = lanes.Person(caller_of(context, *_PEOPLE).name, request.reason)
        given_up = await to_its_end(lanes.end_recovery(self._received.inbox, person))
        return headquarters_pb2.EndRecoveryResponse(given_up=given_up)

    @answers
    async def DeclareLaneLost(
        self, request: headquarters_pb2.DeclareLaneLostRequest, context: Context
    ) -> headquarters_pb2.DeclareLaneLostResponse:
        """Keeps that a lane is lost, with the register's open locks."""
        person = lanes.Person(caller_of(context, *_PEOPLE).name, request.reason)
        lane = Lane(request.register_id, request.epoch)
        locks = await lanes.open_locks(self._realtime, lane.register_id)
        lost = lanes.declare_lost(self._received.inbox, lane, person, locks)
        return headquarters_pb2.DeclareLaneLostResponse(lost_lane=await to_its_end(lost))

    @answers
    async def ListLostLanes(
        self, request: headquarters_pb2.ListLostLanesRequest, context: Context
    ) -> headquarters_pb2.ListLostLanesResponse:
        """Lists the lanes that were declared lost."""
        caller_of(context, *_PEOPLE)
        found = await lanes.lost_lanes(self._received.inbox, request.register_id)
        return headquarters_pb2.ListLostLanesResponse(lost_lanes=found)

    @answers
    async def GetStanding(
        self, request: headquarters_pb2.GetStandingRequest, context: Context
    ) -> headquarters_pb2.GetStandingResponse:
        """Says how a register stands, to the place where cards are."""
        caller_of(context, *_PEOPLE)
        return standing_to(await self._standings.of(request.register_id, request.memo_prefix))
