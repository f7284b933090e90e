"""Registers become known through their channel: headquarters judges the code, the channel learns.

The secret goes to the register alone. The channel keeps what the secret is known by, so that the
register is served at once and not only with the next package.
"""

from collections.abc import Callable
from typing import Protocol

from stillopen.channel.relay import time_for_headquarters_s
from stillopen.core.activation_code import code_digest
from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.core.guessing import Guesses
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.v1 import channel_data_pb2, headquarters_pb2, headquarters_pb2_grpc


class Learned(Protocol):
    """Where a channel keeps the registers whose activation it passed on."""

    async def keep(self, register_id: str, version: int, secret: str) -> None:
        """Learns a register's secret."""
        ...


class Activation:
    """Passes codes on to headquarters, in the channel's name."""

    def __init__(
        self,
        headquarters: headquarters_pb2_grpc.HeadquartersServiceStub,
        channel: Caller,
        learned: Learned,
        reachable: Callable[[], bool],
    ) -> None:
        self._headquarters = headquarters
        self._channel = channel
        self._learned = learned
        self._reachable = reachable
        self._guesses = Guesses("activation codes")

    async def register(
        self, code: str, asker: str, now_s: float, remaining_s: float | None
    ) -> channel_data_pb2.ActivateRegisterResponse:
        """Makes a register known; Refused CODE_UNKNOWN, TOO_MANY_UNKNOWN, or unreachable."""
        self._guesses.check(asker, now_s)
        code_digest(code)  # what was mistyped need not travel
        timeout_s = time_for_headquarters_s(remaining_s)
        if not self._reachable() or timeout_s <= 0:
            raise _unreachable("it did not answer the channel's last question")
        request = headquarters_pb2.HeadquartersServiceActivateRegisterRequest(activation_code=code)
        try:
            found = await call(
                self._headquarters.ActivateRegister, request, self._channel, timeout_s
            )
        except Unreachable as error:
            raise _unreachable(str(error.reason)) from error
        except Refused as error:
            if error.reason is Reason.CODE_UNKNOWN:
                self._guesses.unknown(asker, now_s)
            raise
        await self._learned.keep(found.register_id, found.credential_version, found.secret)
        return channel_data_pb2.ActivateRegisterResponse(
            register_id=found.register_id, store_id=self._channel.name, secret=found.secret
        )


def _unreachable(why: str) -> Refused:
    return Refused(
        Reason.HEADQUARTERS_UNREACHABLE,
        f"headquarters cannot be reached ({why}): it alone knows activation codes; try again later",
    )
