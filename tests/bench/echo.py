"""The reference for calls: an empty grpc.aio servicer with the same messages and server options."""

import asyncio
import sys

from stillopen.rpc.context import Context
from stillopen.rpc.server import listen
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc


class Empty(realtime_pb2_grpc.RealtimeServiceServicer):
    """Answers at once with a message of the usual size."""

    async def LockCard(  # noqa: N802 - the contract's name
        self, request: realtime_pb2.LockCardRequest, context: Context
    ) -> realtime_pb2.LockCardResponse:
        """A lock like any other."""
        del context
        lock = realtime_pb2.CardLock(lock_key=request.lock_key, card_id="c" * 32, last_four="0001")
        return realtime_pb2.LockCardResponse(lock=lock)

    async def SettleTransaction(  # noqa: N802 - the contract's name
        self, request: realtime_pb2.SettleTransactionRequest, context: Context
    ) -> realtime_pb2.SettleTransactionResponse:
        """Settled, it says."""
        del context
        return realtime_pb2.SettleTransactionResponse(
            settlements=[
                realtime_pb2.Settlement(
                    line_id=each.line_id, outcome=realtime_pb2.SETTLEMENT_OUTCOME_APPLIED
                )
                for each in request.operations
            ]
        )


async def main() -> None:
    """Serves until it is ended."""
    listener = listen("127.0.0.1:0")
    servicer = Empty()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
    await listener.start(
        [],
        [lambda server: realtime_pb2_grpc.add_RealtimeServiceServicer_to_server(servicer, server)],
    )
    sys.stdout.write(listener.address + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
