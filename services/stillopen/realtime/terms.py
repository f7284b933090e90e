"""What RealtimeService asks headquarters at each grant: the terms in force, and who is known."""

from typing import Protocol

from stillopen.core.parameters import GiftCardParameters
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire import parameters_from
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

TIMEOUT_S = 1.0


class Terms(Protocol):
    """Headquarters' word, read at each grant: what is saved holds for the next lock."""

    async def gift_card(self) -> GiftCardParameters:
        """The gift card parameters in force."""
        ...

    async def lane_known(self, register_id: str) -> bool:
        """Whether headquarters knows a lane of the register, so that it may have terms."""
        ...


class RemoteTerms:
    """The same, asked of a headquarters in another process."""

    def __init__(self, stub: headquarters_pb2_grpc.HeadquartersServiceStub, caller: Caller) -> None:
        self._stub = stub
        self._caller = caller

    async def gift_card(self) -> GiftCardParameters:
        """The gift card parameters in force."""
        request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
        response = await call(self._stub.GetParameters, request, self._caller, TIMEOUT_S)
        return parameters_from(response.parameters).gift_card

    async def lane_known(self, register_id: str) -> bool:
        """Whether headquarters knows a lane of the register."""
        request = headquarters_pb2.GetCompletenessRequest(register_id=register_id)
        response = await call(self._stub.GetCompleteness, request, self._caller, TIMEOUT_S)
        return bool(response.lanes)
