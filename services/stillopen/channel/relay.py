"""The relay: RealtimeService for registers, answered by headquarters.

Headquarters gets the caller's remaining time less a reserve, so that the channel always answers
before its caller gives up: losing headquarters must never look like losing the channel (protocol
rule 13). While the relay's own probe of headquarters fails it answers at once.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import grpc.aio

from stillopen.core.errors import Misuse, Reason, Refused, Unreachable
from stillopen.rpc.context import Context
from stillopen.rpc.health import health_error
from stillopen.rpc.identity import CallerKind, caller_of
from stillopen.rpc.status import answers, call
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

RESERVE_S = 0.25
RESERVE_SHARE = 0.1
TIMEOUT_DEFAULT_S = 5.0
PROBE_INTERVAL_S = 1.0
PROBE_TIMEOUT_S = 1.0

Request = TypeVar("Request")
Response = TypeVar("Response")


def time_for_headquarters_s(remaining_s: float | None) -> float:
    """What is left of the caller's time when the channel keeps its reserve; may be nothing."""
    if remaining_s is None:
        return TIMEOUT_DEFAULT_S
    return remaining_s - max(RESERVE_S, remaining_s * RESERVE_SHARE)


class RealtimeRelay(realtime_pb2_grpc.RealtimeServiceServicer):
    """Passes card calls on, with the identity of the register that made them."""

    def __init__(self, headquarters: grpc.aio.Channel) -> None:
        self._channel = headquarters
        self._stub = realtime_pb2_grpc.RealtimeServiceStub(headquarters)
        self.reachable = True

    async def probe(self) -> None:
        """Asks headquarters how it is, for as long as the process runs."""
        while True:
            self.reachable = await health_error(self._channel, PROBE_TIMEOUT_S) is None
            await asyncio.sleep(PROBE_INTERVAL_S)

    @answers
    async def GetCardBalance(
        self, request: realtime_pb2.GetCardBalanceRequest, context: Context
    ) -> realtime_pb2.GetCardBalanceResponse:
        """Says what is on a card."""
        return await self._relay(self._stub.GetCardBalance, request, context)

    @answers
    async def LockCard(
        self, request: realtime_pb2.LockCardRequest, context: Context
    ) -> realtime_pb2.LockCardResponse:
        """Locks a card."""
        return await self._relay(self._stub.LockCard, request, context)

    @answers
    async def RenewLocks(
        self, request: realtime_pb2.RenewLocksRequest, context: Context
    ) -> realtime_pb2.RenewLocksResponse:
        """Makes locks block again."""
        return await self._relay(self._stub.RenewLocks, request, context)

    @answers
    async def UnlockCard(
        self, request: realtime_pb2.UnlockCardRequest, context: Context
    ) -> realtime_pb2.UnlockCardResponse:
        """Ends a lock."""
        return await self._relay(self._stub.UnlockCard, request, context)

    @answers
    async def GetSettlement(
        self, request: realtime_pb2.GetSettlementRequest, context: Context
    ) -> realtime_pb2.GetSettlementResponse:
        """Says what became of a sale's card operations."""
        return await self._relay(self._stub.GetSettlement, request, context)

    @answers
    async def SettleTransaction(
        self, request: realtime_pb2.SettleTransactionRequest, context: Context
    ) -> realtime_pb2.SettleTransactionResponse:
        """Not for registers."""
        del request, context
        raise _not_served()

    @answers
    async def ImportCards(
        self, request_iterator: AsyncIterator[realtime_pb2.ImportCardsRequest], context: Context
    ) -> realtime_pb2.ImportCardsResponse:
        """Not for registers."""
        del request_iterator, context
        raise _not_served()

    @answers
    async def BlockCard(
        self, request: realtime_pb2.BlockCardRequest, context: Context
    ) -> realtime_pb2.BlockCardResponse:
        """Not for registers."""
        del request, context
        raise _not_served()

    @answers
    async def ResolveException(
        self, request: realtime_pb2.ResolveExceptionRequest, context: Context
    ) -> realtime_pb2.ResolveExceptionResponse:
        """Not for registers."""
        del request, context
        raise _not_served()

    @answers
    async def ListCardEntries(
        self, request: realtime_pb2.ListCardEntriesRequest, context: Context
    ) -> realtime_pb2.ListCardEntriesResponse:
        """Not for registers."""
        del request, context
        raise _not_served()

    @answers
    async def ListLocks(
        self, request: realtime_pb2.ListLocksRequest, context: Context
    ) -> realtime_pb2.ListLocksResponse:
        """Not for registers."""
        del request, context
        raise _not_served()

    @answers
    async def ListExceptions(
        self, request: realtime_pb2.ListExceptionsRequest, context: Context
    ) -> realtime_pb2.ListExceptionsResponse:
        """Not for registers."""
        del request, context
        raise _not_served()

    async def _relay(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        context: Context,
    ) -> Response:
        caller = caller_of(context, CallerKind.REGISTER)
        timeout_s = time_for_headquarters_s(context.time_remaining())
        if not self.reachable or timeout_s <= 0:
            raise _headquarters_unreachable("it did not answer the channel's last question")
        try:
            return await call(method, request, caller, timeout_s)
        except Unreachable as error:
            raise _headquarters_unreachable(str(error.reason)) from error


def _not_served() -> Misuse:
    return Misuse(Reason.NOT_SERVED, "headquarters serves this, a channel does not")


def _headquarters_unreachable(why: str) -> Refused:
    return Refused(
        Reason.HEADQUARTERS_UNREACHABLE,
        f"headquarters cannot be reached ({why}): cards wait, everything else goes on",
    )
