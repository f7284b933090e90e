"""RegisterService: what is set aside, and what comes back with its receipt."""

from collections.abc import Iterable

from stillopen.core.ids import check_transaction_id
from stillopen.core.sale import Sale
from stillopen.register.register import Register
from stillopen.rpc.context import Context
from stillopen.rpc.status import answers
from stillopen.rpc.wire_returned import returned_to
from stillopen.rpc.wire_sale import sale_to
from stillopen.v1 import register_pb2, register_pb2_grpc, types_pb2

ANSWER_BYTES_MAX = 2 * 2**20


class CartsAgent(register_pb2_grpc.RegisterServiceServicer):
    """The part of the agent that is about carts and receipts."""

    def __init__(self, register: Register) -> None:
        self._register = register

    @answers
    async def Suspend(
        self, request: register_pb2.SuspendRequest, context: Context
    ) -> register_pb2.SuspendResponse:
        """Sets a sale aside."""
        del context
        name = check_transaction_id(request.transaction_id)
        sale = await self._register.suspended.suspend(name, request.version)
        return register_pb2.SuspendResponse(sale=sale_to(sale))

    @answers
    async def Recall(
        self, request: register_pb2.RecallRequest, context: Context
    ) -> register_pb2.RecallResponse:
        """Goes on with a suspended sale."""
        del context
        manager = request.manager if request.HasField("manager") else None
        sale = await self._register.suspended.recall(
            request.transaction_id, request.recalling_id, manager
        )
        return register_pb2.RecallResponse(sale=sale_to(sale))

    @answers
    async def ListSuspended(
        self, request: register_pb2.ListSuspendedRequest, context: Context
    ) -> register_pb2.ListSuspendedResponse:
        """Lists what may be recalled now."""
        del request, context
        found = await self._register.suspended.listed()
        return register_pb2.ListSuspendedResponse(
            sales=_that_fit(found.sales), whole_store=found.whole_store
        )

    @answers
    async def Return(
        self, request: register_pb2.ReturnRequest, context: Context
    ) -> register_pb2.ReturnResponse:
        """Takes back what a receipt names."""
        del context
        sale = await self._register.returns.give_back(
            check_transaction_id(request.transaction_id),
            request.version,
            request.receipt,
            request.line_id,
            request.quantity_milli,
            request.reason,
        )
        return register_pb2.ReturnResponse(sale=sale_to(sale))

    @answers
    async def GetReceipt(
        self, request: register_pb2.GetReceiptRequest, context: Context
    ) -> register_pb2.GetReceiptResponse:
        """Finds a final sale, and what was returned of it."""
        del context
        found = await self._register.returns.receipt(request.receipt)
        return register_pb2.GetReceiptResponse(
            sale=sale_to(found.sale),
            returned=returned_to(found.backs),
            all_stores=found.all_stores,
        )


def _that_fit(sales: Iterable[Sale]) -> list[types_pb2.Sale]:
    """As many as one answer holds, at least one."""
    found: list[types_pb2.Sale] = []
    size = 0
    for message in map(sale_to, sales):
        size += message.ByteSize()
        if found and size > ANSWER_BYTES_MAX:
            break
        found.append(message)
    return found
