"""What commands ask headquarters about periods, completeness and journals on their way."""

from collections.abc import AsyncIterator

from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire import time_to
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 60.0
"""A period of millions of sales is summed in one go."""


class PeriodQuestions:
    """Calls of HeadquartersService for whoever counts."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def completeness(
        self, register_id: str = "", *, only_open: bool = False
    ) -> headquarters_pb2.GetCompletenessResponse:
        """What came home of every register and lane, of one register or of all."""
        request = headquarters_pb2.GetCompletenessRequest(
            register_id=register_id, only_open=only_open
        )
        return await call(self._stub.GetCompleteness, request, self._caller, TIMEOUT_S)

    async def close_period(
        self, period_id: str, end_wall_s: float, override_reason: str = ""
    ) -> headquarters_pb2.Period:
        """Closes a period; without a reason only when every register is complete."""
        request = headquarters_pb2.ClosePeriodRequest(
            period_id=period_id, end_time=time_to(end_wall_s), override_reason=override_reason
        )
        answer = await call(self._stub.ClosePeriod, request, self._caller, CLOSE_TIMEOUT_S)
        return answer.period

    async def periods(self) -> AsyncIterator[headquarters_pb2.Period]:
        """Closed periods, the newest first."""
        token = ""
        while True:
            request = headquarters_pb2.ListPeriodsRequest(page_size=1_000, page_token=token)
            answer = await call(self._stub.ListPeriods, request, self._caller, TIMEOUT_S)
            for each in answer.periods:
                yield each
            token = answer.next_page_token
            if not token:
                return

    async def late_transactions(
        self, period_id: str = ""
    ) -> AsyncIterator[headquarters_pb2.ReceivedTransaction]:
        """Sales that came after their period was closed."""
        token = ""
        while True:
            request = headquarters_pb2.ListLateTransactionsRequest(
                page_size=500, page_token=token, period_id=period_id
            )
            answer = await call(self._stub.ListLateTransactions, request, self._caller, TIMEOUT_S)
            for each in answer.transactions:
                yield each
            token = answer.next_page_token
            if not token:
                return

    async def upload_sessions(
        self, register_id: str = "", *, only_open: bool = False
    ) -> AsyncIterator[headquarters_pb2.UploadSession]:
        """Journals on their way, of one register or of all."""
        token = ""
        while True:
            request = headquarters_pb2.ListUploadSessionsRequest(
                page_size=1_000, page_token=token, register_id=register_id, only_open=only_open
            )
            answer = await call(self._stub.ListUploadSessions, request, self._caller, TIMEOUT_S)
            for each in answer.sessions:
                yield each
            token = answer.next_page_token
            if not token:
                return
