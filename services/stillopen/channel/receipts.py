"""A sale by its receipt: headquarters' word for all stores, or what this store has received."""

from collections.abc import Callable

from stillopen.channel.relay import time_for_headquarters_s
from stillopen.core.errors import StillopenError
from stillopen.core.returns import together
from stillopen.replication.received import ReceivedSales
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire_returned import returned_from, returned_to
from stillopen.v1 import channel_data_pb2, headquarters_pb2, headquarters_pb2_grpc

Request = channel_data_pb2.GetTransactionRequest
Answer = channel_data_pb2.GetTransactionResponse


class Receipts:
    """What a store can say of a sale and its returns."""

    def __init__(
        self,
        received: ReceivedSales,
        headquarters: headquarters_pb2_grpc.HeadquartersServiceStub,
        caller: Caller,
        reachable: Callable[[], bool],
    ) -> None:
        self._received = received
        self._headquarters = headquarters
        self._caller = caller
        self._reachable = reachable

    async def find(self, request: Request, remaining_s: float | None) -> Answer:
        """The sale, and what was given back of it; Refused SALE_UNKNOWN when nobody knows it."""
        home = await self._home(request, time_for_headquarters_s(remaining_s))
        if home is None:
            found = await self._received.find(request.transaction_id, request.receipt_number)
            return Answer(sale=found.sale, returned=returned_to(found.backs))
        name = home.sale.transaction_id
        # Returns of this store may not be home yet; the same one counts once.
        backs = together(returned_from(name, home.returned), await self._received.backs(name))
        return Answer(sale=home.sale, returned=returned_to(backs), all_stores=True)

    async def _home(
        self, request: Request, timeout_s: float
    ) -> headquarters_pb2.HeadquartersServiceGetTransactionResponse | None:
        if timeout_s <= 0 or not self._reachable():
            return None
        asked = headquarters_pb2.HeadquartersServiceGetTransactionRequest(
            transaction_id=request.transaction_id, receipt_number=request.receipt_number
        )
        try:
            return await call(self._headquarters.GetTransaction, asked, self._caller, timeout_s)
        except StillopenError:
            return None  # not home yet, or headquarters is not there: what is known here decides
