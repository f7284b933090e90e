"""The reference for cards: the same two calls with their rules kept, over PostgreSQL.

`python -m tests.bench.postgres_cards URI CARDS` makes the tables and the cards, and says where it
listens. It looks at no credentials and no parameters, and keeps no record of who may conclude what:
what it leaves out is to its advantage.
"""

import asyncio
import sys

from tests.bench import pairs, postgres, postgres_engine
from tests.bench.postgres_engine import Engine, Granted, Operation, Statements, Wanted
from tests.bench.tills import say

from stillopen.core.card_number import card_id, last_four, look_up_value
from stillopen.core.errors import Reason, Refused
from stillopen.core.money import Money
from stillopen.rpc.context import Context
from stillopen.rpc.server import listen
from stillopen.rpc.status import answers
from stillopen.rpc.wire import duration_to, money_to
from stillopen.rpc.wire_card import operation_from
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc, types_pb2

CONNECTIONS = 16
"""As many as serve it best on two cores; the others wait their turn."""
KEY = bytes(32)


class Cards(realtime_pb2_grpc.RealtimeServiceServicer):
    """Locks and settles."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @answers
    async def LockCard(  # noqa: N802 - the contract's name
        self, request: realtime_pb2.LockCardRequest, context: Context
    ) -> realtime_pb2.LockCardResponse:
        """One transaction."""
        del context
        wanted = Wanted(
            request.lock_key,
            look_up_value(KEY, request.number),
            pairs.REGISTER,
            request.transaction_id,
            request.line_id,
            request.amount.minor_units,
            request.amount_only,
        )
        granted = await self._engine.lock(wanted)
        if granted is None:
            raise Refused(Reason.CARD_LOCKED, "another transaction holds the card", "number")
        return realtime_pb2.LockCardResponse(lock=_lock(request, granted))

    @answers
    async def SettleTransaction(  # noqa: N802 - the contract's name
        self, request: realtime_pb2.SettleTransactionRequest, context: Context
    ) -> realtime_pb2.SettleTransactionResponse:
        """One transaction: the benchmark's sales have one operation each."""
        del context
        [message] = request.operations
        asked = operation_from(message, request.transaction_id)
        operation = Operation(
            asked.transaction_id,
            asked.line_id,
            asked.lock_key,
            asked.card_id,
            asked.amount.minor,
            asked.digest(),
        )
        outcome = realtime_pb2.SETTLEMENT_OUTCOME_EXCEPTION
        if await self._engine.settle(operation):
            outcome = realtime_pb2.SETTLEMENT_OUTCOME_APPLIED
        return realtime_pb2.SettleTransactionResponse(
            settlements=[realtime_pb2.Settlement(line_id=asked.line_id, outcome=outcome)]
        )


def _opening(number: str) -> tuple[str, bytes, str, int]:
    look_up = look_up_value(KEY, number)
    return card_id(look_up), look_up, last_four(number), pairs.BALANCE_MINOR


def _lock(request: realtime_pb2.LockCardRequest, granted: Granted) -> realtime_pb2.CardLock:
    return realtime_pb2.CardLock(
        lock_key=request.lock_key,
        state=realtime_pb2.LOCK_STATE_OPEN,
        card_id=granted.card_id,
        last_four=granted.last_four,
        balance=money_to(Money("EUR", granted.balance_minor)),
        blocks_for=duration_to(postgres_engine.BLOCKS_S),
        amount_only=request.amount_only,
        kind=types_pb2.CARD_KIND_GIFT_CARD,
    )


async def main(uri: str, cards: int) -> None:
    """Serves until it is ended."""
    async with postgres.connected(uri, CONNECTIONS) as pool:
        async with pool.acquire() as connection:
            await connection.execute(postgres_engine.TABLES)
            await connection.executemany(
                postgres_engine.OPENING, [_opening(pairs.number(n)) for n in range(cards)]
            )
            await connection.execute("ANALYZE")
        listener = listen("127.0.0.1:0")
        servicer = Cards(Statements(pool))  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
        await listener.start(
            [],
            [
                lambda server: realtime_pb2_grpc.add_RealtimeServiceServicer_to_server(
                    servicer, server
                )
            ],
        )
        say(listener.address)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
