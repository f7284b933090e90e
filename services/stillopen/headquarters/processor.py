"""The journal processor: what received entries do to cards, through RealtimeService's stub.

It alone calls SettleTransaction. No transaction spans its database and that of cards: an entry is
settled first and marked applied after; a crash between them settles again, which moves nothing.
"""

from stillopen.core.journal import Lane
from stillopen.core.sale import Sale
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.status import call
from stillopen.rpc.wire import position_to
from stillopen.rpc.wire_card import operation_to
from stillopen.rpc.wire_sale import Record, operations_of
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

TIMEOUT_S = 10.0


class CardEffects:
    """Settles and unlocks what journal entries carry."""

    def __init__(self, realtime: realtime_pb2_grpc.RealtimeServiceStub, house: Caller) -> None:
        self._realtime = realtime
        self._house = house

    def concerns(self, record: Record) -> bool:
        """Unlocks, and sales that were paid by card."""
        return not isinstance(record, Sale) or bool(operations_of(record))

    async def __call__(self, lane: Lane, sequence: int, record: Record) -> None:
        """Carries out one entry; Unreachable when cards do not answer: try again later."""
        if not isinstance(record, Sale):
            request = realtime_pb2.UnlockCardRequest(lock_key=record.lock_key)
            holder = self._house.acting_for(Caller(CallerKind.REGISTER, lane.register_id))
            await call(self._realtime.UnlockCard, request, holder, TIMEOUT_S)
            return
        operations = operations_of(record)
        if operations:
            settle = realtime_pb2.SettleTransactionRequest(
                position=position_to(lane, sequence),
                transaction_id=record.transaction_id,
                operations=[operation_to(each) for each in operations],
            )
            await call(self._realtime.SettleTransaction, settle, self._house, TIMEOUT_S)
