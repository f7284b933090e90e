"""What people see and do of entries that are here and in no effect."""

from stillopen.core.permissions import Permission
from stillopen.headquarters import quarantine
from stillopen.headquarters.office import Office
from stillopen.rpc.context import Context
from stillopen.rpc.paging import page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

PAGE_DEFAULT, PAGE_MAX = 50, 500
RETRY_MAX_S = 600.0
"""No call tries for longer; what is left is tried beside."""
KEPT_BACK = 0.1
"""So much of the caller's time is kept for the answer."""


class QuarantineCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """Entries in quarantine, damaged, or in conflict."""

    _office: Office

    @answers
    async def ListQuarantine(
        self, request: headquarters_pb2.ListQuarantineRequest, context: Context
    ) -> headquarters_pb2.ListQuarantineResponse:
        """Lists them by register and position."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        return await quarantine.list_quarantine(
            self._office.received.inbox, request.register_id, request.page_token, limit
        )

    @answers
    async def GetQuarantined(
        self, request: headquarters_pb2.GetQuarantinedRequest, context: Context
    ) -> headquarters_pb2.GetQuarantinedResponse:
        """Returns one of them as it came."""
        self._office.gate.person(context, Permission.VIEW)
        return await quarantine.get_quarantined(
            self._office.received.inbox, request.position, request.digest
        )

    @answers
    async def RetryQuarantine(
        self, request: headquarters_pb2.RetryQuarantineRequest, context: Context
    ) -> headquarters_pb2.RetryQuarantineResponse:
        """Applies entries in quarantine again."""
        caller = self._office.gate.person(context, Permission.JOURNALS)
        asked = quarantine.wanted(request, caller.name)
        within_s = _within(context.time_remaining())
        tried = quarantine.retry(self._office.received, asked, self._office.doer(caller), within_s)
        return await to_its_end(tried)


def _within(left_s: float | None) -> float:
    """For how long a call may try; nothing when its caller sets no deadline."""
    return RETRY_MAX_S if left_s is None else min(left_s * (1 - KEPT_BACK), RETRY_MAX_S)
