"""The relay: RealtimeService for registers, answered by headquarters.

Headquarters gets the caller's remaining time less a reserve, so that the channel always answers
before its caller gives up: losing headquarters must never look like losing the channel (protocol
rule 13). While the relay's own probe of headquarters fails it answers at once.
"""

import asyncio
from collections.abc import Awaitable, Callable

import grpc.aio

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.core.ids import NAME_LENGTH_MAX, check_name
from stillopen.core.permissions import Permission
from stillopen.core.products import StaffMember
from stillopen.rpc.cards_passed_on import CardsPassedOn, Request, Response
from stillopen.rpc.context import Context
from stillopen.rpc.health import health_error
from stillopen.rpc.identity import Caller, CallerKind, Gate
from stillopen.rpc.status import answers, call
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

ManagerCheck = Callable[[str, str], Awaitable[StaffMember]]
"""A manager by id and password; raises for anybody else."""

RESERVE_S = 0.25
RESERVE_SHARE = 0.1
TIMEOUT_DEFAULT_S = 5.0
PROBE_INTERVAL_S = 1.0
PROBE_TIMEOUT_S = 1.0


def time_for_headquarters_s(remaining_s: float | None) -> float:
    """What is left of the caller's time when the channel keeps its reserve; may be nothing."""
    if remaining_s is None:
        return TIMEOUT_DEFAULT_S
    return remaining_s - max(RESERVE_S, remaining_s * RESERVE_SHARE)


class RealtimeRelay(CardsPassedOn):
    """Passes card calls on, with the identity of the register that made them."""

    def __init__(
        self,
        headquarters: grpc.aio.Channel,
        authorise: ManagerCheck,
        gate: Gate,
        caller: Caller,
    ) -> None:
        self._channel = headquarters
        self._gate = gate
        self._channel_caller = caller
        self._authorise = authorise
        super().__init__(realtime_pb2_grpc.RealtimeServiceStub(headquarters))
        self.reachable = True

    @answers
    async def UnlockCard(
        self, request: realtime_pb2.UnlockCardRequest, context: Context
    ) -> realtime_pb2.UnlockCardResponse:
        """Ends a lock: the register's own, or any on the word of a manager, who is checked here."""
        if not request.HasField("manager"):
            return await self.pass_on(
                self._stub.UnlockCard, request, context, Permission.UNLOCK_CARD
            )
        register = self._gate.caller(context, CallerKind.REGISTER)
        word = request.manager
        member = await self._authorise(word.staff_id, word.password)
        where = f" (at register {register.name})"
        reason = check_name(word.reason, "manager.reason")[: NAME_LENGTH_MAX - len(where)] + where
        passed = realtime_pb2.UnlockCardRequest(
            number=request.number, kind=request.kind, reason=reason, force=request.force
        )
        manager = self._channel_caller.acting_for(Caller(CallerKind.PERSON, member.staff_id))
        return await self._ask(self._stub.UnlockCard, passed, manager, context.time_remaining())

    async def probe(self) -> None:
        """Asks headquarters how it is, for as long as the process runs."""
        while True:
            self.reachable = await health_error(self._channel, PROBE_TIMEOUT_S) is None
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def pass_on(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        context: Context,
        permission: Permission,
    ) -> Response:
        """Asks headquarters, and answers before the caller gives up."""
        del permission  # registers ask here, never a person
        caller = self._gate.caller(context, CallerKind.REGISTER)
        return await self._ask(method, request, caller, context.time_remaining())

    async def _ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        caller: Caller,
        remaining_s: float | None,
    ) -> Response:
        timeout_s = time_for_headquarters_s(remaining_s)
        if not self.reachable or timeout_s <= 0:
            raise _headquarters_unreachable("it did not answer the channel's last question")
        try:
            return await call(method, request, caller, timeout_s)
        except Unreachable as error:
            raise _headquarters_unreachable(str(error.reason)) from error


def _headquarters_unreachable(why: str) -> Refused:
    return Refused(
        Reason.HEADQUARTERS_UNREACHABLE,
        f"headquarters cannot be reached ({why}): cards wait, everything else goes on",
    )
