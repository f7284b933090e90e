"""Periods, the sales that came too late for them, and journals on their way."""

from stillopen.core.ids import check_id
from stillopen.core.permissions import Permission
from stillopen.headquarters import period_lists
from stillopen.headquarters.office import Office
from stillopen.headquarters.periods import Closing
from stillopen.headquarters.uploads import uploads
from stillopen.rpc.context import Context
from stillopen.rpc.paging import number_token, page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.rpc.wire import time_from
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

PAGE_DEFAULT, PAGE_MAX, LATE_PAGE_MAX = 50, 1_000, 500


class PeriodCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """What is counted when, and what is still on its way."""

    _office: Office

    @answers
    async def ClosePeriod(
        self, request: headquarters_pb2.ClosePeriodRequest, context: Context
    ) -> headquarters_pb2.ClosePeriodResponse:
        """Closes a period."""
        person = self._office.gate.person(context, Permission.CLOSE_PERIOD).name
        closing = Closing(request.period_id, time_from(request.end_time), request.override_reason)
        number = await to_its_end(self._office.periods.close(closing, person))
        closed = await self._office.periods.inbox.engine.read(
            lambda session: period_lists.period(session, number)
        )
        return headquarters_pb2.ClosePeriodResponse(period=closed)

    @answers
    async def ListPeriods(
        self, request: headquarters_pb2.ListPeriodsRequest, context: Context
    ) -> headquarters_pb2.ListPeriodsResponse:
        """Lists closed periods."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        before = number_token(request.page_token)
        return await self._office.periods.inbox.engine.read(
            lambda session: period_lists.periods(session, before, limit)
        )

    @answers
    async def ListLateTransactions(
        self, request: headquarters_pb2.ListLateTransactionsRequest, context: Context
    ) -> headquarters_pb2.ListLateTransactionsResponse:
        """Lists sales that came after their period was closed."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, LATE_PAGE_MAX)
        after = number_token(request.page_token)
        return await self._office.periods.inbox.engine.read(
            lambda session: period_lists.late(session, request.period_id, after, limit)
        )

    @answers
    async def ListUploadSessions(
        self, request: headquarters_pb2.ListUploadSessionsRequest, context: Context
    ) -> headquarters_pb2.ListUploadSessionsResponse:
        """Lists journals on their way."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        if request.register_id:
            check_id(request.register_id, "register_id")
        return await self._office.received.inbox.engine.read(
            lambda session: uploads(
                session,
                request.register_id,
                request.page_token,
                limit,
                only_open=request.only_open,
            )
        )
