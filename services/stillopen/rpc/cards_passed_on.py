"""RealtimeService passed on to where cards are: by a channel's relay, and by headquarters."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TypeVar

import grpc.aio

from stillopen.core.errors import Misuse, Reason
from stillopen.core.permissions import Permission
from stillopen.rpc.context import Context
from stillopen.rpc.status import answers
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

Request = TypeVar("Request")
Response = TypeVar("Response")


class CardsPassedOn(realtime_pb2_grpc.RealtimeServiceServicer):
    """What registers ask, passed on as `pass_on` says; the rest is not served unless overridden."""

    def __init__(self, stub: realtime_pb2_grpc.RealtimeServiceStub) -> None:
        self._stub = stub

    @abstractmethod
    async def pass_on(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        context: Context,
        permission: Permission,
    ) -> Response:
        """Calls `method` where the cards are, within the caller's time and in its name.

        `permission` is what a person needs for it.
        """

    @answers
    async def GetCardBalance(
        self, request: realtime_pb2.GetCardBalanceRequest, context: Context
    ) -> realtime_pb2.GetCardBalanceResponse:
        """Says what is on a card."""
        return await self.pass_on(self._stub.GetCardBalance, request, context, Permission.VIEW)

    @answers
    async def LockCard(
        self, request: realtime_pb2.LockCardRequest, context: Context
    ) -> realtime_pb2.LockCardResponse:
        """Locks a card."""
        return await self.pass_on(self._stub.LockCard, request, context, Permission.SELL)

    @answers
    async def RenewLocks(
        self, request: realtime_pb2.RenewLocksRequest, context: Context
    ) -> realtime_pb2.RenewLocksResponse:
        """Makes locks block again."""
        return await self.pass_on(self._stub.RenewLocks, request, context, Permission.SELL)

    @answers
    async def UnlockCard(
        self, request: realtime_pb2.UnlockCardRequest, context: Context
    ) -> realtime_pb2.UnlockCardResponse:
        """Ends a lock."""
        return await self.pass_on(self._stub.UnlockCard, request, context, Permission.UNLOCK_CARD)

    @answers
    async def GetSettlement(
        self, request: realtime_pb2.GetSettlementRequest, context: Context
    ) -> realtime_pb2.GetSettlementResponse:
        """Says what became of a sale's card operations."""
        return await self.pass_on(self._stub.GetSettlement, request, context, Permission.VIEW)

    @answers
    async def SettleTransaction(
        self, request: realtime_pb2.SettleTransactionRequest, context: Context
    ) -> realtime_pb2.SettleTransactionResponse:
        """Not for registers."""
        del request, context
        raise not_served()

    @answers
    async def ImportCards(
        self, request_iterator: AsyncIterator[realtime_pb2.ImportCardsRequest], context: Context
    ) -> realtime_pb2.ImportCardsResponse:
        """Not for registers."""
        del request_iterator, context
        raise not_served()

    @answers
    async def BlockCard(
        self, request: realtime_pb2.BlockCardRequest, context: Context
    ) -> realtime_pb2.BlockCardResponse:
        """Not for registers."""
        del request, context
        raise not_served()

    @answers
    async def AdjustCard(
        self, request: realtime_pb2.AdjustCardRequest, context: Context
    ) -> realtime_pb2.AdjustCardResponse:
        """Not for registers."""
        del request, context
        raise not_served()

    @answers
    async def ResolveException(
        self, request: realtime_pb2.ResolveExceptionRequest, context: Context
    ) -> realtime_pb2.ResolveExceptionResponse:
        """Not for registers."""
        del request, context
        raise not_served()

    @answers
    async def ListCardEntries(
        self, request: realtime_pb2.ListCardEntriesRequest, context: Context
    ) -> realtime_pb2.ListCardEntriesResponse:
        """Not for registers."""
        del request, context
        raise not_served()

    @answers
    async def ListLocks(
        self, request: realtime_pb2.ListLocksRequest, context: Context
    ) -> realtime_pb2.ListLocksResponse:
        """Not for registers."""
        del request, context
        raise not_served()

    @answers
    async def ListExceptions(
        self, request: realtime_pb2.ListExceptionsRequest, context: Context
    ) -> realtime_pb2.ListExceptionsResponse:
        """Not for registers."""
        del request, context
        raise not_served()


def not_served() -> Misuse:
    """The answer to what is asked at the wrong place."""
    return Misuse(Reason.NOT_SERVED, "this is served where the cards are, not here")
