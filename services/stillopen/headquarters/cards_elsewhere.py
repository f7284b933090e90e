"""RealtimeService at headquarters' address when it runs elsewhere: passed on, caller and all.

Two are not: the journal processor settles where the cards are, and cards are imported through
HeadquartersService.
"""

import grpc.aio

from stillopen.core.permissions import Permission
from stillopen.rpc.cards_passed_on import CardsPassedOn, Request, Response
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller, CallerKind, Gate
from stillopen.rpc.status import answers, call
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

TIMEOUT_DEFAULT_S = 10.0
RESERVE_SHARE = 0.05


class CardsElsewhere(CardsPassedOn):
    """What people ask is passed on too, so that everybody needs one address."""

    def __init__(
        self, stub: realtime_pb2_grpc.RealtimeServiceStub, gate: Gate, house: Caller
    ) -> None:
        super().__init__(stub)
        self._gate = gate
        self._house = house

    @answers
    async def AdjustCard(
        self, request: realtime_pb2.AdjustCardRequest, context: Context
    ) -> realtime_pb2.AdjustCardResponse:
        """Adds a ledger entry by hand."""
        return await self.pass_on(self._stub.AdjustCard, request, context, Permission.CARDS)

    @answers
    async def BlockCard(
        self, request: realtime_pb2.BlockCardRequest, context: Context
    ) -> realtime_pb2.BlockCardResponse:
        """Blocks a card, or lifts that."""
        return await self.pass_on(self._stub.BlockCard, request, context, Permission.CARDS)

    @answers
    async def ResolveException(
        self, request: realtime_pb2.ResolveExceptionRequest, context: Context
    ) -> realtime_pb2.ResolveExceptionResponse:
        """Resolves an exception."""
        return await self.pass_on(self._stub.ResolveException, request, context, Permission.CARDS)

    @answers
    async def ListCardEntries(
        self, request: realtime_pb2.ListCardEntriesRequest, context: Context
    ) -> realtime_pb2.ListCardEntriesResponse:
        """Lists a card's ledger."""
        return await self.pass_on(self._stub.ListCardEntries, request, context, Permission.VIEW)

    @answers
    async def ListLocks(
        self, request: realtime_pb2.ListLocksRequest, context: Context
    ) -> realtime_pb2.ListLocksResponse:
        """Lists open locks."""
        return await self.pass_on(self._stub.ListLocks, request, context, Permission.VIEW)

    @answers
    async def ListExceptions(
        self, request: realtime_pb2.ListExceptionsRequest, context: Context
    ) -> realtime_pb2.ListExceptionsResponse:
        """Lists exceptions."""
        return await self.pass_on(self._stub.ListExceptions, request, context, Permission.VIEW)

    async def pass_on(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        context: Context,
        permission: Permission,
    ) -> Response:
        """Asks RealtimeService, in a little less than the caller's time."""
        caller = self._gate.person(context, permission, CallerKind.REGISTER)
        timeout_s = _timeout_s(context.time_remaining())
        return await call(method, request, self._house.acting_for(caller), timeout_s)


def _timeout_s(remaining_s: float | None) -> float:
    return (TIMEOUT_DEFAULT_S if remaining_s is None else remaining_s) * (1 - RESERVE_SHARE)
