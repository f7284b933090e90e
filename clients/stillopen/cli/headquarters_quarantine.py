"""What commands ask headquarters about entries that are there and in no effect."""

from collections.abc import AsyncIterator

from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, types_pb2

TIMEOUT_S = 10.0
RETRY_TIMEOUT_S = 600.0


class QuarantineQuestions:
    """Calls of HeadquartersService about what is in quarantine, damaged or in conflict."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def quarantine(
        self, register_id: str = ""
    ) -> AsyncIterator[headquarters_pb2.QuarantinedEntry]:
        """Entries that are there and in no effect, of one register or of all."""
        token = ""
        while True:
            request = headquarters_pb2.ListQuarantineRequest(
                register_id=register_id, page_size=500, page_token=token
            )
            answer = await call(self._stub.ListQuarantine, request, self._caller, TIMEOUT_S)
            for each in answer.entries:
                yield each
            token = answer.next_page_token
            if not token:
                return

    async def quarantined(
        self, position: types_pb2.JournalPosition, digest: bytes = b""
    ) -> headquarters_pb2.GetQuarantinedResponse:
        """One of them with its bytes."""
        request = headquarters_pb2.GetQuarantinedRequest(position=position, digest=digest)
        return await call(self._stub.GetQuarantined, request, self._caller, TIMEOUT_S)

    async def retry_quarantine(
        self,
        reason: str,
        register_id: str = "",
        position: types_pb2.JournalPosition | None = None,
        timeout_s: float = RETRY_TIMEOUT_S,
    ) -> headquarters_pb2.RetryQuarantineResponse:
        """Applies entries in quarantine again: one, those of a register, or all."""
        request = headquarters_pb2.RetryQuarantineRequest(
            register_id=register_id, position=position, reason=reason
        )
        return await call(self._stub.RetryQuarantine, request, self._caller, timeout_s)
