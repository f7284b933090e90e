"""RealtimeService at headquarters' address when it runs elsewhere: passed on, caller and all."""

from collections.abc import AsyncIterator
from typing import TypeVar

import grpc.aio

from stillopen.core.errors import Misuse, Reason
from stillopen.rpc.context import Context
from stillopen.rpc.identity import caller_of
from stillopen.rpc.status import answers, call
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

TIMEOUT_DEFAULT_S = 10.0
RESERVE_SHARE = 0.05

Request = TypeVar("Request")
Response = TypeVar("Response")


class CardsElsewhere(realtime_pb2_grpc.RealtimeServiceServicer):
    """Passes card calls on to where the cards are, so that everybody needs one address."""

    def __init__(self, realtime: realtime_pb2_grpc.RealtimeServiceStub) -> None:
        self._stub = realtime

    @answers
    async def GetCardBalance(
        self, request: realtime_pb2.GetCardBalanceRequest, context: Context
    ) -> realtime_pb2.GetCardBalanceResponse:
        """Says what is on a card."""
        return await self._pass_on(self._stub.GetCardBalance, request, context)

    @answers
    async def LockCard(
        self, request: realtime_pb2.LockCardRequest, context: Context
    ) -> realtime_pb2.LockCardResponse:
        """Locks a card."""
        return await self._pass_on(self._stub.LockCard, request, context)

    @answers
    async def RenewLocks(
        self, request: realtime_pb2.RenewLocksRequest, context: Context
    ) -> realtime_pb2.RenewLocksResponse:
        """Makes locks block again."""
        return await self._pass_on(self._stub.RenewLocks, request, context)

    @answers
    async def UnlockCard(
        self, request: realtime_pb2.UnlockCardRequest, context: Context
    ) -> realtime_pb2.UnlockCardResponse:
        """Ends a lock."""
        return await self._pass_on(self._stub.UnlockCard, request, context)

    @answers
    async def SettleTransaction(
        self, request: realtime_pb2.SettleTransactionRequest, context: Context
    ) -> realtime_pb2.SettleTransactionResponse:
        """Not here: the journal processor calls it where the cards are."""
        del request, context
        raise _elsewhere()

    @answers
    async def GetSettlement(
        self, request: realtime_pb2.GetSettlementRequest, context: Context
    ) -> realtime_pb2.GetSettlementResponse:
        """Says what became of a sale's card operations."""
        return await self._pass_on(self._stub.GetSettlement, request, context)

    @answers
    async def ImportCards(
        self, request_iterator: AsyncIterator[realtime_pb2.ImportCardsRequest], context: Context
    ) -> realtime_pb2.ImportCardsResponse:
        """Not here: cards are imported through HeadquartersService."""
        del request_iterator, context
        raise _elsewhere()

    @answers
    async def BlockCard(
        self, request: realtime_pb2.BlockCardRequest, context: Context
    ) -> realtime_pb2.BlockCardResponse:
        """Blocks a card, or lifts that."""
        return await self._pass_on(self._stub.BlockCard, request, context)

    @answers
    async def ResolveException(
        self, request: realtime_pb2.ResolveExceptionRequest, context: Context
    ) -> realtime_pb2.ResolveExceptionResponse:
        """Resolves an exception."""
        return await self._pass_on(self._stub.ResolveException, request, context)

    @answers
    async def ListCardEntries(
        self, request: realtime_pb2.ListCardEntriesRequest, context: Context
    ) -> realtime_pb2.ListCardEntriesResponse:
        """Lists a card's ledger."""
        return await self._pass_on(self._stub.ListCardEntries, request, context)

    @answers
    async def ListLocks(
        self, request: realtime_pb2.ListLocksRequest, context: Context
    ) -> realtime_pb2.ListLocksResponse:
        """Lists open locks."""
        return await self._pass_on(self._stub.ListLocks, request, context)

    @answers
    async def ListExceptions(
        self, request: realtime_pb2.ListExceptionsRequest, context: Context
    ) -> realtime_pb2.ListExceptionsResponse:
        """Lists exceptions."""
        return await self._pass_on(self._stub.ListExceptions, request, context)

    async def _pass_on(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        context: Context,
    ) -> Response:
        timeout_s = _timeout_s(context.time_remaining())
        return await call(method, request, caller_of(context), timeout_s)


def _timeout_s(remaining_s: float | None) -> float:
    return (TIMEOUT_DEFAULT_S if remaining_s is None else remaining_s) * (1 - RESERVE_SHARE)


def _elsewhere() -> Misuse:
    return Misuse(Reason.NOT_SERVED, "RealtimeService runs in a process of its own")
