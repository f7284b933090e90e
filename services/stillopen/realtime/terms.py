"""What RealtimeService asks headquarters at each grant."""

from typing import Protocol

from stillopen.core.parameters import CardParameters
from stillopen.core.purpose import CardKind
from stillopen.core.standing import NotHome, Standing
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire import time_from
from stillopen.rpc.wire_parameters import parameters_from
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

TIMEOUT_S = 1.0


class Terms(Protocol):
    """Headquarters' word, read at each grant: what is saved holds for the next lock."""

    async def cards(self, kind: CardKind) -> CardParameters:
        """The parameters in force for cards of a kind."""
        ...

    async def standing(self, register_id: str, memo_prefix: str = "") -> Standing:
        """How the register stands, and who may have drawn memo numbers with that prefix."""
        ...


class RemoteTerms:
    """The same, asked of a headquarters in another process."""

    def __init__(self, stub: headquarters_pb2_grpc.HeadquartersServiceStub, caller: Caller) -> None:
        self._stub = stub
        self._caller = caller

    async def cards(self, kind: CardKind) -> CardParameters:
        """The parameters in force for cards of a kind."""
        request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
        response = await call(self._stub.GetParameters, request, self._caller, TIMEOUT_S)
        return parameters_from(response.parameters).of(kind)

    async def standing(self, register_id: str, memo_prefix: str = "") -> Standing:
        """How the register stands, and who may have drawn memo numbers with that prefix."""
        request = headquarters_pb2.GetStandingRequest(
            register_id=register_id, memo_prefix=memo_prefix
        )
        response = await call(self._stub.GetStanding, request, self._caller, TIMEOUT_S)
        return Standing(
            response.lane_known,
            response.recovering,
            tuple(
                NotHome(each.register_id, time_from(each.last_contact_time))
                for each in response.not_home
            ),
        )
