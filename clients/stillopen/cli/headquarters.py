"""Headquarters as commands see it: its services at one address, each call with a deadline."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Self

from stillopen.cli.headquarters_catalogue import CatalogueQuestions
from stillopen.cli.headquarters_compare import CompareQuestions
from stillopen.cli.headquarters_distribution import DistributionQuestions
from stillopen.cli.headquarters_files import FileQuestions
from stillopen.cli.headquarters_people import PeopleQuestions
from stillopen.cli.headquarters_periods import PeriodQuestions
from stillopen.cli.headquarters_quarantine import QuarantineQuestions
from stillopen.cli.headquarters_set_up import SetUpQuestions
from stillopen.cli.sessions import SignedIn, read_session
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters, OfflineProfile, Parameters
from stillopen.core.purpose import CardKind
from stillopen.rpc.channel import open_channel
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.rpc.status import call
from stillopen.rpc.wire import money_from, money_to, profile_from, profile_to
from stillopen.rpc.wire_parameters import kind_to, parameters_from, parameters_to
from stillopen.v1 import (
    headquarters_pb2,
    headquarters_pb2_grpc,
    realtime_pb2,
    realtime_pb2_grpc,
    types_pb2,
)

TIMEOUT_S = 10.0
ASK_AGAIN_S = 0.05
NOBODY = SignedIn("nobody", "", 0.0)
"""Headquarters refuses it, and the command says how to sign in."""


class Headquarters(
    CatalogueQuestions,
    CompareQuestions,
    DistributionQuestions,
    FileQuestions,
    SetUpQuestions,
    PeopleQuestions,
    PeriodQuestions,
    QuarantineQuestions,
):
    """One headquarters; use it with `async with`.

    Calls come from `caller`; without one from the person whom `stillopen sign-in` signed in.
    """

    def __init__(
        self, address: str, caller: Caller | None = None, security: Security = PLAINTEXT
    ) -> None:
        kept = NOBODY if caller else read_session(address) or NOBODY
        self._channel = open_channel(address, security if caller else kept.security)
        self._caller = caller or kept.caller
        self._stub = headquarters_pb2_grpc.HeadquartersServiceStub(self._channel)
        self._cards = realtime_pb2_grpc.RealtimeServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def parameters(self) -> Parameters:
        """The parameters in force."""
        request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
        answer = await call(self._stub.GetParameters, request, self._caller, TIMEOUT_S)
        return parameters_from(answer.parameters)

    async def set_gift_card(self, gift_card: CardParameters) -> Parameters:
        """Changes the gift card parameters."""
        return await self.set_parameters(replace(await self.parameters(), gift_card=gift_card))

    async def set_parameters(self, wanted: Parameters) -> Parameters:
        """Changes the parameters; their version is the one that was seen."""
        request = headquarters_pb2.UpdateParametersRequest(parameters=parameters_to(wanted))
        answer = await call(self._stub.UpdateParameters, request, self._caller, TIMEOUT_S)
        return parameters_from(answer.parameters)

    async def profile(self, name: str = "") -> OfflineProfile:
        """When registers go offline and come back; "Default" without a name."""
        request = headquarters_pb2.GetOfflineProfileRequest(name=name)
        answer = await call(self._stub.GetOfflineProfile, request, self._caller, TIMEOUT_S)
        return profile_from(answer.offline_profile)

    async def set_profile(self, profile: OfflineProfile) -> OfflineProfile:
        """Changes when registers go offline and come back."""
        request = headquarters_pb2.UpdateOfflineProfileRequest(offline_profile=profile_to(profile))
        answer = await call(self._stub.UpdateOfflineProfile, request, self._caller, TIMEOUT_S)
        return profile_from(answer.offline_profile)

    async def card(
        self, number: str, kind: CardKind = CardKind.GIFT_CARD
    ) -> realtime_pb2.GetCardBalanceResponse:
        """What is on a card and who holds it."""
        request = realtime_pb2.GetCardBalanceRequest(number=number, kind=kind_to(kind))
        return await call(self._cards.GetCardBalance, request, self._caller, TIMEOUT_S)

    async def acknowledge(
        self, register_id: str, epoch: int, kind: types_pb2.LaneAlarmKind.ValueType, reason: str
    ) -> headquarters_pb2.LaneAlarm:
        """Notes that an alarm was seen."""
        request = headquarters_pb2.AcknowledgeAlarmRequest(
            register_id=register_id, epoch=epoch, kind=kind, reason=reason
        )
        return (await call(self._stub.AcknowledgeAlarm, request, self._caller, TIMEOUT_S)).alarm

    async def end_recovery(self, reason: str) -> list[types_pb2.JournalPosition]:
        """Waits no longer for what a restore lost."""
        request = headquarters_pb2.EndRecoveryRequest(reason=reason)
        return list((await call(self._stub.EndRecovery, request, self._caller, TIMEOUT_S)).given_up)

    async def declare_lost(
        self, register_id: str, epoch: int, reason: str
    ) -> headquarters_pb2.LostLane:
        """Declares that what a lane lacks will not come."""
        request = headquarters_pb2.DeclareLaneLostRequest(
            register_id=register_id, epoch=epoch, reason=reason
        )
        return (await call(self._stub.DeclareLaneLost, request, self._caller, TIMEOUT_S)).lost_lane

    async def lost_lanes(self, register_id: str = "") -> list[headquarters_pb2.LostLane]:
        """The lanes that were declared lost."""
        request = headquarters_pb2.ListLostLanesRequest(register_id=register_id)
        return list(
            (await call(self._stub.ListLostLanes, request, self._caller, TIMEOUT_S)).lost_lanes
        )

    async def until_complete(self, timeout_s: float) -> None:
        """Waits until every claimed entry is here and applied, asking again and again."""
        async with asyncio.timeout(timeout_s):
            while not (await self.completeness()).complete:
                await asyncio.sleep(ASK_AGAIN_S)

    async def transactions(self) -> AsyncIterator[headquarters_pb2.ReceivedTransaction]:
        """Every sale that came home."""
        token = ""
        while True:
            request = headquarters_pb2.HeadquartersServiceListTransactionsRequest(
                page_size=500, page_token=token
            )
            answer = await call(self._stub.ListTransactions, request, self._caller, TIMEOUT_S)
            for each in answer.transactions:
                yield each
            token = answer.next_page_token
            if not token:
                return

    async def over_returns(self) -> AsyncIterator[headquarters_pb2.OverReturn]:
        """Lines of which more was returned than sold."""
        token = ""
        while True:
            request = headquarters_pb2.ListOverReturnsRequest(page_size=500, page_token=token)
            answer = await call(self._stub.ListOverReturns, request, self._caller, TIMEOUT_S)
            for each in answer.over_returns:
                yield each
            token = answer.next_page_token
            if not token:
                return

    async def locks(self) -> list[realtime_pb2.OpenLock]:
        """Locks that are open, the first thousand."""
        request = realtime_pb2.ListLocksRequest()
        return list((await call(self._cards.ListLocks, request, self._caller, TIMEOUT_S)).locks)

    async def end_lock(self, lock_key: bytes, reason: str, *, force: bool) -> realtime_pb2.CardLock:
        """Ends a register's lock, as a person."""
        request = realtime_pb2.UnlockCardRequest(lock_key=lock_key, reason=reason, force=force)
        return (await call(self._cards.UnlockCard, request, self._caller, TIMEOUT_S)).lock

    async def end_locks_of(
        self, number: str, kind: CardKind, reason: str, *, force: bool
    ) -> list[realtime_pb2.CardLock]:
        """Ends whatever holds a card, as a person."""
        request = realtime_pb2.UnlockCardRequest(
            number=number, kind=kind_to(kind), reason=reason, force=force
        )
        return list((await call(self._cards.UnlockCard, request, self._caller, TIMEOUT_S)).locks)

    async def adjust(self, number: str, change: Money, reason: str, name: str) -> Money:
        """Adds to a card's ledger by hand, once for each name; what is on it then."""
        request = realtime_pb2.AdjustCardRequest(
            number=number, change=money_to(change), reason=reason, adjustment_id=name
        )
        answer = await call(self._cards.AdjustCard, request, self._caller, TIMEOUT_S)
        return money_from(answer.balance)

    async def block(self, number: str, reason: str, *, blocked: bool) -> None:
        """Blocks a card, or lifts that."""
        request = realtime_pb2.BlockCardRequest(number=number, reason=reason, blocked=blocked)
        await call(self._cards.BlockCard, request, self._caller, TIMEOUT_S)

    async def resolve(
        self,
        exception_id: int,
        resolution: realtime_pb2.ExceptionResolution.ValueType,
        note: str,
    ) -> realtime_pb2.CardException:
        """Resolves an exception, once."""
        request = realtime_pb2.ResolveExceptionRequest(
            exception_id=exception_id, resolution=resolution, note=note
        )
        return (
            await call(self._cards.ResolveException, request, self._caller, TIMEOUT_S)
        ).exception

    async def exceptions(self) -> list[realtime_pb2.CardException]:
        """Card operations that could not be paid, the first thousand."""
        request = realtime_pb2.ListExceptionsRequest()
        answer = await call(self._cards.ListExceptions, request, self._caller, TIMEOUT_S)
        return list(answer.exceptions)

    async def ledger(
        self, card_id: str = "", number: str = ""
    ) -> realtime_pb2.ListCardEntriesResponse:
        """A card's ledger, and what people did to it."""
        request = realtime_pb2.ListCardEntriesRequest(card_id=card_id, number=number)
        return await call(self._cards.ListCardEntries, request, self._caller, TIMEOUT_S)


async def sign_in(address: str, staff_id: str, password: str) -> Caller:
    """Somebody who may call headquarters; as `signed_in`."""
    answer = await signed_in(address, staff_id, password)
    return Caller(CallerKind.PERSON, staff_id, answer.token)


async def signed_in(
    address: str, staff_id: str, password: str, security: Security = PLAINTEXT
) -> headquarters_pb2.HeadquartersServiceSignInResponse:
    """Signs a person in at headquarters; Refused SIGN_IN_FAILED, LOCKED_OUT or BLOCKED."""
    async with open_channel(address, security) as channel:
        stub = headquarters_pb2_grpc.HeadquartersServiceStub(channel)
        request = headquarters_pb2.HeadquartersServiceSignInRequest(
            staff_id=staff_id, password=password
        )
        return await call(stub.SignIn, request, NOBODY.caller, TIMEOUT_S)
