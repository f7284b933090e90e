"""What came home, and what people do about journals."""

from collections.abc import AsyncIterator

from stillopen.core.journal import Lane
from stillopen.core.permissions import Permission
from stillopen.headquarters import lanes, returns
from stillopen.headquarters.completeness import completeness
from stillopen.headquarters.journal_files import import_journal
from stillopen.headquarters.office import Office
from stillopen.headquarters.standing import standing_to
from stillopen.rpc.context import Context
from stillopen.rpc.identity import CallerKind
from stillopen.rpc.paging import number_token, page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

PAGE_DEFAULT, PAGE_MAX = 50, 500


class JournalCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """Sales, returns, completeness, lanes."""

    _office: Office

    @answers
    async def ListTransactions(
        self,
        request: headquarters_pb2.HeadquartersServiceListTransactionsRequest,
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceListTransactionsResponse:
        """Lists the sales that came home."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        sales, more = await self._office.received.sales(number_token(request.page_token), limit)
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
        self._office.gate.person(context, Permission.VIEW, CallerKind.CHANNEL)
        return await returns.transaction(self._office.received, request)

    @answers
    async def ListOverReturns(
        self, request: headquarters_pb2.ListOverReturnsRequest, context: Context
    ) -> headquarters_pb2.ListOverReturnsResponse:
        """Lists lines of which more was returned than sold."""
        self._office.gate.person(context, Permission.VIEW)
        return await returns.over_returns(self._office.received, request)

    @answers
    async def GetCompleteness(
        self, request: headquarters_pb2.GetCompletenessRequest, context: Context
    ) -> headquarters_pb2.GetCompletenessResponse:
        """Says what came home and what is missing."""
        self._office.gate.person(context, Permission.VIEW)
        inbox = self._office.received.inbox
        return await completeness(inbox, request, self._office.standings.recovering)

    @answers
    async def AcknowledgeAlarm(
        self, request: headquarters_pb2.AcknowledgeAlarmRequest, context: Context
    ) -> headquarters_pb2.AcknowledgeAlarmResponse:
        """Notes that a person has seen an alarm."""
        person = lanes.Person(
            self._office.gate.person(context, Permission.JOURNALS).name, request.reason
        )
        lane = Lane(request.register_id, request.epoch)
        seen = lanes.acknowledge(self._office.received.inbox, lane, request.kind, person)
        return headquarters_pb2.AcknowledgeAlarmResponse(alarm=await to_its_end(seen))

    @answers
    async def EndRecovery(
        self, request: headquarters_pb2.EndRecoveryRequest, context: Context
    ) -> headquarters_pb2.EndRecoveryResponse:
        """Waits no longer for what a restore lost."""
        person = lanes.Person(
            self._office.gate.person(context, Permission.JOURNALS).name, request.reason
        )
        given_up = await to_its_end(lanes.end_recovery(self._office.received.inbox, person))
        return headquarters_pb2.EndRecoveryResponse(given_up=given_up)

    @answers
    async def DeclareLaneLost(
        self, request: headquarters_pb2.DeclareLaneLostRequest, context: Context
    ) -> headquarters_pb2.DeclareLaneLostResponse:
        """Keeps that a lane is lost, with the register's open locks."""
        person = lanes.Person(
            self._office.gate.person(context, Permission.JOURNALS).name, request.reason
        )
        lane = Lane(request.register_id, request.epoch)
        locks = await lanes.open_locks(self._office.realtime, lane.register_id, self._office.house)
        lost = lanes.declare_lost(self._office.received.inbox, lane, person, locks)
        return headquarters_pb2.DeclareLaneLostResponse(lost_lane=await to_its_end(lost))

    @answers
    async def ListLostLanes(
        self, request: headquarters_pb2.ListLostLanesRequest, context: Context
    ) -> headquarters_pb2.ListLostLanesResponse:
        """Lists the lanes that were declared lost."""
        self._office.gate.person(context, Permission.VIEW)
        found = await lanes.lost_lanes(self._office.received.inbox, request.register_id)
        return headquarters_pb2.ListLostLanesResponse(lost_lanes=found)

    @answers
    async def ImportJournal(
        self,
        request_iterator: AsyncIterator[headquarters_pb2.ImportJournalRequest],
        context: Context,
    ) -> headquarters_pb2.ImportJournalResponse:
        """Takes the journals of a store that has no line."""
        doer = self._office.doer(self._office.gate.person(context, Permission.JOURNALS))
        return await import_journal(self._office.received.inbox, request_iterator, doer, context)

    @answers
    async def GetStanding(
        self, request: headquarters_pb2.GetStandingRequest, context: Context
    ) -> headquarters_pb2.GetStandingResponse:
        """Says how a register stands, to the place where cards are."""
        self._office.gate.person(context, Permission.VIEW)
        return standing_to(
            await self._office.standings.of(request.register_id, request.memo_prefix)
        )
